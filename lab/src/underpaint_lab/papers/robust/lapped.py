"""The lapped transform of :mod:`underpaint.embedding.lapped` for batches, so that gradients pass through it."""

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
    """Luma, ``(B, H, W)`` in grey levels, of ``(B, 3, H, W)`` in [0, 1]."""
    return 255 * torch.einsum("c,bchw->bhw", _LUMA.to(images.device), images)


def analyse(luma: Tensor, count: int) -> Tensor:
    """The first *count* coefficients of every block, ``(B, count, H / 16, W / 16)``, of luma ``(B, H, W)``."""
    batch, height, width = luma.shape
    vertical, horizontal = np.array(FREQUENCIES[:count]).T
    basis = _BASIS.to(luma.device)
    rows = basis @ _filtered(luma, _LAPPING.to(luma.device)).reshape(batch, height // BLOCK, BLOCK, width)
    full = rows.reshape(batch, height // BLOCK, len(basis), width // BLOCK, BLOCK) @ basis.T
    return full.permute(0, 2, 4, 1, 3)[:, vertical, horizontal]


def synthesise(coefficients: Tensor) -> Tensor:
    """The luma, ``(B, H, W)``, that has these coefficients, ``(B, count, H / 16, W / 16)``, and no others."""
    batch, count, down, across = coefficients.shape
    vertical, horizontal = np.array(FREQUENCIES[:count]).T
    basis = _BASIS.to(coefficients.device)
    full = coefficients.new_zeros(batch, len(basis), len(basis), down, across)
    full[:, vertical, horizontal] = coefficients
    pixels = basis.T @ full.permute(0, 3, 4, 1, 2) @ basis  # (B, down, across, BLOCK, BLOCK)
    luma = pixels.permute(0, 1, 3, 2, 4).reshape(batch, down * BLOCK, across * BLOCK)
    return _filtered(luma, _LAPPING.T.to(coefficients.device))


def local_activity(luma: Tensor) -> Tensor:
    """Mean standard deviation in the quarters of each block, ``(B, 1, H / 16, W / 16)``, in grey levels."""
    batch, height, width = luma.shape
    half = BLOCK // 2
    quarters = luma.reshape(batch, height // BLOCK, 2, half, width // BLOCK, 2, half)
    return quarters.var(dim=(3, 6), unbiased=False).clamp_min(0).sqrt().mean(dim=(2, 4))[:, None]


def _filtered(luma: Tensor, across_borders: Tensor) -> Tensor:
    """Filter across all borders between blocks."""
    batch, height, width = luma.shape
    half = BLOCK // 2
    rows = across_borders @ luma[:, half:-half].reshape(batch, -1, BLOCK, width)
    luma = torch.cat([luma[:, :half], rows.reshape(batch, height - BLOCK, width), luma[:, -half:]], dim=1)
    columns = luma[:, :, half:-half].reshape(batch, height, -1, BLOCK) @ across_borders.T
    return torch.cat([luma[:, :, :half], columns.reshape(batch, height, width - BLOCK), luma[:, :, -half:]], dim=2)
