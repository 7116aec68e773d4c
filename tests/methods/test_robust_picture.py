"""robust-picture alone: payloads that survive each codec, and those that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from support.run_cli import PASSPHRASE
from underpaint import api, media, metrics
from underpaint.api import PicturePayload
from underpaint.api.choice import candidates
from underpaint.channels import parse
from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.embedding import dct_qim
from underpaint.errors import CapacityError, DamagedError, NotFoundError, SurvivalError, UsageError
from underpaint.media import Picture, samples
from underpaint.methods import METHODS, PredictablePSNR, robust_picture
from underpaint.methods.robust_picture import CODECS, RobustPicture
from underpaint.types import Payload

if TYPE_CHECKING:
    from underpaint.types import Image

METHOD = RobustPicture()
KEY = Key(bytes(KEY_SIZE))


@pytest.fixture(scope="module")
def cover() -> Image:
    return media.read(samples.path("chelsea")).pixels[20:276, 60:316].copy()


@pytest.fixture(scope="module")
def payload(cover: Image) -> Payload:
    return Payload(np.random.default_rng(0).bytes(METHOD.payload_at(cover, 31)), "picture")


@pytest.fixture(scope="module")
def container(cover: Image, payload: Payload) -> Image:
    return METHOD.hide(cover, payload, PASSPHRASE, psnr=None, survive=None)


def test_it_predicts_payloads_and_needs_no_lossless_format() -> None:
    assert METHODS["robust-picture"].name == robust_picture.NAME
    assert isinstance(METHOD, PredictablePSNR)
    assert not METHOD.needs_lossless


def test_the_psnr_of_a_large_payload(cover: Image, container: Image, payload: Payload) -> None:
    assert len(payload.data) > 1800
    assert metrics.psnr(cover, container) > 30.4
    assert metrics.apd(cover, container) < 7


@pytest.mark.parametrize("channel", ["none", *CODECS, "jpeg:50", "jpeg:90", "webp:90", "jpeg:75 | jpeg:60"])
def test_the_payload_survives(channel: str, container: Image, payload: Payload) -> None:
    arrived = parse(channel)(container)
    assert METHOD.holds(arrived, PASSPHRASE)
    assert METHOD.reveal(arrived, PASSPHRASE).data == payload.data


def test_another_passphrase_reveals_nothing(container: Image) -> None:
    for passphrase in ("another", None):
        assert not METHOD.holds(container, passphrase)
        with pytest.raises(NotFoundError):
            METHOD.reveal(container, passphrase)


def test_unmarked_pictures_reveal_nothing(cover: Image) -> None:
    flat = np.full((64, 64, 3), 90, np.uint8)
    for picture in (cover, cover[:40, :33], flat, flat[:5], 0 * flat, parse("jpeg:50")(cover)):
        assert not METHOD.holds(picture, None)
        with pytest.raises(NotFoundError):
            METHOD.reveal(picture, None)


def test_a_lost_payload_is_damaged_and_a_shifted_one_not_found(container: Image) -> None:
    arrived = parse("webp:30")(container)
    assert METHOD.holds(arrived, PASSPHRASE)
    with pytest.raises(DamagedError, match="too much of it is lost"):
        METHOD.reveal(arrived, PASSPHRASE)
    with pytest.raises(NotFoundError):
        METHOD.reveal(container[4:, 4:], PASSPHRASE)


@pytest.mark.parametrize("shape", [(64, 64), (71, 130), (256, 40)])
def test_small_payloads_in_small_pictures_of_any_shape(cover: Image, shape: tuple[int, int]) -> None:
    small = cover[: shape[0], : shape[1]].copy()
    hidden = METHOD.hide(small, Payload.from_text("hello"), None, psnr=None, survive=None)
    for codec in CODECS:
        assert METHOD.reveal(parse(codec)(hidden), None).text == "hello"


def test_a_payload_that_does_not_fit_is_refused(cover: Image) -> None:
    for size in (6_000, 1 << 21):
        with pytest.raises(CapacityError, match="do not fit, robust-picture holds"):
            METHOD.hide(cover, Payload(bytes(np.random.default_rng(1).bytes(size))), None, psnr=None, survive=None)
    assert METHOD.capacity(cover[:32, :32]).payload_bytes < 30
    assert METHOD.payload_at(cover[:32, :32], 40) == 0


def test_a_payload_that_would_not_survive_is_refused(cover: Image, payload: Payload) -> None:
    with pytest.raises(SurvivalError, match="does not survive jpeg:10"):
        METHOD.hide(cover, payload, None, psnr=None, survive=parse("jpeg:10"))
    with pytest.raises(SurvivalError, match="resize"):
        METHOD.hide(cover, payload, None, psnr=None, survive=parse("resize:0.5"))
    with pytest.raises(SurvivalError, match="at 40 dB"):
        METHOD.hide(cover, payload, None, psnr=40, survive=None)
    for psnr in (20, 80):
        with pytest.raises(UsageError, match="out of range"):
            METHOD.hide(cover, payload, None, psnr=psnr, survive=None)


def test_a_smaller_payload_gets_a_higher_psnr(cover: Image) -> None:
    reached = []
    for psnr in (31, 36):
        size = METHOD.payload_at(cover, psnr)
        hidden = METHOD.hide(cover, Payload(np.random.default_rng(0).bytes(size)), None, psnr=None, survive=None)
        assert metrics.psnr(cover, hidden) > psnr - 1.6
        reached.append((size, metrics.psnr(cover, hidden)))
    assert [size for size, _ in reached] == sorted((size for size, _ in reached), reverse=True)
    assert [psnr for _, psnr in reached] == sorted(psnr for _, psnr in reached)


def test_only_the_middle_of_a_large_picture_changes(monkeypatch: pytest.MonkeyPatch, cover: Image) -> None:
    monkeypatch.setattr(robust_picture, "MIDDLE_SIDE", 160)
    monkeypatch.setattr(dct_qim, "LONGEST_WORD", 4000)
    hidden = METHOD.hide(cover, Payload(bytes(range(200))), None, psnr=None, survive=None)
    changed = (hidden != cover).any(axis=2)
    assert changed[48:208, 48:208].mean() > 0.5
    assert changed.sum() == changed[48:208, 48:208].sum()
    assert METHOD.reveal(parse("webp:75")(hidden), None).data == bytes(range(200))


def test_a_picture_in_a_jpeg_file_is_revealed_after_webp(tmp_path: Path, cover: Image) -> None:
    media.write(Picture(cover), tmp_path / "cover.png")
    secret = media.read(samples.path("coffee")).pixels[50:306, 100:356].copy()
    media.write(Picture(secret), tmp_path / "secret.png")
    report = api.hide_file(tmp_path / "cover.png", tmp_path / "sent.jpg", PicturePayload.read(tmp_path / "secret.png"))
    assert (report.method, report.survives) == ("robust-picture", "jpeg:50")
    assert report.compression
    assert report.compression.size == (128, 128)  # smaller rather than at the cost of the container
    assert report.psnr > 34
    api.attack_file(tmp_path / "sent.jpg", "webp:75", tmp_path / "arrived.png")
    payload, method, _ = api.reveal_file(tmp_path / "arrived.png")
    assert (method, payload.kind) == ("robust-picture", "picture")
    back = media.decode(payload.data).pixels
    assert metrics.apd(secret, back.repeat(2, axis=0).repeat(2, axis=1)) < 16


def test_a_picture_that_must_survive_is_hidden_by_robust_picture(cover: Image) -> None:
    secret = PicturePayload(Picture(media.read(samples.path("coffee")).pixels[:128, :128].copy()))
    assert [each.name for each in candidates(secret, None, "jpeg:50")] == ["robust-picture"]
    assert [each.name for each in candidates(secret, None, None)] == ["basn", "robust-picture"]
    hidden = api.hide(cover, secret, survive="jpeg:60")
    assert METHOD.holds(hidden, None)
