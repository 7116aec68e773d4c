"""Release of BASN's attention networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lab_support.basn import EXACT, REACH, view
from lab_support.run_lab import run as run_lab
from underpaint import models
from underpaint.errors import ModelError
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.nets.integer import PEAK
from underpaint_lab.papers import RECIPES, release
from underpaint_lab.papers.basn.exact import (
    ExactBasn,
    ExactRecipe,
)
from underpaint_lab.papers.basn.published import BasnRecipe
from underpaint_lab.papers.basn.release import basn, published
from underpaint_lab.training.loop import fit


@pytest.fixture(scope="module")
def run(sample_photographs: Photographs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run without task networks."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    changes = {"steps": 2, "batch": 4, "learning_rate": 1e-3, "decay": "cosine", "clip": 1.0, "error": 0.0}
    recipe = ExactRecipe(**(asdict(EXACT) | changes))
    fit(ExactBasn(recipe), sample_photographs, folder, accelerator="cpu", progress=False)
    return folder


RNG = np.random.default_rng(3)


NOISE = [RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8) for _ in range(6)]


def test_release_of_exact_basn_has_graph_and_card(run: Path) -> None:
    graphs, card = basn(run, {"psnr_3.9_bpp": 51.0})
    assert list(graphs) == ["attention"]
    assert list(graphs["attention"].inputs) == ["view"]
    assert not list(graphs["attention"].module.parameters())
    assert (card.method, card.licence, card.measured) == ("basn", "MIT", {"psnr_3.9_bpp": 51.0})
    assert "samples, 2 pictures" in card.training_data
    assert "steps=2" in card.recipe
    assert f"more than {REACH} pixels away" in card.text


def test_release_command_writes_basn(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    targets: list[Path] = []

    def export(graphs: Mapping[str, Any], folder: Path, _card: models.Card) -> float:
        assert set(graphs) == {"attention"}
        targets.append(folder)
        return 0.0

    monkeypatch.setattr(release, "export", export)
    assert run_lab("release", "basn", "--run", str(run)).stdout.startswith(b"wrote basn")
    assert targets == [models.folder("basn")]


def test_attention_of_the_zoo_is_integers_in_any_tiling() -> None:
    session = models.load("basn", threads=1).graphs["attention"]
    seen = view(96).numpy()
    found = session.run({"view": seen})["attention"]
    assert found.shape == seen.shape
    assert np.array_equal(found, found.round())
    assert 0 <= found.min() < found.max() <= PEAK
    assert np.array_equal(session.tiled(seen, overlap=REACH, tile=32, multiple=8), found)


def test_published_attention_is_released_from_two_runs(tmp_path: Path) -> None:
    recipe = BasnRecipe(steps=2, batch=2, crop=32, width=8, task_width=8)
    photographs = Photographs("noise", NOISE)
    for stage, steps in (("itc", 2), ("mfd", 1)):
        model = RECIPES[f"basn-{stage}"].model(replace(recipe, steps=steps))
        fit(model, photographs, tmp_path / stage, accelerator="cpu", progress=False)
    graphs, card = published(tmp_path / "itc", tmp_path / "mfd")
    for graph in graphs.values():
        with torch.inference_mode():
            attention = graph.module(graph.inputs["image"])
        assert attention.shape == graph.inputs["image"].shape
        assert 0 <= attention.min() < attention.max() <= 1
    assert list(graphs) == ["itc", "mfd"]
    assert card.recipe.startswith("Itc steps=2 ")
    assert "; Mfd steps=1 " in card.recipe
    with pytest.raises(ModelError, match="no part 'itc'"):
        published(tmp_path / "mfd", tmp_path / "mfd")
