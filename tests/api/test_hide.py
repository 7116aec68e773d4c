"""Hiding: payloads are revealed exactly, a failure leaves no file behind, warnings tell what is lost."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from support.run_cli import MESSAGE, PASSPHRASE, REPORT
from underpaint import api, media
from underpaint.errors import (
    CapacityError,
    ImageError,
    NotFoundError,
    SurvivalError,
    UnderpaintError,
    UsageError,
)
from underpaint.methods import METHODS
from underpaint.types import Image, Payload

pytestmark = pytest.mark.usefixtures("cheap_keys", "example_files")


@pytest.fixture
def cover(example_files: Path) -> Image:
    return media.read("cover.png").pixels


def listing() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}


# ── revealed exactly ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
@pytest.mark.parametrize("payload", [MESSAGE, REPORT, Payload(b"", name="nothing.txt"), "", "schön 🎨"])
def test_a_payload_is_revealed_exactly_and_the_cover_stays(
    cover: Image, payload: bytes | str | Payload, passphrase: str | None
) -> None:
    before = cover.copy()
    found = api.reveal(api.hide(cover, payload, passphrase=passphrase), passphrase=passphrase)
    assert (cover == before).all()
    if isinstance(payload, Payload):
        assert found == payload
    else:
        assert (found.text if isinstance(payload, str) else found.data) == payload


@pytest.mark.parametrize("extension", [extension for kind in media.FORMATS.values() for extension in kind.extensions])
def test_a_message_is_revealed_from_every_format(extension: str) -> None:
    report = api.hide_file("cover.png", f"out{extension}", MESSAGE, method="stdm", psnr=40)
    payload, method, warnings = api.reveal_file(f"out{extension}")
    assert (payload.text, method, warnings) == (MESSAGE, "stdm", ())
    assert (report.method, report.payload_bytes, report.survives) == ("stdm", len(MESSAGE), "jpeg:50")
    assert report.psnr == pytest.approx(api.compare_files("cover.png", f"out{extension}")["psnr"])


@pytest.mark.parametrize("kind", [kind for kind in media.FORMATS.values() if kind.lossless], ids=lambda kind: kind.name)
def test_a_file_is_revealed_from_every_lossless_format(kind: media.Format) -> None:
    report = api.hide_file("cover.png", f"out{kind.extensions[0]}", Payload(REPORT, name="report.bin"))
    assert api.reveal_file(f"out{kind.extensions[0]}")[0] == Payload(REPORT, name="report.bin")
    assert (report.method, report.survives) == ("basn", None)


def test_the_transparency_of_the_cover_stays() -> None:
    api.hide_file("faded.png", "out.png", REPORT)
    alpha = media.read("out.png").alpha
    assert alpha is not None
    assert (alpha == 128).all()


def test_a_payload_survives_the_channel_that_was_asked_for(cover: Image) -> None:
    container = api.hide(cover, MESSAGE, survive="webp:60")
    assert api.reveal(api.attack(container, "webp:60")).text == MESSAGE


def test_a_message_is_embedded_for_the_loss_of_its_file() -> None:
    """A container that only has to survive its own low quality is made for that quality."""
    report = api.hide_file("cover.png", "sent.jpg", "hello", quality=30, survive="none")
    assert report.method == "stdm"
    assert api.reveal_file("sent.jpg")[0].text == "hello"


@pytest.mark.parametrize("options", [{"quality": 60}, {"quality": 75, "progressive": True}])
def test_a_jpeg_container_is_as_large_as_its_jpeg_cover(options: dict[str, Any]) -> None:
    PIL.Image.open("cover.png").save("photo.jpg", **options)
    warnings = api.hide_file("photo.jpg", "sent.jpg", MESSAGE, method="stdm").warnings
    assert not [each for each in warnings if "can be seen" not in each]
    assert media.read("sent.jpg").jpeg == media.read("photo.jpg").jpeg
    assert Path("sent.jpg").stat().st_size < 1.1 * Path("photo.jpg").stat().st_size


def test_a_cover_of_too_low_quality_gives_a_larger_file_with_a_warning() -> None:
    PIL.Image.open("cover.png").save("photo.jpg", quality=3)
    warning, *_ = api.hide_file("photo.jpg", "sent.jpg", MESSAGE, method="stdm", psnr=38).warnings
    assert warning == "the payload does not survive the cover's JPEG quality: a higher one makes the file larger"
    assert Path("sent.jpg").stat().st_size > 2 * Path("photo.jpg").stat().st_size


# ── refused, and no file left behind ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("target", "payload", "options", "error"),
    [
        ("out.png", bytes(range(256)) * 1000 + os.urandom(100_000), {}, CapacityError),
        ("out.jpg", os.urandom(100_000), {}, CapacityError),
        ("out.webp", os.urandom(100_000), {"quality": 90}, CapacityError),
        ("out.gif", MESSAGE, {}, UsageError),
        ("out.png", MESSAGE, {"method": "nothing"}, UsageError),
        ("out.png", MESSAGE, {"survive": "fax"}, UsageError),
        ("out.png", MESSAGE, {"survive": "jpeg:2", "psnr": 46}, SurvivalError),
        ("out.jpg", MESSAGE, {"quality": 5, "psnr": 46}, SurvivalError),
        ("out.png", MESSAGE, {"passphrase": ""}, UsageError),
        ("out.png", "\ud800", {}, UsageError),
        ("missing/out.png", REPORT, {}, ImageError),
        ("cover.jpg/out.png", REPORT, {}, ImageError),
        ("cover.png", MESSAGE, {"force": True}, UsageError),
        ("message.png", MESSAGE, {}, UsageError),
        ("message.png", MESSAGE, {"force": True, "survive": "jpeg:2", "psnr": 46}, SurvivalError),
    ],
)
def test_a_failure_leaves_all_files_as_they_were(
    target: str, payload: bytes | str, options: dict[str, Any], error: type[UnderpaintError]
) -> None:
    before = listing()
    with pytest.raises(error):
        api.hide_file("cover.png", target, payload, **options)
    assert listing() == before


def test_a_full_disk_leaves_all_files_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = listing()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ImageError, match="no space left"):
        api.hide_file("cover.png", "out.png", REPORT)
    with pytest.raises(ImageError, match="no space left"):
        api.hide_file("cover.png", "message.png", REPORT, force=True)
    assert listing() == before


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_the_cover_is_not_overwritten_under_another_name(link: Any) -> None:
    link(Path("other.png"), Path("cover.png").resolve())
    for source, target in (("cover.png", "other.png"), ("other.png", "./cover.png")):
        with pytest.raises(UsageError, match="the output is the input"):
            api.hide_file(source, target, MESSAGE, force=True)
        with pytest.raises(UsageError, match="the output is the input"):
            api.attack_file(source, "jpeg:50", target, force=True)


@pytest.mark.parametrize("shape", [(31, 400), (400, 20), (16, 4000)])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_refuses_pictures_that_are_too_small(shape: tuple[int, int], method: str) -> None:
    narrow = np.random.default_rng(0).integers(50, 200, (*shape, 3), dtype=np.uint8)
    with pytest.raises(UsageError, match="too small"):
        api.hide(narrow, "hello", method=method)
    with pytest.raises(NotFoundError):
        api.reveal(narrow)


@pytest.mark.parametrize("picture", [np.zeros((64, 64), np.uint8), np.zeros((64, 64, 3)), "cover.png", None])
def test_every_function_refuses_what_is_no_image(picture: Any) -> None:
    for use in (api.reveal, api.capacity, lambda it: api.hide(it, b"x"), lambda it: api.attack(it, "jpeg:50")):
        with pytest.raises(UsageError, match="expected an RGB image"):
            use(picture)


@pytest.mark.parametrize("psnr", [29.9, 60.1, float("nan")])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_refuses_a_psnr_out_of_range(cover: Image, method: str, psnr: float) -> None:
    with pytest.raises(UsageError, match="out of range") as caught:
        api.hide(cover, "hello", method=method, psnr=psnr)
    assert caught.value.hint == "30–60 dB are possible"


# ── warnings ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_that_misses_the_psnr_asked_for_is_a_warning() -> None:
    assert api.hide_file("cover.png", "sent.png", "hello", psnr=44).warnings == ()
    warning, *_ = api.hide_file("cover.png", "sent.jpg", "hello", psnr=44, quality=80).warnings
    assert warning.startswith("jpeg at quality 80 brought 44 dB down to 3")


def test_a_cover_that_holds_a_payload_is_a_warning() -> None:
    api.hide_file("cover.png", "one.png", "hello", passphrase=PASSPHRASE)
    (warning,) = api.hide_file("one.png", "two.png", b"file", passphrase=PASSPHRASE).warnings
    assert warning == "the cover held a payload by robust, which may be lost"
    assert api.hide_file("one.png", "three.png", b"file", passphrase="another").warnings == ()
