"""The estimators of LSB replacement: values worked out by hand, slow definitions, and what must hold of any picture."""

from __future__ import annotations

import math
import tracemalloc
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import chi2  # type: ignore[import-untyped]

from support.lsb_replacement import PHOTOGRAPHS, replaced
from underpaint.errors import UsageError
from underpaint.steganalysis import planes
from underpaint.steganalysis import rs as groups
from underpaint.steganalysis import spa as pair_sets
from underpaint.steganalysis.chi_square import tail
from underpaint.steganalysis.stegexpose import (
    STEGEXPOSE,
    bit_planes,
    chi_square,
    primary_sets,
    rs,
    sample_pairs,
    stegexpose,
    weighted_stego,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from underpaint.types import Image

    Estimate = Callable[..., float | None]

ESTIMATES: list[Estimate] = [*STEGEXPOSE.values(), weighted_stego]
#: The options each is to be tried with: what is no detector of the tool has no compatible mode.
MODES: dict[Estimate, list[dict[str, bool]]] = {
    each: [{}] if each is weighted_stego else [{}, {"compat": True}] for each in ESTIMATES
}
pictures = arrays(np.uint8, st.one_of(array_shapes(min_dims=2, max_dims=2, max_side=20), st.just((12, 14, 3))))


def red(rows: list[list[int]]) -> Image:
    """A picture of which the other colours are all 100."""
    plane = np.array(rows, np.uint8)
    return np.stack([plane, np.full_like(plane, 100), np.full_like(plane, 100)], axis=-1)


def pairs(*values: tuple[int, int]) -> Image:
    """A grey picture, one pair of neighbours to a row."""
    return np.array(values, np.uint8)


class TestPrimarySets:
    X = ((3, 4), (2, 8), (4, 10))  # an even right one is larger
    V, W, ODD = (8, 4), (5, 4), (7, 4)  # of Y: even, within one pair of values, and only to the tool like that

    def test_the_root_nearer_to_0(self) -> None:
        # X 1, Y 2, Z 1: p² / 2 - 2 p + 1 = 0
        picture = pairs((3, 4), self.V, self.V, (9, 9))
        assert primary_sets(picture) == primary_sets(picture, compat=True) == pytest.approx(2 - math.sqrt(2))

    def test_below_0_is_0_but_not_to_the_tool(self) -> None:
        # X 3, Y 2, Z 3: 2 p² - 2 p - 1 = 0; the tool has one more in W
        picture = pairs(*self.X, self.W, self.ODD, (9, 9), (30, 30), (6, 6))
        assert primary_sets(picture) == 0
        assert primary_sets(picture, compat=True) == pytest.approx((math.sqrt(14) - 2) / 5)

    def test_the_tool_takes_the_smaller_root(self) -> None:
        # X 3, Y 2, Z 0: p² / 2 + p - 1 = 0
        picture = pairs(*self.X, self.V, self.W)
        assert primary_sets(picture) == pytest.approx(math.sqrt(3) - 1)
        assert primary_sets(picture, compat=True) == 1

    def test_the_tool_has_none_where_no_root_is_real(self) -> None:
        # X 3, Y 4, Z 1: p² - 2 p + 1 = 0; to the tool 1.5 p² - 2 p + 1 = 0
        picture = pairs(*self.X, self.V, (10, 4), self.W, self.ODD, (9, 9))
        assert primary_sets(picture) == pytest.approx(1)
        assert primary_sets(picture, compat=True) is None

    def test_the_tool_looks_at_red_alone(self) -> None:
        grey = pairs((3, 4), self.V, self.V, (9, 9))
        flat = np.full_like(grey, 100)  # every pair in Z: p² / 2 - p = 0
        expected = 2 - math.sqrt(2)
        for place in range(3):
            picture = np.stack([grey if colour == place else flat for colour in range(3)], axis=-1)
            assert primary_sets(picture) == pytest.approx(expected / 3)
            assert primary_sets(picture, compat=True) == pytest.approx(0 if place else expected)

    def test_the_last_of_an_odd_row_has_no_pair(self) -> None:
        assert primary_sets(np.array([[3, 4, 8, 4, 8, 4, 9, 9, 60]], np.uint8)) == pytest.approx(2 - math.sqrt(2))

    def test_clipped_values_say_nothing(self) -> None:
        picture = pairs((3, 4), self.V, self.V, (9, 9), (0, 0), (255, 255), (1, 200), (9, 254))
        assert primary_sets(picture) == pytest.approx(2 - math.sqrt(2))
        assert primary_sets(np.full((9, 9), 255, np.uint8)) is None


class TestSamplePairs:
    @given(arrays(np.uint8, (6, 8), elements=st.integers(96, 104)))
    @settings(max_examples=30, deadline=None)
    def test_sets_as_defined(self, picture: Image) -> None:
        """Each coefficient, from the pairs of the tool and from all pairs, one pair at a time."""
        for every, reach in ((True, 1), (False, 2)):
            x = y = z = w = tool_w = total = 0
            across = [(i, j, i, j + 1) for i in range(6) for j in range(0, 7, reach)]
            down = [(i, j, i + 1, j) for i in range(0, 5, reach) for j in range(8)]
            for i, j, k, m in across + down:
                u, v = int(picture[i, j]), int(picture[k, m])
                in_y = (v % 2 == 0 and u > v) or (v % 2 == 1 and u < v)
                x += (v % 2 == 0 and u < v) or (v % 2 == 1 and u > v)
                y, z, total = y + in_y, z + (u == v), total + 1
                w += u != v and u // 2 == v // 2
                tool_w += in_y and (u % 2 == 1 or v % 2 == 1)
            table = (
                pair_sets._counts(picture[:, :-1], picture[:, 1:]) + pair_sets._counts(picture[:-1], picture[1:])
                if every
                else pair_sets._counts(*pair_sets._across(picture)) + pair_sets._counts(*pair_sets._across(picture.T))
            )
            assert np.array_equal(pair_sets._equation(table, pair_sets._W), [(w + z) / 2, 2 * x - total, y - x])
            assert np.array_equal(
                pair_sets._equation(table, pair_sets._TOOL_W), [(tool_w + z) / 2, 2 * x - total, y - x]
            )

    def test_by_hand(self) -> None:
        # (4, 5) in W, (5, 5) in Z: p² - 2 p + 1 = 0
        assert sample_pairs(np.array([[4, 5, 5]], np.uint8)) == pytest.approx(1)
        # Across (4, 6) X, (6, 6) and (4, 4) Z, (8, 4) V; down (4, 8) X, (6, 4) V twice: p² - 3 p + 1 = 0
        picture = np.array([[4, 6, 6], [8, 4, 4]], np.uint8)
        assert sample_pairs(picture) == pytest.approx((3 - math.sqrt(5)) / 2)

    def test_the_tool(self) -> None:
        # Red: W (4, 5), Z (6, 6), X (4, 6) and (5, 6): p² - 1 = 0, of which the tool takes 1; the others are flat: 0.
        assert sample_pairs(red([[4, 5], [6, 6]]), compat=True) == pytest.approx(1 / 3)
        # Red: X (4, 6) and (6, 8), Y (9, 8) and (4, 9): p² / 2 = 0, then 0 / 0.
        assert sample_pairs(red([[4, 6], [9, 8]]), compat=True) is None
        # Red: W (5, 4) and (9, 8), V (5, 9), X (4, 8): no real root of p² - 2 p + 2 = 0, so c / b = -1, made positive.
        assert sample_pairs(red([[5, 4], [9, 8]]), compat=True) == pytest.approx(1 / 3)

    def test_the_tool_needs_even_sides(self) -> None:
        for shape in ((5, 4), (4, 5), (5, 5)):
            assert sample_pairs(np.full(shape, 9, np.uint8), compat=True) is None


class TestChiSquare:
    @pytest.mark.parametrize(("value", "expected"), [(100, 1), (101, 0)])
    def test_the_tool_on_a_flat_picture(self, value: int, expected: float) -> None:
        """All other pairs are seen as expected, but that is then scaled to the sum of what is seen."""
        picture = np.full((300, 300, 3), value, np.uint8)
        read = 1024 * np.arange(1, 263)
        even = 1 + read * (value % 2 == 0)
        scale = (127 + even) / (127 + 1 + read // 2)
        statistic = 127 * (1 - scale) ** 2 / scale + (even - scale * (1 + read // 2)) ** 2 / (scale * (1 + read // 2))
        mean = float(np.mean(chi2.sf(statistic, 127)))
        assert chi_square(picture, compat=True) == pytest.approx(mean, abs=1e-9)
        assert mean == pytest.approx(expected, abs=1e-3)

    def test_the_tool_on_a_photograph(self) -> None:
        """Its counts one value at a time, as the reference describes them."""
        picture = np.ascontiguousarray(PHOTOGRAPHS["coffee"][:300, :300])
        counts, chances = np.ones(256, np.int64), []
        for block in picture.reshape(-1)[: 262 * 1024].reshape(-1, 1024):
            for value in block.tolist():
                counts[value] += 1
            even = counts[::2]
            expected = (even + counts[1::2]) // 2
            expected = expected * (even.sum() / expected.sum())
            chances.append(chi2.sf(((even - expected) ** 2 / expected).sum(), 127))
        assert chi_square(picture, compat=True) == pytest.approx(np.mean(chances), abs=1e-9)

    def test_the_tool_needs_257_blocks(self) -> None:
        least = np.full((1, 87_723, 3), 100, np.uint8)
        assert chi_square(least, compat=True) is not None
        assert chi_square(least[:, 1:], compat=True) is None
        assert chi_square(least[..., 0], compat=True) == chi_square(least, compat=True)

    def test_each_test_is_of_all_values_so_far(self) -> None:
        rng = np.random.default_rng(0)
        values = np.append(rng.integers(0, 256, 8 * 1024), np.full(2 * 1024 + 7, 40)).astype(np.uint8)
        passed = []
        for count in range(1024, values.size, 1024):
            even, odd = np.bincount(values[:count], minlength=256).reshape(128, 2).T
            used = even + odd >= 10
            statistic = ((even - odd) ** 2 / np.maximum(even + odd, 1))[used].sum()
            passed.append(bool(used.any()) and chi2.sf(statistic, used.sum()) > 0.05)
        assert not passed[-1]
        assert chi_square(values.reshape(1, -1)) == pytest.approx(np.mean(passed))

    def test_says_how_far_a_payload_reaches(self) -> None:
        cover = PHOTOGRAPHS["coffee"]
        for share in (0.2, 0.5):
            stego = cover.reshape(-1).copy()
            end = round(share * stego.size)
            stego[:end] = replaced(stego[:end], 1)
            assert chi_square(stego.reshape(cover.shape)) == pytest.approx(share, abs=0.06)
        assert (chi_square(cover) or 0) < 0.02
        assert (chi_square(replaced(cover, 1)) or 0) > 0.8

    def test_needs_a_block(self) -> None:
        assert chi_square(np.zeros((1, 1023), np.uint8)) is None
        assert chi_square(np.zeros((1, 1024), np.uint8)) == 0

    @given(st.integers(1, 128), st.floats(0, 500))
    def test_tail(self, degrees: int, statistic: float) -> None:
        found = tail(np.array([statistic, 0.0]), np.array([degrees, degrees]))
        assert found == pytest.approx(chi2.sf([statistic, 0], degrees), abs=1e-12)


class TestRs:
    def test_one_square_by_hand(self) -> None:
        """Roughness 6; flips 4 ↔ 5, 6 ↔ 7 leave 4 either way, flips 3 ↔ 4, 5 ↔ 6, 7 ↔ 8 leave 8; flipped the same."""
        picture = np.array([[4, 5], [7, 6]], np.uint8)
        assert np.array_equal(groups._squares(picture, 1), [(0, 2), (2, 0), (0, 2), (2, 0)])
        assert rs(picture, compat=True) is None  # 8 x² - 8 x + 4 = 0 has no real root, and the lines are parallel
        assert rs(picture) is None

    @given(arrays(np.uint8, st.sampled_from([(6, 8), (5, 7), (2, 2), (4, 3)]), elements=st.integers(98, 106)))
    @settings(max_examples=30, deadline=None)
    def test_counts_as_defined(self, picture: Image) -> None:
        for step in (1, 2):
            assert groups._squares(picture, step) == slow_squares(picture, step)

    def test_both_ends_of_the_range(self) -> None:
        picture = np.random.default_rng(0).choice(np.array([0, 1, 254, 255], np.uint8), (9, 9))
        assert groups._squares(picture, 1) == slow_squares(picture, 1)
        assert not np.any(groups._squares(picture, 1, whole=True))
        assert rs(picture) is None

    def test_lines_that_never_cross_say_nothing(self) -> None:
        counts = (groups._Counts(np.float64(each), np.float64(each)) for each in (2, 1, 1, 0))
        assert groups._length(groups._Squares(*counts)) is None

    def test_the_tool_averages_magnitudes(self) -> None:
        picture = PHOTOGRAPHS["chelsea"][:60, :61]
        lengths = [slow_tool_length(slow_squares(picture[..., colour], step)) for step in (1, 2) for colour in range(3)]
        assert rs(picture, compat=True) == pytest.approx(np.mean(lengths))

    def test_a_flat_picture(self) -> None:
        """No square becomes smoother, by any flip: the curves meet at 0, where the tool divides by it."""
        flat = np.full((8, 8), 100, np.uint8)
        assert rs(flat) == 0
        assert rs(flat, compat=True) in (0, None)


def slow_squares(picture: Image, step: int) -> tuple[tuple[float, float], ...]:
    """Regular and singular squares, counted as Fridrich, Goljan and Du define them."""

    def rough(square: list[int]) -> int:
        a, b, c, d = square
        return abs(a - b) + abs(b - d) + abs(d - c) + abs(c - a)

    def flip(value: int) -> int:
        return value ^ 1

    def shifted_flip(value: int) -> int:
        return ((value + 1) ^ 1) - 1

    found = []
    for flipped, by in product((False, True), (flip, shifted_flip)):
        counts = [0.0, 0.0]
        for y, x in product(*(range(0, side - 1, step) for side in picture.shape)):
            square = [int(value) ^ flipped for value in picture[y : y + 2, x : x + 2].reshape(-1)]
            for mask in ((1, 0, 0, 1), (0, 1, 1, 0)):
                after = [by(value) if chosen else value for value, chosen in zip(square, mask, strict=True)]
                counts[0] += rough(after) > rough(square)
                counts[1] += rough(after) < rough(square)
        found.append((counts[0], counts[1]))
    return tuple(found)


def slow_tool_length(squares: tuple[tuple[float, float], ...]) -> float:
    """The reference's equation, where it has real roots other than 0."""
    d0, minus_d0, d1, minus_d1 = (regular - singular for regular, singular in squares)
    roots = np.roots([2 * (d1 + d0), minus_d0 - minus_d1 - d1 - 3 * d0, d0 - minus_d0])
    assert np.isreal(roots).all()
    assert roots.all()
    x = min(roots, key=abs)
    return float(abs(x / (x - 0.5)))


class TestAll:
    @given(pictures)
    @settings(max_examples=60, deadline=None)
    def test_a_share_or_nothing(self, picture: Image) -> None:
        for estimate in ESTIMATES:
            for options in MODES[estimate]:
                found = estimate(picture, **options)
                assert found is None or 0 <= found <= 1
        for options in ({}, {"compat": True}):
            verdict = stegexpose(picture, **options)
            there = [each for each in verdict.estimates.values() if each is not None]
            assert verdict.mean == (pytest.approx(np.mean(there)) if there else None)

    @pytest.mark.parametrize("estimate", ESTIMATES)
    def test_grey_is_three_like_planes(self, estimate: Estimate) -> None:
        grey = PHOTOGRAPHS["chelsea"][:296, :300, 1]
        for options in MODES[estimate]:
            assert estimate(np.stack([grey] * 3, axis=-1), **options) == pytest.approx(
                estimate(grey, **options), abs=1e-3
            )

    @pytest.mark.parametrize("estimate", ESTIMATES)
    def test_strips_leave_no_seam(self, estimate: Estimate, monkeypatch: pytest.MonkeyPatch) -> None:
        picture = PHOTOGRAPHS["coffee"][:300, :301]
        whole = [estimate(picture, **options) for options in MODES[estimate]]
        monkeypatch.setattr(planes, "STRIP", 5000)
        assert [estimate(picture, **options) for options in MODES[estimate]] == pytest.approx(whole, abs=1e-5)

    @pytest.mark.parametrize("estimate", ESTIMATES)
    def test_any_memory_layout(self, estimate: Estimate) -> None:
        picture = PHOTOGRAPHS["coffee"][:300, :300]
        for options in MODES[estimate]:
            plain = estimate(np.ascontiguousarray(picture[::-1, ::2]), **options)
            assert estimate(picture[::-1, ::2], **options) == plain

    @pytest.mark.parametrize("estimate", ESTIMATES)
    def test_memory_stays_bounded(self, estimate: Estimate) -> None:
        """At most 12 bytes per pixel beside the picture and the strips: 144 MB for 12 megapixels."""
        wide = np.tile(PHOTOGRAPHS["coffee"], (2, 3, 1))
        tracemalloc.start()
        try:
            estimate(wide)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 12 * wide.shape[0] * wide.shape[1] + 60e6

    @pytest.mark.parametrize("estimate", [*ESTIMATES, lambda picture: bit_planes(picture, 0)])
    @pytest.mark.parametrize("picture", [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8)])
    def test_refuses_what_is_no_picture(self, estimate: Estimate, picture: NDArray[Any]) -> None:
        with pytest.raises(UsageError):
            estimate(picture)


def test_bit_planes() -> None:
    picture = PHOTOGRAPHS["chelsea"][:20, :30]
    found = [bit_planes(picture, bit) for bit in range(8)]
    assert all(set(np.unique(plane)) <= {0, 255} and plane.dtype == np.uint8 for plane in found)
    whole = sum((plane // 255).astype(int) << bit for bit, plane in enumerate(found))
    assert np.array_equal(whole, picture)
    assert bit_planes(picture[..., 0], 3).shape == (20, 30)
    for bit in (-1, 8):
        with pytest.raises(UsageError, match="no bit"):
            bit_planes(picture, bit)
