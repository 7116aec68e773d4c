"""A square canvas that a picture of any size is resampled to, so that a watermark survives resizing and cropping.

The lapped coefficients of the canvas are an :class:`~underpaint.embedding.watermark.EmbeddingDomain`. A change of them
is stretched over the picture. The receiver resamples the picture to the canvas again, whatever its size. One that was
cropped, rotated or otherwise moved is straightened first, by a :class:`~underpaint.embedding.placement.Placement`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from underpaint.embedding import lapped
from underpaint.embedding.lapped import BLOCK, Array
from underpaint.types import luma as luma_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Image


#: Number of pilot bits, and of blocks from which on there are twice as many.
PILOTS, _MANY_BLOCKS = 64, 1024


@dataclass(frozen=True)
class _Masking:
    """Allowed change of a block."""

    least_activity: float = 2.0  # grey levels added to the local activity
    exponent: float = 0.4  # the allowed change is proportional to the activity to this power
    black: float = 2.0  # luma at which no darker value is left
    white: float = 250.0  # luma at which no brighter value is left
    headroom: float = 20.0  # grey levels from these at which the full change is allowed
    least_headroom: float = 0.05  # share of the change allowed at black and white


_MASKING = _Masking()


@dataclass(frozen=True)
class Canvas:
    """The lapped blocks of a square canvas."""

    #: Side in pixels, a multiple of the block side.
    side: int
    #: Corners of the received picture on the canvas, in shares of its side, ``(4, 2)``; None if it covers the canvas.
    outline: tuple[tuple[float, float], ...] | None = None
    #: True if a bit uses neighbouring blocks: a cropped picture then loses some bits and keeps the others.
    near: bool = True

    counts = (2, 5, 9, 14)

    copies = (1, 3)

    @property
    def pilots(self) -> int:
        """Number of pilot bits: more on a large canvas, so that enough of them lie in a small part of it."""
        return 2 * PILOTS if self.blocks >= _MANY_BLOCKS else PILOTS

    @property
    def blocks(self) -> int:
        """Number of blocks of the canvas."""
        return (self.side // BLOCK) ** 2

    @property
    def pixels(self) -> int:
        """Number of pixels of the canvas: energy per pixel is the same there and in the picture."""
        return self.side**2

    @property
    def places(self) -> NDArray[np.intp] | None:
        """Position of each block on the Z-order curve, in quads of blocks; None if *near* is False."""
        return _z_order(self.side // BLOCK) if self.near else None

    def analyse(self, image: Image, count: int) -> Array:
        """Return the first *count* coefficients of every block; NaN in blocks that the picture covers partly or not."""
        coefficients = lapped.transform(self.luma(image), count)
        if self.outline is not None:
            coefficients[np.repeat(~self._covered(), count)] = np.nan
        return coefficients

    def paint(self, image: Image, change: Array, count: int) -> Image:
        """Return *image* with a *change* of the coefficients added, stretched over the picture."""
        return lapped.add(image, stretched(self.plane(change, count), *image.shape[:2]))

    def plane(self, change: Array, count: int) -> Array:
        """Return the luma of a *change* of the coefficients, ``float32 (side, side)``."""
        across = self.side // BLOCK
        return lapped.inverse(change, across, across, count)

    def weights(self, cover: Image, count: int) -> Array:
        """Return the allowed change: more in textured blocks, less near black and white."""
        luma = self.luma(cover)
        across = self.side // BLOCK
        blocks = (lapped.local_activity(luma) + _MASKING.least_activity) ** _MASKING.exponent
        blocks *= headroom(luma).reshape(across, BLOCK, across, BLOCK).mean(axis=(1, 3)).ravel()
        return np.asarray(np.repeat(blocks, count), np.float32)

    def block_means(self, values: Array) -> Array:
        """Return the mean of *values*, ``(H, W)``, in each block, ``(blocks,)``, of a picture that is not cropped."""
        from PIL import Image as Pillow

        across = self.side // BLOCK
        small = Pillow.fromarray(values).resize((across, across), Pillow.Resampling.BOX)
        return np.asarray(small, np.float32).ravel()

    def luma(self, image: Image) -> Array:
        """Return the luma of *image*, stretched to the canvas, ``float32 (side, side)``."""
        from PIL import Image as Pillow

        pixels = Pillow.fromarray(image)
        if image.shape[:2] != (self.side, self.side):
            pixels = pixels.resize((self.side, self.side), Pillow.Resampling.BICUBIC, reducing_gap=3.0)
        return luma_of(np.asarray(pixels, np.float32))

    def _covered(self) -> NDArray[np.bool_]:
        """Return which blocks the picture covers with all of their overlapping basis functions, ``(blocks,)``."""
        first = np.arange(0, self.side, BLOCK)
        ends = np.maximum(first - BLOCK // 2, 0), np.minimum(first + 3 * BLOCK // 2, self.side)
        corners = np.array(self.outline)
        inside = np.ones((len(first), len(first)), bool)
        turn = np.sign(_cross(corners[1] - corners[0], corners[2] - corners[1]))
        for start, stop in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            for rows in ends:  # a block lies inside if its four corners do, for the outline is convex
                for columns in ends:
                    x, y = np.meshgrid(columns / self.side - start[0], rows / self.side - start[1])
                    inside &= turn * ((stop - start)[0] * y - (stop - start)[1] * x) > -1e-9
        return inside.ravel()


def _cross(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(one[0] * other[1] - one[1] * other[0])


def headroom(luma: Array) -> Array:
    """Return the share of a change that pixels of this *luma* take: less near black and white, where they clip."""
    dark = np.clip((luma - _MASKING.black) / _MASKING.headroom, _MASKING.least_headroom, 1)
    return np.asarray(
        dark * np.clip((_MASKING.white - luma) / _MASKING.headroom, _MASKING.least_headroom, 1), np.float32
    )


def stretched(plane: Array, height: int, width: int) -> Array:
    """Return *plane* stretched to *height* × *width* pixels by bicubic interpolation."""
    from PIL import Image as Pillow

    if plane.shape == (height, width):
        return plane
    return np.asarray(Pillow.fromarray(plane).resize((width, height), Pillow.Resampling.BICUBIC), np.float32)


@cache
def _z_order(across: int) -> NDArray[np.intp]:
    """Return the position of each block, row by row, on the Z-order curve; the four blocks of a quad share one."""
    down, over = np.divmod(np.arange(across**2), across)
    place = np.zeros(across**2, np.intp)
    for bit in range(1, 16):
        place |= ((over >> bit & 1) << (2 * bit - 2)) | ((down >> bit & 1) << (2 * bit - 1))
    return place
