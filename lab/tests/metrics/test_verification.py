"""Biometric verification: rates worked out by hand, and properties for any distances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underpaint.errors import UsageError
from underpaint_lab.metrics.verification import Verification, eer, fold_accuracies, rank_one


def test_perfect_and_inverted_distances() -> None:
    near, far = [0.1, 0.9] * 20, [True, False] * 20
    assert Verification.of(near, far) == (1, 0, 1, 0, 1)
    opposite = Verification.of(near, [False, True] * 20)
    assert (opposite.auc, opposite.eer, opposite.tar) == (0, 1, 0)
    assert opposite.accuracy == 0.5


def test_the_threshold_comes_from_the_other_folds() -> None:
    # By the second fold the threshold is 5, by the first it is 1.
    distances, same = [1, 2, 3, 4, 5, 6], [True, False, False, True, True, False]
    assert fold_accuracies(distances, same, 2).tolist() == pytest.approx([1 / 3, 1 / 3])


def test_the_smallest_of_several_best_thresholds_counts() -> None:
    # 1 and 3 are right in three of four of the other fold; at 1, 2 is taken for two people.
    distances, same = [2, 9, 1, 2, 3, 4], [True, False, True, False, True, False]
    assert fold_accuracies(distances, same, 3)[0] == 0.5


def test_equal_error_rate_by_hand() -> None:
    # At 3 one of four pairs of each kind is misclassified.
    one, two = [1, 2, 3, 5], [2.5, 6, 7, 8]
    assert eer(one + two, [True] * 4 + [False] * 4) == 0.25
    # Between 1 and 2 both shares meet: accepted 0 to 1/2, missed 1/2 to 0.
    assert eer([1, 2, 2, 9], [True, True, False, False]) == 0.25


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=40))
def test_the_equal_error_rate_of_negated_distances_is_the_complement(pairs: list[tuple[int, bool]]) -> None:
    distances, same = map(list, zip(*pairs, strict=True))
    if len(set(same)) == 2:
        found = eer(distances, same)
        assert 0 <= found <= 1
        assert eer([-each for each in distances], same) == pytest.approx(1 - found)


def test_rank_one_by_hand() -> None:
    gallery, labels = [[0, 0], [10, 0]], [3, 4]
    assert rank_one([[1, 0], [9, 5], [4, 0], [6, 0]], [3, 4, 4, 3], gallery, labels) == 0.5


def test_equal_distances_give_chance() -> None:
    found = Verification.of([1.0] * 40, [True, False] * 20)
    assert (found.accuracy, found.auc, found.eer, found.tar) == (0.5, 0.5, 0.5, 0)


@pytest.mark.parametrize(
    ("distances", "same"),
    [([1, 2], [True, True]), ([1, np.nan], [True, False]), ([[1, 2]], [[True, False]]), ([1], [])],
)
def test_invalid_distances_are_refused(distances: list[float], same: list[bool]) -> None:
    with pytest.raises(UsageError, match="finite distances"):
        Verification.of(distances, same)


def test_folds_must_divide_pairs() -> None:
    with pytest.raises(UsageError, match="folds"):
        fold_accuracies([1, 2, 3], [True, False, True], 2)


def test_a_gallery_of_another_dimension_is_refused() -> None:
    with pytest.raises(UsageError, match="look up"):
        rank_one([[1, 2]], [0], [[1, 2, 3]], [0])
