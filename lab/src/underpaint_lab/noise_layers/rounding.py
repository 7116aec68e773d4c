"""Pictures as files have them: 8 bits, through which gradients pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from underpaint_lab.noise_layers.layer import straight_through

if TYPE_CHECKING:
    from torch import Tensor


def round_8_bit(images: Tensor) -> Tensor:
    """*images* clamped to [0, 1] and rounded to levels of 8 bits, which gradients pass as if they were not rounded."""
    clamped = images.clamp(0, 1)
    return straight_through(torch.round(255 * clamped) / 255, clamped)
