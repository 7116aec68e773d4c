"""Spread-transform dither modulation: keyed directions, quantisation, and soft bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underpaint.coding.keys import Key
from underpaint.embedding.spread_transform import SpreadTransform

KEY = Key.derive(None, b"lattice tests 16")


@given(st.integers(1, 60), st.integers(60, 400), st.integers(0, 99))
def test_spread_moves_the_projections(count: int, pool: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    spread = SpreadTransform(KEY, "test", np.arange(pool), count)
    weights = rng.uniform(0.1, 9, pool).astype(np.float32)
    moves = rng.normal(0, 50, count)
    assert spread.project(spread.spread(moves, weights)) == pytest.approx(moves, abs=1e-3)
    assert len(np.unique(spread.order)) == spread.order.size


@given(st.floats(5, 500), st.integers(0, 99))
def test_quantise_gives_the_nearest_point_of_the_bits_lattice(step: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    spread = SpreadTransform(KEY, "test", np.arange(300), 100)
    projections, bits = rng.normal(0, 300, 100), rng.integers(0, 2, 100, dtype=np.uint8)
    targets = spread.quantise(projections, bits, step)
    assert np.abs(targets - projections).max() <= step / 2 * (1 + 1e-9)
    soft = spread.soft_bits(targets, step)
    assert np.array_equal(soft > 0, bits == 1)
    assert np.abs(spread.residues(targets, np.array([step]))[0]) == pytest.approx(bits / 2, abs=1e-3)


def test_soft_bits_predict_the_error_rate() -> None:
    """The error rate predicted by the ratios is the measured one."""
    rng = np.random.default_rng(5)
    spread, step = SpreadTransform(KEY, "test", np.arange(20000), 20000), 40.0
    bits = rng.integers(0, 2, 20000, dtype=np.uint8)
    targets = spread.quantise(rng.normal(0, 300, 20000), bits, step)
    for sigma in (3.0, 6.0, 8.0):
        soft = spread.soft_bits(targets + rng.normal(0, sigma, 20000), step)
        predicted = np.mean(1 / (1 + np.exp(np.abs(soft, dtype=np.float64))))
        assert predicted == pytest.approx(np.mean((soft > 0) != bits), rel=0.25, abs=0.003)


def test_labels_give_other_directions() -> None:
    pool = np.arange(1000)
    one, other = SpreadTransform(KEY, "a", pool, 100), SpreadTransform(KEY, "b", pool, 100)
    assert not np.array_equal(one.order, other.order)
    assert abs(np.mean(one.signs)) < 0.15
    assert abs(np.mean(one.signs == other.signs) - 0.5) < 0.1
    assert 0 <= one.dither.min() <= one.dither.max() < 1


@given(st.integers(1, 40), st.integers(40, 300), st.integers(0, 99))
def test_bits_use_neighbouring_coefficients_of_the_curve(count: int, pool: int, seed: int) -> None:
    """Each bit has an interval of the curve of its own."""
    places = np.random.default_rng(seed).permutation(pool)
    spread = SpreadTransform(KEY, "near", np.arange(pool), count, places)
    assert spread.order.shape == (pool // count, count)
    assert len(np.unique(spread.order)) == spread.order.size
    along = places[spread.order]
    first, last = np.sort(along.min(axis=0)), np.sort(along.max(axis=0))
    assert (last[:-1] < first[1:]).all()
    moves = np.random.default_rng(seed).normal(0, 50, count)
    assert spread.project(spread.spread(moves, np.ones(pool, np.float32))) == pytest.approx(moves, abs=1e-3)


def test_unused_coefficients_lie_anywhere() -> None:
    """Otherwise one corner of the picture would stay free of the watermark."""
    spread = SpreadTransform(KEY, "near", np.arange(900), 500, np.arange(900))
    left = np.setdiff1d(np.arange(900), spread.order)
    assert len(left) == 400
    assert abs(np.mean(left) - 450) < 50


def test_the_key_decides_which_bit_lies_where() -> None:
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


def test_missing_projections_give_zero_soft_bits() -> None:
    rng = np.random.default_rng(6)
    spread, step = SpreadTransform(KEY, "test", np.arange(300), 300), 40.0
    bits = rng.integers(0, 2, 300, dtype=np.uint8)
    received = spread.quantise(rng.normal(0, 300, 300), bits, step) + rng.normal(0, 2, 300)
    arrived = rng.random(300) < 0.6
    soft = spread.soft_bits(np.where(arrived, received, np.nan), step)
    assert soft.dtype == np.float32
    assert np.array_equal(soft[~arrived], np.zeros(np.sum(~arrived), np.float32))
    assert np.array_equal(soft[arrived] > 0, bits[arrived] == 1)
    # The others are as confident as without missing projections.
    assert soft[arrived] == pytest.approx(spread.soft_bits(received, step)[arrived], rel=0.15)
    nothing = spread.soft_bits(np.full(300, np.nan), step)
    assert np.array_equal(nothing, np.zeros(300, np.float32))


def test_a_missing_coefficient_loses_its_bit_only() -> None:
    spread = SpreadTransform(KEY, "test", np.arange(100), 20)
    coefficients = np.random.default_rng(7).normal(0, 50, 100).astype(np.float32)
    coefficients[spread.order[2, 5]] = np.nan
    assert np.flatnonzero(np.isnan(spread.project(coefficients))).tolist() == [5]


@pytest.mark.parametrize("factor", [0.75, 1.0, 1.25])
def test_bits_without_pilots_survive_a_change_of_gain(factor: float) -> None:
    rng = np.random.default_rng(0)
    spread, step = SpreadTransform(KEY, "bare", np.arange(120), 30), 100.0
    bits = rng.integers(0, 2, 30, dtype=np.uint8)
    targets = spread.quantise(rng.normal(0, 150, 30), bits, step) + rng.normal(0, 3, 30)
    soft = spread.blind_bits(factor * targets, step)
    assert np.array_equal(soft > 0, bits)
    assert np.abs(soft).min() > 10


def test_bits_of_noise_without_pilots_are_unsure() -> None:
    """Most ratios stay below that of the noisiest model, of concentration 0.7."""
    spread = SpreadTransform(KEY, "bare", np.arange(120), 30)
    soft = [spread.blind_bits(np.random.default_rng(i).normal(0, 150, 30), 100.0) for i in range(50)]
    assert np.median(np.abs(soft)) < 2 * 0.7
