"""A classifier of the zoo, back in PyTorch: the same answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from underpaint import machine, zoo
from underpaint.errors import ModelError
from underpaint.lab.nets.classifiers import CLASSIFIERS
from underpaint.lab.shipped import shipped


@pytest.mark.parametrize("name", machine.observers())
def test_it_answers_as_its_graph_does(name: str) -> None:
    images = np.random.default_rng(0).random((2, 3, 96, 64), np.float32)
    wanted = zoo.load(f"classifier-{name}").graphs["classifier"].run({"image": images})
    with torch.inference_mode():
        network = shipped(name)
        features = network.features(torch.from_numpy(images))
        assert features.numpy() == pytest.approx(wanted["features"], abs=1e-4)
        assert network.judged(features).numpy() == pytest.approx(wanted["logits"], abs=1e-4)
    assert not network.training


def test_a_graph_of_another_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLASSIFIERS, "resnet", CLASSIFIERS["vgg"])
    with pytest.raises(ModelError, match="of another network"):
        shipped("resnet")
    with pytest.raises(ModelError, match="no model is called classifier-nobody"):
        shipped("nobody")
