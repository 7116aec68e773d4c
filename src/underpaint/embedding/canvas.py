"""A square canvas that a picture of any size is resampled to, so that a watermark survives resizing and cropping.

The lapped coefficients of the canvas are an :class:`~underpaint.embedding.watermark.EmbeddingDomain`. A change of them
is stretched over the picture. The receiver resamples the picture to the canvas again, whatever its size, or, if it was
cropped, to the :class:`~underpaint.embedding.sync.Window` of the canvas that it covers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from underpaint.embedding import lapped
from underpaint.embedding.lapped import BLOCK, Array
from underpaint.embedding.sync import WHOLE, Window
from underpaint.types import luma as luma_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Image

#: Luma of the canvas where the picture does not cover it: middle grey.
_GREY = 128.0


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
    #: Part of the canvas that the picture covers.
    window: Window = WHOLE
    #: True if a bit uses neighbouring blocks: a cropped picture then loses some bits and keeps the others.
    near: bool = True

    counts = (2, 5, 9, 14)

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
        luma, covered = self._luma(image)
        coefficients = lapped.transform(luma, count)
        if covered is not None:
            coefficients[np.repeat(~covered, count)] = np.nan
        return coefficients

    def paint(self, image: Image, change: Array, count: int) -> Image:
        """Return *image* with a *change* of the coefficients added, stretched over the picture."""
        from PIL import Image as Pillow

        across = self.side // BLOCK
        luma = lapped.inverse(change, across, across, count)
        height, width = image.shape[:2]
        if luma.shape != (height, width):
            luma = np.asarray(Pillow.fromarray(luma).resize((width, height), Pillow.Resampling.BICUBIC), np.float32)
        return lapped.add(image, luma)

    def weights(self, cover: Image, count: int) -> Array:
        """Return the allowed change: more in textured blocks, less near black and white."""
        luma, _ = self._luma(cover)
        headroom = np.clip((luma - _MASKING.black) / _MASKING.headroom, _MASKING.least_headroom, 1)
        headroom = headroom * np.clip((_MASKING.white - luma) / _MASKING.headroom, _MASKING.least_headroom, 1)
        across = self.side // BLOCK
        blocks = (lapped.local_activity(luma) + _MASKING.least_activity) ** _MASKING.exponent
        blocks *= headroom.reshape(across, BLOCK, across, BLOCK).mean(axis=(1, 3)).ravel()
        return np.asarray(np.repeat(blocks, count), np.float32)

    def block_means(self, values: Array) -> Array:
        """Return the mean of *values*, ``(H, W)``, in each block, ``(blocks,)``, of a picture that is not cropped."""
        from PIL import Image as Pillow

        across = self.side // BLOCK
        small = Pillow.fromarray(values).resize((across, across), Pillow.Resampling.BOX)
        return np.asarray(small, np.float32).ravel()

    def _luma(self, image: Image) -> tuple[Array, NDArray[np.bool_] | None]:
        """Return the luma on the canvas, ``(side, side)``, and which blocks the picture covers; None means all."""
        from PIL import Image as Pillow

        pixels = Pillow.fromarray(image)
        if self.window == WHOLE:
            if image.shape[:2] != (self.side, self.side):
                pixels = pixels.resize((self.side, self.side), Pillow.Resampling.BICUBIC, reducing_gap=3.0)
            return luma_of(np.asarray(pixels, np.float32)), None
        rows, top, bottom = self._span(self.window.top, self.window.height, image.shape[0])
        columns, left, right = self._span(self.window.left, self.window.width, image.shape[1])
        size = (columns.stop - columns.start, rows.stop - rows.start)
        pixels = pixels.resize(size, Pillow.Resampling.BICUBIC, box=(left, top, right, bottom))
        luma = np.full((self.side, self.side), _GREY, np.float32)
        luma[rows, columns] = luma_of(np.asarray(pixels, np.float32))
        return luma, np.logical_and.outer(self._whole(rows), self._whole(columns)).ravel()

    def _span(self, start: float, length: float, pixels: int) -> tuple[slice, float, float]:
        """Return the canvas pixels that a cropped picture covers, and the part of its own *pixels* that they show."""
        first, last = math.ceil(max(start, 0) * self.side), math.floor(min(start + length, 1) * self.side)
        begin, end = (min(max((at / self.side - start) / length, 0), 1) * pixels for at in (first, last))
        return slice(first, last), begin, end

    def _whole(self, span: slice) -> NDArray[np.bool_]:
        """Return which blocks along a side lie in *span* with all of their overlapping basis functions."""
        first = np.arange(0, self.side, BLOCK)
        last = np.minimum(first + 3 * BLOCK // 2, self.side)
        return np.asarray((np.maximum(first - BLOCK // 2, 0) >= span.start) & (last <= span.stop))


@cache
def _z_order(across: int) -> NDArray[np.intp]:
    """Return the position of each block, row by row, on the Z-order curve; the four blocks of a quad share one."""
    down, over = np.divmod(np.arange(across**2), across)
    place = np.zeros(across**2, np.intp)
    for bit in range(1, 16):
        place |= ((over >> bit & 1) << (2 * bit - 2)) | ((down >> bit & 1) << (2 * bit - 1))
    return place
