"""LSB matching alone: capacity, the size of changes, and the header."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.coding import frame
from underpaint.coding.keys import Key
from underpaint.errors import CapacityError, DamagedError, NotFoundError
from underpaint.methods import lossless
from underpaint.methods.lsb import LSB
from underpaint.types import Payload

if TYPE_CHECKING:
    from underpaint.types import Image

METHOD = LSB()
KEY = Key(bytes(range(32)))


def cover(height: int = 48, width: int = 64, label: str = "cover") -> Image:
    """A smooth picture with a little noise."""
    y, x = np.mgrid[:height, :width]
    smooth = np.stack([80 + x // 2 % 100, 60 + y // 2 % 120, 40 + (x + y) // 3 % 150], 2)
    return (smooth + KEY.stream(label, smooth.size).reshape(smooth.shape) % 8).astype(np.uint8)


def hide(image: Image, payload: Payload, passphrase: str | None = None) -> Image:
    return METHOD.hide(image, payload, passphrase, psnr=None, survive=None)


payloads = st.one_of(
    st.builds(Payload.from_text, st.text(max_size=200)),
    st.builds(Payload, st.binary(max_size=500), name=st.sampled_from([None, "notes.txt"])),
)


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (300, 301)])
def test_a_payload_of_the_stated_capacity_fits(shape: tuple[int, int]) -> None:
    """For a file name of any length, at about the stated PSNR."""
    image = cover(*shape)
    capacity = METHOD.capacity(image)
    payload = Payload(KEY.stream("data", capacity.payload_bytes).tobytes(), "file", "n" * frame.LONGEST_NAME)
    container = hide(image, payload, "drawing")
    assert METHOD.reveal(container, "drawing") == payload
    error = np.mean((container.astype(float) - image) ** 2)
    assert 10 * np.log10(255**2 / error) == pytest.approx(capacity.psnr, abs=0.8)  # the head's places carry less


def test_a_segment_that_ends_within_a_byte_is_allowed_for() -> None:
    """Each segment of 65,536 values loses up to a byte: the promise is that much lower than the sum of all bits."""
    image = cover(148, 149)
    length = METHOD.payload_at(image, 30.0)
    assert length + lossless.OVERHEAD < METHOD.capacity_map(image).sum() // 8 - 1
    payload = Payload(KEY.stream("data", length).tobytes(), "file", "n" * frame.LONGEST_NAME)
    assert METHOD.reveal(hide(image, payload), None) == payload


def test_the_capacity_map_is_the_same_for_cover_and_container() -> None:
    carrier = METHOD
    image = cover()
    container = hide(image, Payload(b"bytes"), "drawing")
    assert np.array_equal(carrier.capacity_map(image), carrier.capacity_map(container))
    assert np.unique(carrier.capacity_map(image)).tolist() == [0, 4]


def test_a_payload_that_is_too_large_is_refused() -> None:
    with pytest.raises(CapacityError, match="this picture holds 4436") as caught:
        hide(cover(), Payload(os.urandom(5000)))
    assert caught.value.hint == "take a picture of 1.14 times the area"


def test_a_small_payload_moves_no_value_by_more_than_one() -> None:
    image = cover()
    container = hide(image, Payload(os.urandom(800)))
    assert np.abs(container.astype(int) - image).max() == 1


@settings(deadline=None)
@given(st.integers(32, 60), st.integers(32, 60), st.binary(min_size=1, max_size=8))
def test_unmarked_pictures_reveal_nothing(height: int, width: int, seed: bytes) -> None:
    with pytest.raises(NotFoundError):
        METHOD.reveal(cover(height, width, seed.hex()), None)


def test_the_header_looks_like_random_low_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over containers of one cover each low bit of the head is 1 half of the time, whatever the payload."""
    ones = np.zeros(8 * frame.HEAD_SIZE)
    for i in range(200):
        salt = hashlib.blake2b(bytes([i]), digest_size=16).digest()
        monkeypatch.setattr(frame, "new_salt", lambda salt=salt: salt)
        container = hide(cover(), Payload(b""))
        ones += container.reshape(-1)[np.arange(ones.size) * container.size // ones.size] & 1
    assert abs(ones.mean() / 200 - 0.5) < 0.01
    assert ones.min() > 60
    assert ones.max() < 140


def test_the_container_format_is_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container of version 1, to the last value: what it wrote must be readable for ever."""
    monkeypatch.setattr(frame, "new_salt", lambda: b"0123456789abcdef")
    payload = Payload(KEY.stream("data", 1000).tobytes(), "file", "name.bin")
    container = hide(cover(), payload, "drawing")
    assert hashlib.sha256(container.tobytes()).hexdigest()[:32] == "1ef9de3b7794430d07dcfaa5aa942e65"


@pytest.mark.parametrize("header", [frame.Header(1, 20), frame.Header(0, 1 << 40)])
def test_unknown_header_is_a_newer_version(header: frame.Header) -> None:
    salt = bytes(16)
    head = frame.seal_head(header, Key.derive(None, salt), salt, "lsb")
    container = cover() & np.uint8(254)
    places = np.arange(8 * len(head)) * container.size // (8 * len(head))
    container.reshape(-1)[places] |= np.unpackbits(np.frombuffer(head, np.uint8))
    with pytest.raises(DamagedError, match="newer"):
        METHOD.reveal(container, None)


@pytest.mark.slow
def test_five_megabytes_in_twelve_megapixels_need_little_memory() -> None:
    image = cover(3000, 4000)
    payload = Payload(os.urandom(5_000_000), "file", "archive.zip")
    tracemalloc.start()
    container = hide(image, payload, "drawing")
    assert METHOD.reveal(container, "drawing") == payload
    assert tracemalloc.get_traced_memory()[1] < 200e6
    tracemalloc.stop()
