"""Measurement of the CNN detectors."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from lab_support.cover_stego import toy_pairs
from underpaint import media, models
from underpaint.media import samples
from underpaint.types import Image
from underpaint_lab.benchmarks.detectability import shipped_cnn
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.papers import RECIPES
from underpaint_lab.papers.steganalysis.models import SteganalysisRecipe
from underpaint_lab.training.loop import fit

RNG = np.random.default_rng(7)


PHOTO = media.read(samples.path("coffee")).pixels


def test_shipped_detector_is_measured_on_every_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        pixels = PHOTO[100 * number : 100 * number + 256, 40:296]
        media.write(media.Picture(pixels.copy()), tmp_path / f"{number}.png")
    monkeypatch.setattr(shipped_cnn, "CASES", {"LSB matching 0.4": ("lsb", 0.4), "stdm": ("stdm", 0)})
    shipped_cnn.main(["pairs", str(tmp_path), "--jobs", "1", "--scores", str(tmp_path / "scores.json")])
    printed = capsys.readouterr().out.splitlines()
    assert [re.split(r" *\| *", line)[1:4] for line in printed[2:5]] == [
        ["as they are", "LSB matching 0.4", "2"],
        ["as they are", "stdm", "2"],
        ["as they are", "clean", "2"],
    ]
    assert len(printed) == 2 + 3 * 3
    assert (tmp_path / "scores.json").stat().st_size > 100


def test_detectors_can_be_sent_to_other_processes() -> None:
    assert pickle.dumps(shipped_cnn.SCORERS)


def test_detector_of_a_run_is_measured(tmp_path: Path) -> None:
    recipe = SteganalysisRecipe(steps=1, batch=2, crop=32, network="ye")
    fit(RECIPES["steganalysis-ye"].model(recipe), toy_pairs(), tmp_path, accelerator="cpu", progress=False)
    odds = [shipped_cnn.run_score(np.ascontiguousarray(PHOTO[:64, :64] // step), tmp_path) for step in (1, 4)]
    assert odds[0] != odds[1]


def test_large_photographs_are_measured_in_crops_and_whole() -> None:
    found = shipped_cnn.sets(Photographs("large", [np.zeros((300, 520, 3), np.uint8)]))
    assert {name: len(covers) for name, covers in found.items()} == {"large crops": 2, "large whole": 1}


def test_clean_covers_have_scores() -> None:
    crops: list[Image] = [PHOTO[:128, :128], PHOTO[128:256, :128]]
    assert ((shipped_cnn.clean_scores(crops) > 0) & (shipped_cnn.clean_scores(crops) < 1)).all()
    assert models.card("detector").method == "analyst"
