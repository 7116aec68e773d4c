"""RS analysis: groups counted as the paper defines them, and the solution of its equation."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from underpaint.steganalysis.rs import Counts, Groups, count_groups, estimate, rs

if TYPE_CHECKING:
    from underpaint.types import Image


def slow_groups(picture: Image, step: int) -> tuple[tuple[float, float], ...]:
    """Regular and singular groups, counted as Fridrich, Goljan and Du define them."""

    def roughness(group: list[int]) -> int:
        a, b, c, d = group
        return abs(a - b) + abs(b - d) + abs(d - c) + abs(c - a)

    def flip(value: int) -> int:
        return value ^ 1

    def shifted_flip(value: int) -> int:
        return ((value + 1) ^ 1) - 1

    found = []
    for flipped, by in product((False, True), (flip, shifted_flip)):
        counts = [0.0, 0.0]
        for y, x in product(*(range(0, side - 1, step) for side in picture.shape)):
            group = [int(value) ^ flipped for value in picture[y : y + 2, x : x + 2].reshape(-1)]
            for mask in ((1, 0, 0, 1), (0, 1, 1, 0)):
                after = [by(value) if chosen else value for value, chosen in zip(group, mask, strict=True)]
                counts[0] += roughness(after) > roughness(group)
                counts[1] += roughness(after) < roughness(group)
        found.append((counts[0], counts[1]))
    return tuple(found)


def test_one_group_by_hand() -> None:
    """Roughness 6; flips 4 ↔ 5, 6 ↔ 7 leave 4 either way, flips 3 ↔ 4, 5 ↔ 6, 7 ↔ 8 leave 8; flipped the same."""
    picture = np.array([[4, 5], [7, 6]], np.uint8)
    assert np.array_equal(count_groups(picture, skip_clipped=False), [(0, 2), (2, 0), (0, 2), (2, 0)])
    assert rs(picture) is None  # 8 x² - 8 x + 4 = 0 has no real root, and the lines are parallel


@given(arrays(np.uint8, st.sampled_from([(6, 8), (5, 7), (2, 2), (4, 3)]), elements=st.integers(98, 106)))
@settings(max_examples=30, deadline=None)
def test_groups_are_counted_as_defined(picture: Image) -> None:
    for step in (1, 2):
        assert count_groups(picture, step, skip_clipped=False) == slow_groups(picture, step)
        assert count_groups(picture, step) == slow_groups(picture, step), "nothing is clipped"


def test_groups_with_clipped_values_are_left_out() -> None:
    picture = np.random.default_rng(0).choice(np.array([0, 1, 254, 255], np.uint8), (9, 9))
    assert count_groups(picture, skip_clipped=False) == slow_groups(picture, 1)
    assert not np.any(count_groups(picture))
    assert rs(picture) is None


def test_curves_that_never_meet_give_no_estimate() -> None:
    counts = (Counts(np.float64(each), np.float64(each)) for each in (2, 1, 1, 0))
    assert estimate(Groups(*counts)) is None


def test_a_flat_picture_has_the_estimate_0() -> None:
    assert rs(np.full((8, 8), 100, np.uint8)) == 0
