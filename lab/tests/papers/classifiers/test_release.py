"""What judges is shipped as it was trained, rounded to 16 bits where it is large, with how often it is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from underpaint import models
from underpaint.errors import ModelError, UsageError
from underpaint_lab.data.cifar import Cifar
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.export.half_precision import HalfPrecision
from underpaint_lab.export.onnx import Graph
from underpaint_lab.papers import RECIPES, release
from underpaint_lab.papers.basn.published import BasnRecipe
from underpaint_lab.papers.basn.release import published
from underpaint_lab.papers.classifiers.models import ClassifierRecipe, TrainableClassifier
from underpaint_lab.training.loop import fit

RNG = np.random.default_rng(3)
PICTURES = [RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8) for _ in range(6)]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Networks this small only lose time to more."""
    torch.set_num_threads(1)


def test_large_weights_are_rounded_and_others_are_not() -> None:
    torch.manual_seed(0)
    last = nn.Conv2d(160, 2, 1)
    network = nn.Sequential(nn.Conv2d(3, 160, 3, padding=1), nn.BatchNorm2d(160), last).eval()
    small = last.weight.detach().clone()
    halved, images = HalfPrecision(network), torch.rand(2, 3, 8, 8)
    assert [(name, tensor.dtype) for name, tensor in halved.named_buffers(recurse=False)] == [
        ("0_weight", torch.float16)
    ]
    with torch.inference_mode():
        assert torch.equal(halved(images), network(images)), "the network itself is rounded"
    assert torch.equal(last.weight, small)


Shipped = dict[str, tuple[Mapping[str, Graph], models.Card]]


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> Shipped:
    """What would have been exported, by folder."""
    found: Shipped = {}

    def export(graphs: Mapping[str, Graph], folder: Path, card: models.Card) -> float:
        found[folder.name] = graphs, card
        return 0.0

    monkeypatch.setattr(release, "export", export)
    return found


def test_a_classifier_says_what_it_went_by(tmp_path: Path, shipped: Shipped, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = ClassifierRecipe(steps=1, batch=2, crop=32, network="classifier-mobile", classes=2)
    pictures = Labelled("noise", PICTURES, [0, 1] * 3)
    fit(TrainableClassifier(recipe), pictures, tmp_path, accelerator="cpu", progress=False)
    monkeypatch.setattr(Labelled, "of", lambda folder, split: pictures)
    assert release.release("classifier-mobile", tmp_path, tmp_path / "classifier-mobile", data=tmp_path) == 0
    graphs, card = shipped["classifier-mobile"]
    ((name, graph),) = graphs.items()
    assert (name, graph.outputs) == ("classifier", ("features", "logits", "cam"))
    with torch.inference_mode():
        features, logits, cam = graph.module(graph.inputs["image"])
    assert features.shape == (2, 48, 12, 12)
    assert logits.shape == (2, 2)
    assert cam.shape == (2, 1, *graph.inputs["image"].shape[2:])
    assert "trained against" in card.payload
    assert card.measured["top1_low"] < card.measured["top1"] < card.measured["top1_high"]
    assert "MobileNetV2" in card.paper


def test_one_of_cifar_shows_where(tmp_path: Path, shipped: Shipped, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = ClassifierRecipe(steps=1, batch=2, crop=32, network="cifar-mobile", classes=2)
    pictures = Cifar("noise", [picture[:32, :32] for picture in PICTURES], [0, 1] * 3)
    fit(TrainableClassifier(recipe), pictures, tmp_path, accelerator="cpu", progress=False)
    read: list[str] = []

    def of(folder: Path, split: str) -> Cifar:
        read.append(split)
        return pictures

    monkeypatch.setattr(Cifar, "of", of)
    assert release.release("cifar-mobile", tmp_path, tmp_path / "cifar-mobile", data=tmp_path) == 0
    graphs, card = shipped["cifar-mobile"]
    graph = graphs["classifier"]
    assert graph.outputs == ("logits", "cam")
    with torch.inference_mode():
        logits, cam = graph.module(graph.inputs["image"])
    assert logits.shape == (2, 2)
    assert cam.shape == (2, 1, *graph.inputs["image"].shape[2:])
    assert cam.shape == (2, 1, 96, 96)
    assert 0 <= cam.min() < cam.max() <= 1
    assert read == ["test"]
    assert "nothing is trained against" in card.payload
    assert "MobileNetV2" in card.paper


def test_attention_as_published_comes_from_two_runs(tmp_path: Path) -> None:
    recipe = BasnRecipe(steps=2, batch=2, crop=32, width=4, task_width=4)
    photographs = Photographs("noise", PICTURES)
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


def test_nothing_else_is_shipped(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model is called 'inception'"):
        release.release("inception", tmp_path, tmp_path, data=tmp_path)
    with pytest.raises(UsageError, match="has no labelled pictures"):
        release.release("classifier-vgg", tmp_path, tmp_path, data=tmp_path)
    with pytest.raises(UsageError, match="takes --data"):
        release.release("classifier-vgg", tmp_path, tmp_path)
