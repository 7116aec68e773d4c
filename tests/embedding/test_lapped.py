"""The lattice leaf: an exact transform, directions that do not overlap, and soft bits that say how sure they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from underpaint.coding.keys import Key
from underpaint.embedding.lapped import (
    BLOCK,
    FREQUENCIES,
    SpreadTransform,
    activity,
    analyse,
    grid,
    inverse,
    lapping,
    paint,
    transform,
)
from underpaint.types import Image

KEY = Key.derive(None, b"lattice tests 16")


def grey(values: NDArray[np.float64]) -> Image:
    return np.repeat(np.clip(np.rint(values), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def noise(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(60, 190, (height, width, 3), dtype=np.uint8)


def test_frequencies_are_the_lowest_without_the_mean() -> None:
    assert FREQUENCIES[:7] == [(0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1)]
    assert len(FREQUENCIES) == len(set(FREQUENCIES)) == 35


def test_one_block_is_the_orthonormal_dct_of_luma() -> None:
    scipy_fft = pytest.importorskip("scipy.fft")
    image = noise(20, 30)
    whole = scipy_fft.dctn((image.astype(float) @ [0.299, 0.587, 0.114])[:BLOCK, :BLOCK], norm="ortho")
    assert analyse(image, 35) == pytest.approx([whole[f] for f in FREQUENCIES], abs=2e-3)


def test_lapping_is_orthonormal_and_passes_even_light() -> None:
    across = lapping()
    assert across @ across.T == pytest.approx(np.eye(BLOCK), abs=1e-6)
    assert across.sum(axis=1) == pytest.approx(np.ones(BLOCK), abs=1e-6)
    assert np.abs(analyse(grey(np.full((64, 80), 90.0)), 35)).max() < 1e-2


def test_what_is_painted_has_no_edges() -> None:
    """The steepest step of a painted basis function is inside it, not where a block ends."""
    image = grey(np.full((80, 80), 128.0))
    for frequency in range(7):
        change = np.zeros(25 * 7, np.float32)
        change[12 * 7 + frequency] = 500
        painted = paint(image, change, 7)[:, :, 0].astype(float)
        steps = [np.abs(np.diff(painted, axis=axis)) for axis in (0, 1)]
        for axis, step in enumerate(steps):
            at_borders = step.take([31, 47], axis=axis).max()
            assert at_borders <= 0.8 * max(each.max() for each in steps), (frequency, axis)
            assert step.take([15, 63], axis=axis).max() <= 0.25 * max(each.max() for each in steps)


@given(st.integers(16, 70), st.integers(16, 70), st.sampled_from([1, 7, 14, 35]), st.integers(0, 99))
def test_what_is_painted_is_seen(height: int, width: int, count: int, seed: int) -> None:
    image = noise(height, width, seed)
    down, across = grid(image)
    change = np.random.default_rng(seed).normal(0, 20, down * across * count).astype(np.float32)
    painted = paint(image, change, count)
    # Rounding moves each pixel by up to half a level, in the worst case all in step with the coefficient's pattern.
    error = analyse(painted, count) - analyse(image, count) - change
    assert np.abs(error).max() < 7.3
    assert np.array_equal(painted[down * BLOCK :], image[down * BLOCK :])
    assert np.array_equal(painted[:, across * BLOCK :], image[:, across * BLOCK :])


def test_strips_leave_no_seam() -> None:
    """A picture taller than a strip is analysed as its parts are."""
    image = noise(16 * 40, 32)
    whole = analyse(image, 7).reshape(40, 2, 7)
    part = analyse(image[16 * 14 : 16 * 20], 7).reshape(6, 2, 7)
    assert np.allclose(whole[15:19], part[1:5], atol=1e-3)
    assert np.allclose(activity(image).reshape(40, 2)[17:18].ravel(), activity(image[16 * 17 : 16 * 18]), atol=1e-4)


def test_activity_counts_grey_levels() -> None:
    assert activity(grey(np.full((32, 32), 77))).max() < 1e-3
    stripes = np.where(np.arange(32) % 2, 100.0, 140.0) * np.ones((32, 1))
    assert activity(grey(stripes)) == pytest.approx(20, abs=1e-3)


@given(st.integers(1, 60), st.integers(60, 400), st.integers(0, 99))
def test_moves_arrive_where_they_are_sent(count: int, pool: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    spread = SpreadTransform(KEY, "test", np.arange(pool), count)
    weights = rng.uniform(0.1, 9, pool).astype(np.float32)
    moves = rng.normal(0, 50, count)
    assert spread.project(spread.spread(moves, weights)) == pytest.approx(moves, abs=1e-3)
    assert len(np.unique(spread.order)) == spread.order.size


@given(st.floats(5, 500), st.integers(0, 99))
def test_targets_are_on_the_bits_own_lattice_and_near(step: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    spread = SpreadTransform(KEY, "test", np.arange(300), 100)
    projections, bits = rng.normal(0, 300, 100), rng.integers(0, 2, 100, dtype=np.uint8)
    aims = spread.quantise(projections, bits, step)
    assert np.abs(aims - projections).max() <= step / 2 * (1 + 1e-9)
    soft = spread.soft_bits(aims, step)
    assert np.array_equal(soft > 0, bits == 1)
    assert np.abs(spread.residues(aims, np.array([step]))[0]) == pytest.approx(bits / 2, abs=1e-3)


def test_soft_bits_know_how_strong_the_noise_is() -> None:
    """The error rate that the ratios themselves predict is the one that is measured."""
    rng = np.random.default_rng(5)
    spread, step = SpreadTransform(KEY, "test", np.arange(20000), 20000), 40.0
    bits = rng.integers(0, 2, 20000, dtype=np.uint8)
    aims = spread.quantise(rng.normal(0, 300, 20000), bits, step)
    for sigma in (3.0, 6.0, 8.0):
        soft = spread.soft_bits(aims + rng.normal(0, sigma, 20000), step)
        predicted = np.mean(1 / (1 + np.exp(np.abs(soft, dtype=np.float64))))
        assert predicted == pytest.approx(np.mean((soft > 0) != bits), rel=0.25, abs=0.003)


def test_keys_and_labels_give_other_directions() -> None:
    pool = np.arange(1000)
    one, other = SpreadTransform(KEY, "a", pool, 100), SpreadTransform(KEY, "b", pool, 100)
    assert not np.array_equal(one.order, other.order)
    assert abs(np.mean(one.signs)) < 0.15
    assert abs(np.mean(one.signs == other.signs) - 0.5) < 0.1
    assert 0 <= one.dither.min() <= one.dither.max() < 1


@given(st.integers(1, 40), st.integers(40, 300), st.integers(0, 99))
def test_neighbours_share_a_bit(count: int, pool: int, seed: int) -> None:
    """Along the curve each bit has a stretch of its own, and which bit has which stretch is keyed."""
    places = np.random.default_rng(seed).permutation(pool)
    spread = SpreadTransform(KEY, "near", np.arange(pool), count, places)
    assert spread.order.shape == (pool // count, count)
    assert len(np.unique(spread.order)) == spread.order.size
    along = places[spread.order]
    first, last = np.sort(along.min(axis=0)), np.sort(along.max(axis=0))
    assert (last[:-1] < first[1:]).all()
    moves = np.random.default_rng(seed).normal(0, 50, count)
    assert spread.project(spread.spread(moves, np.ones(pool, np.float32))) == pytest.approx(moves, abs=1e-3)


def test_what_is_left_over_lies_anywhere() -> None:
    """Or a picture that is marked with few bits would keep one corner free of them."""
    spread = SpreadTransform(KEY, "near", np.arange(900), 500, np.arange(900))
    left = np.setdiff1d(np.arange(900), spread.order)
    assert len(left) == 400
    assert abs(np.mean(left) - 450) < 50


def test_which_bit_lies_where_is_keyed() -> None:
    pool, places = np.arange(400), np.arange(400) // 4
    spreads = [
        SpreadTransform(Key.derive(None, f"places {i:09}".encode()), "near", pool, 100, places) for i in range(3)
    ]
    first = [spread.order.min(axis=0) for spread in spreads]
    assert not np.array_equal(first[0], np.sort(first[0]))
    assert np.mean(first[0] == first[1]) < 0.1
    assert np.mean(first[1] == first[2]) < 0.1
    again = SpreadTransform(Key.derive(None, b"places 000000000"), "near", pool, 100, places)
    assert np.array_equal(again.order, spreads[0].order)


def test_bits_that_did_not_arrive_say_nothing() -> None:
    rng = np.random.default_rng(6)
    spread, step = SpreadTransform(KEY, "test", np.arange(300), 300), 40.0
    bits = rng.integers(0, 2, 300, dtype=np.uint8)
    received = spread.quantise(rng.normal(0, 300, 300), bits, step) + rng.normal(0, 2, 300)
    arrived = rng.random(300) < 0.6
    soft = spread.soft_bits(np.where(arrived, received, np.nan), step)
    assert soft.dtype == np.float32
    assert np.array_equal(soft[~arrived], np.zeros(np.sum(~arrived), np.float32))
    assert np.array_equal(soft[arrived] > 0, bits[arrived] == 1)
    # The others are believed as much as if they were all there are.
    assert soft[arrived] == pytest.approx(spread.soft_bits(received, step)[arrived], rel=0.15)
    nothing = spread.soft_bits(np.full(300, np.nan), step)
    assert np.array_equal(nothing, np.zeros(300, np.float32))


def test_a_coefficient_that_did_not_arrive_takes_its_bit_with_it() -> None:
    spread = SpreadTransform(KEY, "test", np.arange(100), 20)
    coefficients = np.random.default_rng(7).normal(0, 50, 100).astype(np.float32)
    coefficients[spread.order[2, 5]] = np.nan
    assert np.flatnonzero(np.isnan(spread.project(coefficients))).tolist() == [5]


@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 7, 35]), st.integers(0, 99))
def test_the_inverse_is_one(down: int, across: int, count: int, seed: int) -> None:
    coefficients = np.random.default_rng(seed).normal(0, 50, down * across * count).astype(np.float32)
    luma = inverse(coefficients, down, across, count)
    assert luma.shape == (down * BLOCK, across * BLOCK)
    assert np.square(luma).sum() == pytest.approx(np.square(coefficients).sum(), rel=1e-4)
    assert transform(luma, count) == pytest.approx(coefficients, abs=1e-3)
