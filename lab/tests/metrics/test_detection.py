"""Detector metrics: textbook values, and properties for any scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underpaint.errors import UsageError
from underpaint_lab.metrics.detection import auc, p_e, roc, tpr_at

if TYPE_CHECKING:
    from collections.abc import Callable

rows = st.lists(st.integers(-3, 3), min_size=1, max_size=30)


def test_textbook_values() -> None:
    covers, containers = [0.1, 0.2, 0.3, 0.4], [0.25, 0.35, 0.45, 0.55]
    assert auc(covers, containers) == 13 / 16
    assert p_e(covers, containers) == pytest.approx(0.25)
    assert tpr_at(covers, containers, 0.0) == 0.5
    assert tpr_at(covers, containers, 0.25) == 0.75
    assert tpr_at(covers, containers) == 0.5


def test_perfect_reversed_and_chance_detectors() -> None:
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
def test_auc_is_the_share_of_pairs_in_order(covers: list[int], containers: list[int]) -> None:
    won = [(b > a) + (b == a) / 2 for a in covers for b in containers]
    assert auc(covers, containers) == pytest.approx(np.mean(won))
    assert auc(containers, covers) == pytest.approx(1 - np.mean(won))


@given(rows, rows)
def test_p_e_is_the_minimum_over_all_thresholds(covers: list[int], containers: list[int]) -> None:
    errors = [np.mean(np.array(covers) >= t) + np.mean(np.array(containers) < t) for t in range(-3, 5)]
    assert p_e(covers, containers) == pytest.approx(min(errors) / 2)


@pytest.mark.parametrize("metric", [roc, auc, p_e, tpr_at])
@pytest.mark.parametrize("scores", [[], [[1.0]], [np.nan], [np.inf]])
def test_invalid_scores_are_refused(metric: Callable[..., object], scores: list[float]) -> None:
    with pytest.raises(UsageError):
        metric(scores, [1.0])
    with pytest.raises(UsageError):
        metric([1.0], scores)
