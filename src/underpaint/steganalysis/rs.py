"""RS: what flipped bits do to how rough small squares are."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from underpaint.steganalysis import planes, share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.steganalysis.planes import Plane


class _Counts(NamedTuple):
    """Squares that a flip makes rougher, and smoother."""

    regular: np.float64
    singular: np.float64


class _Squares(NamedTuple):
    """The counts by flips 2k ↔ 2k + 1, and 2k ↔ 2k - 1, of a plane and of the plane with every lowest bit flipped."""

    plain: _Counts
    negative: _Counts
    flipped: _Counts
    flipped_negative: _Counts


def rs(image: Plane, *, compat: bool = False) -> float | None:
    """Estimate by how many squares of 2×2 become rougher or smoother when lowest bits are flipped.

    J. Fridrich, M. Goljan, R. Du: Reliable detection of LSB steganography in color and grayscale images, 2001, with the
    masks [1,0;0,1] and [0,1;1,0] on all squares but those clipped at black or white. Compatible: those too; the mean of
    this and of squares that have no value in common; negative estimates count as positive.

    Raises:
        UsageError: *image* is no picture.
    """
    found = planes.of(image)
    if min(image.shape[:2]) < 2:
        return None
    if not compat:
        return share.mean([_length(_squares(plane, 1, whole=True)) for plane in found])
    return share.sterile([_tool_length(_squares(plane, step)) for step in (1, 2) for plane in found])


def _squares(plane: Plane, step: int, *, whole: bool = False) -> _Squares:
    """Count over squares that begin in every *step*-th row and column; *whole* leaves out the clipped ones."""
    totals = np.zeros((4, 2))
    for strip in planes.strips(plane, 1):
        clipped = planes.clipped(strip)
        used = ~(clipped[:-1, :-1] | clipped[:-1, 1:] | clipped[1:, :-1] | clipped[1:, 1:]) if whole else None
        for total, (bit, direction) in zip(totals, product((0, 1), (0, 1)), strict=True):
            for rising in _rising(strip ^ np.uint8(bit), direction):
                edges = rising if used is None else np.where(used, rising, 2)
                edges = edges[::step, ::step]
                total += np.count_nonzero(edges > 2), np.count_nonzero(edges < 2)
    return _Squares(*(_Counts(*total) for total in totals))


def _rising(strip: Plane, direction: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """How many of each square's 4 edges become steeper by a flip of the main diagonal, and of the other.

    Of each edge one end is flipped, so that all others become less steep.
    """
    sides = (strip[:, :-1], strip[:, 1:]), (strip[:-1], strip[1:])
    (left, right), (upper, lower) = (
        [_steeper(*ends, direction).view(np.uint8) for ends in ((first, second), (second, first))]
        for first, second in sides
    )
    main = left[:-1] + right[1:] + upper[:, :-1] + lower[:, 1:]
    other = right[:-1] + left[1:] + upper[:, 1:] + lower[:, :-1]
    return main, other


def _steeper(value: Plane, other: Plane, direction: int) -> NDArray[np.bool_]:
    """Whether a flip of *value* takes it away from *other*: even values rise in direction 0, odd ones in 1."""
    away: NDArray[np.bool_] = (value > other) ^ ((value & 1) != direction)
    away |= value == other
    return away


def _length(squares: _Squares) -> float | None:
    """The share where both curves cross: of two crossings the one nearer to 0, negative on its wrong side."""
    a, b, c = _equation(squares)
    width = b * b - 4 * a * c
    with np.errstate(all="ignore"):
        x = min(_roots(a, b, width), key=abs) if a and width >= 0 else _by_lines(squares)
    return float(x / (x - 0.5)) if -np.inf < x < 0.5 else None


def _tool_length(squares: _Squares) -> float:
    """The tool's: a magnitude; may be infinite or no number."""
    a, b, c = _equation(squares)
    with np.errstate(all="ignore"):
        width = b * b - 4 * a * c
        upper, lower = _roots(a, b, width)
        x = _by_lines(squares) if width < 0 else upper if abs(upper) <= abs(lower) else lower
        if x == 0:  # then the tool looks which way the curves would bend, divides by 0, and may take lines
            regular, singular = (
                ((fn - f + p - n) + (n - p) / x) / (x - 1) for p, n, f, fn in zip(*squares, strict=True)
            )
            x = _by_lines(squares) if singular > 0 or regular < 0 else x
        return float(abs(x / (x - 0.5))) if x != 0.5 else 0.0


def _equation(squares: _Squares) -> tuple[np.float64, np.float64, np.float64]:
    """The coefficients a, b, c of a x² + b x + c = 0 (Fridrich, Goljan and Du, eq. 3)."""
    plain, negative, flipped, flipped_negative = (each.regular - each.singular for each in squares)
    return 2 * (flipped + plain), negative - flipped_negative - flipped - 3 * plain, plain - negative


def _roots(a: np.float64, b: np.float64, width: np.float64) -> tuple[np.float64, np.float64]:
    return (np.sqrt(width) - b) / (2 * a), (-b - np.sqrt(width)) / (2 * a)


def _by_lines(squares: _Squares) -> np.float64:
    """Where straight lines cross instead of curves: the mean for regular and for singular squares."""
    regular, singular = ((n - p) / (f - p + n - fn) for p, n, f, fn in zip(*squares, strict=True))
    return np.float64((regular + singular) / 2)
