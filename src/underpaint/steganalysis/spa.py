"""Sample pair analysis (SPA) and its predecessor, primary sets: LSB replacement from pairs of neighbouring values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint.steganalysis import planes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.steganalysis.planes import Plane

_U, _V = np.indices((256, 256))
# The primary sets X, Y, Z and W (a subset of Y), as tables over the two values u, v of a pair.
X = (_U != _V) & ((_U < _V) ^ (_V % 2 == 1))
Y = (_U != _V) & ~X
Z = _U == _V
W = _U ^ _V == 1
#: Pairs without a clipped value (:func:`underpaint.steganalysis.planes.clipped`).
_UNCLIPPED = (_U > 1) & (_U < 254) & (_V > 1) & (_V < 254)


def primary_sets(image: Plane) -> float | None:
    """Estimate the payload of LSB replacement from disjoint pairs of horizontal neighbours.

    Example:
        ``primary_sets(stego)`` returns about 0.3 after LSB replacement in 30 % of the values.

    Args:
        image: ``uint8 (H, W, 3)`` or ``(H, W)``.

    Returns:
        Share of values that carry a bit, 0–1, mean over colours; None if no pair can be used.

    Raises:
        UsageError: *image* is no picture.

    Source: S. Dumitrescu, X. Wu, N. Memon, "On steganalysis of random LSB embedding in continuous-tone images", 2002.
    Differences: all colours, clipped pairs left out, the real part where roots are complex.
    """
    tables = [count_pairs(*horizontal_pairs(plane)) for plane in planes.colour_planes(image)]
    return planes.mean_estimate([_root(*quadratic(table * _UNCLIPPED, W)) for table in tables])


def spa(image: Plane) -> float | None:
    """Estimate the payload of LSB replacement from all horizontal and vertical pairs of neighbours.

    Example:
        ``spa(stego)`` returns about 0.3 after LSB replacement in 30 % of the values.

    Args:
        image: ``uint8 (H, W, 3)`` or ``(H, W)``.

    Returns:
        Share of values that carry a bit, 0–1, mean over colours; None if no pair can be used.

    Raises:
        UsageError: *image* is no picture.

    Source: S. Dumitrescu, X. Wu, Z. Wang, "Detection of LSB steganography via sample pair analysis", 2003. Summed over
    all differences its equation is that of the primary sets. Differences as for :func:`primary_sets`.
    """
    tables = [count_pairs(p[:, :-1], p[:, 1:]) + count_pairs(p[:-1], p[1:]) for p in planes.colour_planes(image)]
    return planes.mean_estimate([_root(*quadratic(table * _UNCLIPPED, W)) for table in tables])


def horizontal_pairs(plane: Plane) -> tuple[Plane, Plane]:
    """Return the left and the right values of disjoint horizontal pairs; an odd last column is left out."""
    width = plane.shape[1] // 2 * 2
    return plane[:, :width:2], plane[:, 1:width:2]


def count_pairs(u: Plane, v: Plane) -> NDArray[np.int64]:
    """Count how often each pair of values of *u* and *v*, both ``(H, W)``, occurs: ``int64 (256, 256)``."""
    counts = np.zeros(1 << 16, np.int64)
    for left, right in zip(planes.strips(u, 0), planes.strips(v, 0), strict=True):
        counts += np.bincount((left.astype(np.uint16) << 8 | right).reshape(-1), minlength=1 << 16)
    return counts.reshape(256, 256)


def quadratic(counts: NDArray[np.int64], w: NDArray[np.bool_]) -> tuple[np.float64, np.float64, np.float64]:
    """Return a, b, c of the equation a p² + b p + c = 0 for the payload p (Dumitrescu, Wu, Memon 2002).

    Args:
        counts: of pairs, as :func:`count_pairs` returns them.
        w: the pairs that belong to W, ``bool (256, 256)``.
    """
    x, y, z, in_w = (counts[members].sum() for members in (X, Y, Z, w))
    return np.float64(in_w + z) / 2, np.float64(2 * x - counts.sum()), np.float64(y - x)


def _root(a: np.float64, b: np.float64, c: np.float64) -> float | None:
    """Return the root nearer to 0, or the real part of complex roots."""
    if not a:
        return float(-c / b) if b else None
    centre, discriminant = -b / (2 * a), b * b - 4 * a * c
    if discriminant < 0:
        return float(centre)
    return float(min(centre - np.sqrt(discriminant) / (2 * a), centre + np.sqrt(discriminant) / (2 * a), key=abs))
