"""Small recipes and data for tests of BASN, as published and exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from underpaint import media
from underpaint.media import samples
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.papers.basn.exact import ExactRecipe
from underpaint_lab.papers.basn.published import RECIPES, BasnRecipe

if TYPE_CHECKING:
    from underpaint_lab.training.recipe import Recipe

PUBLISHED = BasnRecipe(steps=2, batch=2, crop=32, width=8, task_width=8)
EXACT = ExactRecipe(steps=2, teachers=(), batch=2, crop=56, learning_rate=1e-4)
#: Receptive field of exact BASN's network in pixels, as on the card.
REACH = 48


def published(stage: str, recipe: Recipe = PUBLISHED) -> Any:
    """Return the model of a stage of the paper."""
    return RECIPES[f"basn-{stage}"].model(recipe)


def losses_of(model: Any, images: Tensor) -> tuple[str, dict[str, Tensor]]:
    """Return the only part that *model* trains in the first step, and its losses."""
    (found,) = model.losses(images, 0, np.random.default_rng(0))
    return cast("tuple[str, dict[str, Tensor]]", found)


def view(side: int = 64, top: int = 60) -> Tensor:
    """Return the upper four bits of a photograph's detail, ``(1, 3, side, side)``."""
    photograph = media.read(samples.path(samples.names()[0])).pixels
    return torch.from_numpy(photograph[top : top + side, 150 : 150 + side].transpose(2, 0, 1)[None] & 0xF0).float()


def details(count: int = 3, side: int = 56) -> Tensor:
    """Return details of the sample photographs, ``(count, 3, side, side)`` in [0, 1]."""
    pictures = [media.read(samples.path(name)).pixels for name in samples.names()]
    return Photographs("samples", pictures).batch(0, size=count, crop=side, seed=0)
