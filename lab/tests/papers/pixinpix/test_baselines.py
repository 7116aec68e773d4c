"""Baselines of PixInPix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from lab_support.pixinpix import cover_and_secret
from underpaint.errors import UsageError
from underpaint_lab.nets.image_hiding import NETWORK_PAIRS
from underpaint_lab.papers import RECIPES
from underpaint_lab.papers.pixinpix.baselines import PixInPixBaseline, PixInPixBaselineRecipe

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("name", NETWORK_PAIRS)
def test_losses_train_both_networks(name: str) -> None:
    recipe = RECIPES[name].recipe
    assert isinstance(recipe, PixInPixBaselineRecipe)
    model = PixInPixBaseline(replace(recipe, width=8))
    losses = dict(model.losses(cover_and_secret(32).repeat(2, 1, 1, 1), 0, RNG))
    assert {"cover", "secret"} <= set(losses["networks"])
    assert ("critic" in losses) == (recipe.critic > 0)
    torch.autograd.backward(list(losses["networks"].values()))
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
