"""Classifiers of the zoo loaded as PyTorch networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from underpaint import models
from underpaint.errors import ModelError
from underpaint.models import classifiers
from underpaint_lab.export.from_zoo import from_zoo, from_zoo_cifar
from underpaint_lab.nets.cifar_classifiers import NETWORKS, WithCam
from underpaint_lab.nets.classifiers import CLASSIFIERS, resnet


@pytest.mark.parametrize("name", classifiers.names())
def test_classifier_computes_the_same_as_its_graph(name: str) -> None:
    images = np.random.default_rng(0).random((2, 3, 96, 64), np.float32)
    wanted = models.load(f"classifier-{name}").graphs["classifier"].run({"image": images})
    with torch.inference_mode():
        network = from_zoo(name)
        features = network.features(torch.from_numpy(images))
        assert features.numpy() == pytest.approx(wanted["features"], abs=1e-4)
        assert network.classify_features(features).numpy() == pytest.approx(wanted["logits"], abs=1e-4)
    assert not network.training


@pytest.mark.parametrize("name", NETWORKS)
def test_cifar_classifier_computes_the_same_as_its_graph(name: str) -> None:
    images = np.random.default_rng(0).random((2, 3, 32, 40), np.float32)
    wanted = models.load(f"cifar-{name}").graphs["classifier"].run({"image": images})
    network = from_zoo_cifar(name)
    with torch.inference_mode():
        assert network(torch.from_numpy(images)).numpy() == pytest.approx(wanted["logits"], abs=1e-4)
        assert WithCam(network)(torch.from_numpy(images))[1].numpy() == pytest.approx(wanted["cam"], abs=1e-3)
    assert not network.training


def with_one_layer_more(classes: int) -> nn.Module:
    """ResNet-18, and a layer that the graph does not have."""
    network: nn.Module = resnet(classes)
    network.fc = nn.Sequential(network.get_submodule("fc"), nn.Linear(classes, classes))
    return network


def test_a_graph_of_another_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLASSIFIERS, "resnet", CLASSIFIERS["vgg"])
    with pytest.raises(ModelError, match="of another network"):
        from_zoo("resnet")
    monkeypatch.setitem(CLASSIFIERS, "resnet", with_one_layer_more)
    with pytest.raises(ModelError, match="of another network"):
        from_zoo("resnet")
    with pytest.raises(ModelError, match="no model is called classifier-nobody"):
        from_zoo("nobody")
    with pytest.raises(ModelError, match="no model is called cifar-nobody"):
        from_zoo_cifar("nobody")
