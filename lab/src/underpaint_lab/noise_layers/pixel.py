"""Noise layers of the pixel channels: noise, blur, brightness and contrast."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from underpaint.channels import pixel
from underpaint.types import LUMA
from underpaint_lab.noise_layers.layer import NoiseLayer, separable

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Noise(NoiseLayer):
    """Gaussian noise, independent for each value; sigma is a share of full scale.

    Raises:
        UsageError: sigma is not in 0–1.
    """

    sigma: float

    def __post_init__(self) -> None:
        pixel.Noise(self.sigma)  # raises UsageError

    def _apply(self, x: Tensor, rng: np.random.Generator) -> Tensor:
        batch, colours, height, width = x.shape
        # Drawn in the order of the channel, so that the same generator gives the same noise.
        noise = torch.from_numpy(rng.standard_normal((batch, height, width, colours), np.float32))
        return (x + self.sigma * noise.permute(0, 3, 1, 2).to(x)).clamp(0, 1)


@dataclass(frozen=True)
class Blur(NoiseLayer):
    """Gaussian blur; sigma in pixels, mirrored at the edges.

    Raises:
        UsageError: sigma is not in 0–20.
    """

    sigma: float

    def __post_init__(self) -> None:
        pixel.Blur(self.sigma)  # raises UsageError

    def _apply(self, x: Tensor, _rng: np.random.Generator) -> Tensor:
        return separable(x, *(_blur_matrix(side, self.sigma) for side in x.shape[-2:]))


@dataclass(frozen=True)
class Brightness(NoiseLayer):
    """Multiply every value by a factor, and clip.

    Raises:
        UsageError: the factor is not in 0–10.
    """

    factor: float

    def __post_init__(self) -> None:
        pixel.Brightness(self.factor)  # raises UsageError

    def _apply(self, x: Tensor, _rng: np.random.Generator) -> Tensor:
        return (x * self.factor).clamp(0, 1)


@dataclass(frozen=True)
class Contrast(NoiseLayer):
    """Multiply the distance of every value to the mean luma of its picture by a factor, and clip.

    Raises:
        UsageError: the factor is not in 0–10.
    """

    factor: float

    def __post_init__(self) -> None:
        pixel.Contrast(self.factor)  # raises UsageError

    def _apply(self, x: Tensor, _rng: np.random.Generator) -> Tensor:
        mean = (x.mean(dim=(2, 3)) @ x.new_tensor(LUMA))[:, None, None, None]
        return (mean + self.factor * (x - mean)).clamp(0, 1)


@lru_cache(maxsize=16)
def _blur_matrix(side: int, sigma: float) -> Tensor:
    """Return the matrix that blurs *side* values, ``(side, side)``."""
    radius = int(np.ceil(4 * sigma))
    # At sigma 0 the kernel is the single tap exp(0).
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / max(sigma, 1e-9)) ** 2)
    mirrored = np.pad(np.eye(side), [(radius, radius), (0, 0)], mode="symmetric")
    taps = np.lib.stride_tricks.sliding_window_view(mirrored, len(kernel), axis=0)  # (side, side, taps)
    return torch.from_numpy(taps @ (kernel / kernel.sum()))
