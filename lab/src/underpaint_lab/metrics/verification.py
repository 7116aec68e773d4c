"""Biometric verification: accuracy, AUC, equal error rate and rank-one rate from distances between templates.

A pair shows one person or two. Distances are finite, ``(n,)``, and small for one person; without pairs of both kinds
UsageError is raised. Chance is an accuracy and an AUC of 0.5.
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
#: False-acceptance rate at which the true-acceptance rate is reported.
FAR = 1e-3


class Verification(NamedTuple):
    """Verification rates of a set of pairs."""

    #: Share of correctly verified pairs, 0–1, and its standard deviation over folds.
    accuracy: float
    spread: float
    #: Area under the ROC curve, 0–1.
    auc: float
    #: Equal error rate, 0–1.
    eer: float
    #: True-acceptance rate at a false-acceptance rate of at most 0.1 %, 0–1.
    tar: float

    @classmethod
    def of(cls, distances: ArrayLike, same: ArrayLike, folds: int = FOLDS) -> Verification:
        """Compute the rates.

        Args:
            distances: of pairs, ``(n,)``.
            same: True for pairs of one person, ``bool (n,)``.
            folds: number of folds of equal size, in the order of the pairs.
        """
        one, two = _kinds(distances, same)
        accuracies = fold_accuracies(distances, same, folds)
        return cls(
            float(accuracies.mean()),
            float(accuracies.std()),
            auc(-two, -one),
            eer(distances, same),
            tpr_at(-two, -one, FAR),
        )


def fold_accuracies(distances: ArrayLike, same: ArrayLike, folds: int = FOLDS) -> NDArray[np.float64]:
    """Return the share of correctly verified pairs in each fold, by the threshold that is best in all other folds.

    Of several best thresholds the smallest counts; a distance equal to the threshold is one person.

    Returns:
        ``float64 (folds,)``.

    Raises:
        UsageError: pairs are not a multiple of *folds*, or folds fewer than 2.

    Source: G. Huang et al., "Labeled Faces in the Wild", 2007, section 4.
    """
    _kinds(distances, same)
    away, alike = np.asarray(distances, np.float64), np.asarray(same, bool)
    if folds < 2 or away.size % folds:
        raise UsageError(f"{away.size} pairs are not {folds} folds of one size")
    accuracies = []
    for fold in np.split(np.arange(away.size), folds):
        others = np.delete(np.arange(away.size), fold)
        threshold = _best(away[others], alike[others])
        accuracies.append(((away[fold] <= threshold) == alike[fold]).mean())
    return np.array(accuracies)


def eer(distances: ArrayLike, same: ArrayLike) -> float:
    """Return the equal error rate, 0–1: the rate at which false acceptances equal false rejections.

    Between two thresholds both rates are interpolated linearly.
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
    """Return the rank-one identification rate: the share of *probes* whose nearest gallery template is the same person.

    Args:
        probes: templates, ``(n, d)``; the distance is Euclidean.
        probe_labels: identities, ``(n,)``.
        gallery: templates of known people, ``(m, d)``.
        gallery_labels: identities, ``(m,)``.

    Returns:
        0–1.

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
    """Return the threshold with the highest accuracy; minus infinity if no pair should be accepted."""
    order = np.argsort(distances, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(distances[order])), distances.size - 1)
    gained = np.cumsum(np.where(same[order], 1, -1))[ends]
    best = int(gained.argmax())
    return float(distances[order][ends[best]]) if gained[best] > 0 else -np.inf


def _kinds(distances: ArrayLike, same: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Split distances by pairs of one person and of two."""
    away, alike = np.asarray(distances, np.float64), np.asarray(same, bool)
    if away.ndim != 1 or away.shape != alike.shape or not np.isfinite(away).all() or alike.all() or not alike.any():
        raise UsageError(f"expected a row of finite distances, of both kinds, not shapes {away.shape}, {alike.shape}")
    return away[alike], away[~alike]
