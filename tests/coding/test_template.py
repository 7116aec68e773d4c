"""Biometric templates: packing into bytes, rotation by a key, cosine similarity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.coding.template import (
    COARSE,
    FINE,
    NUMBERS,
    cosine_similarity,
    pack,
    rotate,
    rotate_back,
    size,
    unpack,
)
from underpaint.errors import DamagedError

KEY, OTHER_KEY = Key(bytes(KEY_SIZE)), Key(bytes([1]) * KEY_SIZE)


def random_template(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(NUMBERS).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(some.integers(0, 2**32 - 1))
def test_unpack_returns_the_numbers_within_half_a_step(seed: int) -> None:
    numbers = random_template(seed)
    for bits, length, similarity in ((COARSE, 48, 0.998), (FINE, 96, 0.9999)):
        data, step = pack(numbers, bits), 8 / 2**bits
        assert len(data) == size(bits) == length
        clipped = numbers.clip(-4 + step / 2, 4 - step / 2)
        assert np.abs(unpack(data) - clipped).max() <= step / 2 + 1e-6
        assert pack(unpack(data), bits) == data, "packing again loses nothing more"
        assert cosine_similarity(unpack(data), clipped) > similarity


@pytest.mark.parametrize(("bits", "similarity"), [(COARSE, 0.998), (FINE, 0.9999)])
def test_a_packed_template_is_similar_to_the_original(bits: int, similarity: float) -> None:
    for seed in range(20):
        numbers = random_template(seed)
        assert cosine_similarity(unpack(pack(numbers, bits)), numbers) > similarity


def test_unpack_refuses_other_lengths() -> None:
    with pytest.raises(DamagedError, match="96 or 48 bytes, not 47"):
        unpack(bytes(47))


def test_rotation_is_invertible_and_keeps_similarities() -> None:
    numbers, other = random_template(0), random_template(1)
    assert rotate_back(rotate(numbers, KEY, "way 1"), KEY, "way 1") == pytest.approx(numbers, abs=1e-5)
    assert not np.isin(np.abs(rotate(numbers, KEY, "way 1")), np.abs(numbers)).any(), "all numbers are mixed"
    assert cosine_similarity(rotate(numbers, KEY, "way 1"), rotate(other, KEY, "way 1")) == pytest.approx(
        cosine_similarity(numbers, other), abs=1e-6
    )


def test_another_key_or_label_gives_the_similarity_of_random_vectors() -> None:
    numbers = random_template(0)
    wrong = [
        cosine_similarity(rotate_back(rotate(numbers, KEY, f"way {way}"), key, label), numbers)
        for way in range(200)
        for key, label in ((OTHER_KEY, f"way {way}"), (KEY, f"way {way + 1}"))
    ]
    assert abs(np.mean(wrong)) < 0.02
    assert np.std(wrong) == pytest.approx(NUMBERS**-0.5, rel=0.2)


def test_the_similarity_to_zeros_is_zero() -> None:
    assert cosine_similarity(np.zeros(NUMBERS, np.float32), random_template(0)) == 0
