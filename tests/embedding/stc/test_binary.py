"""Binary syndrome-trellis code: minimal cost, syndromes, forbidden bits."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.embedding.stc import binary
from underpaint.errors import CapacityError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 11), st.data())
def test_the_cheapest_flips_are_found(size: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, size))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    cover, message = rng.integers(0, 2, size, np.uint8), rng.integers(0, 2, count, np.uint8)
    costs = rng.integers(0, 128, size) * (12 / 127)  # costs that the search resolves exactly
    costs[0] = 12
    words = np.array(list(itertools.product((0, 1), repeat=size)), np.uint8)
    right = [word for word in words if (binary.syndrome(word, count) == message).all()]
    least = min(costs[word != cover].sum() for word in right)
    stego = binary.code(cover, costs, message)
    assert (binary.syndrome(stego, count) == message).all()
    assert costs[stego != cover].sum() == pytest.approx(least, abs=1e-9)


@pytest.mark.parametrize(("size", "count"), [(1, 1), (50, 7), (5000, 13), (6000, 1500), (9000, 8900), (70_000, 20)])
def test_syndromes_are_linear_and_reach_every_message(size: int, count: int) -> None:
    rng = np.random.default_rng(size)
    one, other = rng.integers(0, 2, (2, size), np.uint8)
    both = binary.syndrome(one ^ other, count)
    assert (both == binary.syndrome(one, count) ^ binary.syndrome(other, count)).all()
    message = rng.integers(0, 2, count, np.uint8)
    if 2 * count < size or count == 1:
        assert (binary.syndrome(binary.code(one, np.ones(size), message), count) == message).all()


def random_cover(rng: np.random.Generator, largest: int) -> tuple[NDArray[np.uint8], NDArray[np.float64], int]:
    size = int(rng.integers(1, largest))
    costs = rng.lognormal(0, rng.uniform(0, 3), size)
    costs[rng.random(size) < rng.choice([0, 0.1, 0.5, 0.9, 1])] = np.inf
    if rng.random() < 0.2:  # a forbidden stretch
        costs[: int(rng.integers(size))] = np.inf
    return rng.integers(0, 2, size, np.uint8), costs, int(rng.integers(0, size + 1) * rng.random() ** 2)


def embed_in_random_covers(covers: int, largest: int) -> int:
    """Embed in random covers with some forbidden bits; return how many of them raised a CapacityError."""
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(covers):
        cover, costs, count = random_cover(rng, largest)
        message = rng.integers(0, 2, count, np.uint8)
        try:
            stego = binary.code(cover, costs, message)
        except CapacityError:
            refused += 1
            assert count > 0.4 * np.isfinite(costs).sum() or np.isinf(costs).any()
            continue
        assert (binary.syndrome(stego, count) == message).all()
        assert (stego == cover)[np.isinf(costs)].all()
    return refused


def test_random_covers_carry_the_message_or_are_refused() -> None:
    assert 0 < embed_in_random_covers(250, 200) < 150


@pytest.mark.slow
def test_ten_thousand_random_covers_carry_the_message_or_are_refused() -> None:
    assert 0 < embed_in_random_covers(10_000, 120) < 5000


@pytest.mark.parametrize("forbidden", [0.0, 0.5, 0.95])
def test_half_of_the_bits_that_may_change_carry_a_message(forbidden: float) -> None:
    rng = np.random.default_rng(2)
    costs = np.where(rng.random(40_000) < forbidden, np.inf, 1.0)
    message = rng.integers(0, 2, int(0.5 * np.isfinite(costs).sum()), np.uint8)
    cover = rng.integers(0, 2, costs.size, np.uint8)
    stego = binary.code(cover, costs, message)
    assert (binary.syndrome(stego, message.size) == message).all()
    assert (stego == cover)[np.isinf(costs)].all()


def test_expensive_bits_are_flipped_before_forbidden_ones() -> None:
    """Costs that the int16 search cannot tell from infinity, where a single bit may be flipped."""
    cover, costs = np.zeros(200, np.uint8), np.full(200, np.inf)
    costs[100] = 1e5
    for message in np.eye(2, dtype=np.uint8)[:, :1]:
        stego = binary.code(cover, costs, message)
        assert binary.syndrome(stego, 1) == message
        assert (np.flatnonzero(stego) == 100).all()
    costs[100] = np.inf
    with pytest.raises(CapacityError):
        binary.code(cover, costs, 1 - binary.syndrome(cover, 1))


def test_an_empty_message_changes_nothing() -> None:
    cover = np.ones(5, np.uint8)
    assert (binary.code(cover, np.zeros(5), np.zeros(0, np.uint8)) == cover).all()
    assert binary.syndrome(cover, 0).size == 0


def test_columns_differ_and_have_first_and_last_bit_set() -> None:
    for width in range(1, 35):
        columns = binary.block_columns(width)
        assert len(set(columns)) == len(columns) == width
        assert all(513 & column == 513 and column < 1024 for column in columns)


@given(st.integers(1, 300_000), st.integers(1, 300_000))
def test_layouts_use_nearly_all_bits(size: int, count: int) -> None:
    if count > size:
        with pytest.raises(CapacityError):
            binary.Layout.of(size, count)
        return
    try:
        layout = binary.Layout.of(size, count)
    except CapacityError:
        assert count > 0.99 * size
        return
    rows = layout.rows
    assert layout.widths.min() >= 1
    assert 0 <= layout.segments * layout.widths.size - count < layout.segments
    assert 0 <= size - rows * layout.merged * layout.segments < max(layout.merged * layout.segments, size / 50)


@pytest.mark.slow
def test_cutting_into_segments_costs_less_than_one_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    size, rate = 1 << 18, 0.2
    cover, costs = rng.integers(0, 2, size, np.uint8), rng.random(size)
    message = rng.integers(0, 2, int(rate * size), np.uint8)
    cut = costs[binary.code(cover, 8 * costs, message) != cover].sum()
    monkeypatch.setattr(binary, "SEGMENTATION", replace(binary.SEGMENTATION, segment=1 << 13, parallel=1))
    assert cut < 1.01 * costs[binary.code(cover, 8 * costs, message) != cover].sum()
