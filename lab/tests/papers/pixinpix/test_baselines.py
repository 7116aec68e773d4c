"""Baselines of PixInPix."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from underpaint.errors import UsageError
from underpaint.media import read, samples
from underpaint_lab.nets.image_hiding import NETWORK_PAIRS
from underpaint_lab.papers import RECIPES
from underpaint_lab.papers.pixinpix.baselines import PixInPixBaseline, PixInPixBaselineRecipe

if TYPE_CHECKING:
    pass


RNG = np.random.default_rng(3)


def photograph(side: int = 64) -> torch.Tensor:
    """Two squares of samples, ``(1, 6, side, side)`` in [0, 1]."""
    both = [read(samples.path(name)).pixels[100 : 100 + side, 100 : 100 + side] for name in ("coffee", "chelsea")]
    return torch.from_numpy(np.concatenate(both, axis=2)).permute(2, 0, 1)[None] / 255


def _descend(losses: dict[str, torch.Tensor]) -> None:
    torch.autograd.backward(list(losses.values()))


@pytest.mark.parametrize("name", NETWORK_PAIRS)
def test_losses_train_both_networks(name: str) -> None:
    recipe = RECIPES[name].recipe
    assert isinstance(recipe, PixInPixBaselineRecipe)
    model = PixInPixBaseline(replace(recipe, width=8))
    losses = dict(model.losses(photograph(32).repeat(2, 1, 1, 1), 0, RNG))
    assert {"cover", "secret"} <= set(losses["networks"])
    assert ("critic" in losses) == (recipe.critic > 0)
    _descend(losses["networks"])
    for part in ("hide", "reveal"):
        assert all(parameter.grad is not None for parameter in model.networks[part].parameters())


def test_containers_are_8_bit() -> None:
    both = torch.rand(1, 6, 32, 32).chunk(2, dim=1)
    for name in NETWORK_PAIRS:
        made = 255 * PixInPixBaseline(
            PixInPixBaselineRecipe(steps=1, batch=1, crop=32, network=name, width=8)
        ).eval().container(*both)
        assert made.shape == (1, 3, 32, 32)
        assert torch.allclose(made, made.round(), atol=1e-3)


def test_udhs_change_does_not_depend_on_the_cover() -> None:
    torch.manual_seed(0)
    model = PixInPixBaseline(PixInPixBaselineRecipe(steps=1, batch=1, crop=32, network="udh", rounded=False)).eval()
    secrets = torch.rand(1, 3, 32, 32)
    first, second = torch.full((1, 3, 32, 32), 0.4), torch.full((1, 3, 32, 32), 0.6)
    assert torch.allclose(model.container(first, secrets) - first, model.container(second, secrets) - second, atol=1e-6)


@pytest.mark.parametrize(("changes", "match"), [({"network": "none"}, "no baseline"), ({"cover": 0.0}, "weights")])
def test_invalid_settings_are_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        PixInPixBaselineRecipe(steps=1, batch=1, crop=32, **changes)
