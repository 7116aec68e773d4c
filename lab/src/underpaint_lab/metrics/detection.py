"""Detector metrics for steganalysis: ROC curve, area under it, total error, true-positive rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from underpaint.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Roc(NamedTuple):
    """Receiver operating characteristic: a detector's operating points by falling threshold, ``float64 (n,)`` each."""

    #: A picture with at least this score is called a container. Falling; the first is infinite.
    thresholds: NDArray[np.float64]
    #: False-positive rate: the share of covers called containers, 0–1, rising.
    false_positive_rates: NDArray[np.float64]
    #: True-positive rate: the share of containers called containers, 0–1, rising.
    true_positive_rates: NDArray[np.float64]


def roc(covers: ArrayLike, containers: ArrayLike) -> Roc:
    """Return the receiver operating characteristic (ROC) of a detector.

    Args:
        covers: scores of covers, ``(n,)``.
        containers: scores of containers, ``(m,)``; a higher score says container.

    Raises:
        UsageError: scores are not finite, empty, or not one-dimensional.
    """
    clean, stego = as_scores(covers), as_scores(containers)
    thresholds = np.unique(np.concatenate([clean, stego]))[::-1]
    reached = [(each.size - np.searchsorted(np.sort(each), thresholds)) / each.size for each in (clean, stego)]
    return Roc(np.append(np.inf, thresholds), *(np.append(0.0, each) for each in reached))


def auc(covers: ArrayLike, containers: ArrayLike) -> float:
    """Return the area under :func:`roc`, 0–1: the share of pairs in which the container scores higher; 0.5 is chance.

    Ties count half. Arguments and errors are those of :func:`roc`.
    """
    _, false_positive_rates, true_positive_rates = roc(covers, containers)
    return float(np.sum(np.diff(false_positive_rates) * (true_positive_rates[1:] + true_positive_rates[:-1])) / 2)


def p_e(covers: ArrayLike, containers: ArrayLike) -> float:
    """Return the minimal total error P_E, 0–0.5: the mean of false-positive and false-negative rate; 0.5 is chance.

    Arguments and errors are those of :func:`roc`.
    """
    _, false_positive_rates, true_positive_rates = roc(covers, containers)
    return float(np.min(false_positive_rates + 1 - true_positive_rates) / 2)


def tpr_at(covers: ArrayLike, containers: ArrayLike, fpr: float = 0.01) -> float:
    """Return the largest true-positive rate, 0–1, at a false-positive rate of at most *fpr*, 0–1.

    Other arguments and errors are those of :func:`roc`.
    """
    _, false_positive_rates, true_positive_rates = roc(covers, containers)
    return float(true_positive_rates[false_positive_rates <= fpr].max())


def as_scores(values: ArrayLike) -> NDArray[np.float64]:
    """Check that *values* are finite scores, ``(n,)``, and return them as ``float64``.

    Raises:
        UsageError: they are not finite, empty, or not one-dimensional.
    """
    scores = np.asarray(values, np.float64)
    if scores.ndim != 1 or not scores.size or not np.isfinite(scores).all():
        raise UsageError(f"expected a row of finite scores, not shape {scores.shape}")
    return scores
