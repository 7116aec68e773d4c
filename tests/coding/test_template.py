"""Templates: what they are of, what a key makes of them, what a file keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from underpaint import media
from underpaint.coding import template as templates
from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.coding.template import (
    COARSE,
    FINE,
    NUMBERS,
    cosine_similarity,
    pack,
    rotate,
    rotate_back,
    template,
    unpack,
)
from underpaint.errors import DamagedError, UsageError
from underpaint.media import samples

PHOTO = media.read(samples.path("chelsea")).pixels
KEY, OTHER = Key(bytes(KEY_SIZE)), Key(bytes([1]) * KEY_SIZE)


def drawn(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(NUMBERS).astype(np.float32)


def test_a_template_is_of_the_middle() -> None:
    found = template(PHOTO)
    assert found.dtype == np.float32
    assert found.shape == (NUMBERS,)
    assert np.mean(found**2) == pytest.approx(1, abs=1e-5)
    assert cosine_similarity(found, template(PHOTO[:, 75:375])) == pytest.approx(1, abs=1e-3)
    assert cosine_similarity(found, template(PHOTO[:, 75:375][:, ::-1])) == pytest.approx(1, abs=0.01), "mirrored"
    assert cosine_similarity(found, template(np.rot90(PHOTO))) < 0.9


def test_a_template_is_of_a_picture() -> None:
    with pytest.raises(UsageError):
        template(np.zeros((40, 40), np.uint8))


@settings(max_examples=30, deadline=None)
@given(some.integers(0, 2**32 - 1))
def test_a_file_keeps_nearly_all(seed: int) -> None:
    numbers = drawn(seed)
    for bits, size, near in ((COARSE, 48, 0.998), (FINE, 96, 0.9999)):
        data, step = pack(numbers, bits), 8 / 2**bits
        assert len(data) == templates.size(bits) == size
        largest = 4 - step / 2
        assert np.abs(unpack(data) - numbers.clip(-largest, largest)).max() <= step / 2 + 1e-6
        assert pack(unpack(data), bits) == data, "nothing is lost twice"
        assert cosine_similarity(unpack(data), numbers) > near


def test_no_other_length_is_a_template() -> None:
    with pytest.raises(DamagedError, match="96 or 48 bytes, not 47"):
        unpack(bytes(47))


def test_a_key_turns_and_turns_back() -> None:
    numbers = drawn(0)
    assert rotate_back(rotate(numbers, KEY, "way 1"), KEY, "way 1") == pytest.approx(numbers, abs=1e-5)
    assert not np.isin(np.abs(rotate(numbers, KEY, "way 1")), np.abs(numbers)).any(), "all are mixed"
    assert cosine_similarity(rotate(numbers, KEY, "way 1"), rotate(drawn(1), KEY, "way 1")) == pytest.approx(
        cosine_similarity(numbers, drawn(1)), abs=1e-6
    ), "templates can be compared as they are turned"


def test_by_another_key_nobody_is_alike() -> None:
    numbers = drawn(0)
    wrong = [
        cosine_similarity(rotate_back(rotate(numbers, KEY, f"way {way}"), key, label), numbers)
        for way in range(200)
        for key, label in ((OTHER, f"way {way}"), (KEY, f"way {way + 1}"))
    ]
    assert abs(np.mean(wrong)) < 0.02
    assert np.std(wrong) == pytest.approx(NUMBERS**-0.5, rel=0.2)


def test_nothing_is_like_nobody() -> None:
    assert cosine_similarity(np.zeros(NUMBERS, np.float32), drawn(0)) == 0
