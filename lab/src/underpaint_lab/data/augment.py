"""Pictures as they might have been, so that a network learns what they show and not how they were taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

#: Sides of what is erased, as shares of a picture's.
_ERASED = (0.125, 0.45)


def toned(images: Tensor, by: float, rng: np.random.Generator) -> Tensor:
    """Return *images*, ``(B, 3, H, W)`` in [0, 1], each with its own brightness, contrast and saturation.

    Brightness is shifted by up to half of *by*; contrast and saturation are multiplied by 1 - *by* … 1 + *by*.
    """
    light, *factors = 1 + torch.from_numpy(rng.uniform(-by, by, (3, len(images), 1, 1, 1))).to(images)
    images = images + (light - 1) / 2
    for factor, axes in zip(factors, ((1, 2, 3), (1,)), strict=True):
        mean = images.mean(dim=axes, keepdim=True)
        images = mean + factor * (images - mean)
    return images.clamp(0, 1)


def erased(images: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Return *images*, ``(B, C, H, W)``, a *share* of which, 0–1, have a rectangle of one colour each.

    Z. Zhong, L. Zheng, G. Kang, S. Li and Y. Yang, "Random Erasing Data Augmentation" (AAAI 2020).
    """
    images = images.clone()
    height, width = images.shape[2:]
    for chosen in np.flatnonzero(rng.random(len(images)) < share):
        image = images[chosen]
        rows, columns = (round(float(each)) for each in rng.uniform(*_ERASED, 2) * (height, width))
        top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
        colour = torch.from_numpy(rng.random((len(image), 1, 1))).to(image)
        image[:, top : top + rows, left : left + columns] = colour
    return images
