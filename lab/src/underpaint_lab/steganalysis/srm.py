"""SRM, the spatial rich model: 34,671 features of 106 submodels of noise residuals.

J. Fridrich and J. Kodovský, "Rich models for steganalysis of digital images" (IEEE TIFS 7(3), 2012)::

    plane ─► residuals of 5 families ─► in steps of c·q, at most ±2 ─► least and largest of several directions
          ─► co-occurrences of four along rows and columns ─► merged by symmetry ─► 325 or 2·169 each

Residuals, families and submodels are in :mod:`underpaint_lab.steganalysis.srm_residuals`. Half a step is rounded away
from zero. The maximum of residuals is the negated minimum of their negatives. So only minima are counted, of the
residuals and of their negatives, and in one table: the model merges a sequence of maxima with its negative among the
minima.

Order: families as in ``FAMILIES``, in each its steps q, in each its submodels; ``BLOCKS`` has the place of each. Public
implementations have the same 106 submodels in other orders; their ``s35_spam11`` is two halves here, ``s3x3_spam11``
and ``s5x5_spam11``.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from underpaint_lab.steganalysis.cooccurrence import as_plane, quadruples, row_strips
from underpaint_lab.steganalysis.srm_residuals import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from underpaint_lab.steganalysis.srm_residuals import Family, Submodel

_MIN_SIDE = 8  # pixels; the widest residuals leave 4 of them
_SPAN = 3  # from the first to the last residual of a sequence of four


def srm(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the SRM features of a plane.

    Args:
        plane: ``uint8 (H, W)``, at least 8×8.

    Returns:
        ``float32 (34671,)``, frequencies of sequences, in the order of ``BLOCKS``.

    Raises:
        UsageError: no plane, or a side is below 8 pixels.
    """
    return _vector(plane, FAMILIES)


def srmq1(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute SRMQ1, the features of SRM with q = 1, ``float32 (12753,)``, in the order of ``BLOCKS_Q1``.

    Raises:
        UsageError: as :func:`srm`.
    """
    return _vector(plane, _FAMILIES_Q1)


def _blocks(families: Iterable[Family]) -> dict[str, slice]:
    """Return the place of each submodel by its name in public implementations, such as ``s3x3_minmax22h_q15``."""
    blocks, start = {}, 0
    for family in families:
        for q in family.qs:
            for model in family.submodels:
                size = len(model.groups) * (169 if model.linear else 325)
                blocks[f"{family.name}_{model.name}_q{q:g}".replace(".", "")] = slice(start, start + size)
                start += size
    return blocks


def _classes(linear: bool) -> NDArray[np.intp]:
    """Return the number of the feature that each of the 625 sequences belongs to.

    A sequence and its reverse are one feature; for linear residuals so are a sequence and its negative. Features are
    ordered by their first sequence; for linear residuals the sequence of four zeros comes first.
    """
    codes = np.arange(5**4).reshape(5, 5, 5, 5)
    alike = [codes, codes.transpose(3, 2, 1, 0)]
    if linear:
        alike += [5**4 - 1 - same for same in alike]
    first = np.min(alike, axis=0).ravel()
    if linear:
        first[5**4 // 2] = -1
    return np.unique(first, return_inverse=True)[1]


_FAMILIES_Q1 = tuple(family.with_steps(1) for family in FAMILIES)
BLOCKS = _blocks(FAMILIES)
BLOCKS_Q1 = _blocks(_FAMILIES_Q1)
_CLASSES = {linear: _classes(linear) for linear in (False, True)}


def _vector(plane: NDArray[np.uint8], families: Iterable[Family]) -> NDArray[np.float32]:
    plane = as_plane(plane, _MIN_SIDE)
    features = []
    for family in families:
        counts = _counts(plane, family)
        for q in range(len(family.qs)):
            features += [_feature(model, counts, q) for model in family.submodels]
    return np.concatenate(features).astype(np.float32)


def _counts(plane: NDArray[np.uint8], family: Family) -> dict[str, NDArray[np.int64]]:
    """Count the sequences of each part, for each q, along rows and columns: ``(q, 2, 625)``."""
    counts = {part: np.zeros((len(family.qs), 2, 5**4), np.int64) for part in family.parts}
    height, width = (side - 2 * family.margin for side in plane.shape)
    for rows in row_strips(height, width):
        # Sequences down a column reach into the rows of the next strip.
        last = min(rows.stop + _SPAN, height)
        residuals = family.residuals(plane[rows.start : last + 2 * family.margin])
        for number, q in enumerate(family.qs):
            steps = _quantised(residuals, family.step * q)
            both = np.stack([steps, np.uint8(4) - steps], axis=1)  # (directions, 2, rows, width): negatives too
            for part, count in counts.items():
                members = [both[family.names.index(name)] for name in part]
                # A single residual is linear: symmetry merges its negative anyway.
                least = reduce(np.minimum, members) if len(part) > 1 else members[0][:1]
                count[number, 0] += quadruples(least[:, : rows.stop - rows.start], axis=2)
                count[number, 1] += quadruples(least, axis=1)
    return counts


def _quantised(residuals: NDArray[np.int16], step: float) -> NDArray[np.uint8]:
    """Quantise *residuals* by *step*, clip to ±2 and add 2: 0–4."""
    one, two = (np.int16(np.ceil(share * step)) for share in (0.5, 1.5))
    steps: NDArray[np.uint8] = (residuals >= one).view(np.uint8) + (residuals >= two).view(np.uint8)
    steps += (residuals > -one).view(np.uint8)
    steps += (residuals > -two).view(np.uint8)
    return steps


def _feature(model: Submodel, counts: dict[str, NDArray[np.int64]], q: int) -> NDArray[np.float64]:
    features = []
    for group in model.groups:
        shares = np.zeros(5**4)
        for axis, parts in enumerate(group):
            table = sum(counts[part][q, axis] for part in parts)
            shares += table / (table.sum() / (1 if model.linear else 2))
        features.append(np.bincount(_CLASSES[model.linear], shares))
    return np.concatenate(features)
