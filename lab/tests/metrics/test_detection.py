"""How well a detector tells containers from covers: textbook values, and what must hold for any scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underpaint.errors import UsageError
from underpaint.metrics import auc, bootstrap, p_e, roc, tpr_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

rows = st.lists(st.integers(-3, 3), min_size=1, max_size=30)


def test_known_values() -> None:
    covers, containers = [0.1, 0.2, 0.3, 0.4], [0.25, 0.35, 0.45, 0.55]
    assert auc(covers, containers) == 13 / 16
    assert p_e(covers, containers) == pytest.approx(0.25)
    assert tpr_at(covers, containers, 0.0) == 0.5
    assert tpr_at(covers, containers, 0.25) == 0.75
    assert tpr_at(covers, containers) == 0.5


def test_the_best_the_worst_and_a_guess() -> None:
    low, high = [0.0, 0.1], [0.2, 0.3]
    assert (auc(low, high), p_e(low, high), tpr_at(low, high)) == (1, 0, 1)
    assert (auc(high, low), p_e(high, low), tpr_at(high, low)) == (0, 0.5, 0)
    assert (auc(low, low), p_e(low, low), tpr_at(low, low)) == (0.5, 0.5, 0)
    assert (auc([1, 1], [1, 1]), p_e([1, 1], [1, 1])) == (0.5, 0.5)


def test_roc_has_a_point_for_each_score() -> None:
    thresholds, false_alarms, detections = roc([0, 1, 1], [1, 2])
    assert thresholds.tolist() == [np.inf, 2, 1, 0]
    assert false_alarms.tolist() == pytest.approx([0, 0, 2 / 3, 1])
    assert detections.tolist() == [0, 0.5, 1, 1]


@given(rows, rows)
def test_auc_counts_pairs(covers: list[int], containers: list[int]) -> None:
    won = [(b > a) + (b == a) / 2 for a in covers for b in containers]
    assert auc(covers, containers) == pytest.approx(np.mean(won))
    assert auc(containers, covers) == pytest.approx(1 - np.mean(won))


@given(rows, rows)
def test_p_e_tries_every_threshold(covers: list[int], containers: list[int]) -> None:
    errors = [np.mean(np.array(covers) >= t) + np.mean(np.array(containers) < t) for t in range(-3, 5)]
    assert p_e(covers, containers) == pytest.approx(min(errors) / 2)


def test_bootstrap_covers_the_truth_and_narrows() -> None:
    rng = np.random.default_rng(0)
    covers, containers = rng.normal(size=400), rng.normal(1, size=400)  # of which the area is Φ(1 / √2)
    low, high = bootstrap(auc, covers, containers)
    assert low < 0.7602 < high
    few = bootstrap(auc, covers[:50], containers[:50])
    assert few[1] - few[0] > 2 * (high - low)
    assert bootstrap(auc, covers, containers) == (low, high)
    assert bootstrap(auc, covers, containers, seed=1) != (low, high)


def test_bootstrap_keeps_pairs_together() -> None:
    """Each container scores just above its cover: drawn apart, some difference of means would be below 1."""
    covers = np.random.default_rng(0).normal(size=30)

    def gap(clean: NDArray[np.float64], stego: NDArray[np.float64]) -> float:
        return float(stego.mean() - clean.mean())

    assert bootstrap(gap, covers, covers + 1) == pytest.approx((1, 1))


@pytest.mark.parametrize("metric", [roc, auc, p_e, tpr_at])
@pytest.mark.parametrize("scores", [[], [[1.0]], [np.nan], [np.inf]])
def test_refuses_what_are_no_scores(metric: Callable[..., object], scores: list[float]) -> None:
    with pytest.raises(UsageError):
        metric(scores, [1.0])
    with pytest.raises(UsageError):
        metric([1.0], scores)


def test_bootstrap_refuses_what_are_no_pairs() -> None:
    with pytest.raises(UsageError):
        bootstrap(auc, [1.0], [1.0, 2.0])
    with pytest.raises(UsageError):
        bootstrap(auc, [1.0], [1.0], confidence=1)
