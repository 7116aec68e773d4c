"""Release of the detector."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lab_support.cover_stego import toy_pairs
from underpaint.errors import UsageError
from underpaint_lab.papers import RECIPES, release
from underpaint_lab.papers.steganalysis.models import RichModelPairs
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import fit

RNG = np.random.default_rng(7)


def test_a_trained_detector_is_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = toy_pairs()
    np.savez(tmp_path / "pairs.npz", covers=shown.covers, containers=shown.containers, rates=shown.rates)
    counted = RichModelPairs.of(tmp_path / "pairs.npz")
    recipe = replace(RECIPES["steganalysis-light"].recipe, steps=40, batch=8, warmup=0, ema=0.0)
    model = RECIPES["steganalysis-light"].model(recipe)
    fit(model, counted, tmp_path / "run", accelerator="cpu", progress=False)
    exported: dict[str, Any] = {}
    monkeypatch.setattr(release, "export", lambda graphs, folder, card: exported.update(graphs, card=card) or 0.5)
    assert release.release("detector", tmp_path / "run", tmp_path / "detector", {"auc": 0.9}) == 0.5
    assert exported["card"].measured == {"auc": 0.9}
    assert "rich model" in exported["card"].paper
    assert "12 pictures" in exported["card"].training_data
    network = exported["detector"].module
    with torch.inference_mode():
        clean, full = (
            network(torch.from_numpy(each).permute(0, 3, 1, 2).float()) for each in (shown.covers, shown.containers[0])
        )
    assert clean.max() < full.min()


def test_runs_of_other_networks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "read_record", lambda run: {"recipe": {"network": "vgg"}})
    with pytest.raises(UsageError, match="trained no detector"):
        release.release("detector", tmp_path, tmp_path)
