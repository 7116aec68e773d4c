"""Conversion between 8-bit pictures and tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from underpaint.types import Image


def to_tensor(pictures: Sequence[Image] | NDArray[np.uint8]) -> Tensor:
    """Return *pictures* of one size, ``uint8 (H, W, 3)`` each, as a tensor, ``(N, 3, H, W)`` in [0, 1]."""
    return torch.from_numpy(np.stack(list(pictures))).permute(0, 3, 1, 2) / 255


def to_pictures(tensor: Tensor) -> list[Image]:
    """Return a *tensor*, ``(N, 3, H, W)``, as 8-bit pictures, clamped and rounded."""
    return list((255 * tensor.clamp(0, 1)).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy())
