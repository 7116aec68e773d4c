"""How well people are told apart by the distances between what a network makes of their pictures.

Pairs are verified: is it the same person or not? Distances are real numbers, ``(n,)``, small for the same person; any
other than a row of finite ones, of both kinds, raises UsageError. Chance is an accuracy and an AUC of .5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from underpaint.errors import UsageError
from underpaint_lab.metrics.detection import auc, roc, tpr_at

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Folds of Labeled Faces in the Wild's protocol.
FOLDS = 10
#: The share of pairs of two people that may be taken for one, where only the surest are wanted.
FAR = 1e-3


class Verification(NamedTuple):
    """What comes of pairs."""

    #: The share of pairs told rightly, 0–1, and its standard deviation over folds.
    accuracy: float
    spread: float
    #: Area under the operating characteristic, 0–1.
    auc: float
    #: Equal error rate, 0–1.
    eer: float
    #: The share of pairs of one person that is accepted where at most 0.1 % of the others are, 0–1.
    tar: float

    @classmethod
    def of(cls, distances: ArrayLike, same: ArrayLike, folds: int = FOLDS) -> Verification:
        """Measure pairs, fold by fold of one size in their order; *same* says which are of one person, ``(n,)``."""
        one, two = _kinds(distances, same)
        told = fold_accuracies(distances, same, folds)
        return cls(
            float(told.mean()), float(told.std()), auc(-two, -one), eer(distances, same), tpr_at(-two, -one, FAR)
        )


def fold_accuracies(distances: ArrayLike, same: ArrayLike, folds: int = FOLDS) -> NDArray[np.float64]:
    """The share of pairs told rightly in each of *folds*, ``(folds,)``, by the threshold that is best in all others.

    G. Huang et al.: Labeled Faces in the Wild, 2007, section 4. Of several best thresholds the smallest counts; at the
    threshold itself pairs are of one person.

    Raises:
        UsageError: pairs are not a multiple of *folds*, or folds fewer than 2.
    """
    _kinds(distances, same)
    away, alike = np.asarray(distances, np.float64), np.asarray(same, bool)
    if folds < 2 or away.size % folds:
        raise UsageError(f"{away.size} pairs are not {folds} folds of one size")
    told = []
    for fold in np.split(np.arange(away.size), folds):
        others = np.delete(np.arange(away.size), fold)
        threshold = _best(away[others], alike[others])
        told.append(((away[fold] <= threshold) == alike[fold]).mean())
    return np.array(told)


def eer(distances: ArrayLike, same: ArrayLike) -> float:
    """The equal error rate, 0–1: at some threshold as large a share of one kind is told wrongly as of the other.

    Between two thresholds both shares are taken to change evenly.
    """
    one, two = _kinds(distances, same)
    _, accepted, found = roc(-two, -one)
    missed = 1 - found
    after = int(np.argmax(accepted >= missed))
    # At the first threshold nothing is accepted and all is missed, so there is one before.
    gap = (missed - accepted)[[after - 1, after]]
    share = gap[0] / (gap[0] - gap[1])
    return float(accepted[after - 1] + share * (accepted[after] - accepted[after - 1]))


def rank_one(probes: ArrayLike, probe_labels: ArrayLike, gallery: ArrayLike, gallery_labels: ArrayLike) -> float:
    """The share of *probes*, 0–1, whose nearest one in the *gallery*, by Euclid's distance, is the same person.

    Args:
        probes: what a network makes of pictures, ``(n, d)``.
        probe_labels: whom they show, ``(n,)``.
        gallery: what it makes of those that are known, ``(m, d)``.
        gallery_labels: whom those show, ``(m,)``.

    Raises:
        UsageError: shapes do not fit.
    """
    asked, enrolled = (np.asarray(each, np.float64) for each in (probes, gallery))
    who, whom = np.asarray(probe_labels), np.asarray(gallery_labels)
    if asked.ndim != 2 or asked.shape[1:] != enrolled.shape[1:] or (len(asked), len(enrolled)) != (who.size, whom.size):
        raise UsageError(f"cannot look up {asked.shape} in {enrolled.shape}")
    # Less the squared length of each probe, which changes no order.
    distances = np.square(enrolled).sum(axis=1) - 2 * asked @ enrolled.T
    return float((whom[distances.argmin(axis=1)] == who).mean())


def _best(distances: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """The distance up to which pairs are best taken for one person's; minus infinity for none."""
    order = np.argsort(distances, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(distances[order])), distances.size - 1)
    gained = np.cumsum(np.where(same[order], 1, -1))[ends]
    best = int(gained.argmax())
    return float(distances[order][ends[best]]) if gained[best] > 0 else -np.inf


def _kinds(distances: ArrayLike, same: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances of pairs of one person, and of two."""
    away, alike = np.asarray(distances, np.float64), np.asarray(same, bool)
    if away.ndim != 1 or away.shape != alike.shape or not np.isfinite(away).all() or alike.all() or not alike.any():
        raise UsageError(f"expected a row of finite distances, of both kinds, not shapes {away.shape}, {alike.shape}")
    return away[alike], away[~alike]
