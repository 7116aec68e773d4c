"""HILL, what a change costs by the texture around it: an established measure to hold ours against.

B. Li, M. Wang, J. Huang and X. Li, "A new cost function for spatial image steganography" (ICIP 2014)::

    plane ─► |high-pass, 3×3| ─► mean of 3×3 ─► 1 / … ─► mean of 15×15 ─► cost of ±1

Each colour is a plane of its own; borders are mirrored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Image

#: Of Ker and Böhme; its rows are multiples of one row, and so are its columns.
_HIGH_PASS = np.array([-1, 2, -1], np.float32)
#: What keeps a flat place from costing infinitely much.
_LEAST = np.float32(1e-10)


def costs(image: Image) -> NDArray[np.float32]:
    """What a change of ±1 costs, ``(H, W, 3)``, above 0; where all is flat for 15 pixels around up to 10^10."""
    residual = -_filtered(image.astype(np.float32), _HIGH_PASS)
    suitable = _filtered(np.abs(residual), np.full(3, 1 / 3, np.float32))
    return _filtered(np.reciprocal(np.maximum(suitable, _LEAST)), np.full(15, 1 / 15, np.float32))


def _filtered(planes: NDArray[np.float32], row: NDArray[np.float32]) -> NDArray[np.float32]:
    """*planes*, ``(H, W, 3)``, convolved with the outer product of a symmetric *row* and itself."""
    for axis in (0, 1):
        reach = [(0, 0)] * 3
        reach[axis] = (row.size // 2, row.size // 2)
        planes = sliding_window_view(np.pad(planes, reach, mode="reflect"), row.size, axis=axis) @ row
    return planes
