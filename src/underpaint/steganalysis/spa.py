"""Primary sets and sample pairs: what replaced bits do to pairs of neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint.steganalysis import planes, share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.steganalysis.planes import Plane

_U, _V = np.indices((256, 256))
# The primary sets, as tables over a pair's values u and v.
_X = (_U != _V) & ((_U < _V) ^ (_V % 2 == 1))
_Y = (_U != _V) & ~_X
_Z = _U == _V
_W = _U ^ _V == 1
#: Pairs of which no member may have been cut off at black or white, nor become so by a flip.
_WHOLE = (_U > 1) & (_U < 254) & (_V > 1) & (_V < 254)
#: What the tool takes for W: all of Y that has an odd member.
_TOOL_W = _Y & ((_U | _V) % 2 == 1)


def primary_sets(image: Plane, *, compat: bool = False) -> float | None:
    """Estimate by the pairs of horizontal neighbours that have no value in common.

    S. Dumitrescu, X. Wu, N. Memon: On steganalysis of random LSB embedding in continuous-tone images, 2002.
    Compatible: the red channel alone; a wrong set W; of two roots the smaller one, not the one nearer to 0.

    Raises:
        UsageError: *image* is no picture.
    """
    tables = [_counts(*_across(plane)) for plane in planes.of(image)]
    if not compat:
        return share.mean([_root(*_equation(table * _WHOLE, _W)) for table in tables])
    a, b, c = _equation(tables[0], _TOOL_W)
    with np.errstate(all="ignore"):
        width = np.sqrt(b * b - 4 * a * c)
        upper, lower = (width - b) / (2 * a), (-b - width) / (2 * a)
    return share.sterile([upper if upper < lower else lower])


def sample_pairs(image: Plane, *, compat: bool = False) -> float | None:
    """Estimate by all pairs of neighbours, horizontal and vertical.

    S. Dumitrescu, X. Wu, Z. Wang: Detection of LSB steganography via sample pair analysis, 2003, with the equation
    summed over all differences, which is that of the primary sets. Compatible: only pairs that have no value in common;
    no estimate where a side is odd.

    Raises:
        UsageError: *image* is no picture.
    """
    found = planes.of(image)
    if not compat:
        tables = [_counts(p[:, :-1], p[:, 1:]) + _counts(p[:-1], p[1:]) for p in found]
        return share.mean([_root(*_equation(table * _WHOLE, _W)) for table in tables])
    if any(side % 2 for side in image.shape[:2]):
        return None
    tables = [_counts(*_across(p)) + _counts(*_across(p.T)) for p in found]
    return share.sterile([_tool_root(*_equation(table, _W)) for table in tables])


def _across(plane: Plane) -> tuple[Plane, Plane]:
    """The left and the right halves of pairs of columns."""
    width = plane.shape[1] // 2 * 2
    return plane[:, :width:2], plane[:, 1:width:2]


def _counts(u: Plane, v: Plane) -> NDArray[np.int64]:
    """How often each pair of values occurs, ``(256, 256)``."""
    counts = np.zeros(1 << 16, np.int64)
    for left, right in zip(planes.strips(u, 0), planes.strips(v, 0), strict=True):
        counts += np.bincount((left.astype(np.uint16) << 8 | right).reshape(-1), minlength=1 << 16)
    return counts.reshape(256, 256)


def _equation(counts: NDArray[np.int64], w: NDArray[np.bool_]) -> tuple[np.float64, np.float64, np.float64]:
    """The coefficients a, b, c of a p² + b p + c = 0, of which the share p is a root."""
    x, y, z, both = (counts[members].sum() for members in (_X, _Y, _Z, w))
    return np.float64(both + z) / 2, np.float64(2 * x - counts.sum()), np.float64(y - x)


def _root(a: np.float64, b: np.float64, c: np.float64) -> float | None:
    """The root nearer to 0; where none is real, the real part of both."""
    if not a:
        return float(-c / b) if b else None
    centre, width = -b / (2 * a), b * b - 4 * a * c
    if width < 0:
        return float(centre)
    return float(min(centre - np.sqrt(width) / (2 * a), centre + np.sqrt(width) / (2 * a), key=abs))


def _tool_root(a: np.float64, b: np.float64, c: np.float64) -> np.float64:
    """The root nearer to 0; c / b, of the wrong sign, where none is real or it is 0; may be infinite or no number."""
    with np.errstate(all="ignore"):
        width = b * b - 4 * a * c
        upper, lower = (np.sqrt(width) - b) / (2 * a), (-b - np.sqrt(width)) / (2 * a)
        root = upper if abs(upper) <= abs(lower) else lower
        return c / b if width < 0 or root == 0 else root
