"""The classifiers of photographs."""

from __future__ import annotations

import pytest
import torch

from underpaint.models import classifiers as shipped
from underpaint_lab.nets import classifiers
from underpaint_lab.nets.classifiers import CLASSIFIERS, HELD_OUT
from underpaint_lab.papers import RECIPES


def test_held_out_classifiers_are_the_same_in_runtime_and_lab() -> None:
    assert set(shipped.HELD_OUT) == set(classifiers.HELD_OUT)
    assert set(shipped.names()) <= set(classifiers.CLASSIFIERS)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_are_small_and_take_any_size(name: str) -> None:
    network = CLASSIFIERS[name](50).eval()
    assert sum(parameter.numel() for parameter in network.parameters()) < (3e6 if name == "resnet" else 1.5e6)
    with torch.inference_mode():
        for height, width in ((64, 64), (32, 47)):
            images = torch.rand(2, 3, height, width)
            assert network(images).shape == (2, 50)
            reduced = 4 if name == "mixer" else 8
            wanted = (
                -(-side // reduced) if name in ("resnet", "mobile") else side // reduced for side in (height, width)
            )
            assert network.features(images).shape[2:] == tuple(wanted)


def test_two_classifiers_are_held_out() -> None:
    assert len(CLASSIFIERS) >= 4
    assert len(HELD_OUT) == 2
    assert set(HELD_OUT) < set(CLASSIFIERS)
    for name in CLASSIFIERS:
        assert ("for evaluation only" in RECIPES[f"classifier-{name}"].summary) == (name in HELD_OUT)
