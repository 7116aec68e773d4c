"""Classifiers: change of features and labels, in pictures of any size, and classifiers from files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from support.tiny_model import FOLDER
from underpaint import api, media, models
from underpaint.errors import ModelError, UsageError
from underpaint.media import samples
from underpaint.models import classifiers
from underpaint.types import Image


class BrightnessClassifier:
    """Two classes, bright and dark; the features are the picture itself."""

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
def network(monkeypatch: pytest.MonkeyPatch) -> BrightnessClassifier:
    found = BrightnessClassifier()
    model = models.Model("classifier-brightness", models.read_card(FOLDER), {"classifier": found})  # type: ignore[dict-item]
    monkeypatch.setattr(models, "names", lambda: ["basn", "classifier-brightness", "robust"])
    monkeypatch.setattr(models, "load", {"classifier-brightness": model}.__getitem__)
    return found


def noise(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(32, 32), (40, 250), (224, 224), (225, 700)])
def test_the_change_is_that_of_all_tiles(network: BrightnessClassifier, size: tuple[int, int]) -> None:
    cover, container = noise(*size), noise(*size, seed=1)
    a, b = cover.astype(np.float64), container.astype(np.float64)
    (response,) = classifiers.responses(cover, container).values()
    assert response.change == pytest.approx(math.sqrt(((a - b) ** 2).sum() / (a**2).sum()), rel=1e-6)
    *tiles, whole = network.asked
    assert sum(height * width for *_, height, width in tiles) == size[0] * size[1], "tiles do not overlap"
    assert all(32 <= side <= 224 for *_, height, width in tiles for side in (height, width))
    assert min(whole[2:]) == min(128, *size), "the label is that of the reduced picture"


def test_huge_pictures_are_sampled(network: BrightnessClassifier) -> None:
    cover = np.full((2240, 2240, 3), 100, np.uint8)
    container = cover.copy()
    container[::2] += 10
    (response,) = classifiers.responses(cover, container).values()
    assert len(network.asked) == 32 + 1
    assert response.change == pytest.approx(math.sqrt(0.5 * 0.1**2), rel=1e-3)


def test_labels_are_compared(network: BrightnessClassifier) -> None:
    dark, bright = (np.full((48, 64, 3), value, np.uint8) for value in (20, 200))
    assert classifiers.responses(dark, dark) == {"brightness": classifiers.Response(0.0, True)}
    assert not classifiers.responses(dark, bright)["brightness"].kept
    assert classifiers.responses(dark, dark + np.uint8(5))["brightness"].kept


def test_other_shapes_and_small_pictures_are_refused(network: BrightnessClassifier) -> None:
    with pytest.raises(UsageError, match="different shapes"):
        classifiers.responses(noise(40, 40), noise(40, 41))
    with pytest.raises(UsageError, match="too small"):
        classifiers.responses(noise(31, 40), noise(31, 40))


@pytest.mark.parametrize("name", classifiers.names())
def test_features_of_the_zoo_change_more_with_stronger_noise(name: str) -> None:
    cover = media.read(samples.path("coffee")).pixels[100:260, 150:390]
    grain = np.random.default_rng(0).standard_normal(cover.shape)
    changes = []
    for strength in (0.5, 2, 8, 40):
        container = np.clip(np.rint(cover + strength * grain), 0, 255).astype(np.uint8)
        changes.append(classifiers.responses(cover, container)[name].change)
    assert classifiers.responses(cover, cover)[name] == classifiers.Response(0.0, True)
    assert changes == sorted(changes)
    assert 0 < changes[0] < 0.1 < changes[-1]
    low, high = (models.card(f"classifier-{name}").measured[key] for key in ("top1_low", "top1_high"))
    assert 0.02 < low < high < 1, "better than chance for 50 classes"


def test_compare_reports_the_responses(network: BrightnessClassifier) -> None:
    cover = noise(64, 64)
    assert api.compare(cover, cover)["machine"] == {"brightness": {"change": 0.0, "kept": True}}
    assert api.compare(cover[:20], cover[:20])["machine"] == {}, "too small"


def test_a_classifier_from_a_file_labels_like_that_of_the_zoo(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no classifier"):
        classifiers.load_classifier(FOLDER / "model.onnx")(noise(40, 40))
    with pytest.raises(ModelError, match="cannot read"):
        classifiers.load_classifier(tmp_path / "none.onnx")
    own = classifiers.load_classifier(models.folder("classifier-mixer") / "classifier.onnx")
    picture = noise(150, 200)
    assert own(picture) == classifiers.load_classifiers()["mixer"](picture)
