"""Release of classifiers with their accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from underpaint import models
from underpaint.errors import UsageError
from underpaint_lab.data.cifar import Cifar
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.export.onnx import Graph
from underpaint_lab.papers import release
from underpaint_lab.papers.classifiers.models import ClassifierRecipe, TrainableClassifier
from underpaint_lab.training.loop import fit

RNG = np.random.default_rng(3)


PICTURES = [RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8) for _ in range(6)]


Released = dict[str, tuple[Mapping[str, Graph], models.Card]]


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> Released:
    """Graphs and cards passed to the export, by folder name."""
    found: Released = {}

    def export(graphs: Mapping[str, Graph], folder: Path, card: models.Card) -> float:
        found[folder.name] = graphs, card
        return 0.0

    monkeypatch.setattr(release, "export", export)
    return found


def test_released_classifier_returns_features_logits_and_cam(
    tmp_path: Path, released: Released, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = ClassifierRecipe(steps=1, batch=2, crop=32, network="classifier-mobile", classes=2)
    pictures = Labelled("noise", PICTURES, [0, 1] * 3)
    fit(TrainableClassifier(recipe), pictures, tmp_path, accelerator="cpu", progress=False)
    monkeypatch.setattr(Labelled, "of", lambda folder, split: pictures)
    assert release.release("classifier-mobile", tmp_path, tmp_path / "classifier-mobile", data=tmp_path) == 0
    graphs, card = released["classifier-mobile"]
    ((name, graph),) = graphs.items()
    assert (name, graph.outputs) == ("classifier", ("features", "logits", "cam"))
    with torch.inference_mode():
        features, logits, cam = graph.module(graph.inputs["image"])
    assert features.shape == (2, 48, 12, 12)
    assert logits.shape == (2, 2)
    assert cam.shape == (2, 1, *graph.inputs["image"].shape[2:])
    assert "for training attention" in card.payload
    assert card.measured["top1_low"] < card.measured["top1"] < card.measured["top1_high"]
    assert "MobileNetV2" in card.paper


def test_released_cifar_classifier_returns_logits_and_cam(
    tmp_path: Path, released: Released, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = ClassifierRecipe(steps=1, batch=2, crop=32, network="cifar-mobile", classes=2)
    pictures = Cifar("noise", [picture[:32, :32] for picture in PICTURES], [0, 1] * 3)
    fit(TrainableClassifier(recipe), pictures, tmp_path, accelerator="cpu", progress=False)
    read: list[str] = []

    def of(folder: Path, split: str) -> Cifar:
        read.append(split)
        return pictures

    monkeypatch.setattr(Cifar, "of", of)
    assert release.release("cifar-mobile", tmp_path, tmp_path / "cifar-mobile", data=tmp_path) == 0
    graphs, card = released["cifar-mobile"]
    graph = graphs["classifier"]
    assert graph.outputs == ("logits", "cam")
    with torch.inference_mode():
        logits, cam = graph.module(graph.inputs["image"])
    assert logits.shape == (2, 2)
    assert cam.shape == (2, 1, *graph.inputs["image"].shape[2:])
    assert cam.shape == (2, 1, 96, 96)
    assert 0 <= cam.min() < cam.max() <= 1
    assert read == ["test"]
    assert "for evaluation only" in card.payload
    assert "MobileNetV2" in card.paper


def test_unknown_models_and_missing_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model is called 'inception'"):
        release.release("inception", tmp_path, tmp_path, data=tmp_path)
    with pytest.raises(UsageError, match="has no labelled pictures"):
        release.release("classifier-vgg", tmp_path, tmp_path, data=tmp_path)
    with pytest.raises(UsageError, match="takes --data"):
        release.release("classifier-vgg", tmp_path, tmp_path)
    with pytest.raises(UsageError, match="robust takes no --data"):
        release.release("robust", tmp_path, tmp_path, data=tmp_path)


def test_measured_numbers_are_refused_for_models_that_are_measured_at_release(tmp_path: Path) -> None:
    for name in ("classifier-vgg", "basn-published"):
        with pytest.raises(UsageError, match=f"{name} takes no --measured"):
            release.release(name, tmp_path, tmp_path, {"top1": 0.9}, tmp_path)
