"""Bits on keyed lattices of a picture's low frequencies: spread-transform dither modulation (STDM).

::

    picture ─analyse─► coefficients ─Spread.project─► one number per bit ─soft_bits─► soft bits
    picture ◄─paint── coefficients ◄─Spread.spread─── how far each number must move ◄─ shifts ─ bits

A bit decides which of two interleaved lattices the projection of many coefficients on a keyed direction is moved to
(Chen and Wornell, "Quantization index modulation", IEEE Trans. Inf. Theory 47(4), 2001). Signs, order and dither are
keyed: without the key the projections look like any picture's.

The coefficients are the lowest frequencies of a lapped 16x16 transform of luma, without the mean. They are what codecs
with 8x8 blocks keep best (the three lowest live in JPEG's DC for the most part), they leave no edges to be seen, and
unlike the means they are small in any picture, so a change of gain hardly moves them across a lattice cell.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from underpaint.types import LUMA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from underpaint.coding.keys import Key
    from underpaint.types import Bits, Image, SoftBits

Array = NDArray[np.float32]

#: Side of a block in pixels.
BLOCK = 16
#: Frequencies (vertical, horizontal) in the order they are used: lowest first, the mean left out.
FREQUENCIES = sorted(((v, h) for v in range(8) for h in range(8) if 0 < v + h < 8), key=lambda f: (sum(f), max(f), f))
_WEIGHTS = np.array(LUMA, np.float32)
#: Colours are handled this many rows of pixels at a time, so that only luma needs memory for a whole picture.
_ROWS_PER_STRIP = 16 * BLOCK


@cache
def _dct_basis(count: int) -> Array:
    """The first *count* rows of the orthonormal DCT-II matrix of order :data:`BLOCK`: ``(count, BLOCK)``."""
    return dct(BLOCK)[:count].astype(np.float32)


def dct(order: int) -> NDArray[np.float64]:
    """The orthonormal DCT-II matrix."""
    k = np.arange(order)[:, None]
    matrix = np.sqrt(2 / order) * np.cos((2 * np.arange(order) + 1) * k * np.pi / (2 * order))
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix)


@cache
def lapping() -> Array:
    """The orthonormal filter across a border between blocks: ``(BLOCK, BLOCK)``, half of it on either side.

    With it in front the block DCT is a lapped transform, whose basis functions reach over the border and fade out
    instead of breaking off, so that no grid of blocks is seen (Tran, Liang, Tu, IEEE Trans. Signal Process. 51, 2003).
    """
    half = BLOCK // 2
    n = 2 * np.arange(half) + 1
    dct4 = np.sqrt(2 / half) * np.cos(n[:, None] * n * np.pi / (4 * half))
    same, turned = np.eye(half), np.eye(half)[::-1]
    butterfly = np.block([[same, turned], [turned, -same]])
    inner = np.block([[same, 0 * same], [0 * same, turned @ dct(half).T @ dct4 @ turned]])
    return np.asarray(butterfly @ inner @ butterfly / 2, np.float32)


def grid(image: Image) -> tuple[int, int]:
    """How many whole blocks a picture has, down and across. What is left at the edges stays untouched."""
    return image.shape[0] // BLOCK, image.shape[1] // BLOCK


def _strips(image: Image) -> Iterator[slice]:
    """The pixel rows of whole blocks, some at a time."""
    bottom = grid(image)[0] * BLOCK
    for top in range(0, bottom, _ROWS_PER_STRIP):
        yield slice(top, min(top + _ROWS_PER_STRIP, bottom))


def _luma(image: Image) -> Array:
    """Luma of all whole blocks: ``(down * BLOCK, across * BLOCK)``."""
    down, across = grid(image)
    luma = np.empty((down * BLOCK, across * BLOCK), np.float32)
    for rows in _strips(image):
        luma[rows] = image[rows, : across * BLOCK] @ _WEIGHTS
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
    """The first *count* coefficients of every block: ``float32 (blocks * count,)``, block by block."""
    return transform(_luma(image), count)


def paint(image: Image, change: Array, count: int) -> Image:
    """Add a *change* of the coefficients to all three colour channels, rounded and clipped to 8 bits."""
    return add(image, inverse(change, *grid(image), count))


def activity(image: Image) -> Array:
    """How busy each block is, as :func:`busyness`, ``float32 (blocks,)`` in grey levels."""
    return local_activity(_luma(image))


def transform(luma: Array, count: int) -> Array:
    """The same coefficients of *luma*, ``float32 (down * BLOCK, across * BLOCK)``, which is overwritten."""
    down, across = (side // BLOCK for side in luma.shape)
    vertical, horizontal = np.array(FREQUENCIES[:count]).T
    basis = _dct_basis(int(max(vertical.max(), horizontal.max())) + 1)
    half = basis @ _filtered(luma, lapping()).reshape(down, BLOCK, -1)
    full = half.reshape(down, -1, across, BLOCK) @ basis.T  # (down, vertical, across, horizontal)
    return np.asarray(full[:, vertical, :, horizontal].transpose(1, 2, 0), np.float32).ravel()


def inverse(coefficients: Array, down: int, across: int, count: int) -> Array:
    """The luma, ``float32 (down * BLOCK, across * BLOCK)``, that has these coefficients and no others."""
    vertical, horizontal = np.array(FREQUENCIES[:count]).T
    basis = _dct_basis(int(max(vertical.max(), horizontal.max())) + 1)
    full = np.zeros((down, len(basis), across, len(basis)), np.float32)
    full[:, vertical, :, horizontal] = coefficients.reshape(down, across, count).transpose(2, 0, 1)
    luma = basis.T @ (full @ basis).reshape(down, len(basis), -1)
    return _filtered(luma.reshape(down * BLOCK, -1), lapping().T)


def add(image: Image, luma: Array) -> Image:
    """Add *luma*, from the top left corner on, to all three colour channels, rounded and clipped to 8 bits."""
    height, width = luma.shape
    painted = image.copy()
    for top in range(0, height, _ROWS_PER_STRIP):
        rows = slice(top, min(top + _ROWS_PER_STRIP, height))
        strip = painted[rows, :width]
        pixels = strip + luma[rows, :, None]
        strip[...] = np.clip(np.rint(pixels, out=pixels), 0, 255, out=pixels)
    return painted


def local_activity(luma: Array) -> Array:
    """Mean standard deviation of *luma* in the quarters of each block: ``float32 (blocks,)``.

    A quarter without contrast counts as such, so a block that an edge crosses does not hide what lies beside the edge.
    """
    half = BLOCK // 2
    down, across = (side // BLOCK for side in luma.shape)
    quarters = luma.reshape(down, 2, half, across, 2, half)
    busy = np.empty((down, across), np.float32)
    for row, block in zip(busy, quarters, strict=True):  # row by row, for std takes copies
        row[...] = block.std(axis=(1, 4)).mean(axis=(0, 2))
    return busy.ravel()


class SpreadTransform:
    """Keyed directions: which coefficients carry which bit, with which sign, on which lattice.

    Args:
        key: decides order, signs and dither.
        label: separates the uses of one key.
        pool: indices of the coefficients that may be used, ``(n,)``.
        count: how many bits; at least one coefficient each.
        places: where the coefficients of the pool lie along some curve, ``(n,)``. With these a bit keeps to
            coefficients that lie together; without, its coefficients come from all over the pool.
    """

    def __init__(
        self, key: Key, label: str, pool: NDArray[np.intp], count: int, places: NDArray[np.intp] | None = None
    ) -> None:
        share = len(pool) // count
        keyed = key.permutation(f"{label} order", len(pool))
        if places is None:
            self.order = pool[keyed][: share * count].reshape(share, count)
        else:
            # Neighbours on the curve share a bit, but which bit lies where is keyed, and so is what is left over.
            used = keyed[: share * count]
            along = used[np.argsort(places[used], kind="stable")].reshape(count, share)
            self.order = pool[along[key.permutation(f"{label} bits", count)].T]
        signs = np.unpackbits(key.stream(f"{label} signs", -(-share * count // 8)))[: share * count]
        self.signs = (1 - 2 * signs.astype(np.float32)).reshape(share, count)
        self.dither = key.words(f"{label} dither", count) / 2.0**32

    def project(self, coefficients: Array) -> NDArray[np.float64]:
        """One number per bit: ``float64 (count,)``, in units of a coefficient."""
        share = len(self.order)
        total = np.einsum("sc,sc->c", self.signs, coefficients[self.order], dtype=np.float64)
        return np.asarray(total / np.sqrt(share))

    def spread(self, moves: NDArray[np.float64], weights: Array) -> Array:
        """The change of all coefficients that moves the projections by *moves* at least weighted cost.

        The cost of changing a coefficient of weight w by x is x²/w: busy blocks take more. Zero outside this spread.
        """
        own = weights[self.order]
        change = np.zeros_like(weights)
        change[self.order] = own * self.signs * (moves * np.sqrt(len(self.order)) / own.sum(axis=0))
        return change

    def targets(self, projections: NDArray[np.float64], bits: Bits, step: float) -> NDArray[np.float64]:
        """The point of each bit's own lattice nearest to the projection."""
        offset = self.dither + bits / 2
        return np.asarray(step * (np.rint(projections / step - offset) + offset))

    def phases(self, projections: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float32]:
        """Where in the lattice cell each projection lies, ``float32 (len(steps), count)`` in cells; 0 says bit 0."""
        cells = projections / steps[:, None] - self.dither
        return (cells - np.rint(cells)).astype(np.float32)

    def soft_bits(self, projections: NDArray[np.float64], step: float) -> SoftBits:
        """Log-likelihood ratios, positive for 1, for noise that wraps around the lattice cell (von Mises).

        A projection that is not a number did not arrive: its bit gets 0.
        """
        cosine = np.cos(2 * np.pi * self.phases(projections, np.array([step]))[0])
        # Both lattices together have half the step: how tightly projections sit on it tells how strong the noise is.
        # A wrapped Gaussian's fourth root there is its mean resultant length here, which gives the concentration
        # (Banerjee et al., J. Mach. Learn. Res. 6, 2005, eq. 4.4).
        arrived = np.isfinite(cosine)
        length = np.clip(np.mean(2 * cosine**2 - 1, where=arrived), 0.01, 0.99) ** 0.25 if arrived.any() else 0.0
        concentration = length * (2 - length**2) / (1 - length**2)
        return np.asarray(-2 * concentration * np.where(arrived, cosine, 0), np.float32)
