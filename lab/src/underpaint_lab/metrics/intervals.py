"""Confidence intervals of rates and other statistics."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import UsageError
from underpaint_lab.metrics.detection import as_scores

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

_BOOTSTRAP_ROUNDS = 1000


def wilson(errors: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's confidence interval (low, high) of an error rate, within 0–1.

    Args:
        errors: number of errors seen.
        trials: number of independent trials: messages are, bits of one message are not.
        confidence: between 0 and 1.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", J. Am. Stat. Assoc. 22,
    1927.

    Raises:
        UsageError: no trials, errors outside 0–trials, or a confidence outside 0–1.
    """
    if not 0 <= errors <= trials or trials < 1 or not 0 < confidence < 1:
        raise UsageError(f"no interval for {errors} errors in {trials} trials at confidence {confidence}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = errors / trials
    # Written so that centre and spread cancel exactly if no errors were seen.
    unit = z / (2 * trials)
    centre = share + unit * z
    spread = unit * (4 * trials * share * (1 - share) + z * z) ** 0.5
    scale = 1 + z**2 / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def bootstrap(
    metric: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
    covers: ArrayLike,
    containers: ArrayLike,
    *,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Return a bootstrap confidence interval (low, high) of a *metric* of scores, by percentiles.

    A cover and its container are drawn together. Pairs must be independent: several crops of one photograph are not.

    Args:
        metric: of scores of covers and of containers, such as :func:`underpaint_lab.metrics.detection.auc`.
        covers: scores of covers, ``(n,)``.
        containers: scores of their containers, ``(n,)``.
        confidence: between 0 and 1.
        seed: of the resampling.

    Source: Efron, "Bootstrap methods: another look at the jackknife", Ann. Stat. 7(1), 1979.

    Raises:
        UsageError: scores are not finite rows, not as many covers as containers, or a confidence outside 0–1.
    """
    clean, stego = as_scores(covers), as_scores(containers)
    if clean.size != stego.size or not 0 < confidence < 1:
        raise UsageError(f"no interval for {clean.size} covers, {stego.size} containers at confidence {confidence}")
    rng = np.random.default_rng(seed)
    draws = (rng.integers(0, clean.size, clean.size) for _ in range(_BOOTSTRAP_ROUNDS))
    low, high = np.quantile(
        [metric(clean[drawn], stego[drawn]) for drawn in draws], [0.5 - confidence / 2, 0.5 + confidence / 2]
    )
    return float(low), float(high)
