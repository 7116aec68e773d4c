"""Bit planes: placing bits in values, round trips under any capacity map, expected distortion."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from underpaint.coding.keys import Key
from underpaint.embedding import bit_planes
from underpaint.embedding.bit_planes import Mode
from underpaint.errors import CapacityError

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEY = Key(bytes(range(32)))
MODES: tuple[Mode, ...] = get_args(Mode)
maps = arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 8))


def noise(label: str, *shape: int) -> NDArray[np.uint8]:
    return KEY.stream(label, math.prod(shape)).reshape(shape)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("depth", range(9))
def test_place_ends_in_the_wanted_bits(depth: int, mode: Mode) -> None:
    values, wanted, tie_breakers = (grid.ravel().astype(np.uint8) for grid in np.mgrid[:256, : 1 << depth, :2])
    placed = bit_planes.place(values, wanted, np.full_like(values, depth), tie_breakers, mode)
    assert (placed & ((1 << depth) - 1) == wanted).all()


@pytest.mark.parametrize("depth", range(9))
def test_matching_takes_the_nearest_value(depth: int) -> None:
    fitting = np.arange(256)
    for tie_breaker in (0, 1):
        for wish in range(1 << depth):
            values = np.arange(256, dtype=np.uint8)
            wanted, depths, tie_breakers = (np.full(256, fill, np.uint8) for fill in (wish, depth, tie_breaker))
            moved = np.abs(bit_planes.place(values, wanted, depths, tie_breakers).astype(int) - values)
            candidates = fitting[fitting % (1 << depth) == wish]
            assert (moved == np.abs(candidates - values[:, None]).min(1)).all()


def test_ties_are_broken_by_the_key_and_inward() -> None:
    values = np.array([100, 100, 0, 0, 255, 255, 2, 2], np.uint8)
    one, tie_breakers = np.ones(8, np.uint8), np.array([0, 1] * 4, np.uint8)
    assert bit_planes.place(values, 1 - values % 2, one, tie_breakers).tolist() == [101, 99, 1, 1, 254, 254, 3, 1]


@settings(deadline=None)
@given(maps, st.data(), st.sampled_from(MODES))
def test_round_trip_with_any_capacity_map(capacity: NDArray[np.uint8], data: st.DataObject, mode: Mode) -> None:
    values = noise("cover", *capacity.shape)
    content = data.draw(st.binary(max_size=bit_planes.room(capacity)))
    carrying = bit_planes.embed(values, content, capacity, KEY, mode)
    assert bit_planes.extract(carrying, len(content), capacity, KEY) == content
    assert (carrying[capacity == 0] == values[capacity == 0]).all()
    if mode == "replacement":
        assert (carrying >> capacity == values >> capacity).all()


@settings(deadline=None)
@given(maps)
def test_room_is_exact(capacity: NDArray[np.uint8]) -> None:
    free = bit_planes.room(capacity)
    assert free == int(capacity.sum()) // 8
    values = noise("cover", *capacity.shape)
    full = noise("data", free).tobytes()
    assert bit_planes.extract(bit_planes.embed(values, full, capacity, KEY), free, capacity, KEY) == full
    with pytest.raises(CapacityError):
        bit_planes.embed(values, full + b"!", capacity, KEY)
    with pytest.raises(CapacityError):
        bit_planes.extract(values, free + 1, capacity, KEY)


@pytest.mark.parametrize("extra", [-1, 0, 1, 17])
def test_segments_share_bytes_evenly(extra: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bit_planes, "SEGMENT_SIZE", 512)
    values = noise("cover", 512 * 20 + extra)
    capacity = np.full_like(values, 3)
    for count in (1, 19, 300, 2000, bit_planes.room(capacity)):
        content = noise("data", count).tobytes()
        carrying = bit_planes.embed(values, content, capacity, KEY)
        assert bit_planes.extract(carrying, count, capacity, KEY) == content
    carrying = bit_planes.embed(values, noise("data", 640).tobytes(), capacity, KEY)  # half a bit per value
    changes = (carrying != values)[: 512 * 19].reshape(19, 512).sum(1)
    assert 80 < changes.min() < changes.max() < 176  # 128 each, standard deviation 10


def test_planes_are_filled_one_after_another() -> None:
    values = np.full(1000, 128, np.uint8)
    capacity = np.full_like(values, 4)
    for bits, highest in ((1000, 1), (1008, 2), (2000, 2), (2008, 4), (3008, 8)):  # largest change: half the modulus
        carrying = bit_planes.embed(values, noise("data", bits // 8).tobytes(), capacity, KEY)
        assert np.abs(carrying.astype(int) - values).max() <= highest


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("planes", range(1, 5))
def test_psnr_equals_the_expected_psnr(planes: int, mode: Mode) -> None:
    values = noise("cover", 1 << 16) // 2 + 64
    capacity = np.full_like(values, planes)
    carrying = bit_planes.embed(values, noise("data", bit_planes.room(capacity)).tobytes(), capacity, KEY, mode)
    psnr = 10 * math.log10(255**2 / np.mean((carrying.astype(float) - values) ** 2))
    assert psnr == pytest.approx(bit_planes.expected_psnr(planes, mode), abs=0.05)


def test_expected_psnr_equals_the_literature() -> None:
    """51.1, 44.2, 37.9, 31.8 dB for one to four replaced planes."""
    assert [round(bit_planes.expected_psnr(k, "replacement"), 1) for k in range(1, 5)] == [51.1, 44.2, 37.9, 31.8]
    assert [round(bit_planes.expected_psnr(k, "matching"), 1) for k in range(1, 5)] == [51.1, 46.4, 40.7, 34.8]


def test_matching_rises_as_often_as_it_falls() -> None:
    """Replacement evens out the counts of 2k and 2k + 1; matching must not."""
    values = np.repeat(np.arange(100, 140, 2, dtype=np.uint8), 2000)  # even values only
    capacity = np.ones_like(values)
    data = noise("data", bit_planes.room(capacity)).tobytes()
    replaced, matched = (bit_planes.embed(values, data, capacity, KEY, mode) for mode in ("replacement", "matching"))
    assert (replaced >= values).all()
    below, above = (matched < values).sum(), (matched > values).sum()
    assert abs(int(below) - int(above)) < 5 * math.sqrt(below + above)


def test_another_key_extracts_random_bits() -> None:
    values = noise("cover", 4096)
    capacity = np.ones_like(values)
    carrying = bit_planes.embed(values, bytes(512), capacity, KEY)
    read = np.frombuffer(bit_planes.extract(carrying, 512, capacity, Key(bytes(32))), np.uint8)
    assert read.tobytes() == bytes(512)  # zeros everywhere read as zeros in any order
    carrying = bit_planes.embed(values, noise("data", 512).tobytes(), capacity, KEY)
    wrong = np.frombuffer(bit_planes.extract(carrying, 512, capacity, Key(bytes(32))), np.uint8)
    assert abs(np.unpackbits(wrong ^ noise("data", 512)).mean() - 0.5) < 0.05


def test_an_empty_message_changes_nothing() -> None:
    values = noise("cover", 8)
    assert (bit_planes.embed(values, b"", np.zeros_like(values), KEY) == values).all()
    assert bit_planes.extract(values, 0, np.zeros_like(values), KEY) == b""


@pytest.mark.parametrize(
    ("mode", "digest"),
    [
        ("matching", "c7e63afcd0dcb5ce3365cb15250be6c2"),
        ("replacement", "1dd32ab698d3476692d829f4aa0448e7"),
    ],
)
def test_embedding_stays_the_same(mode: Mode, digest: str) -> None:
    """Containers of format version 1 depend on this order of bits."""
    values = noise("cover", 70_000)
    capacity = np.arange(70_000, dtype=np.uint32).astype(np.uint8) % 5
    carrying = bit_planes.embed(values, noise("data", 12_345).tobytes(), capacity, KEY, mode)
    assert hashlib.sha256(carrying.tobytes()).hexdigest()[:32] == digest
