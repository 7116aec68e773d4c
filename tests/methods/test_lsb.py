from __future__ import annotations

import contextlib
import hashlib
import os
import time
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.coding import frame
from underpaint.coding.keys import Key
from underpaint.errors import CapacityError, DamagedError, NotFoundError, PayloadError, UsageError
from underpaint.methods.lsb import LSB
from underpaint.types import Payload

if TYPE_CHECKING:
    from underpaint.channels import Chain
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


@settings(deadline=None, max_examples=20)
@given(payloads, st.integers(32, 70), st.integers(32, 70), st.sampled_from([None, "drawing"]))
def test_round_trip(payload: Payload, height: int, width: int, passphrase: str | None) -> None:
    image = cover(height, width)
    before = image.copy()
    container = hide(image, payload, passphrase)
    assert METHOD.reveal(container, passphrase) == payload
    assert container.shape == image.shape
    assert (image == before).all()


@pytest.mark.parametrize("image", [np.zeros((32, 32, 3), np.uint8), np.full((40, 33, 3), 255, np.uint8)])
def test_flat_covers(image: Image) -> None:
    payload = Payload.from_text("in the black, in the white")
    assert METHOD.reveal(hide(image, payload), None) == payload


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (300, 301)])
def test_capacity_is_kept(shape: tuple[int, int]) -> None:
    """What capacity promises fits whatever the file is called, at about the quality it says."""
    image = cover(*shape)
    capacity = METHOD.capacity(image)
    payload = Payload(KEY.stream("data", capacity.payload_bytes).tobytes(), "file", "n" * frame.LONGEST_NAME)
    container = hide(image, payload, "drawing")
    assert METHOD.reveal(container, "drawing") == payload
    error = np.mean((container.astype(float) - image) ** 2)
    assert 10 * np.log10(255**2 / error) == pytest.approx(capacity.psnr, abs=0.8)  # the head's places carry less


def test_the_map_is_the_same_for_cover_and_container() -> None:
    carrier = METHOD
    image = cover()
    container = hide(image, Payload(b"bytes"), "drawing")
    assert np.array_equal(carrier.capacity_map(image), carrier.capacity_map(container))
    assert np.unique(carrier.capacity_map(image)).tolist() == [0, 4]


def test_too_large() -> None:
    with pytest.raises(CapacityError, match="this picture holds 4436") as caught:
        hide(cover(), Payload(os.urandom(5000)))
    assert caught.value.hint == "take a picture of 1.14 times the area"


def test_a_small_payload_moves_no_value_by_more_than_one() -> None:
    image = cover()
    container = hide(image, Payload(os.urandom(800)))
    assert np.abs(container.astype(int) - image).max() == 1


def test_settings_it_does_not_have() -> None:
    chain: Chain = object()  # type: ignore[assignment]
    for psnr, survive in ((40.0, None), (None, chain)):
        with pytest.raises(UsageError) as caught:
            METHOD.hide(cover(), Payload(b""), None, psnr=psnr, survive=survive)
        assert caught.value.hint


def test_too_small_a_picture() -> None:
    tiny = np.zeros((31, 100, 3), np.uint8)
    with pytest.raises(UsageError):
        METHOD.capacity(tiny)
    with pytest.raises(UsageError):
        hide(tiny, Payload(b""))
    with pytest.raises(NotFoundError):
        METHOD.reveal(tiny, None)


@pytest.mark.parametrize(("given", "tried"), [("drawing", "other"), ("drawing", None), (None, "drawing")])
def test_other_passphrase(given: str | None, tried: str | None) -> None:
    container = hide(cover(), Payload(b"payload"), given)
    with pytest.raises(NotFoundError) as caught:
        METHOD.reveal(container, tried)
    assert caught.value.hint


@settings(deadline=None)
@given(st.integers(32, 60), st.integers(32, 60), st.binary(min_size=1, max_size=8))
def test_unmarked_pictures(height: int, width: int, seed: bytes) -> None:
    with pytest.raises(NotFoundError):
        METHOD.reveal(cover(height, width, seed.hex()), None)


@settings(deadline=None)
@given(st.data())
def test_altered_values_never_give_garbage(data: st.DataObject) -> None:
    payload = Payload(KEY.stream("data", 300).tobytes())
    container = hide(cover(), payload)
    at = data.draw(st.lists(st.integers(0, container.size - 1), min_size=1, max_size=200))
    container.reshape(-1)[at] ^= 1
    with contextlib.suppress(PayloadError):
        assert METHOD.reveal(container, None) == payload  # nothing lay there


def test_altered_body_is_damage() -> None:
    container = hide(cover(), Payload(os.urandom(4000)), "drawing")
    container[1, 1] ^= 1
    with pytest.raises(DamagedError):
        METHOD.reveal(container, "drawing")


@pytest.mark.parametrize(
    "part",
    [np.s_[:-1], np.s_[1:], np.s_[:, 1:], np.s_[:, ::-1], np.s_[::-1], np.s_[:, :, ::-1], np.s_[:40, :40]],
)
def test_cut_and_turned(part: tuple[slice, ...]) -> None:
    container = hide(cover(), Payload(os.urandom(100)))
    with pytest.raises(PayloadError):
        METHOD.reveal(np.ascontiguousarray(container[part]), None)


def test_views_are_read_as_what_they_show() -> None:
    """A picture need not lie in memory in reading order."""
    image = np.asfortranarray(cover())
    payload = Payload(b"payload")
    container = hide(image, payload)
    assert METHOD.reveal(np.asfortranarray(container), None) == payload


def test_the_head_looks_like_any_low_bits(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_golden(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_five_megabytes_in_twelve_megapixels() -> None:
    image = cover(3000, 4000)
    payload = Payload(os.urandom(5_000_000), "file", "archive.zip")
    tracemalloc.start()
    started = time.perf_counter()
    container = hide(image, payload, "drawing")
    hidden = time.perf_counter()
    assert METHOD.reveal(container, "drawing") == payload
    assert hidden - started < 5
    assert time.perf_counter() - hidden < 4
    assert tracemalloc.get_traced_memory()[1] < 200e6
    tracemalloc.stop()
