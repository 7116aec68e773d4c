"""The discrete cosine transform of 8×8 blocks with three colour channels, as an orthonormal matrix."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

#: Side of a block in pixels.
BLOCK = 8


def colour_dct() -> Tensor:
    """Return the transform of a block, ``float32 (192, 192)``, with orthonormal rows.

    Each row is the product of a colour axis (grey, red - blue, 2 green - red - blue) and two cosines (type-II
    DCT); rows are ordered by colour axis, vertical and horizontal frequency, columns by channel, row and column.
    """
    place = torch.arange(BLOCK, dtype=torch.float32)
    waves = torch.cos(math.pi * (2 * place + 1) * place[:, None] / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    waves[0] /= math.sqrt(2)
    colours = functional.normalize(torch.tensor([[1.0, 1, 1], [1, 0, -1], [-1, 2, -1]]), dim=1)
    return torch.einsum("kc,uy,vx->kuvcyx", colours, waves, waves).reshape(3 * BLOCK**2, 3 * BLOCK**2)
