"""SPAM features (subtractive pixel adjacency matrix) of second order, and features of colour pictures.

T. Pevný, P. Bas and J. Fridrich, "Steganalysis by subtractive pixel adjacency matrix" (IEEE TIFS 5(2), 2010)::

    plane ─► differences of neighbours, at most ±3 ─► triples of successive ones, eight directions ─► two means ─► 686

Deviation: the frequencies of triples are joint, as in public implementations; those of the paper are conditional.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import UsageError
from underpaint_lab.steganalysis.cooccurrence import as_plane, row_strips, triples
from underpaint_lab.steganalysis.srm import srm, srmq1

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_REACH = 3  # T of the paper: the largest difference, and the length of a triple of differences
#: Steps (down, right) along a row, a column, and both diagonals.
_STEPS = ((0, 1), (1, 0), (1, 1), (-1, 1))


def spam(plane: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Compute second-order SPAM features.

    Args:
        plane: ``uint8 (H, W)``, at least 4×4.

    Returns:
        ``float64 (686,)``: the mean over the four directions along rows and columns, then over the four diagonals. Each
        343 are frequencies, with sum 1, of successive differences d₁, d₂, d₃ = −3 … 3; d₃ varies fastest.

    Raises:
        UsageError: no plane, or a side is below 4 pixels.
    """
    plane = as_plane(plane, _REACH + 1)
    height, width = plane.shape
    counts = np.zeros((len(_STEPS), 7**3), np.int64)
    for rows in row_strips(height, width):
        strip = plane[rows.start : rows.stop + _REACH].astype(np.int16)
        for step, count in zip(_STEPS, counts, strict=True):
            # Triples that lead down need rows of the next strip; those along a row would be counted twice there.
            count += _successive(strip if step[0] else strip[: rows.stop - rows.start], step)
    shares = (counts / counts.sum(1, keepdims=True)).reshape(len(_STEPS), 7, 7, 7)
    # The opposite direction has the differences in reverse order and with the opposite sign.
    shares = (shares + shares.transpose(0, 3, 2, 1)[:, ::-1, ::-1, ::-1]) / 2
    means: NDArray[np.float64] = shares.reshape(2, 2, 7**3).mean(1)
    return means.ravel()


#: Features of a plane ``uint8 (H, W)``, by name.
FEATURES: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.floating]]] = {"spam": spam, "srm": srm, "srmq1": srmq1}


def of_colour(picture: NDArray[np.uint8], feature: str) -> NDArray[np.floating]:
    """Compute features of a grey or colour picture: of colour, the mean over the three planes.

    The methods here change all three channels. Luminance would lose most of that, and a concatenation would triple the
    number of features for as many pictures to train on.

    Args:
        picture: ``uint8 (H, W)`` or ``(H, W, 3)``.
        feature: a key of :data:`FEATURES`.

    Raises:
        UsageError: an unknown feature, no picture, or one that is too small.
    """
    if feature not in FEATURES:
        raise UsageError(f"no feature is called {feature!r}", hint="there are " + ", ".join(FEATURES))
    if picture.ndim == 2:
        return FEATURES[feature](picture)
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise UsageError(f"expected (H, W) or (H, W, 3), not {picture.shape}")
    planes = [FEATURES[feature](np.ascontiguousarray(picture[..., channel])) for channel in range(3)]
    mean: NDArray[np.floating] = np.mean(planes, axis=0)
    return mean


def _successive(plane: NDArray[np.int16], step: tuple[int, int]) -> NDArray[np.int64]:
    """Count each three successive differences along *step*, ``(343,)``."""
    if step[0] < 0:
        plane, step = plane[::-1], (-step[0], step[1])
    ahead, behind = (tuple(slice(by * skip or None, None) for skip in step) for by in (1, 2))
    stop, far = (tuple(slice(None, -by * skip or None) for skip in step) for by in (1, 2))
    middle = tuple(slice(skip or None, -skip or None) for skip in step)
    differences = (np.clip(plane[stop] - plane[ahead], -_REACH, _REACH) + _REACH).astype(np.uint8)
    return triples(differences[far], differences[middle], differences[behind])
