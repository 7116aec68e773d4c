"""Kinds of payload: bytes, text, and pictures with as little loss as fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from support.run_cli import PASSPHRASE, run
from underpaint import api, media, metrics
from underpaint.api.payloads import CODECS, DEFAULT_PSNR, DEFAULT_PSNRS, PicturePayload, as_source, compress_to
from underpaint.coding import compression
from underpaint.errors import CapacityError, ImageError, UsageError
from underpaint.media import Picture, samples
from underpaint.methods import METHODS, PredictablePSNR
from underpaint.types import Image, Payload

pytestmark = pytest.mark.usefixtures("cheap_keys", "example_files")


@pytest.fixture(autouse=True)
def _coffee_file(example_files: Path) -> None:
    media.write(Picture(coffee()), "coffee.png")


def coffee(side: int = 80) -> Image:
    pixels = media.read(samples.path("coffee")).pixels[: 2 * side, 100 : 100 + 2 * side]
    return np.asarray(PIL.Image.fromarray(pixels).resize((side + 20, side)))


# ── bytes and text ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("payload", [5, None, ["x"]])
def test_other_types_are_refused(payload: Any) -> None:
    with pytest.raises(UsageError, match="a payload is bytes"):
        as_source(payload)


def test_a_string_is_a_text_and_bytes_are_a_file() -> None:
    cover = media.read("small.png").pixels
    assert as_source("hello").kind == "text"
    assert as_source(b"hello").kind == as_source(Payload(b"hello")).kind == "file"
    container = api.hide(cover, bytearray(b"bytes"), method="basn")  # type: ignore[arg-type]
    assert api.reveal(container).data == b"bytes"


def test_invalid_text_kinds_and_passphrases_are_refused() -> None:
    with pytest.raises(UsageError, match="not valid Unicode text"):
        as_source("\ud800")
    with pytest.raises(UsageError, match="of kind text, file, template, picture"):
        Payload(b"x", "sound")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="a passphrase is text"):
        api.hide(media.read("small.png").pixels, b"x", passphrase=b"bytes")  # type: ignore[arg-type]


# ── pictures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_a_picture_is_revealed_with_the_loss_that_was_reported(passphrase: str | None) -> None:
    report = api.hide_file("small.png", "sent.png", PicturePayload.read("coffee.png"), passphrase=passphrase)
    assert report.method == "basn"
    assert report.psnr > DEFAULT_PSNR - 0.5
    assert report.compression is not None
    payload, method, _ = api.reveal_file("sent.png", passphrase=passphrase)
    assert (method, payload.kind, payload.name) == ("basn", "picture", "coffee.png")
    assert len(payload.data) == report.payload_bytes
    data, warnings = api.picture_as(payload, "back.png")
    back = media.decode(data).pixels
    assert warnings == ()
    assert back.shape == coffee().shape
    assert metrics.psnr(back, coffee()) == pytest.approx(report.compression.psnr)
    assert (report.compression.psnr or 0) > 25


def test_a_picture_is_hidden_in_an_array() -> None:
    cover = media.read("small.png").pixels
    container = api.hide(cover, PicturePayload(Picture(coffee())), psnr=46)
    assert metrics.psnr(cover, container) > 45.5
    assert media.decode(api.reveal(container).data).pixels.shape == coffee().shape


def test_a_lower_psnr_of_the_container_leaves_a_better_picture() -> None:
    reached = []
    for psnr in (50, 44, 41):
        report = api.hide_file("small.png", f"{psnr}.png", PicturePayload.read("coffee.png"), psnr=psnr)
        assert report.psnr > psnr - 0.5
        assert report.compression is not None
        reached.append(report.compression.psnr or 0)
    assert reached == sorted(reached)


@pytest.mark.parametrize("method", [name for name, each in METHODS.items() if isinstance(each, PredictablePSNR)])
def test_a_picture_is_hidden_by_every_method_that_predicts_its_psnr(method: str) -> None:
    report = api.hide_file("cover.png", "sent.png", PicturePayload.read("coffee.png"), method=method)
    assert report.psnr > DEFAULT_PSNRS.get(method, DEFAULT_PSNR) - 0.6
    assert api.reveal_file("sent.png")[0].kind == "picture"


def test_a_network_hides_a_picture_without_transparency_and_nearly_without_loss() -> None:
    secret = media.read("coffee.png")
    faint = PicturePayload(Picture(secret.pixels, alpha=np.full(secret.pixels.shape[:2], 9, np.uint8)), "faint.png")
    report = api.hide_file("cover.png", "sent.png", faint, method="pixinpix", passphrase=PASSPHRASE)
    assert report.warnings == ("the hidden picture loses its transparency",)
    payload, method, _ = api.reveal_file("sent.png", passphrase=PASSPHRASE)
    back = media.decode(payload.data).pixels
    assert (method, payload.kind, back.shape) == ("pixinpix", "picture", secret.pixels.shape)
    assert report.compression == api.PictureCompression("pixinpix", None, metrics.psnr(secret.pixels, back))
    assert min(report.psnr, metrics.psnr(secret.pixels, back)) > 30
    container = api.hide(media.read("cover.png").pixels, faint, method="pixinpix")
    assert api.reveal(container).kind == "picture"


def test_the_highest_quality_that_fits_is_taken() -> None:
    picture = Picture(coffee())
    for budget in (800, 2000, 4000):
        data, loss = compress_to(picture, budget)
        assert compression.stored_picture_size(data) <= budget
        assert loss.quality is not None
        better = media.encode(picture, loss.codec, quality=min(loss.quality + 3, 100))
        assert compression.stored_picture_size(better) > budget
        for codec in CODECS:
            smaller = [media.encode(picture, codec, quality=quality) for quality in (5, 20, 40, 60, 80, 95)]
            fitting = [metrics.psnr(media.decode(each).pixels, coffee()) for each in smaller if len(each) <= budget]
            assert (loss.psnr or 0) > max(fitting, default=0) - 0.1


def test_a_picture_that_fits_without_loss_is_revealed_exactly() -> None:
    drawing = np.zeros((60, 80, 3), np.uint8)
    drawing[20:40, 30:50] = 200, 30, 90
    media.write(Picture(drawing), "drawing.png")
    report = api.hide_file("cover.png", "sent.png", PicturePayload.read("drawing.png"))
    assert report.compression == api.PictureCompression("webp", None, None)
    assert (media.decode(api.reveal_file("sent.png")[0].data).pixels == drawing).all()


def test_the_transparency_of_a_hidden_picture_stays_and_its_exif_data_does_not() -> None:
    exif = PIL.Image.Exif()
    exif[0x010F] = "a camera"
    alpha = np.full((80, 100), 77, np.uint8)
    media.write(Picture(coffee(), alpha, exif=b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")), "faint.png")
    assert media.read("faint.png").exif
    api.hide_file("small.png", "sent.png", PicturePayload.read("faint.png"))
    payload = api.reveal_file("sent.png")[0]
    back = media.decode(payload.data)
    assert back.alpha is not None
    assert np.abs(back.alpha.astype(int) - 77).max() <= 4
    assert not back.exif
    with pytest.raises(ImageError, match="transparency"):
        api.picture_as(payload, "back.jpg")


def test_a_picture_that_does_not_fit_is_refused() -> None:
    media.write(Picture(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)), "noise.png")
    with pytest.raises(CapacityError, match="does not fit at any quality") as caught:
        api.hide_file("small.png", "sent.png", PicturePayload.read("noise.png"), psnr=60)
    assert "a lower --psnr" in (caught.value.hint or "")
    assert not Path("sent.png").exists()


def test_methods_and_settings_that_no_picture_takes_are_refused() -> None:
    secret = PicturePayload.read("coffee.png")
    with pytest.raises(UsageError, match="robust hides no pictures") as caught:
        api.hide_file("small.png", "sent.png", secret, method="robust")
    assert "basn" in (caught.value.hint or "")
    for psnr in (20, 65, 80, float("nan")):
        with pytest.raises(UsageError, match="out of range"):
            api.hide_file("small.png", "sent.png", secret, psnr=psnr)
    with pytest.raises(UsageError, match="jpeg is lossy"):
        api.hide_file("small.png", "sent.jpg", secret, method="basn")
    with pytest.raises(UsageError, match="no quality or survival setting"):
        api.hide_file("small.png", "sent.png", secret, method="basn", survive="jpeg:50")
    with pytest.raises(ImageError):
        PicturePayload.read("report.bin")


# ── revealed pictures ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_revealed_picture_is_converted_to_the_format_that_is_named() -> None:
    report = api.hide_file("small.png", "sent.png", PicturePayload.read("coffee.png"))
    payload = api.reveal_file("sent.png")[0]
    assert report.compression is not None
    assert api.picture_as(payload, f"back.{report.compression.codec}") == (payload.data, ())
    data, (warning,) = api.picture_as(payload, "back.jpg")
    assert media.decode(data).format == "jpeg"
    assert warning.startswith("jpeg is lossy")
    with pytest.raises(UsageError, match="no picture format"):
        api.picture_as(payload, "back.txt")
    assert api.revealed_name(payload) == "coffee-revealed.png"
    assert api.revealed_name(Payload(b"", "picture")) == "revealed.png"


def test_json_has_the_compression_of_a_picture() -> None:
    said = json.loads(run("hide", "small.png", "-o", "sent.png", "-i", "coffee.png", "--json").stdout)
    assert said["compression"]["codec"] in CODECS
    assert 1 <= said["compression"]["quality"] <= 100
    assert said["payload_bytes"] < api.capacity_file("small.png")["basn"].payload_bytes
    shown = json.loads(run("reveal", "sent.png", "--json").stdout)
    assert (shown["kind"], shown["output"], shown["name"]) == ("picture", "coffee-revealed.png", "coffee.png")
    assert Path("coffee-revealed.png").exists()


def test_a_picture_goes_to_standard_output_and_never_to_a_terminal() -> None:
    secret = Path("coffee.png").read_bytes()
    assert run("hide", "small.png", "-o", "sent.png", "-i", "-", stdin=secret).status == 0
    assert media.decode(run("reveal", "sent.png", "-o", "-").stdout).format == "png"
    outcome = run("reveal", "sent.png", "-o", "-", terminal=True)
    assert (outcome.status, outcome.stdout) == (2, b"")
    assert run("reveal", "sent.png", terminal=True).status == 0
    assert Path("revealed.png").exists()
