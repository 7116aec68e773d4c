"""StegExpose as the tool computes it: values worked out by hand, and its reference followed value by value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import chi2  # type: ignore[import-untyped]

from support.lsb_replacement import PHOTOGRAPHS
from underpaint.steganalysis import planes
from underpaint.steganalysis.rs import Groups, count_groups
from underpaint.steganalysis.spa import count_pairs, horizontal_pairs, quadratic
from underpaint.steganalysis.spa import primary_sets as published_primary_sets
from underpaint_lab.steganalysis.stegexpose_tool import (
    STEGEXPOSE_TOOL,
    TOOL_W,
    chi_square,
    primary_sets,
    rs,
    sample_pairs,
    stegexpose_tool,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from underpaint.types import Image

    Estimator = Callable[..., float | None]

#: In X; in V = Y without W; in W; in Y, and in W by the tool alone.
X, V, IN_W, ODD = ((3, 4), (2, 8), (4, 10)), (8, 4), (5, 4), (7, 4)
pictures = arrays(np.uint8, st.one_of(array_shapes(min_dims=2, max_dims=2, max_side=20), st.just((12, 14, 3))))


def pairs(*values: tuple[int, int]) -> Image:
    """A grey picture with one pair of neighbours in each row."""
    return np.array(values, np.uint8)


def red(rows: list[list[int]]) -> Image:
    """A picture whose other colours are all 100."""
    plane = np.array(rows, np.uint8)
    return np.stack([plane, np.full_like(plane, 100), np.full_like(plane, 100)], axis=-1)


def test_primary_sets_agree_with_the_paper_where_w_is_empty() -> None:
    picture = pairs((3, 4), V, V, (9, 9))
    assert primary_sets(picture) == published_primary_sets(picture) == pytest.approx(2 - math.sqrt(2))


def test_primary_sets_return_the_magnitude_of_a_negative_root() -> None:
    # X 3, Y 2, Z 3, and one more in W than by the paper
    picture = pairs(*X, IN_W, ODD, (9, 9), (30, 30), (6, 6))
    assert primary_sets(picture) == pytest.approx((math.sqrt(14) - 2) / 5)


def test_primary_sets_take_the_smaller_root() -> None:
    # X 3, Y 2, Z 0: p² / 2 + p - 1 = 0
    assert primary_sets(pairs(*X, V, IN_W)) == 1


def test_primary_sets_have_no_estimate_without_a_real_root() -> None:
    # X 3, Y 4, Z 1: 1.5 p² - 2 p + 1 = 0
    assert primary_sets(pairs(*X, V, (10, 4), IN_W, ODD, (9, 9))) is None


def test_primary_sets_read_red_alone() -> None:
    grey = pairs((3, 4), V, V, (9, 9))
    flat = np.full_like(grey, 100)
    for place in range(3):
        picture = np.stack([grey if colour == place else flat for colour in range(3)], axis=-1)
        assert primary_sets(picture) == pytest.approx(0 if place else 2 - math.sqrt(2))


@given(arrays(np.uint8, (6, 8), elements=st.integers(96, 104)))
@settings(max_examples=30, deadline=None)
def test_the_tools_w_is_all_of_y_with_an_odd_member(picture: Image) -> None:
    x = y = z = w = total = 0
    across = [(i, j, i, j + 1) for i in range(6) for j in range(0, 7, 2)]
    down = [(i, j, i + 1, j) for i in range(0, 5, 2) for j in range(8)]
    for i, j, k, m in across + down:
        u, v = int(picture[i, j]), int(picture[k, m])
        in_y = (v % 2 == 0 and u > v) or (v % 2 == 1 and u < v)
        x += (v % 2 == 0 and u < v) or (v % 2 == 1 and u > v)
        y, z, total = y + in_y, z + (u == v), total + 1
        w += in_y and (u % 2 == 1 or v % 2 == 1)
    table = count_pairs(*horizontal_pairs(picture)) + count_pairs(*horizontal_pairs(picture.T))
    assert np.array_equal(quadratic(table, TOOL_W), [(w + z) / 2, 2 * x - total, y - x])


def test_sample_pairs_by_hand() -> None:
    # Red: W (4, 5), Z (6, 6), X (4, 6) and (5, 6): p² - 1 = 0, of which the tool takes 1; the others are flat: 0.
    assert sample_pairs(red([[4, 5], [6, 6]])) == pytest.approx(1 / 3)
    # Red: X (4, 6) and (6, 8), Y (9, 8) and (4, 9): p² / 2 = 0, then 0 / 0.
    assert sample_pairs(red([[4, 6], [9, 8]])) is None
    # Red: W (5, 4) and (9, 8), V (5, 9), X (4, 8): no real root of p² - 2 p + 2 = 0, so c / b = -1, made positive.
    assert sample_pairs(red([[5, 4], [9, 8]])) == pytest.approx(1 / 3)


def test_sample_pairs_need_even_sides() -> None:
    for shape in ((5, 4), (4, 5), (5, 5)):
        assert sample_pairs(np.full(shape, 9, np.uint8)) is None


@pytest.mark.parametrize(("value", "expected"), [(100, 1), (101, 0)])
def test_chi_square_of_a_flat_picture(value: int, expected: float) -> None:
    """All other pairs are as expected, but that is then scaled to the sum of the observed counts."""
    picture = np.full((300, 300, 3), value, np.uint8)
    read = 1024 * np.arange(1, 263)
    even = 1 + read * (value % 2 == 0)
    scale = (127 + even) / (127 + 1 + read // 2)
    statistic = 127 * (1 - scale) ** 2 / scale + (even - scale * (1 + read // 2)) ** 2 / (scale * (1 + read // 2))
    mean = float(np.mean(chi2.sf(statistic, 127)))
    assert chi_square(picture) == pytest.approx(mean, abs=1e-9)
    assert mean == pytest.approx(expected, abs=1e-3)


def test_chi_square_of_a_photograph() -> None:
    """Its counts one value at a time, as the reference describes them."""
    picture = np.ascontiguousarray(PHOTOGRAPHS["coffee"][:300, :300])
    counts, p_values = np.ones(256, np.int64), []
    for block in picture.reshape(-1)[: 262 * 1024].reshape(-1, 1024):
        counts += np.bincount(block, minlength=256)
        even = counts[::2]
        expected = (even + counts[1::2]) // 2
        expected = expected * (even.sum() / expected.sum())
        p_values.append(chi2.sf(((even - expected) ** 2 / expected).sum(), 127))
    assert chi_square(picture) == pytest.approx(np.mean(p_values), abs=1e-9)


def test_chi_square_needs_257_blocks() -> None:
    least = np.full((1, 87_723, 3), 100, np.uint8)
    assert chi_square(least) is not None
    assert chi_square(least[:, 1:]) is None
    assert chi_square(least[..., 0]) == chi_square(least)


def root(groups: Groups) -> float:
    """The reference's equation, where it has real roots other than 0."""
    d0, minus_d0, d1, minus_d1 = (regular - singular for regular, singular in groups)
    roots = np.roots([2 * (d1 + d0), minus_d0 - minus_d1 - d1 - 3 * d0, d0 - minus_d0])
    assert np.isreal(roots).all()
    assert roots.all()
    x = min(roots, key=abs)
    return float(abs(x / (x - 0.5)))


def test_rs_is_the_mean_of_magnitudes_over_overlapping_and_disjoint_groups() -> None:
    picture = PHOTOGRAPHS["chelsea"][:60, :61]
    found = [root(count_groups(picture[..., c], step, skip_clipped=False)) for step in (1, 2) for c in range(3)]
    assert rs(picture) == pytest.approx(np.mean(found))


def test_rs_without_a_solution_has_no_estimate() -> None:
    assert rs(np.array([[4, 5], [7, 6]], np.uint8)) is None
    assert rs(np.full((8, 8), 100, np.uint8)) in (0, None), "the curves meet at 0, where the tool divides by it"


@given(pictures)
@settings(max_examples=60, deadline=None)
def test_estimates_are_shares_or_none(picture: Image) -> None:
    fusion = stegexpose_tool(picture)
    known = [each for each in fusion.estimates.values() if each is not None]
    assert all(0 <= each <= 1 for each in known)
    assert fusion.mean == (pytest.approx(np.mean(known)) if known else None)


@pytest.mark.parametrize("estimate", STEGEXPOSE_TOOL.values())
def test_grey_has_the_estimate_of_three_equal_planes(estimate: Estimator) -> None:
    grey = PHOTOGRAPHS["chelsea"][:296, :300, 1]
    assert estimate(np.stack([grey] * 3, axis=-1)) == pytest.approx(estimate(grey), abs=1e-3)


@pytest.mark.parametrize("estimate", STEGEXPOSE_TOOL.values())
def test_strips_and_memory_layout_do_not_matter(estimate: Estimator, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = PHOTOGRAPHS["coffee"][:300, :301]
    whole = estimate(picture)
    mirrored = PHOTOGRAPHS["coffee"][:300, :300][::-1, ::2]
    assert estimate(mirrored) == estimate(np.ascontiguousarray(mirrored))
    monkeypatch.setattr(planes, "STRIP", 5000)
    assert estimate(picture) == pytest.approx(whole, abs=1e-5)
