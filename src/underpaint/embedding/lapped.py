"""Lapped transform of a picture's luma: 16×16 blocks whose basis functions overlap.

STDM embeds in the lowest frequencies of this transform, without the mean. Codecs with 8×8 blocks keep these best: the
three lowest lie mostly in JPEG's DC coefficients. The overlap leaves no visible block edges. Unlike the means the
coefficients are small in any picture, so a change of gain hardly moves them across a lattice cell.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from underpaint.types import luma as luma_of
from underpaint.types import strips

if TYPE_CHECKING:
    from underpaint.types import Image

Array = NDArray[np.float32]

#: Side of a block, in pixels.
BLOCK = 16
#: Frequencies (vertical, horizontal) in the order of use: lowest first, without the mean.
FREQUENCIES = sorted(((v, h) for v in range(8) for h in range(8) if 0 < v + h < 8), key=lambda f: (sum(f), max(f), f))
#: Weights of a change of Cr in red, green and blue at constant luma (ITU-R BT.601).
CR_TO_RGB = (1.402, -0.714136, 0.0)
#: Rows of pixels processed at a time, so that only the luma of a whole picture is in memory.
_ROWS_PER_STRIP = 16 * BLOCK


@cache
def _dct_basis(count: int) -> Array:
    """Return the first *count* rows of the orthonormal DCT-II matrix of order :data:`BLOCK`: ``(count, BLOCK)``."""
    return dct(BLOCK)[:count].astype(np.float32)


def dct(order: int) -> NDArray[np.float64]:
    """Return the orthonormal DCT-II matrix, ``float64 (order, order)``, one basis function per row."""
    k = np.arange(order)[:, None]
    matrix = np.sqrt(2 / order) * np.cos((2 * np.arange(order) + 1) * k * np.pi / (2 * order))
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix)


@cache
def lapping() -> Array:
    """Return the orthonormal filter across a border between blocks: ``(BLOCK, BLOCK)``, half of it on either side.

    Applied before the block DCT it makes a lapped transform: basis functions reach over the border and fade out, so no
    grid of blocks is visible.

    Source: Tran, Liang and Tu, "Lapped transform via time-domain pre- and post-filtering", IEEE Trans. Signal Process.
    51(6), 2003.
    """
    half = BLOCK // 2
    n = 2 * np.arange(half) + 1
    dct4 = np.sqrt(2 / half) * np.cos(n[:, None] * n * np.pi / (4 * half))
    identity, reversal = np.eye(half), np.eye(half)[::-1]
    butterfly = np.block([[identity, reversal], [reversal, -identity]])
    inner = np.block([[identity, 0 * identity], [0 * identity, reversal @ dct(half).T @ dct4 @ reversal]])
    return np.asarray(butterfly @ inner @ butterfly / 2, np.float32)


def grid(image: Image) -> tuple[int, int]:
    """Return the number of whole blocks of a picture (down, across). Pixels beyond them stay unchanged."""
    return image.shape[0] // BLOCK, image.shape[1] // BLOCK


def _luma(image: Image) -> Array:
    """Return the luma of all whole blocks: ``(down * BLOCK, across * BLOCK)``."""
    down, across = grid(image)
    luma = np.empty((down * BLOCK, across * BLOCK), np.float32)
    for rows in strips(down * BLOCK, _ROWS_PER_STRIP):
        luma[rows] = luma_of(image[rows, : across * BLOCK])
    return luma


def _filtered(luma: Array, across_borders: Array) -> Array:
    """Filter *luma* across all borders between blocks, in place."""
    height, width = luma.shape
    half = BLOCK // 2
    if height > BLOCK:
        rows = luma[half:-half].reshape(-1, BLOCK, width)
        rows[...] = across_borders @ rows
    if width > BLOCK:
        columns = luma[:, half:-half]
        columns[...] = (columns.reshape(height, -1, BLOCK) @ across_borders.T).reshape(height, -1)
    return luma


def analyse(image: Image, count: int) -> Array:
    """Return the first *count* coefficients of every block: ``float32 (blocks * count,)``, block by block."""
    return transform(_luma(image), count)


def paint(image: Image, change: Array, count: int) -> Image:
    """Add a *change* of the coefficients, ``float32 (blocks * count,)``, to all three colour channels.

    The result is rounded and clipped to 8 bits.
    """
    return add(image, inverse(change, *grid(image), count))


def activity(image: Image) -> Array:
    """Return the :func:`local_activity` of every block of *image*: ``float32 (blocks,)`` in grey levels."""
    return local_activity(_luma(image))


def transform(luma: Array, count: int) -> Array:
    """Return the first *count* coefficients of every block of *luma*, which is overwritten.

    Args:
        luma: ``float32 (down * BLOCK, across * BLOCK)``.
        count: coefficients per block, 1–35.

    Returns:
        ``float32 (blocks * count,)``, block by block.
    """
    down, across = (side // BLOCK for side in luma.shape)
    vertical, horizontal = np.array(FREQUENCIES[:count]).T
    basis = _dct_basis(int(max(vertical.max(), horizontal.max())) + 1)
    half = basis @ _filtered(luma, lapping()).reshape(down, BLOCK, -1)
    full = half.reshape(down, -1, across, BLOCK) @ basis.T  # (down, vertical, across, horizontal)
    return np.asarray(full[:, vertical, :, horizontal].transpose(1, 2, 0), np.float32).ravel()


def inverse(coefficients: Array, down: int, across: int, count: int) -> Array:
    """Return the luma of the given coefficients: the inverse of :func:`transform`, all other coefficients 0.

    Args:
        coefficients: ``float32 (down * across * count,)``, block by block.
        down: rows of blocks.
        across: columns of blocks.
        count: coefficients per block, 1–35.

    Returns:
        ``float32 (down * BLOCK, across * BLOCK)``.
    """
    vertical, horizontal = np.array(FREQUENCIES[:count]).T
    basis = _dct_basis(int(max(vertical.max(), horizontal.max())) + 1)
    full = np.zeros((down, len(basis), across, len(basis)), np.float32)
    full[:, vertical, :, horizontal] = coefficients.reshape(down, across, count).transpose(2, 0, 1)
    luma = basis.T @ (full @ basis).reshape(down, len(basis), -1)
    return _filtered(luma.reshape(down * BLOCK, -1), lapping().T)


def add(image: Image, luma: Array, cr: Array | None = None) -> Image:
    """Add a change of luma and of Cr, at the top left corner, rounded and clipped to 8 bits.

    Args:
        image: ``uint8 (H, W, 3)``.
        luma: added to all three colour channels, ``float32 (h, w)``, no larger than the image.
        cr: colour difference that is added at constant luma, same shape; None for none.
    """
    height, width = luma.shape
    painted = image.copy()
    for rows in strips(height, _ROWS_PER_STRIP):
        strip = painted[rows, :width]
        pixels = strip + luma[rows, :, None]
        if cr is not None:
            for channel, weight in enumerate(CR_TO_RGB[:2]):
                pixels[..., channel] += np.float32(weight) * cr[rows]
        strip[...] = np.clip(np.rint(pixels, out=pixels), 0, 255, out=pixels)
    return painted


def within(limit: NDArray[np.uint8] | None, cover: Image, changed: Image) -> Image:
    """Return *changed* with no value further from *cover* than *limit* allows.

    Args:
        limit: largest change of the values of each pixel, ``uint8 (H, W)``; None for any change.
        cover: ``uint8 (H, W, 3)``.
        changed: the same shape; it is changed in place.
    """
    if limit is not None:
        for rows in strips(len(cover), _ROWS_PER_STRIP):
            strip, most = cover[rows], limit[rows, :, None]
            lowest, highest = strip - np.minimum(strip, most), strip + np.minimum(~strip, most)
            np.clip(changed[rows], lowest, highest, out=changed[rows])
    return changed


def local_activity(luma: Array) -> Array:
    """Return the mean standard deviation of *luma* in the four quarters of each block: ``float32 (blocks,)``.

    Quarters are measured apart, so that an edge does not let a whole block count as textured.
    """
    half = BLOCK // 2
    down, across = (side // BLOCK for side in luma.shape)
    quarters = luma.reshape(down, 2, half, across, 2, half)
    deviations = np.empty((down, across), np.float32)
    for row, block in zip(deviations, quarters, strict=True):  # row by row, because std copies
        row[...] = block.std(axis=(1, 4)).mean(axis=(0, 2))
    return deviations.ravel()
