"""S-UNIWARD and WOW: embedding costs from the change of wavelet coefficients.

V. Holub, J. Fridrich and T. Denemark, "Universal distortion function for steganography in an arbitrary domain"
(EURASIP Journal on Information Security, 2014); V. Holub and J. Fridrich, "Designing steganographic distortion using
directional filters" (WIFS 2012)::

    plane ─► Daubechies 8, three directions ─┬► 1 / (1 + |…|) ─► |filter| mirrored ─► sum of three: S-UNIWARD
                                             └► |…| ─► |filter| mirrored ─► 1 / … ─► sum of three: WOW

Each colour is a plane of its own; at the borders pixels are mirrored, those at the rim too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from underpaint.types import Image

_HIGH = np.array(
    [
        *(-0.0544158422, 0.3128715909, -0.6756307363, 0.5853546837, 0.0158291053, -0.2840155430, -0.0004724846),
        *(0.1287474266, 0.0173693010, -0.0440882539, -0.0139810279, 0.0087460940, 0.0048703530, -0.0003917404),
        *(-0.0006754494, -0.0001174768),
    ]
)
_LOW = _HIGH[::-1] * np.tile([1, -1], _HIGH.size // 2)
#: Lower bound of the suitability: costs stay finite in flat regions.
_MIN_SUITABILITY = 1e-10


def compute_uniward_cost(image: Image) -> NDArray[np.float32]:
    """Compute the S-UNIWARD cost of a change of ±1 for each value of *image*.

    Returns:
        ``float32 (H, W, 3)``, above 0; about 14 in flat regions.
    """
    disturbed = (_spread(1 / (np.abs(residual) + 1), *filters) for residual, filters in _residuals(image))
    return sum(disturbed, np.zeros(image.shape)).astype(np.float32)


def compute_wow_cost(image: Image) -> NDArray[np.float32]:
    """Compute the WOW cost of a change of ±1 for each value of *image*.

    Returns:
        ``float32 (H, W, 3)``, above 0; up to 3·10^10 in flat regions.
    """
    suitable = (_spread(np.abs(residual), *filters) for residual, filters in _residuals(image))
    return sum((1 / np.maximum(share, _MIN_SUITABILITY) for share in suitable), np.zeros(image.shape)).astype(
        np.float32
    )


def _residuals(image: Image) -> Iterator[tuple[NDArray[np.float64], tuple[NDArray[np.float64], NDArray[np.float64]]]]:
    """Yield the residual by each pair of filters, along columns and rows, and the pair."""
    reach = _HIGH.size - 1
    padded = np.pad(image.astype(np.float64), [(reach, reach), (reach, reach), (0, 0)], mode="symmetric")
    for down, along in ((_LOW, _HIGH), (_HIGH, _LOW), (_HIGH, _HIGH)):
        yield _filtered(padded, down[::-1], along[::-1]), (down, along)


def _spread(planes: NDArray[np.float64], down: NDArray[np.float64], along: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum *planes* over the coefficients that a change of each pixel affects, weighted by the effect."""
    return _filtered(planes, np.abs(down), np.abs(along))


def _filtered(
    planes: NDArray[np.float64], down: NDArray[np.float64], along: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Filter *planes* ``(H, W, 3)`` by *down* and *along* without padding: ``(H - 15, W - 15, 3)``."""
    columns: NDArray[np.float64] = sliding_window_view(planes, down.size, axis=0) @ down
    rows: NDArray[np.float64] = sliding_window_view(columns, along.size, axis=1) @ along
    return rows
