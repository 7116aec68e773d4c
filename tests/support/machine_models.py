"""Stand-ins for the networks of the machine-vision JND: two classifiers by brightness, and a simple generator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from support.tiny_model import FOLDER
from underpaint import models as zoo

NAMES = ["classifier-mobile", "classifier-resnet", "dmvjnd"]


class Classifier:
    """Classifier of two classes, darker and brighter than *border*; its attention is the brightness."""

    def __init__(self, border: float) -> None:
        self.border = border

    def run(self, inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        pictures = inputs["image"]
        assert pictures.dtype == np.float32
        assert 0 <= pictures.min() <= pictures.max() <= 1
        light = pictures.mean(axis=(1, 2, 3)) - self.border
        cam = pictures.mean(axis=1, keepdims=True)
        return {"features": pictures, "logits": np.stack([-light, light], axis=1), "cam": cam}


class Generator:
    """Generator that brightens in its first direction, darkens in its second, and records the shapes of its inputs."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, ...]] = []
        self.inputs = {"way": ("n", 2)}

    def run(self, inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        image = inputs["image"]
        assert inputs["attention"].shape == (len(image), 1, *image.shape[2:])
        assert inputs["answers"].shape == (len(image), 4)
        assert inputs["level"].shape == (len(image), 1)
        assert all(array.dtype == np.float32 for array in inputs.values())
        assert not any(side % 4 for side in image.shape[2:])
        self.asked.append(image.shape)
        sign = (inputs["way"] @ np.array([1, -1], np.float32)).reshape(-1, 1, 1, 1)
        promises = np.tile(np.array([2, 1], np.float32), (len(image), 1))
        return {"direction": sign * (np.float32(0.5) + image + inputs["attention"]), "promises": promises}


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> Generator:
    """Replace the zoo by these networks, and return the generator."""
    found = Generator()
    graphs: dict[str, dict[str, Any]] = {
        "classifier-mobile": {"classifier": Classifier(0.4)},
        "classifier-resnet": {"classifier": Classifier(0.7)},
        "dmvjnd": {"generator": found},
    }
    card = zoo.read_card(FOLDER)
    models = {name: zoo.Model(name, card, each) for name, each in graphs.items()}
    monkeypatch.setattr(zoo, "names", lambda: NAMES)
    monkeypatch.setattr(zoo, "load", models.__getitem__)
    return found
