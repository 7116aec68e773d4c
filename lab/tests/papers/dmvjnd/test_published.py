"""DMV-JND as published: losses and training."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from underpaint_lab.nets.cifar_classifiers import NETWORKS, CamClassifier
from underpaint_lab.papers.dmvjnd.nets import Panel
from underpaint_lab.papers.dmvjnd.published import JndPublished, JndPublishedRecipe, magnitude_loss, place_loss

PUBLISHED = JndPublishedRecipe(steps=2, batch=2, crop=32, width=8)


RNG = np.random.default_rng(3)


def sides() -> CamClassifier:
    """Return a classifier whose logits are the brightness of the left and the right half."""
    halves = nn.Conv2d(3, 2, 8, stride=8)
    network = CamClassifier(nn.Sequential(halves, nn.ReLU()), 2, 2)
    with torch.no_grad():
        halves.weight.zero_()
        halves.weight[0, :, :, :4] = 0.1
        halves.weight[1, :, :, 4:] = 0.1
        assert halves.bias is not None
        halves.bias.fill_(5.0)
        network.classify.weight.copy_(torch.eye(2))
        network.classify.bias.zero_()
    return network


def panel(count: int = 4) -> Panel:
    torch.manual_seed(0)
    return Panel([sides(), *(NETWORKS["plain"](2) for _ in range(count - 1))])


def pictures(count: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (count, 3, 32, 32), generator=generator) / 255


def test_magnitude_loss_is_least_at_one_minus_mean_attention() -> None:
    attention = torch.full((1, 1, 8, 8), 0.4)
    losses = {size: magnitude_loss(torch.full((1, 3, 8, 8), size), attention, 1e-10) for size in (0.3, 0.6, -0.6, 0.9)}
    assert losses[0.6] == pytest.approx(0, abs=1e-6)
    assert losses[-0.6] == losses[0.6]
    assert losses[0.3] == pytest.approx(math.log((0.36 + 0.09) / 0.36), abs=1e-6)
    assert losses[0.9] > 0.05


def test_magnitude_loss_with_the_printed_q_is_bounded() -> None:
    attention, nothing = torch.full((1, 1, 8, 8), 0.4), torch.full((1, 3, 8, 8), 1e-6)
    assert magnitude_loss(nothing, attention, 1.0) < math.log(1.36) + 1e-6
    assert magnitude_loss(nothing, attention, 1e-10) > 10


def test_place_loss_is_weighted_by_attention() -> None:
    attention = torch.zeros(1, 1, 8, 8)
    attention[..., :4] = 1
    inside, outside = (torch.zeros(1, 3, 8, 8) for _ in range(2))
    inside[..., :4], outside[..., 4:] = -0.5, 0.5
    assert place_loss(inside, attention, 1.0, absolute=True) == pytest.approx(0.5 * math.e / (1 + math.e), abs=1e-6)
    assert place_loss(outside, attention, 1.0, absolute=True) == pytest.approx(0.5 / (1 + math.e), abs=1e-6)
    assert place_loss(inside, attention, 1.0, absolute=False) < 0, "as printed it has no lower end"
    sharp = [place_loss(each, attention, 0.1, absolute=True) for each in (inside, outside)]
    assert sharp[0] > 0.499
    assert sharp[1] < 1e-3


def test_published_losses_are_labels_magnitude_place_and_decay() -> None:
    model = JndPublished(PUBLISHED, panel())
    for changes in ({}, {"q": 1.0}, {"absolute": False}, {"temperature": 0.1}):
        model.recipe = replace(PUBLISHED, **changes)
        ((part, losses),) = model.losses(pictures(2), 0, RNG)
        assert part == "network"
        assert list(losses) == ["labels", "magnitude", "place", "decay"]
        assert all(loss.isfinite() and loss.requires_grad for loss in losses.values())
