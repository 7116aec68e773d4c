"""Embedding and extraction of BASN as published, and the strategies of the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.errors import CapacityError
from underpaint_lab.benchmarks.lossless import published_basn
from underpaint_lab.benchmarks.lossless.published_basn import STRATEGIES
from underpaint_lab.papers.basn.losses import FUSIONS


def drawn(seed: int, height: int = 6, width: int = 5) -> tuple[Any, Any]:
    """A picture, and how many bits each of its values may take."""
    rng = np.random.default_rng(seed)
    attention = rng.random((height, width, 3))
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8), published_basn.allowed(attention)


def key(fill: int) -> Key:
    return Key(bytes([fill]) * KEY_SIZE)


def test_number_of_bits_is_rounded_half_to_even() -> None:
    attention = np.array([0, 0.5 / 8, 1.5 / 8, 2.5 / 8, 0.99, 1]).reshape(1, 2, 3)
    assert published_basn.allowed(attention).flatten().tolist() == [0, 0, 2, 2, 8, 8]


def test_bits_are_embedded_from_the_highest_plane_and_skip_masked_planes() -> None:
    cover = np.zeros((1, 2, 3), np.uint8)
    k = np.zeros_like(cover)
    k[0, 0, 0], k[0, 1, 0], k[0, 0, 1] = 4, 2, 8
    bits = np.array([1, 0, 1, 1, 1, 1, 1, 0], np.uint8)
    # Red of both pixels comes before green: planes 3, 2, 1; then plane 1; then planes 7, 6, … of green.
    stego = published_basn.embed(cover, k, 1, bits)
    assert [stego[0, 0, 0], stego[0, 1, 0], stego[0, 0, 1]] == [0b1010, 0b10, 0b11100000]
    assert np.count_nonzero(stego) == 3
    np.testing.assert_array_equal(published_basn.extract(stego, k, 1, 8), bits)


def test_last_byte_is_not_used() -> None:
    k = np.full((1, 2, 3), 4, np.uint8)
    assert [published_basn.room(k, masked) for masked in (0, 1, 2, 3, 4)] == [2, 2, 1, 0, 0]


@given(seed=st.integers(0, 2**32), masked=st.integers(0, 3), keyed=st.booleans())
def test_equal_attention_extracts_the_embedded_bits(seed: int, masked: int, keyed: bool) -> None:
    cover, k = drawn(seed)
    room = 8 * published_basn.room(k, masked)
    bits = np.random.default_rng(seed).integers(0, 2, room // 2 if keyed else room, dtype=np.uint8)
    source = key(1) if keyed else None
    stego = published_basn.embed(cover, k, masked, bits, source)
    received = published_basn.extract(stego, k, masked, len(bits) if keyed else None, source)
    np.testing.assert_array_equal(received, bits)
    assert np.array_equal(stego >> k, cover >> k), "a bit above"
    below = (1 << np.minimum(masked, k)) - 1
    assert np.array_equal(stego & below, cover & below), "a masked bit"
    assert published_basn.error_rates(bits, received, k, k, masked) == (len(bits), 0, 0)


def test_wrong_key_extracts_random_bits() -> None:
    cover, k = drawn(0, 40, 40)
    bits = np.random.default_rng(1).integers(0, 2, 2000, dtype=np.uint8)
    stego = published_basn.embed(cover, k, 1, bits, key(1))
    wrong = published_basn.extract(stego, k, 1, len(bits), key(2)) != bits
    assert 0.4 < wrong.mean() < 0.6
    assert np.abs(np.nonzero((stego != cover).any(axis=(1, 2)))[0].mean() - 19.5) < 2, "over the whole picture"


@pytest.mark.parametrize("source", [None, key(3)])
def test_one_wrong_value_of_k_destroys_the_following_bits(source: Key | None) -> None:
    """A single superfluous bit makes half of the message wrong; BSER hardly changes."""
    cover, k = drawn(0, 60, 60)
    k = np.clip(k, 2, 7)
    bits = np.random.default_rng(1).integers(0, 2, 8 * published_basn.room(k, 1), dtype=np.uint8)
    stego = published_basn.embed(cover, k, 1, bits, source)
    other = k.copy()
    other[0, 0, 0] += 1
    received = published_basn.extract(stego, other, 1, len(bits), source)
    found = published_basn.error_rates(bits, received, k, other, 1)
    assert found.bser == 1 / len(bits)
    assert 0.4 < found.ber < 0.55


def test_missing_bits_count_as_errors() -> None:
    k = np.full((2, 2, 3), 4, np.uint8)
    sent = np.ones(20, np.uint8)
    assert published_basn.error_rates(sent, sent[:15], k, k - 1, 1) == (20, 12 / 20, 5 / 20)


def test_payload_above_the_capacity_is_refused() -> None:
    cover, k = drawn(0)
    with pytest.raises(CapacityError, match="do not fit"):
        published_basn.embed(cover, k, 1, np.zeros(10_000, np.uint8))


def test_strategies_are_those_of_the_paper() -> None:
    assert len(STRATEGIES) == 8
    for name, strategy in STRATEGIES.items():
        fusion, _, masked, *straddled = name.split("-")
        assert (fusion.lower(), int(masked)) == (strategy.fusion, strategy.masked)
        assert strategy.payload == (float(straddled[1]) if straddled else None)
        assert strategy.fusion in FUSIONS
