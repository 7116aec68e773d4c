"""CNN steganalysis: tiles of bounded size, the mean of log-odds, and scores of the shipped network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from support.lsb_replacement import PHOTOGRAPHS
from support.tiny_model import FOLDER
from underpaint import models
from underpaint.coding.keys import Key
from underpaint.errors import UsageError
from underpaint.methods import METHODS
from underpaint.steganalysis.cnn import cnn
from underpaint.steganalysis.detectors import scores
from underpaint.types import Image


class BrightnessNetwork:
    """A network whose log-odds are the mean brightness minus 100."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        self.shapes.append(inputs["image"].shape)
        assert inputs["image"].dtype == np.float32
        return {"odds": inputs["image"].mean(axis=(1, 2, 3)) - 100}


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> BrightnessNetwork:
    found = BrightnessNetwork()
    model = models.Model("detector", models.read_card(FOLDER), {"detector": found})  # type: ignore[dict-item]
    monkeypatch.setattr(models, "load", {"detector": model}.__getitem__)
    return found


@pytest.mark.parametrize("size", [(32, 32), (256, 256), (257, 40), (500, 700)])
def test_tiles_cover_the_picture_once(network: BrightnessNetwork, size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(96, 104, (*size, 3), dtype=np.uint8)
    assert 0 < cnn(picture) < 1
    assert sum(height * width for *_, height, width in network.shapes) == size[0] * size[1]
    assert all(32 <= side <= 256 for *_, height, width in network.shapes for side in (height, width))


def test_the_score_is_the_probability_of_the_mean_log_odds(network: BrightnessNetwork) -> None:
    half = np.full((256, 512, 3), 100, np.uint8)
    half[:, 256:] = 102
    assert cnn(half) == pytest.approx(1 / (1 + math.exp(-1)))
    assert cnn(np.zeros((64, 64, 3), np.uint8)) < 1e-40, "no overflow"
    assert cnn(np.full((64, 64, 3), 255, np.uint8)) == pytest.approx(1)


def test_large_pictures_are_sampled(network: BrightnessNetwork) -> None:
    large = np.zeros((2560, 2560, 3), np.uint8)
    large[::512] = large[1::512] = 3
    cnn(large)
    assert len(network.shapes) == 16


def test_small_and_grey_arrays_are_refused() -> None:
    for shape in ((31, 64, 3), (64, 64)):
        with pytest.raises(UsageError):
            cnn(np.zeros(shape, np.uint8))


def small() -> Image:
    return PHOTOGRAPHS["coffee"][:128, 200:328]


def test_the_same_picture_has_the_same_score() -> None:
    found = cnn(small())
    assert cnn(small().copy(order="F")) == found
    assert scores(small())["network"] == found
    assert scores(PHOTOGRAPHS["coffee"][:20, :])["network"] is None


def test_scores_of_the_samples_do_not_change() -> None:
    found = [cnn(PHOTOGRAPHS[name][:128, 100:228]) for name in ("chelsea", "coffee")]
    assert found == pytest.approx([0.07188, 0.80800], abs=1e-4)


def test_lsb_matching_is_detected() -> None:
    lsb: Any = METHODS["lsb"]
    for top, left in ((0, 100), (0, 200), (128, 100), (128, 200)):
        cover = PHOTOGRAPHS["chelsea"][top : top + 128, left : left + 128].copy()
        body = np.random.default_rng(top).bytes(int(0.4 * cover.size / 8))
        assert cnn(cover) < 0.5 < cnn(lsb.write(cover, body, Key(bytes(32)))[0])


def test_a_grey_picture_has_a_score() -> None:
    grey = np.repeat(small()[..., 1:2], 3, axis=2)
    assert cnn(grey) < 0.8
