"""LDPC codes: parity checks, error correction, erasures, and the same code on every machine."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.coding import ldpc
from underpaint.errors import UsageError


def random_bits(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, count, dtype=np.uint8)


def received(channel_bits: np.ndarray, spread: float, seed: int = 0) -> np.ndarray:
    noisy = 2.0 * channel_bits - 1 + np.random.default_rng(seed).normal(size=channel_bits.size) * spread
    return np.asarray(2 * noisy / spread**2, np.float32)


@settings(max_examples=30, deadline=None)
@given(bits=st.integers(12, 900), rate=st.floats(0.03, 0.88), seed=st.integers(0, 99))
def test_noiseless_blocks_are_decoded(bits: int, rate: float, seed: int) -> None:
    code = ldpc.code(bits, int(bits / rate) + 1)
    message = random_bits(bits, seed)
    channel_bits = code.encode(message)
    assert channel_bits.shape == (code.sent,)
    decoded = code.decode(20 * (2 * channel_bits.astype(np.float32) - 1))
    assert decoded is not None
    assert (decoded == message).all()


@settings(max_examples=20, deadline=None)
@given(bits=st.integers(24, 900), rate=st.floats(0.1, 0.88))
def test_all_sums_of_a_code_word_are_even_and_have_no_bit_twice(bits: int, rate: float) -> None:
    code = ldpc.code(bits, int(bits / rate) + 1)
    padded = np.append(code.encode(random_bits(bits))[: code.length], 0)
    assert not np.bitwise_xor.reduce(padded[code.sums], axis=1).any()
    if bits > 200:
        for row in code.sums:
            there = row[row < code.length]
            assert len(set(there)) == len(there)


@pytest.mark.parametrize(("rate", "spread"), [(0.33, 1.0), (0.5, 0.87), (0.6, 0.77), (0.75, 0.62), (0.1, 1.75)])
def test_blocks_near_the_channel_capacity_are_decoded(rate: float, spread: float) -> None:
    code = ldpc.code(int(20_000 * rate), 20_000)
    message = random_bits(code.bits)
    soft = received(code.encode(message), spread)
    assert np.mean((soft > 0) != code.encode(message)) > 0.04
    decoded = code.decode(soft)
    assert decoded is not None
    assert (decoded == message).all()


def test_blocks_beyond_repair_return_none() -> None:
    code = ldpc.code(1000, 2000)
    assert code.decode(received(code.encode(random_bits(1000)), 3.0)) is None
    assert code.decode(np.random.default_rng(1).normal(size=2000).astype(np.float32)) is None


def test_erasures_are_filled_in() -> None:
    code = ldpc.code(1000, 3000)
    message = random_bits(1000)
    soft = 10 * (2 * code.encode(message).astype(np.float32) - 1)
    soft[np.random.default_rng(0).permutation(3000)[:1500]] = 0
    decoded = code.decode(soft)
    assert decoded is not None
    assert (decoded == message).all()


def test_impossible_rates_are_refused() -> None:
    for bits, sent in ((950, 1000), (5, 100), (0, 100)):
        with pytest.raises(UsageError, match="no code"):
            ldpc.code(bits, sent)


def test_the_code_stays_the_same() -> None:
    channel_bits = ldpc.code(1000, 1900).encode(random_bits(1000))
    assert hashlib.sha256(channel_bits.tobytes()).hexdigest()[:16] == "2bc444c1c6bfc5a6"
