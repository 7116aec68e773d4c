"""Small recipes and data for tests of MIAIS."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from underpaint.media import read, samples
from underpaint_lab.data.faces import Faces, KnownPairs
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.papers.miais.ours import MiaisOursRecipe
from underpaint_lab.papers.miais.published import MiaisPublishedRecipe
from underpaint_lab.papers.miais.recovery_attack import AttackRecipe

#: Settings of small networks for three classes.
SMALL: dict[str, Any] = {"steps": 8, "batch": 8, "crop": 32, "classes": 3, "width": 8, "size": 16}
OURS = MiaisOursRecipe(**SMALL, hidden=16)
PHOTO = read(samples.path("coffee")).pixels

#: Settings of small networks that recovery attacks are made on, for ten classes.
VICTIM: dict[str, Any] = {"steps": 2, "batch": 8, "crop": 32, "classes": 10, "width": 8, "size": 16}
PUBLISHED_VICTIM = MiaisPublishedRecipe(**VICTIM, content=False, generator=8, downs=3)
OUR_VICTIM = MiaisOursRecipe(**VICTIM, hidden=8)
ATTACK = AttackRecipe(steps=2, batch=8, crop=32, width=8)


def batch(size: int = 8, side: int = 32) -> torch.Tensor:
    """Return noise in noise, pairs of neighbours of one class: ``(size, 7, side, side)``."""
    images = torch.rand(size, 7, side, side, generator=torch.Generator().manual_seed(0))
    images[:, 6] = torch.arange(size)[:, None, None] // 2 % 3
    return images


def pairs() -> KnownPairs:
    """Return covers of a photograph and faces of noise, of three people."""
    rng = np.random.default_rng(0)
    faces = [rng.integers(256, size=(40, 40, 3), dtype=np.uint8) for _ in range(12)]
    return KnownPairs(Photographs("coffee", [PHOTO]), Faces("noise", faces, np.arange(3).repeat(4).tolist()))


def with_gradient(model: torch.nn.Module, losses: dict[str, torch.Tensor]) -> set[str]:
    """Return the names of the networks of *model* that *losses* give a gradient."""
    model.zero_grad()
    torch.autograd.backward(list(losses.values()))
    names = [name for name, each in model.named_parameters() if each.grad is not None and each.grad.abs().sum() > 0]
    return {name.split(".")[1] if name.startswith("networks") else name.split(".")[0] for name in names}
