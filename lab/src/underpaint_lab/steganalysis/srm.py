"""SRM, the spatial rich model: 106 ways to look at noise, 34,671 features.

J. Fridrich and J. Kodovský, "Rich models for steganalysis of digital images" (IEEE TIFS 7(3), 2012)::

    plane ─► residuals of 5 families ─► in steps of c·q, at most ±2 ─► least and largest of several directions
          ─► co-occurrences of four along rows and columns ─► merged by symmetry ─► 325 or 2·169 each

Residuals, families and submodels are in :mod:`underpaint_lab.steganalysis.srm_residuals`. Half a step is rounded away from zero.
The largest of some residuals is the least of their opposites with the opposite sign, so only least ones are counted,
of the residuals and of their opposites: in one table, for the model merges a sequence of largest ones with its opposite
among the least.

Order: families as in ``FAMILIES``, in each its steps q, in each its submodels; ``BLOCKS`` says where each lies. Public
implementations have the same 106 submodels in other orders; what they join as ``s35_spam11`` lies here as two halves,
``s3x3_spam11`` and ``s5x5_spam11``.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from underpaint_lab.steganalysis.cooccurrence import as_plane, quadruples, strips
from underpaint_lab.steganalysis.srm_residuals import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from underpaint_lab.steganalysis.srm_residuals import Family, Submodel

_LEAST = 8  # the widest residuals leave 4 of as many pixels
_SPAN = 3  # from the first to the last of four


def srm(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    """SRM, ``float32 (34671,)``, of a plane ``uint8 (H, W)``; shares of sequences, in the order of ``BLOCKS``.

    Raises:
        UsageError: the plane is none, or a side is below 8 pixels.
    """
    return _vector(plane, FAMILIES)


def srmq1(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The part of SRM with q = 1, ``float32 (12753,)``, in the order of ``BLOCKS_Q1``.

    Raises:
        UsageError: as :func:`srm`.
    """
    return _vector(plane, _FAMILIES_Q1)


def _blocks(families: Iterable[Family]) -> dict[str, slice]:
    """Where each submodel lies, by a name as in public implementations, such as ``s3x3_minmax22h_q15``."""
    blocks, start = {}, 0
    for family in families:
        for q in family.qs:
            for model in family.submodels:
                size = len(model.groups) * (169 if model.linear else 325)
                blocks[f"{family.name}_{model.name}_q{q:g}".replace(".", "")] = slice(start, start + size)
                start += size
    return blocks


def _classes(linear: bool) -> NDArray[np.intp]:
    """Of each of the 625 sequences, the number of the feature it belongs to.

    Read backwards it is the same; of a linear residual so is its opposite. Features have the order of the first
    sequence of each, but the sequence of four zeros has the first where signs do not matter.
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
    plane = as_plane(plane, _LEAST)
    features = []
    for family in families:
        counts = _counts(plane, family)
        for q in range(len(family.qs)):
            features += [_feature(model, counts, q) for model in family.submodels]
    return np.concatenate(features).astype(np.float32)


def _counts(plane: NDArray[np.uint8], family: Family) -> dict[str, NDArray[np.int64]]:
    """How often each sequence of each part occurs, for each q along rows and columns: ``(q, 2, 625)``."""
    counts = {part: np.zeros((len(family.qs), 2, 5**4), np.int64) for part in family.parts}
    height, width = (side - 2 * family.margin for side in plane.shape)
    for top, bottom in strips(height, width):
        # Sequences down a column reach into the rows of the next strip.
        last = min(bottom + _SPAN, height)
        residuals = family.residuals(plane[top : last + 2 * family.margin])
        for number, q in enumerate(family.qs):
            steps = _quantised(residuals, family.step * q)
            both = np.stack([steps, np.uint8(4) - steps], axis=1)  # (directions, 2, rows, width): opposites too
            for part, count in counts.items():
                members = [both[family.names.index(name)] for name in part]
                # A single residual is linear: its opposite adds nothing to what symmetry merges.
                least = reduce(np.minimum, members) if len(part) > 1 else members[0][:1]
                count[number, 0] += quadruples(least[:, : bottom - top], axis=2)
                count[number, 1] += quadruples(least, axis=1)
    return counts


def _quantised(residuals: NDArray[np.int16], step: float) -> NDArray[np.uint8]:
    """*residuals* in steps of *step*, at most ±2, and 2 more: 0–4."""
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
