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

from underpaint import trellis
from underpaint.errors import CapacityError, UsageError
from underpaint.secret.keys import Key
from underpaint.trellis import binary, layers

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEY = Key(bytes(range(32)))
SQUARES = {1: (1, 1), 2: (4, 1, 1, 4), 3: (9, 4, 1, 1, 4, 9)}  # what a change costs: its square


def squares(count: int, reach: int) -> NDArray[np.float32]:
    return np.broadcast_to(np.array(SQUARES[reach], np.float32), (count, 2 * reach))


def heavy(rng: np.random.Generator, count: int, sigma: float) -> NDArray[np.float32]:
    """Log-normal, the same up and down."""
    return np.broadcast_to(rng.lognormal(0, sigma, (count, 1)).astype(np.float32), (count, 2))


def paid(values: NDArray[np.uint8], carrying: NDArray[np.uint8], costs: NDArray[np.float32]) -> float:
    """The total cost of the changes; infinite if one was forbidden, an IndexError if one was out of reach."""
    reach = costs.shape[1] // 2
    change = carrying.astype(int) - values
    column = np.where(change < 0, change + reach, change + reach - 1)
    changed = np.flatnonzero(change)
    assert (column[changed] >= 0).all()
    return float(costs[changed, column[changed]].astype(float).sum())


def loss(values: NDArray[np.uint8], costs: NDArray[np.float32], bits: NDArray[np.uint8]) -> float:
    """How much more than the bound it costs, of the bound."""
    carrying, counts = trellis.embed(values, bits, costs, KEY)
    assert (trellis.extract(carrying, counts, KEY) == bits).all()
    return paid(values, carrying, costs) / trellis.bound(values, costs, bits.size) - 1


# --- one layer


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 11), st.data())
def test_the_cheapest_word_is_found(size: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, size))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    cover, message = rng.integers(0, 2, size, np.uint8), rng.integers(0, 2, count, np.uint8)
    costs = rng.integers(0, 128, size) * (12 / 127)  # what the search resolves exactly
    costs[0] = 12
    words = np.array(list(itertools.product((0, 1), repeat=size)), np.uint8)
    right = [word for word in words if (trellis.syndrome(word, count) == message).all()]
    least = min(costs[word != cover].sum() for word in right)
    stego = trellis.code(cover, costs, message)
    assert (trellis.syndrome(stego, count) == message).all()
    assert costs[stego != cover].sum() == pytest.approx(least, abs=1e-9)


@pytest.mark.parametrize(("size", "count"), [(1, 1), (50, 7), (5000, 13), (6000, 1500), (9000, 8900), (70_000, 20)])
def test_syndromes_are_linear_and_take_every_value(size: int, count: int) -> None:
    rng = np.random.default_rng(size)
    one, other = rng.integers(0, 2, (2, size), np.uint8)
    both = trellis.syndrome(one ^ other, count)
    assert (both == trellis.syndrome(one, count) ^ trellis.syndrome(other, count)).all()
    message = rng.integers(0, 2, count, np.uint8)
    if 2 * count < size or count == 1:
        assert (trellis.syndrome(trellis.code(one, np.ones(size), message), count) == message).all()


def random_cover(rng: np.random.Generator, largest: int) -> tuple[NDArray[np.uint8], NDArray[np.float64], int]:
    size = int(rng.integers(1, largest))
    costs = rng.lognormal(0, rng.uniform(0, 3), size)
    costs[rng.random(size) < rng.choice([0, 0.1, 0.5, 0.9, 1])] = np.inf
    if rng.random() < 0.2:  # a wet stretch
        costs[: int(rng.integers(size))] = np.inf
    return rng.integers(0, 2, size, np.uint8), costs, int(rng.integers(0, size + 1) * rng.random() ** 2)


def code_random_covers(covers: int, largest: int) -> int:
    """Meet the syndrome or raise, with wet bits untouched; returns how many raised."""
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(covers):
        cover, costs, count = random_cover(rng, largest)
        message = rng.integers(0, 2, count, np.uint8)
        try:
            stego = trellis.code(cover, costs, message)
        except CapacityError:
            refused += 1
            assert count > 0.4 * np.isfinite(costs).sum() or np.isinf(costs).any()
            continue
        assert (trellis.syndrome(stego, count) == message).all()
        assert (stego == cover)[np.isinf(costs)].all()
    return refused


def test_random_covers() -> None:
    assert 0 < code_random_covers(250, 200) < 150


@pytest.mark.slow
def test_ten_thousand_random_covers() -> None:
    assert 0 < code_random_covers(10_000, 120) < 5000


@pytest.mark.parametrize("wet", [0.0, 0.5, 0.95])
def test_half_of_what_may_change_is_enough(wet: float) -> None:
    rng = np.random.default_rng(2)
    costs = np.where(rng.random(40_000) < wet, np.inf, 1.0)
    message = rng.integers(0, 2, int(0.5 * np.isfinite(costs).sum()), np.uint8)
    cover = rng.integers(0, 2, costs.size, np.uint8)
    stego = trellis.code(cover, costs, message)
    assert (trellis.syndrome(stego, message.size) == message).all()
    assert (stego == cover)[np.isinf(costs)].all()


def test_what_is_dear_goes_before_what_is_forbidden() -> None:
    """Costs that small integers cannot tell from infinity, where one bit says it all."""
    cover, costs = np.zeros(200, np.uint8), np.full(200, np.inf)
    costs[100] = 1e5
    for message in np.eye(2, dtype=np.uint8)[:, :1]:
        stego = trellis.code(cover, costs, message)
        assert trellis.syndrome(stego, 1) == message
        assert (np.flatnonzero(stego) == 100).all()
    costs[100] = np.inf
    with pytest.raises(CapacityError):
        trellis.code(cover, costs, 1 - trellis.syndrome(cover, 1))


def test_no_message_changes_nothing() -> None:
    cover = np.ones(5, np.uint8)
    assert (trellis.code(cover, np.zeros(5), np.zeros(0, np.uint8)) == cover).all()
    assert trellis.syndrome(cover, 0).size == 0


def test_columns_have_their_ends_set_and_differ() -> None:
    for width in range(1, 35):
        columns = binary._columns(width).tolist()
        assert len(set(columns)) == len(columns) == width
        assert all(513 & column == 513 and column < 1024 for column in columns)


@given(st.integers(1, 300_000), st.integers(1, 300_000))
def test_layouts_use_nearly_all_bits(size: int, count: int) -> None:
    if count > size:
        with pytest.raises(CapacityError):
            binary._Layout.of(size, count)
        return
    try:
        layout = binary._Layout.of(size, count)
    except CapacityError:
        assert count > 0.99 * size
        return
    rows = layout.rows
    assert layout.widths.min() >= 1
    assert 0 <= layout.segments * layout.widths.size - count < layout.segments
    assert 0 <= size - rows * layout.merged * layout.segments < max(layout.merged * layout.segments, size / 50)


# --- values


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 300), st.sampled_from([1, 2, 3]), st.floats(0, 0.6), st.integers(0, 2**32))
def test_round_trip(size: int, reach: int, rate: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.choice(np.array([0, 1, 2, 77, 253, 254, 255], np.uint8), size)
    costs = rng.lognormal(0, 1, (size, 2 * reach)).astype(np.float32)
    costs[rng.random(size) < 0.1] = np.inf
    bits = rng.integers(0, 2, int(rate * size), np.uint8)
    try:
        carrying, counts = trellis.embed(values, bits, costs, KEY)
    except CapacityError:
        assert bits.size
        return
    assert len(counts) == (2 if reach == 1 else 3)
    assert sum(counts) == bits.size
    assert (trellis.extract(carrying, counts, KEY) == bits).all()
    assert np.isfinite(paid(values, carrying, costs))
    assert bits.size or (carrying == values).all()


@pytest.mark.parametrize("sigma", [0.0, 1.0])
def test_close_to_the_bound(sigma: float) -> None:
    rng = np.random.default_rng(3)
    size = 1 << 16
    values, bits = rng.integers(0, 256, size, np.uint8), rng.integers(0, 2, int(0.4 * size), np.uint8)
    excess = loss(values, heavy(rng, size, sigma), bits)
    print(f"costs of sigma {sigma}: {excess:.1%} above the bound")
    assert 0 < excess < 0.15


@pytest.mark.slow
@pytest.mark.parametrize(("sigma", "limit"), [(0.0, 0.145), (1.0, 0.145), (1.5, 0.165), (2.0, 0.19)])
def test_close_to_the_bound_in_many_values(sigma: float, limit: float) -> None:
    rng = np.random.default_rng(4)
    size = 1 << 20
    values, bits = rng.integers(0, 256, size, np.uint8), rng.integers(0, 2, int(0.4 * size), np.uint8)
    excess = loss(values, heavy(rng, size, sigma), bits)
    print(f"costs of sigma {sigma}: {excess:.1%} above the bound")
    assert 0 < excess < limit


@pytest.mark.parametrize(("reach", "rate", "most"), [(2, 1.3, 0.4), (3, 1.3, 0.4), (3, 2.0, 1.06)])
def test_squared_change(reach: int, rate: float, most: float) -> None:
    """Optimal pixel adjustment: 0.5 at 1 bit per value, 0.8 at 1.3, 1.5 at 2."""
    rng = np.random.default_rng(5)
    size = 1 << 16
    values, bits = rng.integers(10, 246, size, np.uint8), rng.integers(0, 2, int(rate * size), np.uint8)
    carrying, counts = trellis.embed(values, bits, squares(size, reach), KEY)
    assert (trellis.extract(carrying, counts, KEY) == bits).all()
    assert np.mean((carrying.astype(float) - values) ** 2) < most


@pytest.mark.slow
def test_cutting_into_segments_costs_less_than_a_hundredth(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    size, rate = 1 << 18, 0.2
    cover, costs = rng.integers(0, 2, size, np.uint8), rng.random(size)
    message = rng.integers(0, 2, int(rate * size), np.uint8)
    cut = costs[trellis.code(cover, 8 * costs, message) != cover].sum()
    monkeypatch.setattr(binary, "_SEGMENT", 1 << 13)
    monkeypatch.setattr(binary, "_ABREAST", 1)
    assert cut < 1.01 * costs[trellis.code(cover, 8 * costs, message) != cover].sum()


def test_ups_and_downs_are_as_frequent() -> None:
    rng = np.random.default_rng(7)
    values, bits = rng.integers(10, 246, 60_000, np.uint8), rng.integers(0, 2, 20_000, np.uint8)
    carrying, _ = trellis.embed(values, bits, squares(60_000, 1), KEY)
    ups, downs = int((carrying > values).sum()), int((carrying < values).sum())
    assert abs(ups - downs) < 5 * math.sqrt(ups + downs)


def test_asymmetric_costs_are_followed() -> None:
    rng = np.random.default_rng(8)
    values, bits = rng.integers(0, 256, 20_000, np.uint8), rng.integers(0, 2, 8000, np.uint8)
    costs = np.tile(np.array([np.inf, 1], np.float32), (20_000, 1))
    carrying, _ = trellis.embed(values, bits, costs, KEY)
    assert (carrying >= values).all()
    assert (carrying[values == 255] == 255).all()


# --- parts, keys, threads


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 1234, 5000])
def test_parts_are_a_division(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_PART", 100)
    parts = layers._Parts(size, KEY)
    orders = [parts.order(part) for part in range(parts.count)]
    assert sorted(itertools.chain(*(order.tolist() for order in orders))) == list(range(size))
    assert all(abs(order.size - size / parts.count) <= 1 for order in orders)
    shares = [parts.share(part, 777) for part in range(parts.count)]
    assert not size or [share.stop for share in shares] == [*(share.start for share in shares[1:]), 777]


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_PART", 5000)
    rng = np.random.default_rng(9)
    values, bits = rng.integers(0, 256, 30_000, np.uint8), rng.integers(0, 2, 9000, np.uint8)
    costs = heavy(rng, 30_000, 1)
    results = []
    for workers in (1, 4):
        monkeypatch.setattr(layers, "_WORKERS", workers)
        results.append(trellis.embed(values, bits, costs, KEY))
        assert (trellis.extract(*results[-1], KEY) == bits).all()
    assert (results[0][0] == results[1][0]).all()
    assert results[0][1] == results[1][1]


def test_another_key_reads_noise() -> None:
    rng = np.random.default_rng(10)
    values, bits = rng.integers(0, 256, 20_000, np.uint8), rng.integers(0, 2, 8000, np.uint8)
    carrying, counts = trellis.embed(values, bits, squares(20_000, 1), KEY)
    assert abs(np.mean(trellis.extract(carrying, counts, Key(bytes(32))) != bits) - 0.5) < 0.05


@pytest.mark.slow
def test_memory_is_bounded() -> None:
    rng = np.random.default_rng(11)
    size = 1 << 20
    values, costs = rng.integers(0, 256, size, np.uint8), squares(size, 1)
    for rate in (0.03, 0.4):
        bits = rng.integers(0, 2, int(rate * size), np.uint8)
        tracemalloc.start()
        trellis.embed(values, bits, costs, KEY)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < layers._WORKERS * 64 << 20


# --- the bound, and what cannot be meant


@pytest.mark.parametrize("changed", [0.05, 0.3, 0.6])
def test_bound_of_equal_costs(changed: float) -> None:
    """Ternary entropy: H(p) + p bits at a cost of p."""
    values, costs = np.full(10_000, 100, np.uint8), squares(10_000, 1)
    entropy = -changed * math.log2(changed) - (1 - changed) * math.log2(1 - changed) + changed
    assert trellis.bound(values, costs, round(10_000 * entropy)) == pytest.approx(10_000 * changed, rel=1e-3)


def test_room_counts_the_changes_allowed() -> None:
    values = np.array([0, 100, 255, 7], np.uint8)
    costs = np.ones((4, 2), np.float32)
    costs[3] = np.inf
    assert trellis.room(values, costs) == pytest.approx(2 + math.log2(3))
    assert trellis.bound(values, costs, 0) == 0
    with pytest.raises(CapacityError):
        trellis.bound(values, costs, 4)


@pytest.mark.parametrize(
    "costs",
    [np.ones((4, 3)), np.ones(4), np.ones((5, 2)), np.ones((4, 0)), np.full((4, 2), -1.0), np.full((4, 2), np.nan)],
)
def test_costs_that_cannot_be_meant(costs: NDArray[np.float32]) -> None:
    with pytest.raises(UsageError):
        trellis.embed(np.zeros(4, np.uint8), np.zeros(1, np.uint8), costs, KEY)


@pytest.mark.parametrize("values", [np.zeros(4), np.zeros((2, 2), np.uint8)])
def test_values_that_cannot_be_meant(values: NDArray[np.uint8]) -> None:
    with pytest.raises(UsageError):
        trellis.embed(values, np.zeros(1, np.uint8), np.ones((4, 2), np.float32), KEY)


@pytest.mark.parametrize("size", [0, 10, 5000])
def test_too_many_bits(size: int) -> None:
    values, costs = np.full(size, 9, np.uint8), squares(size, 1)
    for count in (2 * size, 1 + size * 8 // 5):
        with pytest.raises(CapacityError):
            trellis.embed(values, np.ones(count + 1, np.uint8), costs, KEY)
    with pytest.raises(CapacityError):
        trellis.extract(values, (0, size + 1), KEY)
    for counts in ((), (-1, 0)):
        with pytest.raises(UsageError):
            trellis.extract(values, counts, KEY)


def test_nothing_to_embed() -> None:
    values = np.arange(256, dtype=np.uint8)
    carrying, counts = trellis.embed(values, np.zeros(0, np.uint8), squares(256, 3), KEY)
    assert (carrying == values).all()
    assert counts == (0, 0, 0)
    assert trellis.extract(carrying, counts, KEY).size == 0


@pytest.mark.parametrize(
    ("counts", "digest"),
    [
        ((4000, 3000), "b4448c7bdd063efd94517c0f8ba0c89a"),
        ((90, 21), "df31fa0e0331802c6281e8dbcf0be816"),
        ((20_000, 25_000, 70_000), "2145b06836b076bf077e7e6424c93a8d"),
    ],
)
def test_golden(counts: tuple[int, ...], digest: str) -> None:
    """Version 1 read these bits here; it must be so for ever."""
    read = trellis.extract(KEY.stream("values", 300_000), counts, KEY)
    assert hashlib.sha256(read.tobytes()).hexdigest()[:32] == digest
