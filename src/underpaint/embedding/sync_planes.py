"""Planes of a received picture in which the synchronisation pattern is looked for: whitened luma and Cr."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from underpaint.embedding.placement import Matrix, Placement, corners
from underpaint.types import luma as luma_of

if TYPE_CHECKING:
    from underpaint.embedding.lapped import Array
    from underpaint.types import Image


@dataclass(frozen=True)
class Resolution:
    """Size to which a received picture is brought, in pixels: the same area for all, so that look-ups can be shared.

    Attributes:
        unit: root of the area.
        transform: side of the Fourier transform, and longest side that is searched.
    """

    unit: int
    transform: int


FINE, COARSE = Resolution(440, 1024), Resolution(250, 576)


@dataclass(frozen=True)
class Whitening:
    """Settings of the planes that are searched. Lengths are in pixels of the received picture as it is searched."""

    luma_mean: float = 6.0  # side of the squares whose mean is subtracted from the luma
    cr_mean: float = 8.0  # the same for Cr
    deviation: float = 8.0  # side of the squares over which the standard deviation is taken
    clip: float = 2.0  # standard deviations at which values are clipped


WHITENING = Whitening()


class Received:
    """Whitened luma and Cr of a received picture.

    Args:
        image: the picture, ``uint8 (H, W, 3)``.
        resolution: size that it is brought to. The ends of a picture that is too long for it are cut off.
        corner: left and top edge of *image* in the whole picture, if it is a window of one.
    """

    def __init__(self, image: Image, resolution: Resolution, corner: tuple[int, int] = (0, 0)) -> None:
        from PIL import Image as Pillow

        self.resolution = resolution
        pixels = Pillow.fromarray(image)
        ratio = resolution.unit / math.sqrt(pixels.width * pixels.height)
        size = max(1, round(pixels.width * ratio)), max(1, round(pixels.height * ratio))
        #: Map from pixels of this picture, from its centre, to those of the whole picture.
        self.to_whole = np.diag([pixels.width / size[0], pixels.height / size[1], 1.0])
        self.to_whole[:2, 2] = corner[0] + pixels.width / 2, corner[1] + pixels.height / 2
        pixels = pixels.resize(size, Pillow.Resampling.BICUBIC, reducing_gap=3.0)
        left, top = (max(0, (side - resolution.transform) // 2) for side in size)
        colours = np.asarray(pixels, np.float32)[top : size[1] - top, left : size[0] - left]
        colours = colours[: resolution.transform, : resolution.transform]
        self.height, self.width = colours.shape[:2]
        luma = luma_of(colours)
        cr = (colours[..., 0] - luma) * np.float32(0.713)
        #: Luma and Cr, ``float32 (height, width)`` each.
        self.planes = (_whitened(luma, WHITENING.luma_mean), _whitened(cr, WHITENING.cr_mean))

    @property
    def corners(self) -> Matrix:
        """The corners in pixels from the centre, ``(4, 2)``."""
        return np.asarray(corners(self.width, self.height) - [self.width / 2, self.height / 2])

    @cached_property
    def halved(self) -> tuple[Array, Array]:
        """Luma and Cr at half the sides, ``float32 (height / 2, width / 2)`` each."""
        from PIL import Image as Pillow

        luma, cr = (np.asarray(Pillow.fromarray(plane).reduce(2), np.float32) for plane in self.planes)
        return luma, cr

    def placement(self, matrix: Matrix, log_aspect: float) -> Placement:
        """Return the place in the whole picture of a marked one with this logarithm of width / height."""
        stretch = math.exp(log_aspect / 2)
        to_units = np.array([[stretch, 0, -stretch / 2], [0, 1 / stretch, -1 / stretch / 2], [0, 0, 1]])
        return Placement(self.to_whole @ np.linalg.inv(matrix) @ to_units)


def local_mean(plane: Array, side: float) -> Array:
    """Return a smooth local mean: the plane reduced to means of squares of this *side*, and enlarged again."""
    from PIL import Image as Pillow

    height, width = plane.shape
    small = (max(1, round(width / side)), max(1, round(height / side)))
    reduced = Pillow.fromarray(plane).resize(small, Pillow.Resampling.BOX)
    return np.asarray(reduced.resize((width, height), Pillow.Resampling.BICUBIC), np.float32)


def _whitened(plane: Array, side: float) -> Array:
    """Return *plane* without its local mean, divided by its local variance and clipped.

    Divided by the standard deviation once it is white; divided again it is weighted for a pattern of constant
    amplitude.
    """
    rest = plane - local_mean(plane, side)
    deviation = np.sqrt(np.maximum(local_mean(np.square(rest), WHITENING.deviation), 0) + 1)
    return np.asarray(np.clip(rest / deviation, -WHITENING.clip, WHITENING.clip) / deviation, np.float32)
