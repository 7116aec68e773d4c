"""Multi-layered syndrome-trellis code: round trips, distance from the bound, parts and threads."""

from __future__ import annotations

import hashlib
import itertools
import math
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.coding.keys import Key
from underpaint.embedding import stc
from underpaint.embedding.stc import multilayer
from underpaint.errors import CapacityError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEY = Key(bytes(range(32)))


def ones(count: int) -> NDArray[np.float32]:
    return np.ones(count, np.float32)


def heavy(rng: np.random.Generator, count: int, sigma: float) -> NDArray[np.float32]:
    return rng.lognormal(0, sigma, count).astype(np.float32)


def paid(values: NDArray[np.uint8], carrying: NDArray[np.uint8], weights: NDArray[np.float32]) -> float:
    """Return the total cost of the changes; infinite if one was forbidden."""
    change = carrying.astype(float) - values
    return float((weights[change != 0] * change[change != 0] ** 2).sum())


def loss(values: NDArray[np.uint8], weights: NDArray[np.float32], bits: NDArray[np.uint8], layers: int) -> float:
    """Return the relative excess of the cost over the bound."""
    carrying, counts = stc.embed(values, bits, weights, layers, KEY)
    assert (stc.extract(carrying, counts, KEY) == bits).all()
    return paid(values, carrying, weights) / stc.bound(values, weights, layers, bits.size) - 1


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 300), st.integers(2, 5), st.floats(0, 0.6), st.booleans(), st.integers(0, 2**32))
def test_round_trip(size: int, layers: int, share: float, wet: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.choice(np.array([0, 1, 2, 77, 253, 254, 255], np.uint8), size)
    weights = heavy(rng, size, 1)
    weights[rng.random(size) < 0.1 * wet] = np.inf
    bits = rng.integers(0, 2, int(share * size * layers), np.uint8)
    try:
        carrying, counts = stc.embed(values, bits, weights, layers, KEY)
    except CapacityError:
        assert wet
        assert bits.size
        return
    assert len(counts) == layers
    assert sum(counts) == bits.size
    assert (stc.extract(carrying, counts, KEY) == bits).all()
    assert np.isfinite(paid(values, carrying, weights))
    assert np.abs(carrying.astype(int) - values).max(initial=0) < 1 << layers
    assert bits.size or (carrying == values).all()


@pytest.mark.parametrize("layers", [2, 3, 4])
@pytest.mark.parametrize("value", [0, 1, 128, 255])
@pytest.mark.parametrize("sigma", [0, 1, 5])
def test_four_fifths_of_the_layers_can_be_filled(layers: int, value: int, sigma: float) -> None:
    """For any values and weights: no layer has bits that may not change."""
    rng = np.random.default_rng(2)
    values, weights = np.full(3000, value, np.uint8), heavy(rng, 3000, sigma)
    bits = rng.integers(0, 2, int(0.8 * layers * values.size), np.uint8)
    carrying, counts = stc.embed(values, bits, weights, layers, KEY)
    assert (stc.extract(carrying, counts, KEY) == bits).all()


@pytest.mark.parametrize("sigma", [0.0, 1.0])
def test_the_cost_is_close_to_the_bound(sigma: float) -> None:
    rng = np.random.default_rng(3)
    size = 1 << 16
    values, bits = rng.integers(0, 256, size, np.uint8), rng.integers(0, 2, int(0.4 * size), np.uint8)
    excess = loss(values, heavy(rng, size, sigma), bits, 2)
    print(f"costs of sigma {sigma}: {excess:.1%} above the bound")
    assert 0 < excess < 0.15


@pytest.mark.slow
@pytest.mark.parametrize(("sigma", "limit"), [(0.0, 0.145), (1.0, 0.145), (1.5, 0.165), (2.0, 0.19)])
def test_the_cost_is_close_to_the_bound_in_many_values(sigma: float, limit: float) -> None:
    rng = np.random.default_rng(4)
    size = 1 << 20
    values, bits = rng.integers(0, 256, size, np.uint8), rng.integers(0, 2, int(0.4 * size), np.uint8)
    excess = loss(values, heavy(rng, size, sigma), bits, 2)
    print(f"costs of sigma {sigma}: {excess:.1%} above the bound")
    assert 0 < excess < limit


@pytest.mark.parametrize(("layers", "rate", "most"), [(2, 1.3, 0.41), (3, 1.3, 0.4), (3, 2.0, 1.05), (4, 2.7, 2.8)])
def test_the_squared_change_is_below_optimal_pixel_adjustment(layers: int, rate: float, most: float) -> None:
    """Optimal pixel adjustment: 0.5 at 1 bit per value, 0.8 at 1.3, 1.5 at 2, 4.3 at 2.7."""
    rng = np.random.default_rng(5)
    size = 1 << 16
    values, bits = rng.integers(10, 246, size, np.uint8), rng.integers(0, 2, int(rate * size), np.uint8)
    carrying, counts = stc.embed(values, bits, ones(size), layers, KEY)
    assert (stc.extract(carrying, counts, KEY) == bits).all()
    assert np.mean((carrying.astype(float) - values) ** 2) < most


@pytest.mark.parametrize(("layers", "rate"), [(2, 0.4), (2, 1.5), (3, 2.0), (4, 3.0)])
def test_values_rise_as_often_as_they_fall(layers: int, rate: float) -> None:
    """Among changes of each size, also of the largest, which give the same bits in both directions."""
    rng = np.random.default_rng(7)
    values, bits = rng.integers(20, 236, 60_000, np.uint8), rng.integers(0, 2, int(rate * 60_000), np.uint8)
    carrying, _ = stc.embed(values, bits, ones(60_000), layers, KEY)
    for size, among in enumerate(np.bincount(np.abs(carrying.astype(int) - values))):
        ups = int((carrying == values + size).sum())
        assert not size or abs(2 * ups - among) < 5 * math.sqrt(among)


def test_squares_are_changes_to_the_nearest_value() -> None:
    values = np.arange(256)
    for layers in (2, 4, 7):
        for end, found in enumerate(stc.squares(layers)):
            fitting = values[values % (1 << layers) == end]
            assert (found == np.square(values[:, None] - fitting).min(1)).all()


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 1234, 5000])
def test_parts_divide_the_values(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multilayer, "PART_SIZE", 100)
    parts = multilayer.Parts(size, KEY)
    orders = [parts.order(part) for part in range(parts.count)]
    assert sorted(itertools.chain(*(order.tolist() for order in orders))) == list(range(size))
    assert all(abs(order.size - size / parts.count) <= 1 for order in orders)
    shares = [parts.share(part, 777) for part in range(parts.count)]
    assert not size or [share.stop for share in shares] == [*(share.start for share in shares[1:]), 777]


def test_the_number_of_threads_does_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multilayer, "PART_SIZE", 5000)
    rng = np.random.default_rng(9)
    values, bits = rng.integers(0, 256, 30_000, np.uint8), rng.integers(0, 2, 9000, np.uint8)
    weights = heavy(rng, 30_000, 1)
    results = []
    for workers in (1, 4):
        monkeypatch.setattr(multilayer, "WORKERS", workers)
        results.append(stc.embed(values, bits, weights, 2, KEY))
        assert (stc.extract(*results[-1], KEY) == bits).all()
    assert (results[0][0] == results[1][0]).all()
    assert results[0][1] == results[1][1]


def test_another_key_extracts_random_bits() -> None:
    rng = np.random.default_rng(10)
    values, bits = rng.integers(0, 256, 20_000, np.uint8), rng.integers(0, 2, 8000, np.uint8)
    carrying, counts = stc.embed(values, bits, ones(20_000), 2, KEY)
    assert abs(np.mean(stc.extract(carrying, counts, Key(bytes(32))) != bits) - 0.5) < 0.05


@pytest.mark.slow
def test_embedding_needs_at_most_150_mib_per_thread() -> None:
    rng = np.random.default_rng(11)
    size = 1 << 20
    values = rng.integers(0, 256, size, np.uint8)
    for layers, rate in ((2, 0.03), (2, 0.4), (4, 3.0)):
        bits = rng.integers(0, 2, int(rate * size), np.uint8)
        tracemalloc.start()
        stc.embed(values, bits, ones(size), layers, KEY)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        print(f"{layers} layers, {rate} bits: {peak >> 20} MiB")
        assert peak < multilayer.WORKERS * 150 << 20


@pytest.mark.parametrize("changed", [0.01, 0.02])
def test_bound_of_equal_costs(changed: float) -> None:
    """Few changes are all ±1, of ternary entropy: H(p) + p bits at a cost of p."""
    values = np.full(10_000, 100, np.uint8)
    entropy = -changed * math.log2(changed) - (1 - changed) * math.log2(1 - changed) + changed
    bound = stc.bound(values, ones(10_000), 2, round(10_000 * entropy))
    assert bound == pytest.approx(10_000 * changed, rel=1e-3)


def test_bound_of_many_bits() -> None:
    """The entropy of a discretised normal distribution of variance s: log2(2 pi e s) / 2."""
    values = np.full(10_000, 100, np.uint8)
    bound = stc.bound(values, ones(10_000), 5, 30_000)
    assert bound == pytest.approx(10_000 * 2**6 / (2 * math.pi * math.e), rel=1e-3)


def test_bound_of_no_bits_and_of_too_many() -> None:
    values = np.array([0, 100, 255, 7], np.uint8)
    weights = np.array([1, 1, 1, np.inf], np.float32)
    assert stc.bound(values, weights, 2, 0) == 0
    assert stc.bound(values, weights, 2, 6) == pytest.approx((1 + 4 + 9 + 1 + 1 + 4 + 1 + 4 + 9) / 4)
    with pytest.raises(CapacityError):
        stc.bound(values, weights, 2, 7)


@pytest.mark.parametrize(
    ("weights", "layers"),
    [(np.ones((4, 2)), 2), (np.ones(5), 2), (np.full(4, -1.0), 2), (np.full(4, np.nan), 2), (np.ones(4), 1)],
)
def test_invalid_weights_and_layers_are_refused(weights: NDArray[np.float32], layers: int) -> None:
    with pytest.raises(UsageError):
        stc.embed(np.zeros(4, np.uint8), np.zeros(1, np.uint8), weights, layers, KEY)


@pytest.mark.parametrize("values", [np.zeros(4), np.zeros((2, 2), np.uint8)])
def test_invalid_values_are_refused(values: NDArray[np.uint8]) -> None:
    with pytest.raises(UsageError):
        stc.embed(values, np.zeros(1, np.uint8), np.ones(4, np.float32), 2, KEY)


@pytest.mark.parametrize("size", [0, 10, 5000])
def test_too_many_bits_are_refused(size: int) -> None:
    values = np.full(size, 9, np.uint8)
    for layers in (2, 3):
        with pytest.raises(CapacityError):
            stc.embed(values, np.ones(layers * size + 1, np.uint8), ones(size), layers, KEY)
    with pytest.raises(CapacityError):
        stc.extract(values, (0, size + 1), KEY)
    for counts in ((), (-1, 0)):
        with pytest.raises(UsageError):
            stc.extract(values, counts, KEY)


def test_an_empty_message_changes_nothing() -> None:
    values = np.arange(256, dtype=np.uint8)
    carrying, counts = stc.embed(values, np.zeros(0, np.uint8), ones(256), 3, KEY)
    assert (carrying == values).all()
    assert counts == (0, 0, 0)
    assert stc.extract(carrying, counts, KEY).size == 0


@pytest.mark.parametrize(
    ("counts", "digest"),
    [
        ((4000, 3000), "b4448c7bdd063efd94517c0f8ba0c89a"),
        ((90, 21), "df31fa0e0331802c6281e8dbcf0be816"),
        ((20_000, 25_000, 70_000), "2145b06836b076bf077e7e6424c93a8d"),
    ],
)
def test_extraction_stays_the_same(counts: tuple[int, ...], digest: str) -> None:
    """Containers of format version 1 depend on this order of bits."""
    read = stc.extract(KEY.stream("values", 300_000), counts, KEY)
    assert hashlib.sha256(read.tobytes()).hexdigest()[:32] == digest
