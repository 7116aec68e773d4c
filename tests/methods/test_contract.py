"""Every method in METHODS: what is hidden is revealed, by the right passphrase only, and anything else is an error."""

from __future__ import annotations

import contextlib
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint import media, metrics
from underpaint.channels import parse
from underpaint.coding import frame
from underpaint.coding.template import NUMBERS, cosine_similarity, pack, unpack
from underpaint.errors import CapacityError, DamagedError, NotFoundError, PayloadError, UsageError
from underpaint.media import Picture, samples
from underpaint.methods import EXACT, METHODS, ImageCarrier, PredictablePSNR
from underpaint.methods.basn import BASN
from underpaint.methods.basn_stc import BASNSTC
from underpaint.methods.lsb import LSB
from underpaint.methods.miais import MIN_SIMILARITY
from underpaint.methods.pixinpix import HEADER
from underpaint.types import Payload

if TYPE_CHECKING:
    from underpaint.types import Image

pytestmark = pytest.mark.usefixtures("cheap_keys")

COFFEE = media.read(samples.path("coffee")).pixels
COVER = COFFEE[100:228, 200:328]
PASSPHRASE = "drawing"
LOSSLESS = [name for name, method in METHODS.items() if method.needs_lossless]
SURVIVING = [name for name in METHODS if name not in LOSSLESS]
#: Places of the header, by method.
HEADERS = {"lsb": LSB.head, "basn": BASN.head, "basn-stc": BASNSTC.head, "pixinpix": HEADER}
TEMPLATE = np.random.default_rng(3).standard_normal(NUMBERS).astype(np.float32)
TINY = (np.zeros((1, 1, 3), np.uint8), COFFEE[:8, :9], COFFEE[:1, :400], COFFEE[:31, :100])


def payload_for(name: str) -> Payload:
    """A small payload of the kind that the method hides."""
    if name == "miais":
        return Payload(pack(TEMPLATE), "template")
    if isinstance(METHODS[name], ImageCarrier):
        return Payload(media.encode(Picture(COFFEE[50:82, 60:100]), "png"), "picture")
    return Payload.from_text("12345678")


def hide(name: str, cover: Image, payload: Payload | None = None, passphrase: str | None = None) -> Image:
    """Hide at 36 dB for no channel, by a method that has such settings."""
    psnr, survive = (None, None) if name in LOSSLESS else (36.0, parse("none"))
    return METHODS[name].hide(cover, payload or payload_for(name), passphrase, psnr=psnr, survive=survive)


@cache
def container(name: str, passphrase: str | None = None) -> Image:
    marked = hide(name, COVER, passphrase=passphrase)
    marked.flags.writeable = False
    return marked


def is_revealed(name: str, revealed: Payload) -> bool:
    """The payload is the hidden one: exactly, or as near as the method promises."""
    hidden = payload_for(name)
    if name == "miais":
        return cosine_similarity(unpack(revealed.data), TEMPLATE) >= MIN_SIMILARITY
    if isinstance(METHODS[name], ImageCarrier):
        before, after = (media.decode(each.data).pixels for each in (hidden, revealed))
        return before.shape == after.shape and metrics.psnr(before, after) > 25
    return revealed == hidden


@pytest.mark.parametrize("name", METHODS)
def test_a_method_describes_itself(name: str) -> None:
    method = METHODS[name]
    assert method.name == name
    assert method.summary
    assert (method.default_survive is None) == method.needs_lossless


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
@pytest.mark.parametrize("name", METHODS)
def test_the_payload_is_revealed(name: str, passphrase: str | None) -> None:
    marked = container(name, passphrase)
    assert (marked.shape, marked.dtype) == (COVER.shape, COVER.dtype)
    assert metrics.psnr(COVER, marked) > 35
    assert METHODS[name].holds(marked, passphrase)
    assert is_revealed(name, METHODS[name].reveal(marked, passphrase))


@pytest.mark.parametrize(
    ("given", "tried"), [(PASSPHRASE, "Drawing"), (PASSPHRASE, "drawing "), (PASSPHRASE, None), (None, PASSPHRASE)]
)
@pytest.mark.parametrize("name", METHODS)
def test_another_passphrase_reveals_nothing(name: str, given: str | None, tried: str | None) -> None:
    assert not METHODS[name].holds(container(name, given), tried)
    with pytest.raises(NotFoundError) as caught:
        METHODS[name].reveal(container(name, given), tried)
    assert caught.value.hint


@pytest.mark.parametrize("name", METHODS)
def test_the_cover_is_not_changed_and_memory_order_does_not_matter(name: str) -> None:
    cover = np.asfortranarray(COVER)
    cover.flags.writeable = False
    marked = hide(name, cover)
    assert np.array_equal(cover, COVER)
    assert is_revealed(name, METHODS[name].reveal(np.asfortranarray(marked), None))


@pytest.mark.parametrize("shape", [(64, 64), (64, 97), (101, 66)])
@pytest.mark.parametrize("name", METHODS)
def test_covers_of_any_size(name: str, shape: tuple[int, int]) -> None:
    marked = hide(name, COVER[: shape[0], : shape[1]])
    assert marked.shape == (*shape, 3)
    assert is_revealed(name, METHODS[name].reveal(marked, None))


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("name", [name for name in METHODS if name != "robust-picture"])
def test_flat_covers(name: str, level: int) -> None:
    marked = hide(name, np.full((128, 128, 3), level, np.uint8))
    assert is_revealed(name, METHODS[name].reveal(marked, None))


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("name", [name for name in LOSSLESS if name in EXACT])
def test_a_payload_of_the_stated_capacity_fits_in_the_smallest_flat_covers(name: str, level: int) -> None:
    flat = np.full((32, 33, 3), level, np.uint8)
    size = METHODS[name].capacity(flat).payload_bytes
    payload = Payload(np.random.default_rng(4).bytes(size), name="n" * frame.LONGEST_NAME)
    assert METHODS[name].reveal(hide(name, flat, payload), None) == payload


@pytest.mark.parametrize("name", METHODS)
def test_too_small_a_cover_is_refused(name: str) -> None:
    method, tiny = METHODS[name], COFFEE[:31, :100]
    with pytest.raises(UsageError, match="too small"):
        method.capacity(tiny)
    with pytest.raises(UsageError, match="too small"):
        hide(name, tiny)
    if isinstance(method, PredictablePSNR):
        with pytest.raises(UsageError, match="too small"):
            method.payload_at(tiny, 44.0)


@pytest.mark.parametrize("name", METHODS)
def test_a_picture_without_payload_reveals_nothing(name: str) -> None:
    flat, noise = np.full((64, 64, 3), 90, np.uint8), np.random.default_rng(0).integers(0, 256, (64, 70, 3), np.uint8)
    for picture in (COVER, flat, noise, *TINY):
        assert not METHODS[name].holds(picture, None)
        with pytest.raises(NotFoundError):
            METHODS[name].reveal(picture, None)


@pytest.mark.parametrize("other", METHODS)
@pytest.mark.parametrize("name", METHODS)
def test_methods_do_not_reveal_each_others_payloads(name: str, other: str) -> None:
    if name != other:
        with pytest.raises(NotFoundError):
            METHODS[name].reveal(container(other), None)


@pytest.mark.parametrize("chain", ["jpeg:5", "noise:0.3", "brightness:0", "resize:0.1", "invert", "crop:0.3"])
@pytest.mark.parametrize("name", METHODS)
def test_a_destroyed_payload_is_an_error(name: str, chain: str) -> None:
    """A message may still survive; nothing else is ever revealed."""
    damaged = 255 - container(name) if chain == "invert" else parse(chain)(container(name))
    with contextlib.suppress(PayloadError):
        assert is_revealed(name, METHODS[name].reveal(damaged, None))


@pytest.mark.parametrize(
    "part",
    [np.s_[:-1], np.s_[1:], np.s_[:, 1:], np.s_[:, ::-1], np.s_[::-1], np.s_[:, :, ::-1], np.s_[:40, :40]],
)
@pytest.mark.parametrize("name", HEADERS)
def test_a_cropped_or_flipped_lossless_container_is_refused(name: str, part: tuple[slice, ...]) -> None:
    with pytest.raises(PayloadError):
        METHODS[name].reveal(np.ascontiguousarray(container(name)[part]), None)


@pytest.mark.parametrize("chain", ["jpeg:95", "webp:90", "resize:0.5", "brightness:1.01", "blur:0.5"])
@pytest.mark.parametrize("name", HEADERS)
def test_a_recompressed_or_filtered_lossless_container_reveals_nothing(name: str, chain: str) -> None:
    with pytest.raises(NotFoundError):
        METHODS[name].reveal(parse(chain)(container(name)), None)


@pytest.mark.parametrize("name", HEADERS)
@settings(deadline=None, max_examples=12)
@given(data=st.data())
def test_altered_values_never_reveal_another_payload(name: str, data: st.DataObject) -> None:
    altered = container(name).copy()
    at = data.draw(st.lists(st.integers(0, altered.size - 1), min_size=1, max_size=200))
    altered.reshape(-1)[at] ^= np.uint8(1 << data.draw(st.integers(0, 7)))
    with contextlib.suppress(PayloadError):
        assert is_revealed(name, METHODS[name].reveal(altered, None))


@pytest.mark.parametrize("name", HEADERS)
def test_an_altered_body_is_damaged(name: str) -> None:
    """Only the lowest bits outside the header are altered, so that the header still opens."""
    marked = container(name, PASSPHRASE)
    altered = marked ^ np.uint8(1)
    places = HEADERS[name].places(marked.size)
    altered.reshape(-1)[places] = marked.reshape(-1)[places]
    with pytest.raises(DamagedError):
        METHODS[name].reveal(altered, PASSPHRASE)


# Payloads


@pytest.mark.parametrize("name", [name for name in LOSSLESS if name in EXACT])
@settings(deadline=None, max_examples=12)
@given(
    payload=st.one_of(
        st.builds(Payload.from_text, st.text(max_size=200)),
        st.builds(Payload, st.binary(max_size=500), name=st.sampled_from([None, "notes.txt"])),
    ),
    height=st.integers(32, 56),
    width=st.integers(32, 56),
    passphrase=st.sampled_from([None, PASSPHRASE, "ключ 🔑"]),
)
def test_files_and_texts_come_back_with_kind_and_name(
    name: str, payload: Payload, height: int, width: int, passphrase: str | None
) -> None:
    cover = COVER[:height, :width].copy()
    marked = hide(name, cover, payload, passphrase)
    assert METHODS[name].reveal(marked, passphrase) == payload
    assert marked.shape == cover.shape
    assert np.array_equal(cover, COVER[:height, :width])


@pytest.mark.parametrize(
    "payload", [Payload(b""), Payload(b"\x00\xff" * 4), Payload.from_text("grün 🖼"), Payload(b"a" * 200)]
)
@pytest.mark.parametrize("name", SURVIVING)
def test_short_files_and_texts_come_back_with_their_kind(name: str, payload: Payload) -> None:
    assert METHODS[name].reveal(hide(name, COVER, payload), None) == payload


@pytest.mark.parametrize("name", ["stdm", "robust"])
def test_watermarks_have_no_room_for_a_file_name(name: str) -> None:
    revealed = METHODS[name].reveal(hide(name, COVER, Payload(b"12345678", name="id.txt")), None)
    assert (revealed.data, revealed.kind, revealed.name) == (b"12345678", "file", None)


@pytest.mark.parametrize("name", EXACT)
def test_a_payload_that_does_not_fit_is_refused(name: str) -> None:
    for size in (60_000, 1 << 21):
        with pytest.raises(CapacityError) as caught:
            hide(name, COVER, Payload(np.random.default_rng(0).bytes(size)))
        assert caught.value.hint


@pytest.mark.parametrize("name", EXACT)
def test_a_payload_of_the_stated_capacity_fits(name: str) -> None:
    method, cover = METHODS[name], COFFEE[:240, :320] if name == "robust" else COVER  # where it holds more than nothing
    capacity = method.capacity(cover)
    assert capacity.payload_bytes > 0
    payload = Payload(np.random.default_rng(1).bytes(capacity.payload_bytes), name="n" * frame.LONGEST_NAME)
    if not method.needs_lossless:
        payload = Payload(payload.data)
    marked = method.hide(cover, payload, PASSPHRASE, psnr=None, survive=None)
    assert method.reveal(marked, PASSPHRASE) == payload
    assert metrics.psnr(cover, marked) == pytest.approx(capacity.psnr, abs=0.8 if method.needs_lossless else 3)


def test_methods_that_predict_the_psnr() -> None:
    predicting = {name for name, method in METHODS.items() if isinstance(method, PredictablePSNR)}
    assert predicting == {"lsb", "basn", "basn-stc", "robust-picture"}


@pytest.mark.parametrize("name", ["lsb", "basn"])
def test_the_header_alone_costs_more_than_70_db_allow(name: str) -> None:
    method = METHODS[name]
    assert isinstance(method, PredictablePSNR)
    assert method.payload_at(COFFEE[40:240, 100:340], 70.0) == 0


@pytest.mark.parametrize("psnr", [41.0, 44.0, 50.0, 56.0])
@pytest.mark.parametrize("name", [name for name in LOSSLESS if isinstance(METHODS[name], PredictablePSNR)])
def test_the_psnr_of_a_payload_is_predicted(name: str, psnr: float) -> None:
    method, cover = METHODS[name], COFFEE[40:240, 100:340]
    assert isinstance(method, PredictablePSNR)
    length = method.payload_at(cover, psnr)
    assert length > 0
    payload = Payload(np.random.default_rng(2).bytes(length), name="n" * frame.LONGEST_NAME)
    marked = hide(name, cover, payload)
    assert metrics.psnr(cover, marked) == pytest.approx(psnr, abs=0.3)
    assert method.payload_at(cover, 90.0) == 0


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_methods_have_no_settings(name: str) -> None:
    for psnr, survive in ((40.0, None), (None, parse("jpeg:50"))):
        with pytest.raises(UsageError, match="no quality or survival setting") as caught:
            METHODS[name].hide(COVER, payload_for(name), None, psnr=psnr, survive=survive)
        assert caught.value.hint


@pytest.mark.parametrize("psnr", [float("nan"), 5, 99])
@pytest.mark.parametrize("name", SURVIVING)
def test_a_psnr_out_of_range_is_refused(name: str, psnr: float) -> None:
    with pytest.raises(UsageError, match="out of range"):
        METHODS[name].hide(COVER, payload_for(name), None, psnr=psnr, survive=None)


@pytest.mark.parametrize("name", METHODS)
def test_other_kinds_of_payload_are_refused_by_methods_for_one_kind(name: str) -> None:
    if name not in EXACT:
        with pytest.raises(UsageError) as caught:
            hide(name, COVER, Payload(b"hello", "text"))
        assert caught.value.hint
