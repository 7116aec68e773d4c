"""Planes of a received picture in which the synchronisation pattern is looked for: whitened luma and Cr."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint.embedding.placement import Matrix, Placement, corners
from underpaint.types import luma as luma_of

if TYPE_CHECKING:
    from underpaint.embedding.lapped import Array
    from underpaint.types import Image


@dataclass(frozen=True)
class Whitening:
    """Settings of the planes that are searched. Lengths are in pixels of the reduced picture."""

    longest: int = 512  # longest side of the reduced picture
    longest_in_window: int = 288  # the same for a window of it
    smallest_window: int = 128  # least side of a window, in pixels of the picture
    luma_mean: float = 6.0  # side of the squares whose mean is subtracted from the luma
    cr_mean: float = 8.0  # the same for Cr
    deviation: float = 8.0  # side of the squares over which the standard deviation is taken
    clip: float = 2.0  # standard deviations at which values are clipped


WHITENING = Whitening()


class Received:
    """Whitened luma and Cr of a received picture, reduced to sides of at most *longest* pixels."""

    def __init__(self, image: Image, longest: int) -> None:
        from PIL import Image as Pillow

        pixels = Pillow.fromarray(image)
        self.full_size = pixels.size
        ratio = min(1.0, longest / max(pixels.size))
        size = max(1, round(pixels.width * ratio)), max(1, round(pixels.height * ratio))
        if size != pixels.size:
            pixels = pixels.resize(size, Pillow.Resampling.BICUBIC, reducing_gap=3.0)
        self.width, self.height = size
        colours = np.asarray(pixels, np.float32)
        luma = luma_of(colours)
        cr = (colours[..., 0] - luma) * np.float32(0.713)
        #: Luma and Cr, ``float32 (height, width)`` each.
        self.planes = (_whitened(luma, WHITENING.luma_mean), _whitened(cr, WHITENING.cr_mean))

    @property
    def unit(self) -> float:
        """Root of the area in pixels."""
        return math.sqrt(self.width * self.height)

    @property
    def corners(self) -> Matrix:
        """The corners in pixels from the centre, ``(4, 2)``."""
        return corners(self.width, self.height) - [self.width / 2, self.height / 2]

    def placement(self, matrix: Matrix, log_aspect: float) -> Placement:
        """Return the place in the received picture of a marked one with this logarithm of width / height."""
        stretch = math.exp(log_aspect / 2)
        to_units = np.array([[stretch, 0, -stretch / 2], [0, 1 / stretch, -1 / stretch / 2], [0, 0, 1]])
        to_full = np.diag([self.full_size[0] / self.width, self.full_size[1] / self.height, 1.0])
        to_full[:2, 2] = self.full_size[0] / 2, self.full_size[1] / 2
        return Placement(to_full @ np.linalg.inv(matrix) @ to_units)


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
