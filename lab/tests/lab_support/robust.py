"""Small models and pictures for tests of robust watermarking, as published and ours."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from underpaint import media
from underpaint.media import samples
from underpaint_lab.benchmarks.core.tensors import to_tensor
from underpaint_lab.papers.robust.ours import RobustOurs, RobustOursRecipe
from underpaint_lab.papers.robust.published import RobustPublishedRecipe

PUBLISHED = RobustPublishedRecipe(
    steps=2,
    batch=8,
    crop=16,
    attack="none",
    bits=2,
    channels=8,
    encoder_blocks=1,
    decoder_blocks=1,
    discriminator_blocks=1,
)
OURS = RobustOursRecipe(steps=30, batch=6, crop=32, learning_rate=1e-2, width=8, depth=1)
PICTURES = [media.read(samples.path(name)).pixels for name in samples.names()]
#: A picture of low contrast, 128×128, without clipped values.
CALM = (PICTURES[1][:128, :128] // 2 + 60).astype(np.uint8)


def our_model(**changes: Any) -> RobustOurs:
    """Return our small model with the same initial weights each time."""
    torch.manual_seed(0)
    return RobustOurs(RobustOursRecipe(**(asdict(OURS) | changes)))


def images(count: int = 4, side: int = 32) -> Tensor:
    """Return details of the sample photographs, ``(count, 3, side, side)`` in [0, 1]."""
    tiles = [PICTURES[i % 2][40 * i : 40 * i + side, 60 * i : 60 * i + side] for i in range(count)]
    return to_tensor(tiles)


def flat(maps: Tensor) -> NDArray[np.float32]:
    """Return the maps of one picture in the runtime's order, block by block."""
    return np.asarray(maps[0].permute(1, 2, 0).detach().numpy().ravel())
