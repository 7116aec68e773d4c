"""Wilson intervals and bootstrap intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underpaint.errors import UsageError
from underpaint_lab.metrics.detection import auc
from underpaint_lab.metrics.intervals import bootstrap, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.mark.parametrize(
    ("errors", "trials", "low", "high"),
    [
        # Newcombe: Two-sided confidence intervals for the single proportion, 1998, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_textbook_values(errors: int, trials: int, low: float, high: float) -> None:
    assert wilson(errors, trials) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.01, 0.999))
def test_wilson_contains_the_share_and_is_symmetric(seen: tuple[int, int], confidence: float) -> None:
    errors, trials = seen
    low, high = wilson(errors, trials, confidence)
    assert 0 <= low <= high <= 1
    assert low - 1e-12 <= errors / trials <= high + 1e-12
    assert wilson(trials - errors, trials, confidence) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_wilson_starts_at_zero_without_errors() -> None:
    assert all(wilson(0, trials)[0] == 0 for trials in range(1, 200))


@pytest.mark.parametrize(
    ("errors", "trials", "confidence"), [(1, 0, 0.9), (0, 0, 0.9), (-1, 5, 0.9), (6, 5, 0.9), (1, 5, 1)]
)
def test_wilson_refuses_impossible_counts(errors: int, trials: int, confidence: float) -> None:
    with pytest.raises(UsageError):
        wilson(errors, trials, confidence)


def test_bootstrap_contains_the_true_value_and_narrows() -> None:
    rng = np.random.default_rng(0)
    covers, containers = rng.normal(size=400), rng.normal(1, size=400)  # of which the area is Φ(1 / √2)
    low, high = bootstrap(auc, covers, containers)
    assert low < 0.7602 < high
    few = bootstrap(auc, covers[:50], containers[:50])
    assert few[1] - few[0] > 2 * (high - low)
    assert bootstrap(auc, covers, containers) == (low, high)
    assert bootstrap(auc, covers, containers, seed=1) != (low, high)


def test_bootstrap_keeps_pairs_together() -> None:
    """Each container scores just above its cover: resampled apart, some difference of means would be below 1."""
    covers = np.random.default_rng(0).normal(size=30)

    def gap(clean: NDArray[np.float64], stego: NDArray[np.float64]) -> float:
        return float(stego.mean() - clean.mean())

    assert bootstrap(gap, covers, covers + 1) == pytest.approx((1, 1))


def test_bootstrap_refuses_unpaired_scores_and_invalid_confidence() -> None:
    with pytest.raises(UsageError):
        bootstrap(auc, [1.0], [1.0, 2.0])
    with pytest.raises(UsageError):
        bootstrap(auc, [1.0], [1.0], confidence=1)
