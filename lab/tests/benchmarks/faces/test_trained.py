"""Rows of trained runs: recognition of secrets outside the training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab_support.people import people
from underpaint.errors import UsageError
from underpaint.types import Image
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.faces.rows import ABLATION, COVERS
from underpaint_lab.benchmarks.faces.similarity import quality, stegexpose_rates
from underpaint_lab.benchmarks.faces.trained import NAMES, evaluate
from underpaint_lab.benchmarks.faces.tsne import draw
from underpaint_lab.papers import RECIPES
from underpaint_lab.papers.miais.ours import MiaisOursRecipe
from underpaint_lab.papers.miais.published import MiaisPublishedRecipe
from underpaint_lab.papers.miais.teacher import RecognitionRecipe
from underpaint_lab.training.loop import fit

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return people(tmp_path_factory.mktemp("data"))


def run_of(name: str, data: Path, folder: Path, **settings: Any) -> Path:
    """A run of two steps."""
    entry = RECIPES[name]
    assert isinstance(entry.recipe, RecognitionRecipe)
    assert entry.read is not None
    recipe: RecognitionRecipe = replace(entry.recipe, steps=2, batch=8, crop=32, classes=10, width=4, size=16)
    if isinstance(recipe, MiaisPublishedRecipe):
        recipe = replace(recipe, generator=4, downs=3)
    if isinstance(recipe, MiaisOursRecipe):
        recipe = replace(recipe, hidden=8)
    fit(entry.model(replace(recipe, **settings)), entry.read(data), folder / name, progress=False)
    return folder / name


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the teachers'."""
    folder = tmp_path_factory.mktemp("runs")
    run_of("miais-teacher", data, folder)
    run_of("miais-objects-teacher", data, folder)
    return folder


@pytest.mark.parametrize(
    ("name", "table", "row"),
    [
        ("miais-teacher", ABLATION, "plain secrets"),
        ("miais-published", ABLATION, "+ content + minimax"),
        ("miais-published-photographs", COVERS, "+ content + minimax"),
        ("miais", ABLATION, "ours"),
    ],
)
def test_a_run_becomes_a_row(name: str, table: str, row: str, data: Path, runs: Path, tmp_path: Path) -> None:
    result = evaluate(name, run_of(name, data, runs), data, each=3)
    (found,) = result.rows
    assert (result.table, found.name, found.count) == (table, row, 18)
    assert all(0 <= share <= 1 for share in (found.accuracy, found.auc or 0, found.rank_one or 0, found.detected or 0))
    assert found.plain is not None
    assert (found.cover is not None) == (name != "miais-teacher")
    assert (found.wrong_key is not None) == (name == "miais")
    assert report.read(result.write(tmp_path)).rows[0].name == row
    if name == "miais-teacher":
        assert found.gap == 0


@pytest.mark.parametrize("name", ["miais-objects-teacher", "miais-objects-published", "miais-objects"])
def test_of_objects_the_first_guess_counts(name: str, data: Path, runs: Path) -> None:
    settings = {"content": False, "minimax": False} if name == "miais-objects-published" else {}
    (found,) = evaluate(name, run_of(name, data, runs, **settings), data).rows
    assert (found.secrets, found.count, found.auc) == ("objects", 20, None)
    assert 20 * found.accuracy == pytest.approx(round(20 * found.accuracy))


def test_psnr_has_both_conventions() -> None:
    dark, grey = np.zeros((32, 32, 3), np.uint8), np.full((32, 32, 3), 10, np.uint8)
    found = quality([dark, dark], [dark + 1, grey])
    assert found.pooled_psnr == pytest.approx(31.1, abs=0.1)
    assert found.psnr == pytest.approx((48.13 + 28.13) / 2, abs=0.1)
    assert found.scales == 2
    assert quality([dark], [dark]).pooled_psnr is None


def test_random_bits_are_detected() -> None:
    smooth = np.add.outer(np.arange(64), np.arange(64))[..., None].repeat(3, axis=2).astype(np.uint8)
    covers: list[Image] = [smooth + np.uint8(shift) for shift in range(4)]
    containers = [each & np.uint8(254) | RNG.integers(2, size=each.shape, dtype=np.uint8) for each in covers]
    assert stegexpose_rates(covers, containers)["detected_auc"] == 1


def test_other_recipes_are_refused(tmp_path: Path) -> None:
    assert "miais-published-faces" in NAMES
    with pytest.raises(UsageError, match="cannot be evaluated"):
        evaluate("stegnet", tmp_path, tmp_path)


def test_faces_are_drawn_by_tsne(data: Path, runs: Path, tmp_path: Path) -> None:
    run = run_of("miais-published", data, runs)
    for name in ("one", "two"):
        draw([run], data, tmp_path / f"{name}.svg")
    drawn = (tmp_path / "one.svg").read_text()
    assert all(title in drawn for title in ("plain secrets", "+ content + minimax"))
    assert (tmp_path / "two.svg").read_text() == drawn
