"""How well people are told apart: values worked by hand, and what must hold for any distances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underpaint.errors import UsageError
from underpaint_lab.metrics.verification import Verification, eer, fold_accuracies, rank_one


def test_told_wholly_or_not_at_all() -> None:
    near, far = [0.1, 0.9] * 20, [True, False] * 20
    assert Verification.of(near, far) == (1, 0, 1, 0, 1)
    opposite = Verification.of(near, [False, True] * 20)
    assert (opposite.auc, opposite.eer, opposite.tar) == (0, 1, 0)
    assert opposite.accuracy == 0.5


def test_the_threshold_is_of_the_other_folds() -> None:
    # By the second fold the threshold is 5, by the first it is 1.
    distances, same = [1, 2, 3, 4, 5, 6], [True, False, False, True, True, False]
    assert fold_accuracies(distances, same, 2).tolist() == pytest.approx([1 / 3, 1 / 3])


def test_of_several_best_thresholds_the_smallest() -> None:
    # 1 and 3 are right in three of four of the other fold; at 1, 2 is taken for two people.
    distances, same = [2, 9, 1, 2, 3, 4], [True, False, True, False, True, False]
    assert fold_accuracies(distances, same, 3)[0] == 0.5


def test_equal_errors_by_hand() -> None:
    # At 3 one of four pairs of each kind is told wrongly.
    one, two = [1, 2, 3, 5], [2.5, 6, 7, 8]
    assert eer(one + two, [True] * 4 + [False] * 4) == 0.25
    # Between 1 and 2 both shares meet: accepted 0 to 1/2, missed 1/2 to 0.
    assert eer([1, 2, 2, 9], [True, True, False, False]) == 0.25


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=40))
def test_equal_errors_lie_within_any_distances(pairs: list[tuple[int, bool]]) -> None:
    distances, same = map(list, zip(*pairs, strict=True))
    if len(set(same)) == 2:
        found = eer(distances, same)
        assert 0 <= found <= 1
        assert eer([-each for each in distances], same) == pytest.approx(1 - found)


def test_the_nearest_counts() -> None:
    gallery, labels = [[0, 0], [10, 0]], [3, 4]
    assert rank_one([[1, 0], [9, 5], [4, 0], [6, 0]], [3, 4, 4, 3], gallery, labels) == 0.5


def test_ties_are_a_guess() -> None:
    found = Verification.of([1.0] * 40, [True, False] * 20)
    assert (found.accuracy, found.auc, found.eer, found.tar) == (0.5, 0.5, 0.5, 0)


@pytest.mark.parametrize(
    ("distances", "same"),
    [([1, 2], [True, True]), ([1, np.nan], [True, False]), ([[1, 2]], [[True, False]]), ([1], [])],
)
def test_what_cannot_be_measured_is_refused(distances: list[float], same: list[bool]) -> None:
    with pytest.raises(UsageError, match="finite distances"):
        Verification.of(distances, same)


def test_folds_must_divide_pairs() -> None:
    with pytest.raises(UsageError, match="folds"):
        fold_accuracies([1, 2, 3], [True, False, True], 2)


def test_galleries_must_fit() -> None:
    with pytest.raises(UsageError, match="look up"):
        rank_one([[1, 2]], [0], [[1, 2, 3]], [0])
