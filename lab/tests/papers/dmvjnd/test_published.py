"""DMV-JND as published: losses and training."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from lab_support.jnd import panel, pictures
from underpaint_lab.papers.dmvjnd.published import JndPublished, JndPublishedRecipe, magnitude_loss, place_loss

PUBLISHED = JndPublishedRecipe(steps=2, batch=2, crop=32, width=8)


RNG = np.random.default_rng(3)


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
