"""Co-occurrence matrices of quantised differences and residuals, for SPAM and SRM.

A sequence of numbers 0 … base − 1 is read as one number in that base, and all sequences are counted in one pass. Planes
are read in strips that fit into a processor's cache, so that memory does not grow with the picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import UsageError
from underpaint.types import strips

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

#: Values of a strip, about, and its fewest rows.
STRIP_VALUES, MIN_STRIP_ROWS = 1 << 15, 16


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


def row_strips(height: int, width: int) -> Iterator[slice]:
    """Yield the rows of each strip of a plane ``(height, width)``."""
    return strips(height, max(MIN_STRIP_ROWS, STRIP_VALUES // width))


def triples(first: NDArray[np.uint8], second: NDArray[np.uint8], third: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the triples of numbers 0–6 at each place of three arrays.

    Returns:
        ``int64 (343,)``, indexed by 49 × *first* + 7 × *second* + *third*.
    """
    codes = np.uint16(7) * (np.uint8(7) * first + second) + third
    return np.bincount(codes.ravel(), minlength=7**3)


def quadruples(planes: NDArray[np.uint8], axis: int) -> NDArray[np.int64]:
    """Count the sequences of four numbers 0–4 along *axis*: ``int64 (625,)``, the first number times 125."""
    turned = planes.swapaxes(axis, 0)
    pairs = np.uint8(5) * turned[:-1] + turned[1:]
    codes = np.uint16(25) * pairs[:-2] + pairs[2:]
    return np.bincount(codes.ravel(order="K"), minlength=5**4)
