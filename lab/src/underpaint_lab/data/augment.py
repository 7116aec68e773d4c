"""Data augmentation: random brightness, contrast and saturation, and random erasing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

#: Sides of the erased rectangle as shares of the picture's sides, smallest and largest.
_ERASED_SIDES = (0.125, 0.45)


def toned(images: Tensor, by: float, rng: np.random.Generator) -> Tensor:
    """Return *images* with random brightness, contrast and saturation.

    Args:
        images: ``(B, 3, H, W)`` in [0, 1].
        by: strength, 0–1. Brightness is shifted by up to half of it; contrast and saturation are multiplied by a factor
            of 1 - *by* … 1 + *by*.
        rng: draws three numbers for each picture.
    """
    light, *factors = 1 + torch.from_numpy(rng.uniform(-by, by, (3, len(images), 1, 1, 1))).to(images)
    images = images + (light - 1) / 2
    for factor, axes in zip(factors, ((1, 2, 3), (1,)), strict=True):
        mean = images.mean(dim=axes, keepdim=True)
        images = mean + factor * (images - mean)
    return images.clamp(0, 1)


def erased(images: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Return *images*, ``(B, C, H, W)``; in a *share* of them, 0–1, a rectangle is filled with one random colour.

    Z. Zhong, L. Zheng, G. Kang, S. Li and Y. Yang, "Random Erasing Data Augmentation" (AAAI 2020).
    """
    images = images.clone()
    height, width = images.shape[2:]
    for chosen in np.flatnonzero(rng.random(len(images)) < share):
        image = images[chosen]
        rows, columns = (round(float(each)) for each in rng.uniform(*_ERASED_SIDES, 2) * (height, width))
        top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
        colour = torch.from_numpy(rng.random((len(image), 1, 1))).to(image)
        image[:, top : top + rows, left : left + columns] = colour
    return images
