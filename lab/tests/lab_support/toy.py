"""A model of a few hundred parameters and pictures of noise, for tests of training."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from underpaint_lab.data.photographs import Photographs
from underpaint_lab.training.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator


class Toy(nn.Module):
    """A coder that learns to invert noisy pictures, and a critic that learns to distinguish its output from pictures.

    Args:
        recipe: settings.
        interrupted_at: the step in which it sends SIGINT to its process.
        broken_at: the step in which a loss is NaN.
    """

    def __init__(self, recipe: Recipe, *, interrupted_at: int | None = None, broken_at: int | None = None) -> None:
        super().__init__()
        self.recipe, self.interrupted_at, self.broken_at = recipe, interrupted_at, broken_at
        # Without bias: behind it, normalisation makes its gradient rounding noise, which Adam scales to full steps.
        first = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.coder = nn.Sequential(first, nn.BatchNorm2d(6), nn.Conv2d(6, 3, 1))
        self.critic = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(), nn.Conv2d(6, 1, 1))

    def losses(self, images: Tensor, step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield the losses of the critic, then those of the coder."""
        if step == self.interrupted_at:
            os.kill(os.getpid(), signal.SIGINT)
        made = self.coder(images + 0.02 * torch.randn_like(images) + float(rng.normal(0, 0.02)))
        real, false = self.critic(images), self.critic(made.detach())
        yield "critic", {"real": softplus(-real).mean(), "false": softplus(false).mean()}
        picture = (made - (1 - images)).square().mean()
        yield (
            "coder",
            {
                "picture": picture * float("nan") if step == self.broken_at else picture,
                "critic": 0.01 * softplus(-self.critic(made)).mean(),
            },
        )


def recipe(**changes: Any) -> Recipe:
    """Return the toy's recipe with *changes*."""
    return Recipe(**{"steps": 12, "batch": 4, "crop": 16, "learning_rate": 1e-2, "ema": 0.9, "warmup": 3} | changes)


def toy(*, interrupted_at: int | None = None, broken_at: int | None = None, **changes: Any) -> Toy:
    """Return a toy with the same initial weights each time."""
    torch.manual_seed(0)
    return Toy(recipe(**changes), interrupted_at=interrupted_at, broken_at=broken_at)


def photographs(count: int = 5) -> Photographs:
    """Return pictures of noise."""
    rng = np.random.default_rng(5)
    return Photographs("noise", [rng.integers(0, 256, (40, 48, 3), dtype=np.uint8) for _ in range(count)])
