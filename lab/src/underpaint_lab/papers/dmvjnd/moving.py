"""Change pictures along a direction to a given PSNR, clamped and rounded to 8 bits, with gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from underpaint.models.jnd import PEAK
from underpaint_lab.noise_layers.layer import round_8_bit

if TYPE_CHECKING:
    import numpy as np

#: Range of the logarithm of the length of a direction with unit mean square, and steps of the bisection in it.
_SHORTEST, _LONGEST, _HALVINGS = -8.0, 10.0, 20
#: Lower bound of a direction's length.
_SMALLEST = 1e-6
#: Of :func:`jitter`: largest shift in pixels, and largest standard deviation of the noise.
_MAX_SHIFT, _MAX_NOISE = 2, 0.06
#: Share of the required mean square that must be available in addition.
_RESERVE = 0.2


def move_to_psnr(images: Tensor, direction: Tensor, psnr: Tensor) -> Tensor:
    """Change *images* along *direction* until their PSNR is at most *psnr*; clamp and round to 8 bits.

    The change of a value is limited relative to the others, so that it is not concentrated in a few pixels. Gradients
    pass the rounding unchanged and take the distance as a constant, except for the direction's own length: the result
    does not depend on it, and a gradient along it would only make it shrink.

    Args:
        images: 8-bit pictures, ``(B, 3, H, W)`` in [0, 1].
        direction: of the same shape.
        psnr: ``(B, 1)``, in dB; a direction that leaves the range of 8 bits too soon does not reach it.

    Returns:
        8-bit pictures of the same shape.
    """
    length = direction.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=_SMALLEST)
    direction = PEAK * torch.tanh(direction / (PEAK * length))
    wanted = 10 ** (-psnr.view(-1, 1, 1, 1) / 10)
    with torch.no_grad():
        low, high = torch.full_like(wanted, _SHORTEST), torch.full_like(wanted, _LONGEST)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            error = round_8_bit(images + middle.exp() * direction) - images
            enough = error.square().mean(dim=(1, 2, 3), keepdim=True) >= wanted
            low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
    return round_8_bit(images + high.exp() * direction)


def jitter(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Shift *images*, ``(B, 3, H, W)`` in [0, 1], by up to two pixels in each direction, and add white noise."""
    height, width = images.shape[2:]
    top, left = rng.integers(2 * _MAX_SHIFT + 1, size=2).tolist()
    images = functional.pad(images, (_MAX_SHIFT,) * 4, mode="reflect")[:, :, top : top + height, left : left + width]
    return images + rng.uniform(0, _MAX_NOISE) * torch.randn_like(images)


def missing_headroom(images: Tensor, direction: Tensor, psnr: Tensor) -> Tensor:
    """Return the mean squared change that the range of 8 bits does not allow along *direction*, with a reserve.

    Without this loss, directions that cannot reach the PSNR would be rewarded. Signs are replaced by a sigmoid for a
    gradient.

    Args:
        images: ``(B, 3, H, W)`` in [0, 1].
        direction: of the same shape.
        psnr: ``(B, 1)``, in dB.

    Returns:
        Mean over the batch, at least 0.
    """
    length = direction.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=_SMALLEST)
    up = torch.sigmoid(4 * direction / length)
    room = up * (1 - images).square() + (1 - up) * images.square()
    return ((1 + _RESERVE) * 10 ** (-psnr[:, 0] / 10) - room.mean(dim=(1, 2, 3))).clamp(min=0).mean()
