"""Convolutional code: encoder, error correction, erasures, and frame error rate."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.coding import convolutional
from underpaint.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Bits, SoftBits

FREE_DISTANCE = 24
messages = st.lists(st.integers(0, 1), min_size=1, max_size=300).map(lambda bits: np.array(bits, np.uint8))
long_messages = st.lists(st.integers(0, 1), min_size=64, max_size=300).map(lambda bits: np.array(bits, np.uint8))


def noiseless(bits: Bits) -> SoftBits:
    return bits.astype(np.float32) * 2 - 1


def encode_by_register(bits: list[int]) -> list[int]:
    """Encode by definition: a shift register, newest bit highest, that starts in its final state."""
    k = convolutional.CONSTRAINT_LENGTH
    register = 0
    for bit in (bits * k)[-k:]:
        register = register >> 1 | bit << k - 1
    channel_bits = []
    for bit in bits:
        register = register >> 1 | bit << k - 1
        channel_bits += [(register & generator).bit_count() & 1 for generator in convolutional.GENERATORS]
    return channel_bits


@settings(deadline=None)
@given(messages)
def test_encode_equals_the_shift_register(bits: Bits) -> None:
    assert convolutional.encode(bits).tolist() == encode_by_register(bits.tolist())


@settings(deadline=None, max_examples=25)
@given(messages, st.floats(1e-6, 1e6))
def test_round_trip(bits: Bits, scale: float) -> None:
    channel_bits = convolutional.encode(bits)
    assert channel_bits.size == convolutional.EXPANSION * bits.size
    assert convolutional.decode(noiseless(channel_bits) * np.float32(scale)).tolist() == bits.tolist()


@settings(deadline=None, max_examples=50)
@given(long_messages, st.data())
def test_corrects_any_errors_below_half_the_free_distance(bits: Bits, data: st.DataObject) -> None:
    channel_bits = convolutional.encode(bits)
    most = (FREE_DISTANCE - 1) // 2
    wrong = data.draw(st.sets(st.integers(0, channel_bits.size - 1), max_size=most))
    start = data.draw(st.integers(0, channel_bits.size - 1))  # a burst of errors
    burst = data.draw(st.booleans())
    channel_bits[[(start + i) % channel_bits.size for i in range(most)] if burst else list(wrong)] ^= 1
    assert convolutional.decode(noiseless(channel_bits)).tolist() == bits.tolist()


@settings(deadline=None, max_examples=25)
@given(long_messages, st.data())
def test_corrects_any_erasures_below_the_free_distance(bits: Bits, data: st.DataObject) -> None:
    soft = noiseless(convolutional.encode(bits))
    start = data.draw(st.integers(0, soft.size - 1))
    lost = data.draw(st.sets(st.integers(0, soft.size - 1), max_size=FREE_DISTANCE - 1))
    burst = data.draw(st.booleans())
    soft[[(start + i) % soft.size for i in range(FREE_DISTANCE - 1)] if burst else list(lost)] = 0
    assert convolutional.decode(soft).tolist() == bits.tolist()


def test_the_free_distance_is_24() -> None:
    """The lightest path from state zero back to it, by relaxation over the register's transitions."""
    k = convolutional.CONSTRAINT_LENGTH
    registers = np.arange(1 << k)  # newest bit highest, then the state before
    weights = sum(np.bitwise_count(registers & generator) & 1 for generator in convolutional.GENERATORS)
    before, after = registers & (1 << k - 1) - 1, registers >> 1
    distance: NDArray[np.int64] = np.full(1 << k - 1, 1 << 20)
    distance[after[1 << k - 1]] = weights[1 << k - 1]  # the step away from zero
    returned = 1 << 20
    for _ in range(1000):
        new = distance.copy()
        np.minimum.at(new, after, distance[before] + weights)
        returned = min(returned, int(new[0]))
        new[0] = 1 << 20
        if (new == distance).all():
            break
        distance = new
    assert returned == FREE_DISTANCE


def test_frame_error_rate_on_a_gaussian_channel() -> None:
    """At 2.0 dB nearly all uncoded blocks of 128 bits fail; the module's table states about one in 900."""
    assert frame_errors(2.0, 120) <= 2


@pytest.mark.slow
def test_frame_error_rate_on_a_gaussian_channel_over_more_frames() -> None:
    assert frame_errors(2.0, 400) <= 4


def frame_errors(ebn0_db: float, frames: int, count: int = 128, seed: int = 1) -> int:
    rng = np.random.default_rng(seed)
    variance = convolutional.EXPANSION / 2 * 10 ** (-ebn0_db / 10)
    failed = 0
    for _ in range(frames):
        bits = rng.integers(0, 2, count, np.uint8)
        received = noiseless(convolutional.encode(bits)) + rng.normal(0, variance**0.5, convolutional.EXPANSION * count)
        failed += bool((convolutional.decode(received.astype(np.float32)) != bits).any())
    return failed


def test_encoding_stays_the_same() -> None:
    bits = np.unpackbits(np.frombuffer(b"underpaint", np.uint8))
    assert (
        np.packbits(convolutional.encode(bits)).tobytes().hex()
        == "8c058b1b0eac4dfc0efd8b636a8fc4ef8b49cdb1ffcb340eef7a6d318e41"
    )


def test_erasures_alone_and_empty_messages_are_decoded() -> None:
    assert convolutional.decode(np.zeros(30, np.float32)).size == 10
    assert convolutional.decode(np.zeros(0, np.float32)).size == convolutional.encode(np.zeros(0, np.uint8)).size == 0


@pytest.mark.parametrize("soft", [np.ones(4), np.array([1, np.nan, 1]), np.array([1, np.inf, 1])])
def test_invalid_soft_bits_are_refused(soft: NDArray[np.float64]) -> None:
    with pytest.raises(UsageError):
        convolutional.decode(soft.astype(np.float32))


@pytest.mark.slow
def test_speed() -> None:
    for count, seconds in ((2000, 0.12), (16384, 1.2)):  # twice what is expected
        soft = noiseless(convolutional.encode(np.ones(count, np.uint8)))
        started = time.perf_counter()
        convolutional.decode(soft)
        assert time.perf_counter() - started < seconds
