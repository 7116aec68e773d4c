"""Files by attention: exact or an error, inside the bins, where attention is."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.run_cli import CHEAP_COSTS
from support.shared_pictures import pictures_in, spread
from underpaint import api, media, metrics
from underpaint.coding import frame, keys
from underpaint.coding.keys import Key
from underpaint.embedding import bit_planes
from underpaint.errors import CapacityError, DamagedError, NotFoundError, PayloadError, UsageError
from underpaint.media import samples
from underpaint.methods import PredictablePSNR, basn, lossless
from underpaint.methods.basn import BASN
from underpaint.methods.basn_stc import BASNSTC
from underpaint.methods.lsb import LSB
from underpaint.models import attention as module
from underpaint.models.attention import attention
from underpaint.types import Payload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from underpaint.methods import Method
    from underpaint.types import Image

METHOD = BASN()
KEY = Key(bytes(range(32)))
FOLDER = os.environ.get("UNDERPAINT_PICTURES")
TRIALS = 20_000


@pytest.fixture(autouse=True, scope="module")
def _cheap_keys() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "COSTS", CHEAP_COSTS)
        yield


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
def test_round_trip(payload: Payload, height: int, width: int, passphrase: str | None) -> None:
    pixels = cover(height, width)
    before = pixels.copy()
    container = hide(pixels, payload, passphrase)
    assert METHOD.reveal(container, passphrase) == payload
    assert (pixels == before).all()
    assert (container >> 4 == pixels >> 4).all(), "a value left its bin"


@pytest.mark.parametrize("level", [0, 7, 128, 255])
@pytest.mark.parametrize("length", [0, 200, 700])
def test_flat_covers(level: int, length: int) -> None:
    pixels, payload = np.full((32, 33, 3), level, np.uint8), Payload(noise(length))
    assert METHOD.reveal(hide(pixels, payload), None) == payload


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (120, 161)])
def test_capacity_is_kept(shape: tuple[int, int]) -> None:
    """What capacity promises fits whatever the file is called, at about the quality it says."""
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


@pytest.mark.parametrize("method", [METHOD, LSB()])
@pytest.mark.parametrize("psnr", [41.0, 44.0, 50.0, 56.0])
def test_the_quality_of_a_payload_is_known_beforehand(method: Any, psnr: float) -> None:
    pixels = cover(200, 240)
    length = method.payload_at(pixels, psnr)
    payload = Payload(noise(length), "file", "n" * frame.LONGEST_NAME)
    container = method.hide(pixels, payload, None, psnr=None, survive=None)
    assert metrics.psnr(pixels, container) == pytest.approx(psnr, abs=0.3)
    assert method.payload_at(pixels, 70.0) == 0
    assert isinstance(method, PredictablePSNR)


def test_changes_lie_where_attention_is() -> None:
    pixels = cover(200, 240)
    attended = attention(pixels)
    changed = hide(pixels, Payload(noise(2000))) != pixels
    changed.reshape(-1)[METHOD.head.places(pixels.size)] = False
    assert attended[changed].min() > np.median(attended)


@pytest.mark.parametrize("length", [0, 1000, 20_000])
def test_the_map_is_the_same_for_cover_and_container(length: int) -> None:
    pixels = cover(200, 240)
    container = hide(pixels, Payload(noise(length), name="n" * frame.LONGEST_NAME))
    capacity = METHOD.capacity_map(pixels, length)
    assert (METHOD.capacity_map(container, length) == capacity).all()
    assert bit_planes.room(capacity) >= length + lossless.OVERHEAD
    assert (container != pixels)[capacity == 0].sum() <= 8 * frame.HEAD_SIZE


def test_planes_are_bought_where_they_are_cheapest() -> None:
    """The table is what equal marginal costs say, to the nearest step, and never falls with attention."""
    added = np.diff([bit_planes.squared_change(k, "confined") for k in range(5)])
    exact = 16 * np.log2(added / added[0])
    assert np.abs(exact - basn.PLANE_THRESHOLDS).max() < 1
    assert (np.diff(basn.PLANE_TABLE.astype(int), axis=0) >= 0).all()
    assert (np.diff(basn.PLANE_TABLE.astype(int), axis=1) >= 0).all()
    assert basn.PLANE_TABLE[0].sum() == 1
    assert basn.PLANE_TABLE[-1].min() == 3


def test_golden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where version 1 put the bits, given the attention: it must be so for ever."""
    attended = np.frombuffer(noise(64 * 96 * 3), np.uint8).reshape(64, 96, 3)
    monkeypatch.setattr(basn, "attention", lambda _: attended)
    monkeypatch.setattr(frame, "new_salt", lambda: b"0123456789abcdef")
    pixels = (np.arange(64 * 96 * 3) // 80).astype(np.uint8).reshape(64, 96, 3)
    payload = Payload(noise(1000), "file", "name.bin")
    container = hide(pixels, payload)
    assert METHOD.reveal(container, None) == payload
    assert hashlib.sha256(container.tobytes()).hexdigest()[:32] == "b41d35f13ed3b59a71f19a3120ced408"


# --- what is not a container any more


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_altered_values_never_give_garbage(data: st.DataObject) -> None:
    payload = Payload(noise(300))
    container = hide(cover(48, 64), payload)
    at = data.draw(st.lists(st.integers(0, container.size - 1), min_size=1, max_size=200))
    container.reshape(-1)[at] ^= np.uint8(1 << data.draw(st.integers(0, 7)))
    with contextlib.suppress(PayloadError):
        assert METHOD.reveal(container, None) == payload  # nothing lay there


def test_every_flipped_bit_of_the_head_loses_the_payload() -> None:
    container = hide(cover(48, 64), Payload(noise(300)), "drawing")
    for place in METHOD.head.places(container.size)[::17]:
        container.reshape(-1)[place] ^= 1
        with pytest.raises(NotFoundError):
            METHOD.reveal(container, "drawing")
        container.reshape(-1)[place] ^= 1


def test_a_flipped_bit_of_the_body_is_damage() -> None:
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


@pytest.mark.parametrize(
    "part",
    [np.s_[:-1], np.s_[1:], np.s_[:, 1:], np.s_[:, ::-1], np.s_[::-1], np.s_[:, :, ::-1], np.s_[:40, :40]],
)
def test_cut_and_turned(part: tuple[slice, ...]) -> None:
    container = hide(cover(), Payload(noise(100)))
    with pytest.raises(PayloadError):
        METHOD.reveal(np.ascontiguousarray(container[part]), None)


@pytest.mark.parametrize("chain", ["jpeg:95", "webp:90", "resize:0.5", "brightness:1.01", "blur:0.5"])
def test_recompressed_and_scaled(chain: str) -> None:
    container = hide(cover(), Payload(noise(100)), "drawing")
    with pytest.raises(NotFoundError):
        METHOD.reveal(api.attack(container, chain), "drawing")


@pytest.mark.parametrize(("given", "tried"), [("drawing", "other"), ("drawing", None), (None, "drawing")])
def test_other_passphrase(given: str | None, tried: str | None) -> None:
    container = hide(cover(), Payload(b"payload"), given)
    with pytest.raises(NotFoundError) as caught:
        METHOD.reveal(container, tried)
    assert caught.value.hint


def test_lsb_and_basn_do_not_take_each_other_for_their_own() -> None:
    payload = Payload(noise(100))
    ours, theirs = hide(cover(), payload), LSB().hide(cover(), payload, None, psnr=None, survive=None)
    for method, container in ((LSB(), ours), (METHOD, theirs)):
        assert not method.holds(container, None)
        with pytest.raises(NotFoundError):
            method.reveal(container, None)


@pytest.mark.parametrize("header", [frame.Header(len(basn.OFFSETS), 20), frame.Header(0, 1 << 40)])
def test_unknown_header_is_a_newer_version(header: frame.Header) -> None:
    salt, container = bytes(16), cover() & np.uint8(254)
    head = frame.seal_head(header, Key.derive(None, salt), salt, "basn")
    container.reshape(-1)[METHOD.head.places(container.size)] |= np.unpackbits(np.frombuffer(head, np.uint8))
    assert METHOD.holds(container, None)
    with pytest.raises(DamagedError, match="newer"):
        METHOD.reveal(container, None)


def test_settings_it_does_not_have() -> None:
    unknown: tuple[dict[str, Any], ...] = ({"psnr": 40.0}, {"survive": "jpeg:50"})
    for setting in unknown:
        with pytest.raises(UsageError, match="basn has no quality or survival setting"):
            api.hide(cover(), b"x", method="basn", **setting)


def test_too_small_a_picture() -> None:
    tiny = np.zeros((31, 100, 3), np.uint8)
    for use in (METHOD.capacity, lambda it: METHOD.payload_at(it, 44), lambda it: hide(it, Payload(b""))):
        with pytest.raises(UsageError, match="too small"):
            use(tiny)
    with pytest.raises(NotFoundError):
        METHOD.reveal(tiny, None)


# --- minutes


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
    module._remembered.clear()
    assert method.reveal(container, passphrase) == payload
    assert method is not METHOD or (container >> 4 == piece >> 4).all()


@pytest.mark.slow
def test_thousands_of_pictures() -> None:
    spread(trial, range(TRIALS))
