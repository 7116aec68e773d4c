"""A square canvas that any picture is mapped onto, so that its size no longer matters.

The coefficients of the canvas's lapped blocks are a :class:`~underpaint.embedding.watermark.Ground`: what is painted on them is
stretched over the picture, and is found on the canvas again whatever size the picture has then, or, if it was cut,
wherever its :class:`~underpaint.embedding.sync.Window` says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from underpaint import models
from underpaint.embedding import lapped
from underpaint.embedding.lapped import BLOCK, Array
from underpaint.embedding.sync import WHOLE, Window
from underpaint.types import LUMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Image

#: Frequencies that the networks know of.
_COUNT = 14
#: Before the network has its say a block takes change in proportion to (busyness + _FLATTEST) ** _MASKING.
_FLATTEST, _MASKING = 2.0, 0.4
#: Luma within _ROOM grey levels of these leaves less and less room for change, before it is clipped; _NO_ROOM at least.
_BLACK, _WHITE, _ROOM, _NO_ROOM = 2.0, 250.0, 20.0, 0.05
#: What stands on the canvas where nothing of a picture is.
_GREY = 128.0


@dataclass(frozen=True)
class Canvas:
    """The lapped blocks of a canvas of *side* × *side* pixels, a whole number of blocks."""

    side: int
    #: Which part of the canvas a picture covers.
    window: Window = WHOLE
    #: Bits keep to neighbouring blocks: a picture that is cut then loses some bits and keeps the others.
    near: bool = True

    counts = (2, 5, 9, 14)

    @property
    def blocks(self) -> int:
        """All of the canvas."""
        return (self.side // BLOCK) ** 2

    @property
    def pixels(self) -> int:
        """Those of the canvas: energy per pixel is the same there and on the picture."""
        return self.side**2

    @property
    def places(self) -> NDArray[np.intp] | None:
        """The Z-order curve, in quads of blocks."""
        return _z_order(self.side // BLOCK) if self.near else None

    def analyse(self, image: Image, count: int) -> Array:
        """The first *count* coefficients of every block; NaN in blocks that the picture does not cover whole."""
        luma, covered = self._luma(image)
        coefficients = lapped.transform(luma, count)
        if covered is not None:
            coefficients[np.repeat(~covered, count)] = np.nan
        return coefficients

    def restore(self, image: Image, count: int) -> Array:
        """The same, with what the reader network thinks that codecs took away."""
        luma, covered = self._luma(image)
        coefficients = lapped.transform(luma.copy(), _COUNT)
        coefficients += self.seen("reader", luma, coefficients)
        if covered is not None:
            coefficients[np.repeat(~covered, _COUNT)] = np.nan
        return coefficients.reshape(-1, _COUNT)[:, :count].ravel()

    def paint(self, image: Image, change: Array, count: int) -> Image:
        """Add a *change* of the coefficients, stretched over the picture."""
        from PIL import Image as Pillow

        across = self.side // BLOCK
        luma = lapped.inverse(change, across, across, count)
        height, width = image.shape[:2]
        if luma.shape != (height, width):
            luma = np.asarray(Pillow.fromarray(luma).resize((width, height), Pillow.Resampling.BICUBIC), np.float32)
        return lapped.add(image, luma)

    def weights(self, cover: Image, count: int) -> Array:
        """Busy blocks take more, nearly black and white ones less, and the writer network knows what arrives."""
        luma, _ = self._luma(cover)
        allocation = self.seen("writer", luma, lapped.transform(luma.copy(), _COUNT)).reshape(-1, _COUNT)
        free = np.clip((luma - _BLACK) / _ROOM, _NO_ROOM, 1) * np.clip((_WHITE - luma) / _ROOM, _NO_ROOM, 1)
        across = self.side // BLOCK
        blocks = (lapped.local_activity(luma) + _FLATTEST) ** _MASKING
        blocks *= free.reshape(across, BLOCK, across, BLOCK).mean(axis=(1, 3)).ravel()
        return np.asarray(blocks[:, None] * np.exp(np.clip(allocation[:, :count], -4, 4)), np.float32).ravel()

    def shared(self, values: Array) -> Array:
        """The means, ``(blocks,)``, of *values*, ``(H, W)``, of a picture that covers all of the canvas."""
        from PIL import Image as Pillow

        across = self.side // BLOCK
        small = Pillow.fromarray(values).resize((across, across), Pillow.Resampling.BOX)
        return np.asarray(small, np.float32).ravel()

    def seen(self, graph: str, luma: Array, coefficients: Array) -> Array:
        """What a network makes of *luma*, in the order of *coefficients*."""
        across = self.side // BLOCK
        maps = coefficients.reshape(1, across, across, _COUNT).transpose(0, 3, 1, 2)
        (out,) = (
            models.load("robust")
            .graphs[graph]
            .run({"luma": luma[None, None], "coefficients": np.ascontiguousarray(maps)})
            .values()
        )
        return np.asarray(out[0].transpose(1, 2, 0), np.float32).ravel()

    def _luma(self, image: Image) -> tuple[Array, NDArray[np.bool_] | None]:
        """The picture on the canvas, ``(side, side)``, and which blocks it covers; None says all."""
        from PIL import Image as Pillow

        pixels, weights = Pillow.fromarray(image), np.array(LUMA, np.float32)
        if self.window == WHOLE:
            if image.shape[:2] != (self.side, self.side):
                pixels = pixels.resize((self.side, self.side), Pillow.Resampling.BICUBIC, reducing_gap=3.0)
            return np.asarray(pixels, np.float32) @ weights, None
        rows, top, bottom = self._span(self.window.top, self.window.height, image.shape[0])
        columns, left, right = self._span(self.window.left, self.window.width, image.shape[1])
        size = (columns.stop - columns.start, rows.stop - rows.start)
        pixels = pixels.resize(size, Pillow.Resampling.BICUBIC, box=(left, top, right, bottom))
        luma = np.full((self.side, self.side), _GREY, np.float32)
        luma[rows, columns] = np.asarray(pixels, np.float32) @ weights
        return luma, np.logical_and.outer(self._whole(rows), self._whole(columns)).ravel()

    def _span(self, start: float, length: float, pixels: int) -> tuple[slice, float, float]:
        """The canvas's pixels that a cut picture covers whole, and between which of its own *pixels* these lie."""
        first, last = math.ceil(max(start, 0) * self.side), math.floor(min(start + length, 1) * self.side)
        begin, end = (min(max((at / self.side - start) / length, 0), 1) * pixels for at in (first, last))
        return slice(first, last), begin, end

    def _whole(self, span: slice) -> NDArray[np.bool_]:
        """Which blocks along a side see nothing but *span*; a block laps over half of its neighbours."""
        first = np.arange(0, self.side, BLOCK)
        last = np.minimum(first + 3 * BLOCK // 2, self.side)
        return np.asarray((np.maximum(first - BLOCK // 2, 0) >= span.start) & (last <= span.stop))


@cache
def _z_order(across: int) -> NDArray[np.intp]:
    """Where each block, row by row, lies along the Z-order curve; four blocks of a quad lie in the same place."""
    down, over = np.divmod(np.arange(across**2), across)
    place = np.zeros(across**2, np.intp)
    for bit in range(1, 16):
        place |= ((over >> bit & 1) << (2 * bit - 2)) | ((down >> bit & 1) << (2 * bit - 1))
    return place
