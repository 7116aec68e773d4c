"""The ablation of robust watermarking."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lab_support.robust import PUBLISHED
from underpaint.metrics import psnr
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.robustness import ablation
from underpaint_lab.benchmarks.robustness.rows import qualities
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.papers.robust.published import RECIPES, RobustPublished
from underpaint_lab.training.trainable import RecipeEntry


def test_changes_are_scaled_to_an_equal_psnr() -> None:
    rng = np.random.default_rng(0)
    originals = rng.integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    change = rng.normal(0, 20, originals.shape).astype(np.float32)
    for wanted in ablation.EQUAL:
        scaled = ablation.scale_change(originals, change, ablation.factor_for_psnr(originals, change, wanted))
        mean = np.mean([psnr(cover, container) for cover, container in zip(originals, scaled, strict=True)])
        assert mean == pytest.approx(wanted, abs=0.02)


def test_a_column_is_trained_measured_and_written(
    sample_photographs: Photographs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablation, "CROPS", 4)
    monkeypatch.setattr(ablation, "ABLATION_CHANNELS", ("none", "jpeg:50"))
    for name in ("start", "shin-song"):
        recipe = replace(PUBLISHED, attack="none" if name == "start" else name)
        monkeypatch.setitem(RECIPES, f"robust-ablation-{name}", RecipeEntry(RobustPublished, recipe, ""))
    start = ablation.train_start(sample_photographs, tmp_path)
    run = ablation.train("shin-song", start, sample_photographs, tmp_path)
    assert ablation.train("shin-song", tmp_path / "missing", sample_photographs, tmp_path) == run, "it is finished"
    found = ablation.measure("shin-song", run, sample_photographs, seed=0, command="as in the test")
    assert [(row.channel, row.sent, row.bits) for row in found.rows[:2]] == [("none", 4, 8), ("jpeg:50", 4, 8)]
    assert [quality.psnr_mean for quality in qualities(found)[1:]] == pytest.approx(list(ablation.EQUAL), abs=0.02)
    assert [stage["stage"] for stage in found.notes["training"]] == ["start", "shin-song"]
    assert all(
        str(stage["scale"]).startswith("reduced: crop 16 of 128, bits 2 of 30") for stage in found.notes["training"]
    )
    assert report.read(found.write(tmp_path)) == found
