"""How often which small numbers lie side by side in a plane: what SPAM and SRM count.

Numbers 0 … base - 1 in a row make one number in that base, and all such numbers are counted in one pass. Planes are
read in strips, so that what is counted stays in a processor's cache and memory does not grow with the picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

#: How many values a strip holds, about, and how few rows.
_STRIP, _ROWS = 1 << 15, 16


def as_plane(array: object, least: int) -> NDArray[np.uint8]:
    """Check that *array* is ``uint8 (H, W)`` with both sides of at least *least* pixels, and return it.

    Raises:
        UsageError: it is anything else.
    """
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 2:
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise UsageError(f"expected a plane, uint8 (H, W), not {found}")
    if min(array.shape) < least:
        height, width = array.shape
        raise UsageError(f"the plane is too small: {width}×{height}", hint=f"{least} pixels each way are the least")
    return array


def strips(height: int, width: int) -> Iterator[tuple[int, int]]:
    """First row and the row after the last of each strip that a plane is divided into."""
    rows = max(_ROWS, _STRIP // width)
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


def triples(first: NDArray[np.uint8], second: NDArray[np.uint8], third: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each of 7³ triples of numbers 0–6 occurs, ``(343,)``: 49 × *first* + 7 × *second* + *third*."""
    codes = np.uint16(7) * (np.uint8(7) * first + second) + third
    return np.bincount(codes.ravel(), minlength=7**3)


def quadruples(planes: NDArray[np.uint8], axis: int) -> NDArray[np.int64]:
    """How often each of 5⁴ sequences of four numbers 0–4 occurs along *axis*, ``(625,)``; the first counts 125."""
    turned = planes.swapaxes(axis, 0)
    pairs = np.uint8(5) * turned[:-1] + turned[1:]
    codes = np.uint16(25) * pairs[:-2] + pairs[2:]
    return np.bincount(codes.ravel(order="K"), minlength=5**4)
