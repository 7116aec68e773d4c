"""BASN alone: values stay in their bins of 16 levels, and change where attention is high."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.run_cli import CHEAP_COSTS
from support.shared_pictures import pictures_in, spread
from underpaint import media, metrics
from underpaint.coding import frame, keys
from underpaint.coding.keys import Key
from underpaint.embedding import bit_planes
from underpaint.errors import CapacityError, DamagedError, NotFoundError
from underpaint.media import samples
from underpaint.methods import basn, lossless
from underpaint.methods.basn import BASN
from underpaint.methods.basn_stc import BASNSTC
from underpaint.models.attention import attention
from underpaint.types import Payload

if TYPE_CHECKING:
    from underpaint.methods import Method
    from underpaint.types import Image

pytestmark = pytest.mark.usefixtures("cheap_keys")

METHOD = BASN()
KEY = Key(bytes(range(32)))
FOLDER = os.environ.get("UNDERPAINT_PICTURES")
TRIALS = 20_000


def cover(height: int = 64, width: int = 96, name: str = "chelsea") -> Image:
    return media.read(samples.path(name)).pixels[40 : 40 + height, 100 : 100 + width].copy()


def noise(count: int) -> bytes:
    return KEY.stream("data", count).tobytes()


def hide(pixels: Image, payload: Payload, passphrase: str | None = None) -> Image:
    return METHOD.hide(pixels, payload, passphrase, psnr=None, survive=None)


payloads = st.one_of(
    st.builds(Payload.from_text, st.text(max_size=200)),
    st.builds(Payload, st.binary(max_size=500), name=st.sampled_from([None, "notes.txt"])),
)


@settings(deadline=None, max_examples=15)
@given(payloads, st.integers(32, 200), st.integers(32, 200), st.sampled_from([None, "drawing", "ключ 🔑"]))
def test_values_stay_in_their_bins(payload: Payload, height: int, width: int, passphrase: str | None) -> None:
    pixels = cover(height, width)
    before = pixels.copy()
    container = hide(pixels, payload, passphrase)
    assert METHOD.reveal(container, passphrase) == payload
    assert (pixels == before).all()
    assert (container >> 4 == pixels >> 4).all(), "a value left its bin"


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (120, 161)])
def test_a_payload_of_the_stated_capacity_fits(shape: tuple[int, int]) -> None:
    """For a file name of any length, at about the stated PSNR."""
    pixels = cover(*shape)
    capacity = METHOD.capacity(pixels)
    assert 0.9 * shape[0] * shape[1] < capacity.payload_bytes + lossless.OVERHEAD <= shape[0] * shape[1]
    payload = Payload(noise(capacity.payload_bytes), "file", "n" * frame.LONGEST_NAME)
    container = hide(pixels, payload, "drawing")
    assert METHOD.reveal(container, "drawing") == payload
    assert metrics.psnr(pixels, container) == pytest.approx(capacity.psnr, abs=0.5)
    with pytest.raises(CapacityError, match="this picture holds") as caught:
        hide(pixels, Payload(noise(capacity.payload_bytes + 1), "file", "n" * frame.LONGEST_NAME))
    assert "times the area" in str(caught.value.hint)


def test_values_with_high_attention_change() -> None:
    pixels = cover(200, 240)
    attended = attention(pixels)
    changed = hide(pixels, Payload(noise(2000))) != pixels
    changed.reshape(-1)[METHOD.head.places(pixels.size)] = False
    assert attended[changed].min() > np.median(attended)


@pytest.mark.parametrize("length", [0, 1000, 20_000])
def test_the_capacity_map_is_the_same_for_cover_and_container(length: int) -> None:
    pixels = cover(200, 240)
    container = hide(pixels, Payload(noise(length), name="n" * frame.LONGEST_NAME))
    capacity = METHOD.capacity_map(pixels, length)
    assert (METHOD.capacity_map(container, length) == capacity).all()
    assert bit_planes.room(capacity) >= length + lossless.OVERHEAD
    assert (container != pixels)[capacity == 0].sum() <= 8 * frame.HEAD_SIZE


def test_a_segment_that_ends_within_a_byte_is_allowed_for() -> None:
    """Each segment of 65,536 values loses up to a byte: a payload as long as the sum of all bits needs more planes."""
    pixels = cover(149, 150)
    capacity = METHOD.capacity_map(pixels, 1000)
    bits = int(capacity.sum())
    assert bit_planes.room(capacity) < bits // 8
    payload = Payload(noise(bits // 8 - lossless.OVERHEAD), name="n" * frame.LONGEST_NAME)
    assert METHOD.reveal(hide(pixels, payload), None) == payload


def test_planes_follow_from_equal_marginal_cost() -> None:
    """The table is what equal marginal costs say, to the nearest step, and never falls with attention."""
    added = np.diff([bit_planes.squared_change(k, "confined") for k in range(5)])
    exact = 16 * np.log2(added / added[0])
    assert np.abs(exact - basn.PLANE_THRESHOLDS).max() < 1
    assert (np.diff(basn.PLANE_TABLE.astype(int), axis=0) >= 0).all()
    assert (np.diff(basn.PLANE_TABLE.astype(int), axis=1) >= 0).all()
    assert basn.PLANE_TABLE[0].sum() == 1
    assert basn.PLANE_TABLE[-1].min() == 3


def test_the_container_format_is_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 1 placed the bits so, given the attention; every later version must."""
    attended = np.frombuffer(noise(64 * 96 * 3), np.uint8).reshape(64, 96, 3)
    monkeypatch.setattr(basn, "attention", lambda _: attended)
    monkeypatch.setattr(frame, "new_salt", lambda: b"0123456789abcdef")
    pixels = (np.arange(64 * 96 * 3) // 80).astype(np.uint8).reshape(64, 96, 3)
    payload = Payload(noise(1000), "file", "name.bin")
    container = hide(pixels, payload)
    assert METHOD.reveal(container, None) == payload
    assert hashlib.sha256(container.tobytes()).hexdigest()[:32] == "b41d35f13ed3b59a71f19a3120ced408"


# Altered containers


def test_an_altered_header_is_not_found() -> None:
    container = hide(cover(48, 64), Payload(noise(300)), "drawing")
    for place in METHOD.head.places(container.size)[::17]:
        container.reshape(-1)[place] ^= 1
        with pytest.raises(NotFoundError):
            METHOD.reveal(container, "drawing")
        container.reshape(-1)[place] ^= 1


def test_one_altered_bit_of_the_body_is_damaged() -> None:
    pixels = cover(48, 64)
    length = METHOD.capacity(pixels).payload_bytes
    container = hide(pixels, Payload(noise(length), name="n" * frame.LONGEST_NAME), "drawing")
    capacity = METHOD.capacity_map(pixels, length)
    carrying = np.flatnonzero(capacity)
    for place in carrying[:: len(carrying) // 20]:
        container.reshape(-1)[place] ^= 1
        with pytest.raises(DamagedError):
            METHOD.reveal(container, "drawing")
        container.reshape(-1)[place] ^= 1


@pytest.mark.parametrize("header", [frame.Header(len(basn.OFFSETS), 20), frame.Header(0, 1 << 40)])
def test_unknown_header_is_a_newer_version(header: frame.Header) -> None:
    salt, container = bytes(16), cover() & np.uint8(254)
    head = frame.seal_head(header, Key.derive(None, salt), salt, "basn")
    container.reshape(-1)[METHOD.head.places(container.size)] |= np.unpackbits(np.frombuffer(head, np.uint8))
    assert METHOD.holds(container, None)
    with pytest.raises(DamagedError, match="newer"):
        METHOD.reveal(container, None)


# Minutes


def trial(seed: int) -> None:
    """Hide something random in a random piece of a random photograph, and reveal it by attention worked out anew."""
    rng = np.random.default_rng(seed)
    pictures = pictures_in(Path(FOLDER) if FOLDER else None)
    pixels = media.read(pictures[rng.integers(len(pictures))]).pixels
    height, width = (int(rng.integers(32, min(side, 1024) + 1)) for side in pixels.shape[:2])
    top, left = (
        int(rng.integers(whole - side + 1)) for whole, side in zip(pixels.shape, (height, width), strict=False)
    )
    piece = np.ascontiguousarray(pixels[top : top + height, left : left + width])
    method: Method = BASNSTC() if seed % 4 == 0 else METHOD
    most = method.capacity(piece).payload_bytes
    payload = Payload(rng.bytes(int(np.exp(rng.uniform(0, np.log(most + 1))))))
    passphrase = rng.bytes(8).hex() if rng.random() < 0.5 else None
    keys.COSTS = CHEAP_COSTS  # a process of its own
    container = method.hide(piece, payload, passphrase, psnr=None, survive=None)
    attention(np.zeros((32, 32, 3), np.uint8))  # another picture replaces the remembered attention
    assert method.reveal(container, passphrase) == payload
    assert method is not METHOD or (container >> 4 == piece >> 4).all()


@pytest.mark.slow
def test_thousands_of_pictures_are_revealed_exactly() -> None:
    spread(trial, range(TRIALS))
