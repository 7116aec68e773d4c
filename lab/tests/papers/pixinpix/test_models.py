"""PixInPix, published and ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch

from lab_support.pixinpix import OURS, cover_and_secret
from underpaint.errors import UsageError
from underpaint_lab.papers.pixinpix.models import (
    PixInPixOurs,
    PixInPixPublished,
    PixInPixPublishedRecipe,
)

PUBLISHED = PixInPixPublishedRecipe(steps=2, batch=2, crop=32)


RNG = np.random.default_rng(3)


def test_residual_networks_begin_with_the_cover() -> None:
    covers, secrets = cover_and_secret().chunk(2, dim=1)
    assert torch.allclose(PixInPixPublished(PUBLISHED).container(covers, secrets), covers, atol=1e-6)
    painted = PixInPixPublished(replace(PUBLISHED, residual=False)).container(covers, secrets)
    assert not torch.allclose(painted, covers, atol=0.05)


def test_containers_are_8_bit_unless_as_printed() -> None:
    both = cover_and_secret(32).chunk(2, dim=1)
    made = 255 * PixInPixPublished(replace(PUBLISHED, residual=False)).container(*both)
    assert torch.allclose(made, made.round(), atol=1e-3)
    printed = 255 * PixInPixPublished(replace(PUBLISHED, residual=False, rounded=False)).container(*both)
    assert not torch.allclose(printed, printed.round(), atol=1e-3)


@pytest.mark.parametrize("changes", [{}, {"residual": False, "rounded": False, "normalised": False}])
def test_published_losses_train_the_networks(changes: dict[str, Any]) -> None:
    model = PixInPixPublished(replace(PUBLISHED, **changes))
    ((part, losses),) = model.losses(cover_and_secret(32).repeat(2, 1, 1, 1), 0, RNG)
    assert (part, set(losses)) == ("networks", {"cover", "secret"})
    torch.autograd.backward(list(losses.values()))
    (gradient,) = [each.grad for name, each in model.named_parameters() if name == "networks.hide.head.weight"]
    assert gradient is not None
    assert gradient.abs().sum() > 0


def test_our_losses_train_every_parameter() -> None:
    model = PixInPixOurs(OURS)
    torch.nn.init.normal_(cast("torch.nn.Conv2d", model.blocks.mend[-1]).weight)
    ((part, losses),) = model.losses(cover_and_secret(), 0, RNG)
    assert (part, set(losses)) == ("blocks", {"cover", "secret"})
    torch.autograd.backward(list(losses.values()))
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_ours_is_small() -> None:
    assert sum(parameter.numel() for parameter in PixInPixOurs(OURS).parameters()) < 300_000


@pytest.mark.parametrize("crop", [33, 8])
def test_crops_that_are_no_multiples_are_refused(crop: int) -> None:
    with pytest.raises(UsageError, match="crop"):
        replace(PUBLISHED, crop=crop)
    if crop % 8:
        with pytest.raises(UsageError, match="crop"):
            replace(OURS, crop=crop)


def test_weights_of_zero_are_refused() -> None:
    with pytest.raises(UsageError, match="above 0"):
        replace(OURS, secret=0.0)
