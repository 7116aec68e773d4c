"""Detectors trained on containers with faces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lab_support.people import people
from underpaint.errors import ModelError, UsageError
from underpaint.metrics import psnr
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.faces import trained_steganalysers
from underpaint_lab.benchmarks.faces.trained_steganalysers import SYSTEMS, Case, SystemPairs, evaluate, system_pairs
from underpaint_lab.papers import RECIPES
from underpaint_lab.papers.miais.baselines import MiaisBaselineRecipe
from underpaint_lab.papers.miais.ours import MiaisOursRecipe
from underpaint_lab.papers.miais.published import MiaisPublishedRecipe
from underpaint_lab.papers.miais.teacher import RecognitionRecipe
from underpaint_lab.training.loop import fit

if TYPE_CHECKING:
    from pathlib import Path


SMALL: dict[str, Any] = {"steps": 2, "batch": 4, "crop": 32, "classes": 10, "width": 8, "size": 16}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return people(tmp_path_factory.mktemp("data"))


@pytest.fixture
def runs(data: Path, tmp_path: Path) -> Path:
    """A run of two steps of each of some systems."""
    for name in ("miais-hidden", "miais-stegnet", "miais-multitask", "miais"):
        entry = RECIPES[SYSTEMS[name].recipe]
        assert isinstance(entry.recipe, RecognitionRecipe)
        assert entry.read is not None
        recipe: RecognitionRecipe = replace(entry.recipe, **SMALL)
        if isinstance(recipe, MiaisPublishedRecipe):
            recipe = replace(recipe, content=False, multitask=True, generator=8, downs=3, restorer=8)
        if isinstance(recipe, MiaisOursRecipe | MiaisBaselineRecipe):
            recipe = replace(recipe, hidden=8)
        fit(entry.model(recipe), entry.read(data), tmp_path / name, progress=False)
    return tmp_path


def test_containers_of_all_systems_are_drawn_equally_often() -> None:
    covers = np.zeros((3, 32, 32, 3), np.uint8)
    shown = SystemPairs("levels", covers, np.stack([covers + 1, covers + 2]), np.ones((2, 3)))
    drawn = shown.drawn(0, 600, np.random.default_rng(0))
    assert min(np.unique(drawn, axis=0, return_counts=True)[1]) > 60
    images = shown.batch(0, size=8, crop=32, seed=0)
    assert images.shape == (8, 6, 32, 32)
    assert set(np.unique(images[:, 3:]).tolist()) == {1, 2}


def test_detectors_are_trained_measured_and_written(data: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        trained_steganalysers, "SYSTEMS", {name: SYSTEMS[name] for name in SYSTEMS if (runs / name).exists()}
    )
    both = system_pairs(["miais", "miais-hidden"], runs, data, "test", 6, 32)
    assert both.containers.shape == (2, 6, 32, 32, 3)
    assert psnr(both.covers[0], both.containers[0][0]) > 30 > psnr(both.covers[0], both.containers[1][0])
    recipe = replace(trained_steganalysers.RECIPE, steps=2, batch=2, crop=32)
    cases: tuple[tuple[str, Case, int], ...] = (("miais-hidden", 1, 1), ("miais-hidden", 2, 2), ("miais", 2, 3))
    for name, case, known in cases:
        found = evaluate(name, case, runs, data, recipe, {"train": 6, "test": 4})
        assert [(row.analyser, row.case) for row in found.rows] == [("ye", case), ("yedroudj", case)]
        assert {row.hider for row in found.rows} == {SYSTEMS[name].name}
        assert {row.trained_pairs for row in found.rows} == {6 * known}
        assert report.read(found.write(runs)) == found
    with pytest.raises(UsageError):
        evaluate("udh", 1, runs, data)
    with pytest.raises(ModelError):
        system_pairs(["miais"], runs / "none", data, "test", 6, 32)
