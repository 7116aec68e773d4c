"""The code for long blocks: what it is, what it corrects, and that every machine draws the same."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.coding import ldpc
from underpaint.errors import UsageError


def drawn(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, count, dtype=np.uint8)


def received(coded: np.ndarray, spread: float, seed: int = 0) -> np.ndarray:
    noisy = 2.0 * coded - 1 + np.random.default_rng(seed).normal(size=coded.size) * spread
    return np.asarray(2 * noisy / spread**2, np.float32)


@settings(max_examples=30, deadline=None)
@given(bits=st.integers(12, 900), rate=st.floats(0.03, 0.88), seed=st.integers(0, 99))
def test_what_arrives_whole_is_read(bits: int, rate: float, seed: int) -> None:
    code = ldpc.code(bits, int(bits / rate) + 1)
    message = drawn(bits, seed)
    coded = code.encode(message)
    assert coded.shape == (code.sent,)
    found = code.decode(20 * (2 * coded.astype(np.float32) - 1))
    assert found is not None
    assert (found == message).all()


@settings(max_examples=20, deadline=None)
@given(bits=st.integers(24, 900), rate=st.floats(0.1, 0.88))
def test_every_sum_of_a_code_word_is_even_and_no_bit_is_twice_in_one(bits: int, rate: float) -> None:
    code = ldpc.code(bits, int(bits / rate) + 1)
    padded = np.append(code.encode(drawn(bits))[: code.length], 0)
    assert not np.bitwise_xor.reduce(padded[code.sums], axis=1).any()
    if bits > 200:
        for row in code.sums:
            there = row[row < code.length]
            assert len(set(there)) == len(there)


@pytest.mark.parametrize(("rate", "spread"), [(0.33, 1.0), (0.5, 0.87), (0.6, 0.77), (0.75, 0.62), (0.1, 1.75)])
def test_it_corrects_nearly_what_can_be_corrected(rate: float, spread: float) -> None:
    code = ldpc.code(int(20_000 * rate), 20_000)
    message = drawn(code.bits)
    soft = received(code.encode(message), spread)
    assert np.mean((soft > 0) != code.encode(message)) > 0.04
    found = code.decode(soft)
    assert found is not None
    assert (found == message).all()


def test_what_is_beyond_repair_is_said() -> None:
    code = ldpc.code(1000, 2000)
    assert code.decode(received(code.encode(drawn(1000)), 3.0)) is None
    assert code.decode(np.random.default_rng(1).normal(size=2000).astype(np.float32)) is None


def test_soft_bits_that_say_nothing_are_filled_in() -> None:
    code = ldpc.code(1000, 3000)
    message = drawn(1000)
    soft = 10 * (2 * code.encode(message).astype(np.float32) - 1)
    soft[np.random.default_rng(0).permutation(3000)[:1500]] = 0
    found = code.decode(soft)
    assert found is not None
    assert (found == message).all()


def test_rates_that_cannot_be() -> None:
    for bits, sent in ((950, 1000), (5, 100), (0, 100)):
        with pytest.raises(UsageError, match="no code"):
            ldpc.code(bits, sent)


def test_every_machine_draws_the_same() -> None:
    coded = ldpc.code(1000, 1900).encode(drawn(1000))
    assert hashlib.sha256(coded.tobytes()).hexdigest()[:16] == "2bc444c1c6bfc5a6"
