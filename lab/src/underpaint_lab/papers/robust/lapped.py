"""The lapped transform of :mod:`underpaint.embedding.lapped` on batches of tensors, with gradients."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from underpaint.embedding.lapped import BLOCK, FREQUENCIES, dct, lapping
from underpaint.types import LUMA

_LAPPING = torch.from_numpy(lapping())
_BASIS = torch.from_numpy(dct(BLOCK)[: 1 + max(map(max, FREQUENCIES))]).float()
_LUMA = torch.tensor(LUMA)


def luma(images: Tensor) -> Tensor:
    """Return the luma (BT.601), ``(B, H, W)`` in grey levels 0…255, of *images*, ``(B, 3, H, W)`` in [0, 1]."""
    return 255 * torch.einsum("c,bchw->bhw", _LUMA.to(images.device), images)


def analyse(luma: Tensor, count: int) -> Tensor:
    """Transform luma to lapped coefficients.

    Args:
        luma: ``(B, H, W)`` in grey levels; H and W are multiples of 16.
        count: number of coefficients per block, lowest frequencies first.

    Returns:
        Coefficients, ``(B, count, H / 16, W / 16)``.
    """
    batch, height, width = luma.shape
    vertical, horizontal = np.array(FREQUENCIES[:count]).T
    basis = _BASIS.to(luma.device)
    rows = basis @ _filter_borders(luma, _LAPPING.to(luma.device)).reshape(batch, height // BLOCK, BLOCK, width)
    full = rows.reshape(batch, height // BLOCK, len(basis), width // BLOCK, BLOCK) @ basis.T
    return full.permute(0, 2, 4, 1, 3)[:, vertical, horizontal]


def synthesise(coefficients: Tensor) -> Tensor:
    """Return the luma, ``(B, H, W)``, of *coefficients*, ``(B, count, H / 16, W / 16)``; all others are 0."""
    batch, count, down, across = coefficients.shape
    vertical, horizontal = np.array(FREQUENCIES[:count]).T
    basis = _BASIS.to(coefficients.device)
    full = coefficients.new_zeros(batch, len(basis), len(basis), down, across)
    full[:, vertical, horizontal] = coefficients
    pixels = basis.T @ full.permute(0, 3, 4, 1, 2) @ basis  # (B, down, across, BLOCK, BLOCK)
    luma = pixels.permute(0, 1, 3, 2, 4).reshape(batch, down * BLOCK, across * BLOCK)
    return _filter_borders(luma, _LAPPING.T.to(coefficients.device))


def local_activity(luma: Tensor) -> Tensor:
    """Return the texture of each block: the mean standard deviation of its quarters.

    Args:
        luma: ``(B, H, W)`` in grey levels.

    Returns:
        ``(B, 1, H / 16, W / 16)``, in grey levels.
    """
    batch, height, width = luma.shape
    half = BLOCK // 2
    quarters = luma.reshape(batch, height // BLOCK, 2, half, width // BLOCK, 2, half)
    return quarters.var(dim=(3, 6), unbiased=False).clamp_min(0).sqrt().mean(dim=(2, 4))[:, None]


def _filter_borders(luma: Tensor, across_borders: Tensor) -> Tensor:
    """Apply the lapping filter across all borders between blocks."""
    batch, height, width = luma.shape
    half = BLOCK // 2
    rows = across_borders @ luma[:, half:-half].reshape(batch, -1, BLOCK, width)
    luma = torch.cat([luma[:, :half], rows.reshape(batch, height - BLOCK, width), luma[:, -half:]], dim=1)
    columns = luma[:, :, half:-half].reshape(batch, height, -1, BLOCK) @ across_borders.T
    return torch.cat([luma[:, :, :half], columns.reshape(batch, height, width - BLOCK), luma[:, :, -half:]], dim=2)
