"""BASN with syndrome-trellis codes alone: less change than bit planes, at a predicted PSNR."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint import media, metrics
from underpaint.coding import frame
from underpaint.coding.keys import Key
from underpaint.embedding import stc
from underpaint.errors import CapacityError, DamagedError
from underpaint.media import samples
from underpaint.methods import basn_stc, lossless
from underpaint.methods.basn import BASN
from underpaint.methods.basn_stc import BASNSTC
from underpaint.models.attention import attention
from underpaint.types import Payload

if TYPE_CHECKING:
    from underpaint.methods import Method
    from underpaint.types import Image

pytestmark = pytest.mark.usefixtures("cheap_keys")

METHOD = BASNSTC()
KEY = Key(bytes(range(32)))


def cover(height: int = 48, width: int = 64) -> Image:
    return media.read(samples.path("chelsea")).pixels[40 : 40 + height, 100 : 100 + width].copy()


def noise(count: int) -> bytes:
    return KEY.stream("data", count).tobytes()


def hide(pixels: Image, payload: Payload, passphrase: str | None = None, method: Method = METHOD) -> Image:
    return method.hide(pixels, payload, passphrase, psnr=None, survive=None)


@settings(deadline=None, max_examples=8)
@given(st.floats(0, 1), st.integers(40, 100), st.integers(32, 120), st.sampled_from([None, "drawing"]))
def test_payloads_up_to_the_capacity_fit(share: float, height: int, width: int, passphrase: str | None) -> None:
    pixels = cover(height, width)
    payload = Payload(noise(int(share * METHOD.capacity(pixels).payload_bytes)), name="notes.txt")
    before = pixels.copy()
    container = hide(pixels, payload, passphrase)
    assert METHOD.reveal(container, passphrase) == payload
    assert (pixels == before).all()
    assert np.abs(container.astype(int) - pixels).max() < 16


def clipped(rng: np.random.Generator) -> Image:
    pixels = rng.integers(-200, 456, (40, 48, 3)).clip(0, 255).astype(np.uint8)
    pixels[:, 30:] = 255
    return pixels


HARD = {
    "small": cover(32, 32),
    "photograph": cover(90, 70),
    **{f"flat {value}": np.full((48, 52, 3), value, np.uint8) for value in (0, 1, 128, 255)},
    "noise": np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8),
    "clipped": clipped(np.random.default_rng(1)),
    "black and white": np.kron(np.random.default_rng(2).integers(0, 2, (8, 8, 3)), np.full((6, 6, 1), 255)).astype(
        np.uint8
    ),
}


@pytest.mark.parametrize("name", HARD)
def test_a_payload_of_the_stated_capacity_fits(name: str) -> None:
    pixels = HARD[name]
    capacity = METHOD.capacity(pixels)
    payload = Payload(noise(capacity.payload_bytes), "file", "n" * frame.LONGEST_NAME)
    container = hide(pixels, payload, "drawing")
    assert METHOD.reveal(container, "drawing") == payload
    assert metrics.psnr(pixels, container) == pytest.approx(capacity.psnr, abs=0.5)
    with pytest.raises(CapacityError, match="this picture holds") as caught:
        hide(pixels, Payload(noise(capacity.payload_bytes + 1), "file", "n" * frame.LONGEST_NAME))
    assert "times the area" in str(caught.value.hint)


@settings(deadline=None, max_examples=10)
@given(st.integers(32, 48), st.integers(32, 48), st.integers(0, 2**32))
def test_a_payload_of_the_stated_capacity_fits_in_any_picture(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    few = rng.integers(0, 256, int(rng.integers(1, 8)), np.uint8)
    pixels = np.where(
        rng.random((height, width, 3)) < rng.random(), rng.choice(few), rng.choice(few, (height, width, 3))
    )
    payload = Payload(noise(METHOD.capacity(pixels).payload_bytes), "file", "n" * frame.LONGEST_NAME)
    assert METHOD.reveal(hide(pixels, payload), None) == payload


def test_a_photograph_holds_more_than_a_byte_per_pixel() -> None:
    capacity = METHOD.capacity(cover(200, 300))
    assert 1 < capacity.payload_bytes / (200 * 300) < 1.2
    assert capacity.psnr > 40


@pytest.mark.parametrize(("psnr", "layers"), [(64.0, 2), (58.0, 2), (54.8, 2), (50.0, 3), (47.0, 3), (43.0, 4)])
def test_the_psnr_of_a_payload_is_predicted(psnr: float, layers: int) -> None:
    pixels = cover(150, 200)
    length = METHOD.payload_at(pixels, psnr)
    body = noise(length + lossless.OVERHEAD)
    header = METHOD.write(pixels, body, KEY).header
    assert header.parameter == layers
    container = hide(pixels, Payload(noise(length), "file", "n" * frame.LONGEST_NAME))
    assert metrics.psnr(pixels, container) == pytest.approx(psnr, abs=0.2)


@pytest.mark.parametrize(("length", "gain"), [(3000, 3), (9000, 2.5), (18_000, 2.5)])
def test_it_changes_less_than_bit_planes(length: int, gain: float) -> None:
    pixels, payload = cover(120, 160), Payload(noise(length))
    by_trellis, by_planes = hide(pixels, payload), hide(pixels, payload, method=BASN())
    assert metrics.psnr(pixels, by_trellis) > metrics.psnr(pixels, by_planes) + gain


def test_the_receiver_needs_no_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    payload = Payload(noise(200))
    container = hide(cover(), payload)
    monkeypatch.setattr(basn_stc, "attention", lambda _: pytest.fail("the receiver computes attention"))
    assert METHOD.reveal(container, None) == payload


def test_the_header_takes_few_changes_where_attention_is_high() -> None:
    pixels = cover(200, 240)
    changed = np.flatnonzero(hide(pixels, Payload(b"")) != pixels)
    at = METHOD.head.places(pixels.size)
    assert np.unique(at).size == at.size == pixels.size // 16
    heads = changed[np.isin(changed, at)]
    assert heads.size < METHOD.head.bits / 4
    attended = attention(pixels, whole=True).reshape(-1)
    assert np.median(attended[heads]) > np.quantile(attended[at], 0.8)


@pytest.mark.parametrize(
    "header",
    [
        *(frame.Header(layers, 20, bytes(12)) for layers in (0, 1, 5, 0xFFFF)),
        frame.Header(2, 20, b"\xff" * 12),
        frame.Header(2, 20, bytes(3) + b"\1" + bytes(8)),
        frame.Header(3, 20, bytes(3) + b"\1" + bytes(8)),
        frame.Header(4, 20, bytes(10) + b"\1\0"),
        frame.Header(4, 1 << 40, bytes(12)),
    ],
)
def test_unknown_header_is_a_newer_version(header: frame.Header) -> None:
    salt, container = bytes(16), cover() & np.uint8(254)
    head = frame.seal_head(header, Key.derive(None, salt), salt, METHOD.name)
    at, bits = METHOD.head.places(container.size), np.unpackbits(np.frombuffer(head, np.uint8))
    container.reshape(-1)[at] |= stc.code(np.zeros_like(at, np.uint8), np.ones(at.shape), bits)
    with pytest.raises(DamagedError, match="newer"):
        METHOD.reveal(container, None)
