"""Pictures that move along a direction as far as a PSNR leaves them, clamped and rounded to 8 bits, with gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from underpaint.models.jnd import PEAK
from underpaint_lab.noise_layers.layer import round_8_bit

if TYPE_CHECKING:
    import numpy as np

#: Logarithms of how long a direction of unit mean square may become, so long that the least that is not 0 counts, and
#: steps of the search in between.
_SHORTEST, _LONGEST, _HALVINGS = -8.0, 10.0, 20
_SMALLEST = 1e-6
#: Of what is shaken: pixels that a picture moves by, and the standard deviation of noise, at most.
_MOVED, _NOISE = 2, 0.06


def moved(images: Tensor, direction: Tensor, psnr: Tensor) -> Tensor:
    """*images* moved along *direction* until they have no more than *psnr* dB, clamped and rounded to 8 bits.

    No value goes much further than the others: change that lies in a few pixels alone would say nothing of the rest.
    Gradients see no rounding, and how far a picture is moved as a constant, but for the direction's own length: it is
    of no account, so that a gradient along it would only let it shrink.

    Args:
        images: ``(B, 3, H, W)`` in [0, 1], whole levels of 8 bits.
        direction: of that shape.
        psnr: ``(B, 1)``, in dB. A direction that leads straight out of what 8 bits hold may not get there.
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


def shaken(images: Tensor, rng: np.random.Generator) -> Tensor:
    """*images*, ``(B, 3, H, W)`` in [0, 1], moved by up to two pixels each way, and with white noise."""
    height, width = images.shape[2:]
    top, left = rng.integers(2 * _MOVED + 1, size=2).tolist()
    images = functional.pad(images, (_MOVED,) * 4, mode="reflect")[:, :, top : top + height, left : left + width]
    return images + rng.uniform(0, _NOISE) * torch.randn_like(images)


def lacking(images: Tensor, direction: Tensor, psnr: Tensor) -> Tensor:
    """How much of the mean square of *psnr*, and a fifth more, is beyond what 8 bits hold along *direction*; the mean.

    Else a direction would be the better the less it gets anywhere. Signs are softened, that there be a gradient.
    """
    length = direction.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=_SMALLEST)
    up = torch.sigmoid(4 * direction / length)
    room = up * (1 - images).square() + (1 - up) * images.square()
    return (1.2 * 10 ** (-psnr[:, 0] / 10) - room.mean(dim=(1, 2, 3))).clamp(min=0).mean()
