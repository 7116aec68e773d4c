"""Sample pair analysis and primary sets: pairs worked out by hand, and sets counted pair by pair."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from underpaint.steganalysis.spa import W, count_pairs, horizontal_pairs, primary_sets, quadratic, spa

if TYPE_CHECKING:
    from underpaint.types import Image

#: In X; in V = Y without W; in W.
X, V, IN_W = ((3, 4), (2, 8), (4, 10)), (8, 4), (5, 4)


def pairs(*values: tuple[int, int]) -> Image:
    """A grey picture with one pair of neighbours in each row."""
    return np.array(values, np.uint8)


def test_primary_sets_take_the_root_nearer_to_0() -> None:
    # X 1, Y 2, Z 1: p² / 2 - 2 p + 1 = 0
    assert primary_sets(pairs((3, 4), V, V, (9, 9))) == pytest.approx(2 - math.sqrt(2))
    # X 3, Y 2, Z 0: p² / 2 + p - 1 = 0
    assert primary_sets(pairs(*X, V, IN_W)) == pytest.approx(math.sqrt(3) - 1)


def test_a_negative_estimate_becomes_0() -> None:
    # X 3, Y 2, Z 3: 2 p² - 2 p - 1 = 0
    assert primary_sets(pairs(*X, IN_W, (7, 4), (9, 9), (30, 30), (6, 6))) == 0


def test_complex_roots_give_their_real_part() -> None:
    # X 3, Y 4, Z 1: p² - 2 p + 1 = 0
    assert primary_sets(pairs(*X, V, (10, 4), IN_W, (7, 4), (9, 9))) == pytest.approx(1)


def test_the_estimate_is_the_mean_over_colours() -> None:
    grey = pairs((3, 4), V, V, (9, 9))
    flat = np.full_like(grey, 100)  # every pair in Z: p² / 2 - p = 0
    for place in range(3):
        picture = np.stack([grey if colour == place else flat for colour in range(3)], axis=-1)
        assert primary_sets(picture) == pytest.approx((2 - math.sqrt(2)) / 3)


def test_the_last_value_of_an_odd_row_has_no_pair() -> None:
    assert primary_sets(np.array([[3, 4, 8, 4, 8, 4, 9, 9, 60]], np.uint8)) == pytest.approx(2 - math.sqrt(2))


def test_clipped_pairs_are_left_out() -> None:
    picture = pairs((3, 4), V, V, (9, 9), (0, 0), (255, 255), (1, 200), (9, 254))
    assert primary_sets(picture) == pytest.approx(2 - math.sqrt(2))
    assert primary_sets(np.full((9, 9), 255, np.uint8)) is None


@given(arrays(np.uint8, (6, 8), elements=st.integers(96, 104)))
@settings(max_examples=30, deadline=None)
def test_the_equation_follows_the_definition_of_the_sets(picture: Image) -> None:
    """Each coefficient, from all pairs and from disjoint pairs, one pair at a time."""
    for step in (1, 2):
        x = y = z = w = total = 0
        across = [(i, j, i, j + 1) for i in range(6) for j in range(0, 7, step)]
        down = [(i, j, i + 1, j) for i in range(0, 5, step) for j in range(8)]
        for i, j, k, m in across + down:
            u, v = int(picture[i, j]), int(picture[k, m])
            x += (v % 2 == 0 and u < v) or (v % 2 == 1 and u > v)
            y += (v % 2 == 0 and u > v) or (v % 2 == 1 and u < v)
            z, total = z + (u == v), total + 1
            w += u != v and u // 2 == v // 2
        table = (
            count_pairs(picture[:, :-1], picture[:, 1:]) + count_pairs(picture[:-1], picture[1:])
            if step == 1
            else count_pairs(*horizontal_pairs(picture)) + count_pairs(*horizontal_pairs(picture.T))
        )
        assert np.array_equal(quadratic(table, W), [(w + z) / 2, 2 * x - total, y - x])


def test_spa_by_hand() -> None:
    # (4, 5) in W, (5, 5) in Z: p² - 2 p + 1 = 0
    assert spa(np.array([[4, 5, 5]], np.uint8)) == pytest.approx(1)
    # Across (4, 6) X, (6, 6) and (4, 4) Z, (8, 4) V; down (4, 8) X, (6, 4) V twice: p² - 3 p + 1 = 0
    picture = np.array([[4, 6, 6], [8, 4, 4]], np.uint8)
    assert spa(picture) == pytest.approx((3 - math.sqrt(5)) / 2)
