"""Noise layers of the geometric channels: resize, cropout, rotate and flip."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from underpaint.channels import geometry
from underpaint.errors import UsageError
from underpaint_lab.noise_layers.layer import NoiseLayer, separable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

#: Level outside the window of ``Cropout``: middle grey.
_GREY = 128


@dataclass(frozen=True)
class Resize(NoiseLayer):
    """Scale by a factor per side, and back to the original size.

    Raises:
        UsageError: the factor is not in 0.01–4, or no such filter.
    """

    factor: float
    filter: str = "bicubic"

    def __post_init__(self) -> None:
        geometry.Resize(self.factor, self.filter)  # raises UsageError

    def _apply(self, x: Tensor, _rng: np.random.Generator) -> Tensor:
        sides = x.shape[-2:]
        scaled = [max(1, round(side * self.factor)) for side in sides]
        there = [_scaling(side, size, self.filter) for side, size in zip(sides, scaled, strict=True)]
        back = [_scaling(size, side, self.filter) for side, size in zip(sides, scaled, strict=True)]
        return separable(separable(x, *there).clamp(0, 1), *back).clamp(0, 1)


@dataclass(frozen=True)
class Cropout(NoiseLayer):
    """Replace all but a window, of that share of the area, by middle grey.

    Raises:
        UsageError: the area is not in 0.0001–1, or the position neither random nor centre.
    """

    area: float
    at: str = "random"

    def __post_init__(self) -> None:
        geometry.Cropout(self.area, self.at)  # raises UsageError

    def _apply(self, x: Tensor, rng: np.random.Generator) -> Tensor:
        # The channel itself draws the window: on a white picture, what it keeps stays white.
        channel, white = geometry.Cropout(self.area, self.at), np.full((*x.shape[-2:], 3), 255, np.uint8)
        left = torch.from_numpy(np.stack([channel(white, rng)[..., 0] == 255 for _ in x]))
        return torch.where(left[:, None].to(x.device), x, _GREY / 255)


@dataclass(frozen=True)
class Rotate(NoiseLayer):
    """Rotate counter-clockwise about the centre (bicubic), at the same size; empty corners become black.

    Raises:
        UsageError: degrees are not in -180–180, or the picture is to grow.
    """

    degrees: float
    expand: str = "no"

    def __post_init__(self) -> None:
        geometry.Rotate(self.degrees, self.expand)  # raises UsageError
        if self.expand == "yes":
            raise UsageError("a noise layer keeps the size of its picture", hint="rotate without expand")

    def _apply(self, x: Tensor, _rng: np.random.Generator) -> Tensor:
        height, width = x.shape[-2:]
        places, weights, inside = _rotation(height, width, self.degrees)
        # An embedding bag is the fastest way to gather and weight pixels.
        values = x.flatten(2).permute(2, 0, 1).flatten(1)  # (H * W, B * 3)
        turned = functional.embedding_bag(places.to(x.device), values, mode="sum", per_sample_weights=weights.to(x))
        turned = torch.where(inside.to(x.device)[:, None], turned, 0.0).clamp(0, 1)
        return turned.mT.reshape(x.shape)


@dataclass(frozen=True)
class Flip(NoiseLayer):
    """Mirror left and right (horizontal), or top and bottom (vertical).

    Raises:
        UsageError: no such axis.
    """

    axis: str = "horizontal"

    def __post_init__(self) -> None:
        geometry.Flip(self.axis)  # raises UsageError

    def _apply(self, x: Tensor, _rng: np.random.Generator) -> Tensor:
        return x.flip(-1 if self.axis == "horizontal" else -2)


@lru_cache(maxsize=16)
def _scaling(side: int, size: int, name: str) -> Tensor:
    """Return the matrix that scales *side* values to *size*, ``(size, side)``: Pillow's response to single pixels."""
    from PIL import Image as Pillow

    impulses = Pillow.fromarray(np.eye(side, dtype=np.float32))
    responses = np.asarray(impulses.resize((size, side), Pillow.Resampling[name.upper()]))
    return torch.from_numpy(responses.T.copy())


@lru_cache(maxsize=4)
def _rotation(height: int, width: int, degrees: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the source of each pixel of a rotated picture, computed as by Pillow.

    Returns:
        Indices ``(H * W, 16)`` of the pixels around each source, their weights ``(H * W, 16)``, and whether the source
        lies inside the picture, ``(H * W,)``.
    """
    angle, centre = np.deg2rad(degrees), (height / 2, width / 2)
    y, x = np.indices((height, width)).reshape(2, -1) + 0.5 - np.array(centre)[:, None]
    # Rounded as in Pillow, so that a right angle is one.
    cosine, sine = round(np.cos(angle), 15), round(np.sin(angle), 15)
    across = cosine * x - sine * y + centre[1]
    down = sine * x + cosine * y + centre[0]
    inside = (across >= 0) & (across < width) & (down >= 0) & (down < height)
    rows, row_weights = _taps(down - 0.5, height)
    columns, column_weights = _taps(across - 0.5, width)
    places = (rows[:, None] * width + columns).reshape(16, -1).T
    weights = (row_weights[:, None] * column_weights).reshape(16, -1).T
    return torch.from_numpy(places.copy()), torch.from_numpy(weights.copy()), torch.from_numpy(inside)


def _taps(source: NDArray[np.float64], side: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the four samples around each *source*, ``(4, n)``, with edges repeated, and their weights.

    Cubic convolution (Keys, IEEE Trans. ASSP 29, 1981) with a = -1, which Pillow uses for rotation; for scaling it uses
    -1/2.
    """
    first = np.floor(source)
    t = source - first
    weights = np.stack([-t * (1 - t) ** 2, 1 - 2 * t**2 + t**3, t * (1 + t - t**2), -(t**2) * (1 - t)])
    return np.clip(first + np.arange(-1, 3)[:, None], 0, side - 1).astype(np.int64), weights
