"""The machine as observer: it notices what changed, as much as did, in any picture, at bounded cost."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from support.tiny_model import FOLDER
from underpaint import api, media, models
from underpaint.errors import UsageError
from underpaint.media import samples
from underpaint.models import classifiers as machine
from underpaint.types import Image


class Eye:
    """A classifier of two classes, bright and dark, whose features are the picture itself."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, ...]] = []

    def run(self, inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        pictures = inputs["image"]
        assert pictures.dtype == np.float32
        assert 0 <= pictures.min() <= pictures.max() <= 1
        self.asked.append(pictures.shape)
        light = pictures.mean(axis=(1, 2, 3))
        return {"features": pictures, "logits": np.stack([light, 1 - light], axis=1)}


@pytest.fixture
def eye(monkeypatch: pytest.MonkeyPatch) -> Eye:
    found = Eye()
    model = models.Model("classifier-eye", models.read_card(FOLDER), {"classifier": found})  # type: ignore[dict-item]
    monkeypatch.setattr(models, "names", lambda: ["basn", "classifier-eye", "robust"])
    monkeypatch.setattr(models, "load", {"classifier-eye": model}.__getitem__)
    return found


def noise(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(32, 32), (40, 250), (224, 224), (225, 700)])
def test_the_change_is_that_of_the_whole_picture(eye: Eye, size: tuple[int, int]) -> None:
    cover, container = noise(*size), noise(*size, seed=1)
    a, b = cover.astype(np.float64), container.astype(np.float64)
    (seen,) = machine.responses(cover, container).values()
    assert seen.change == pytest.approx(math.sqrt(((a - b) ** 2).sum() / (a**2).sum()), rel=1e-6)
    *tiles, whole = eye.asked
    assert sum(height * width for *_, height, width in tiles) == size[0] * size[1], "tiles do not overlap"
    assert all(32 <= side <= 224 for *_, height, width in tiles for side in (height, width))
    assert min(whole[2:]) == min(128, *size), "the label is that of the whole, brought down"


def test_huge_pictures_are_sampled(eye: Eye) -> None:
    cover = np.full((2240, 2240, 3), 100, np.uint8)
    container = cover.copy()
    container[::2] += 10
    (seen,) = machine.responses(cover, container).values()
    assert len(eye.asked) == 32 + 1
    assert seen.change == pytest.approx(math.sqrt(0.5 * 0.1**2), rel=1e-3)


def test_labels_are_first_answers(eye: Eye) -> None:
    dark, bright = (np.full((48, 64, 3), value, np.uint8) for value in (20, 200))
    assert machine.responses(dark, dark) == {"eye": machine.Response(0.0, True)}
    assert not machine.responses(dark, bright)["eye"].kept
    assert machine.responses(dark, dark + np.uint8(5))["eye"].kept


def test_pictures_must_fit(eye: Eye) -> None:
    with pytest.raises(UsageError, match="different shapes"):
        machine.responses(noise(40, 40), noise(40, 41))
    with pytest.raises(UsageError, match="too small"):
        machine.responses(noise(31, 40), noise(31, 40))


@pytest.mark.parametrize("name", machine.names())
def test_shipped_classifiers_see_more_of_more(name: str) -> None:
    cover = media.read(samples.path("coffee")).pixels[100:260, 150:390]
    grain = np.random.default_rng(0).standard_normal(cover.shape)
    changes = []
    for strength in (0.5, 2, 8, 40):
        container = np.clip(np.rint(cover + strength * grain), 0, 255).astype(np.uint8)
        changes.append(machine.responses(cover, container)[name].change)
    assert machine.responses(cover, cover)[name] == machine.Response(0.0, True)
    assert changes == sorted(changes)
    assert 0 < changes[0] < 0.1 < changes[-1]
    low, high = (models.card(f"classifier-{name}").measured[key] for key in ("top1_low", "top1_high"))
    assert 0.02 < low < high < 1, "it tells 50 classes apart better than chance"


def test_comparing_asks_the_machine(eye: Eye) -> None:
    cover = noise(64, 64)
    assert api.compare(cover, cover)["machine"] == {"eye": {"change": 0.0, "kept": True}}
    assert api.compare(cover[:20], cover[:20])["machine"] == {}, "too small for it"
