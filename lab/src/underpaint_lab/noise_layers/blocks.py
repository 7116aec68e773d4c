"""Luma and chroma, and the 8×8 discrete cosine transform: the domain of JPEG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from underpaint.types import LUMA

if TYPE_CHECKING:
    from torch import Tensor

#: Side of a block in pixels.
BLOCK = 8
#: The 64 frequencies (vertical, horizontal) of a block in zig-zag order: along odd diagonals downwards.
ZIGZAG = sorted(
    ((v, h) for v in range(BLOCK) for h in range(BLOCK)), key=lambda f: (sum(f), f[0] if sum(f) % 2 else f[1])
)


def _ycc_matrix() -> Tensor:
    """Return the matrix from RGB to JFIF's YCbCr, ``(3, 3)``, with chroma centred on 0."""
    luma = np.array(LUMA)
    red, _, blue = LUMA
    chroma_blue = (np.array([0, 0, 1]) - luma) / (2 * (1 - blue))
    chroma_red = (np.array([1, 0, 0]) - luma) / (2 * (1 - red))
    return torch.from_numpy(np.stack([luma, chroma_blue, chroma_red]))


def _dct_matrix() -> Tensor:
    """Return the orthonormal two-dimensional DCT-II of a block, ``(64, 64)``, pixels and frequencies row by row."""
    k = np.arange(BLOCK)[:, None]
    rows = np.sqrt(2 / BLOCK) * np.cos((2 * np.arange(BLOCK) + 1) * k * np.pi / (2 * BLOCK))
    rows[0] /= np.sqrt(2)
    return torch.from_numpy(np.kron(rows, rows))


_YCC, _DCT = _ycc_matrix(), _dct_matrix()
_RGB = torch.linalg.inv(_YCC)


def to_ycc(rgb: Tensor) -> Tensor:
    """Return luma and chroma of *rgb*, ``(B, 3, H, W)``: luma in the range of the input, chroma centred on 0."""
    return _multiplied(_YCC, rgb)


def to_rgb(ycc: Tensor) -> Tensor:
    """Invert :func:`to_ycc`."""
    return _multiplied(_RGB, ycc)


def _multiplied(matrix: Tensor, planes: Tensor) -> Tensor:
    return (matrix.to(planes) @ planes.flatten(2)).view_as(planes)


def padded(planes: Tensor, down: int, across: int) -> Tensor:
    """Return *planes* with the lower and right edges repeated until the sides are multiples of *down* and *across*."""
    height, width = planes.shape[-2:]
    # Usually there is nothing to pad; then no copy is made.
    margins = (0, -width % across, 0, -height % down)
    return functional.pad(planes, margins, mode="replicate") if any(margins) else planes


def to_blocks(planes: Tensor) -> Tensor:
    """Return the DCT coefficients of all blocks: ``(B, C, H, W)`` to ``(B, C, 64, blocks)``, row by row."""
    batch, count = planes.shape[:2]
    whole = padded(planes, BLOCK, BLOCK)
    pixels = functional.pixel_unshuffle(whole.reshape(batch * count, 1, *whole.shape[-2:]), BLOCK)
    # A matrix product is several times faster than a convolution of stride 8.
    return (_DCT.to(pixels) @ pixels.flatten(2)).view(batch, count, BLOCK**2, -1)


def from_blocks(coefficients: Tensor, height: int, width: int) -> Tensor:
    """Invert :func:`to_blocks` for planes of *height* by *width* pixels."""
    down, across = -(-height // BLOCK), -(-width // BLOCK)
    pixels = _DCT.T.to(coefficients) @ coefficients
    whole = functional.pixel_shuffle(pixels.view(-1, BLOCK**2, down, across), BLOCK)
    return whole.view(*coefficients.shape[:2], *whole.shape[-2:])[..., :height, :width]
