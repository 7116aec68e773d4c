"""Synchronisation pattern in the frames of videos, so that one that was turned, mirrored, cropped or framed is found.

The pattern is that of :mod:`underpaint.embedding.sync`, in luma only, and the same in all frames of a video: it does
not flicker, and the mean of many frames shows it more clearly than any frame does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from underpaint.embedding import sync, sync_search
from underpaint.embedding.sync_planes import WHITENING, local_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from underpaint.embedding.lapped import Array
    from underpaint.types import Image

#: Side in pixels of the square on which the pattern is drawn, and to which frames are straightened.
SIDE = 256
#: dB by which the PSNR of the pattern is above that of the container.
_MARGIN = 8.0
#: Root of the area in pixels below which frames have no pattern: too few pixels carry it.
_SMALLEST = 224
#: Frames that are kept for the search, and their longest side in pixels.
_KEPT, _LONGEST = 32, 512
#: Of these, frames that are decoded at each place: decoding takes longer than the search.
_DECODED = 8
#: Standard deviation in levels up to which a row or column at the edge is flat.
_FLAT = 5.0
#: The picture that is searched has this grey, and so many levels per standard deviation.
_GREY, _LEVELS = 128, 60


def pattern(height: int, width: int, psnr: float, aspect: float | None = None) -> Array | None:
    """Return the pattern of frames, in levels of luma, ``float32 (SIDE, SIDE)``; None if they are too small for it.

    Args:
        height: of the frames in pixels.
        width: of the frames in pixels.
        psnr: of the container in dB.
        aspect: width over height as the frames are shown; None for that of their sides.
    """
    if not _is_patterned(height, width):
        return None
    shown = width if aspect is None else height * aspect
    luma, _ = sync.picture_planes(1 << 12, max(1, round((1 << 12) * shown / height)), SIDE)
    return np.asarray(luma * np.float32(255 / 10 ** ((psnr + _MARGIN) / 20)))


def message_psnr(height: int, width: int, psnr: float) -> float:
    """Return the PSNR in dB that the message alone has in a container of *psnr* dB with a pattern."""
    return psnr - 10 * math.log10(1 - 10 ** (-_MARGIN / 10)) if _is_patterned(height, width) else psnr


class Search:
    """Keeps some of the frames of a video, and searches the pattern in their mean."""

    def __init__(self) -> None:
        self._kept: list[Image] = []
        self._stride, self._count = 1, 0

    def add(self, luma: Image) -> None:
        """Add a frame, ``uint8 (H, W)``. Of a long video, frames at equal distances are kept."""
        if self._kept and _reduced_shape(luma.shape) != self._kept[0].shape:
            self._kept, self._stride, self._count = [], 1, 0
        if self._count % self._stride == 0:
            self._kept.append(_reduced(luma))
            if len(self._kept) == _KEPT:
                self._kept, self._stride = self._kept[::2], 2 * self._stride
        self._count += 1

    def straightened(self) -> Iterator[list[Image]]:
        """Yield the kept frames, straightened by one place after the other where they may lie.

        First come the eight orientations, of all of the frames and without flat borders, then places by the pattern.
        Each time frames of one size, ``uint8``.
        """
        if not self._kept:
            return
        mean = np.rint(np.mean(self._kept, axis=0)).astype(np.uint8)
        rows, columns = _inside_borders(mean)
        inner = [each[rows, columns] for each in self._kept]
        few = slice(None, None, -(-len(inner) // _DECODED))
        for planes in [self._kept[few]] + [inner[few]] * (inner[0].shape != mean.shape):
            for turns in range(4):
                yield [np.rot90(each, turns) for each in planes]
                yield [np.rot90(each[:, ::-1], turns) for each in planes]
        clear = np.mean([_whitened(each) for each in inner], axis=0)
        levels = np.clip(_GREY + _LEVELS * clear, 0, 255).astype(np.uint8)
        for placement in sync_search.search(np.repeat(levels[..., None], 3, axis=2)):
            yield [placement.straightened(each, SIDE) for each in inner[few]]


def _is_patterned(height: int, width: int) -> bool:
    return math.sqrt(height * width) >= _SMALLEST


def _inside_borders(mean: Image) -> tuple[slice, slice]:
    """Return the rows and columns of the *mean* frame without flat borders."""
    rows = _textured(mean.T)
    return rows, _textured(mean[rows])


def _textured(mean: Image) -> slice:
    """Return the columns from the first to the last that is not flat."""
    found = np.flatnonzero(mean.std(axis=0) > _FLAT)
    return slice(found[0], found[-1] + 1) if len(found) else slice(None)


def _whitened(luma: Image) -> Array:
    """Return a frame without its local mean, divided by its local deviation: the mean of many shows the pattern."""
    plane = luma.astype(np.float32)
    rest = plane - local_mean(plane, WHITENING.luma_mean)
    deviation = np.sqrt(np.maximum(local_mean(np.square(rest), WHITENING.deviation), 0) + 1)
    return np.asarray(np.clip(rest / deviation, -WHITENING.clip, WHITENING.clip))


def _reduced_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    ratio = min(1.0, _LONGEST / max(shape))
    return max(1, round(shape[0] * ratio)), max(1, round(shape[1] * ratio))


def _reduced(luma: Image) -> Image:
    """Return a copy of the plane, reduced to sides of at most :data:`_LONGEST` pixels."""
    from PIL import Image as Pillow

    height, width = _reduced_shape(luma.shape)
    if (height, width) == luma.shape:
        return luma.copy()
    return np.array(Pillow.fromarray(luma).resize((width, height), Pillow.Resampling.BICUBIC, reducing_gap=3.0))
