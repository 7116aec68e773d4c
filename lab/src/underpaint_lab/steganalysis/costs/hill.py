"""HILL: embedding costs from high-pass and low-pass filters.

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

#: The high-pass filter of Ker and Böhme is the outer product of this row with itself.
_HIGH_PASS = np.array([-1, 2, -1], np.float32)
#: Lower bound of the filtered residual: costs stay finite in flat regions.
_MIN_RESIDUAL = np.float32(1e-10)


def compute_cost(image: Image) -> NDArray[np.float32]:
    """Compute the cost of a change of ±1 for each value.

    Args:
        image: ``uint8 (H, W, 3)``.

    Returns:
        ``float32 (H, W, 3)``, above 0; up to 10^10 where all is flat within 15 pixels.
    """
    residual = -_filtered(image.astype(np.float32), _HIGH_PASS)
    smoothed = _filtered(np.abs(residual), np.full(3, 1 / 3, np.float32))
    return _filtered(np.reciprocal(np.maximum(smoothed, _MIN_RESIDUAL)), np.full(15, 1 / 15, np.float32))


def _filtered(planes: NDArray[np.float32], row: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convolve *planes*, ``(H, W, 3)``, with the outer product of a symmetric *row* and itself."""
    for axis in (0, 1):
        reach = [(0, 0)] * 3
        reach[axis] = (row.size // 2, row.size // 2)
        planes = sliding_window_view(np.pad(planes, reach, mode="reflect"), row.size, axis=axis) @ row
    return planes
