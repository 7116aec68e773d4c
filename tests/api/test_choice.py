"""Choice of the method: the one that is named, or else the first of the defaults that succeeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.run_cli import PASSPHRASE
from underpaint import api, media
from underpaint.api.choice import DEFAULT_METHODS, candidates, methods_for_lossy_file
from underpaint.api.payloads import BytesPayload, FacePayload, PicturePayload
from underpaint.channels import parse
from underpaint.errors import CapacityError, DamagedError, SurvivalError, UsageError
from underpaint.media import Picture, samples
from underpaint.methods import METHODS
from underpaint.types import Image, Payload

pytestmark = pytest.mark.usefixtures("cheap_keys")

MESSAGE = BytesPayload(Payload.from_text("hello"))
FILE = BytesPayload(Payload(b"hello", name="hello.txt"))
#: Messages that in a narrow picture fit stdm and not robust, and that fit neither.
TOO_LONG_FOR_ROBUST, TOO_LONG = (
    bytes(np.random.default_rng(length).integers(33, 127, length, dtype=np.uint8)).decode() for length in (80, 140)
)


@pytest.fixture(scope="module")
def cover() -> Image:
    return media.read(samples.path("chelsea")).pixels[40:168, 100:228].copy()


@pytest.fixture(scope="module")
def narrow() -> Image:
    """Too narrow for the larger canvases of robust."""
    return media.read(samples.path("coffee")).pixels[100:200].copy()


def forbid(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def hide(*_: object, **__: object) -> None:
        pytest.fail(f"{name} is tried")

    monkeypatch.setattr(METHODS[name], "hide", hide)


def refuse(monkeypatch: pytest.MonkeyPatch, name: str, reason: Exception) -> None:
    def hide(*_: object, **__: object) -> None:
        raise reason

    monkeypatch.setattr(METHODS[name], "hide", hide)


# ── candidates ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("payload", "method", "survive", "names"),
    [
        (MESSAGE, None, None, ["robust", "stdm"]),
        (MESSAGE, None, "jpeg:50 | resize:0.5", ["robust", "stdm"]),
        (MESSAGE, None, "crop:0.7", ["robust", "stdm"]),
        (MESSAGE, None, "rotate:1 | jpeg:90", ["robust", "stdm"]),
        (MESSAGE, None, "jpeg:30", ["stdm", "robust"]),
        (MESSAGE, None, "webp:50 | brightness:1.1 | noise:0.02", ["stdm", "robust"]),
        (MESSAGE, None, "none", ["stdm", "robust"]),
        (MESSAGE, None, parse("jpeg:30"), ["stdm", "robust"]),
        (MESSAGE, "stdm", "crop:0.7", ["stdm"]),
        (MESSAGE, "robust", "jpeg:30", ["robust"]),
        (MESSAGE, "lsb", None, ["lsb"]),
        (FILE, None, None, ["basn", "lsb"]),
        (FILE, None, "crop:0.7", ["robust", "stdm", "robust-picture"]),
        (FILE, "robust", None, ["robust"]),
    ],
)
def test_methods_are_tried_in_this_order(
    payload: BytesPayload, method: str | None, survive: str | None, names: list[str]
) -> None:
    assert [each.name for each in candidates(payload, method, survive)] == names


def test_every_default_is_a_method() -> None:
    assert {name for names in DEFAULT_METHODS.values() for name in names} <= set(METHODS)


def test_unknown_methods_and_channels_are_refused() -> None:
    with pytest.raises(UsageError, match="no method is called 'smtd'"):
        candidates(MESSAGE, "smtd", None)
    with pytest.raises(UsageError, match="no channel is called 'fax'"):
        candidates(MESSAGE, None, "fax")


def test_a_restorable_picture_is_told_to_take_a_lossless_file(cover: Image) -> None:
    payload = FacePayload(Picture(cover), restorable=PASSPHRASE)
    with pytest.raises(UsageError, match=r"^a restorable picture needs a lossless file, and jpeg is lossy$") as caught:
        methods_for_lossy_file(payload, candidates(payload, None, None), "jpeg")
    assert caught.value.hint == "write a .png"


# ── the first that succeeds ──────────────────────────────────────────────────────────────────────────────────────────


def test_no_further_method_is_tried_after_a_success(monkeypatch: pytest.MonkeyPatch, cover: Image) -> None:
    forbid(monkeypatch, "stdm")
    assert METHODS["robust"].holds(api.hide(cover, "hello", psnr=36), None)
    monkeypatch.undo()
    forbid(monkeypatch, "robust")
    assert METHODS["stdm"].holds(api.hide(cover, "hello", survive="jpeg:50", psnr=36), None)


def test_a_message_too_long_for_robust_is_hidden_by_stdm(narrow: Image, tmp_path: Path) -> None:
    cover, container = tmp_path / "cover.png", tmp_path / "container.png"
    media.write(media.Picture(narrow), cover)
    with pytest.raises(CapacityError):
        api.hide(narrow, TOO_LONG_FOR_ROBUST, method="robust")
    report = api.hide_file(cover, container, TOO_LONG_FOR_ROBUST, psnr=38)
    assert (report.method, report.survives) == ("stdm", METHODS["stdm"].default_survive), "its own, not robust's"
    payload, method, _ = api.reveal_file(container)
    assert (payload.text, method) == (TOO_LONG_FOR_ROBUST, "stdm")


@pytest.mark.parametrize("reason", [CapacityError("too long"), SurvivalError("too weak")])
def test_the_second_method_is_tried_if_the_first_fails(
    monkeypatch: pytest.MonkeyPatch, cover: Image, reason: Exception
) -> None:
    refuse(monkeypatch, "robust", reason)
    assert METHODS["stdm"].holds(api.hide(cover, "hello", psnr=36), None)


def test_the_error_of_the_first_method_is_raised_if_all_fail(
    monkeypatch: pytest.MonkeyPatch, cover: Image, narrow: Image
) -> None:
    expected = METHODS["robust"].capacity(narrow).payload_bytes
    with pytest.raises(CapacityError, match=f"{len(TOO_LONG)} bytes do not fit, robust holds {expected} here"):
        api.hide(narrow, TOO_LONG, psnr=38)
    refuse(monkeypatch, "robust", CapacityError("robust has no room"))
    refuse(monkeypatch, "stdm", SurvivalError("stdm does not survive"))
    with pytest.raises(CapacityError, match="robust has no room"):
        api.hide(cover, "hello")
    with pytest.raises(SurvivalError, match="stdm does not survive"):
        api.hide(cover, "hello", survive="jpeg:30")


def test_no_method_is_tried_with_an_invalid_psnr(monkeypatch: pytest.MonkeyPatch, cover: Image) -> None:
    forbid(monkeypatch, "robust")
    forbid(monkeypatch, "stdm")
    with pytest.raises(UsageError, match="a PSNR of 500 dB"):
        api.hide(cover, "hello", psnr=500)


@pytest.mark.parametrize(("named", "other"), [("robust", "stdm"), ("stdm", "robust")])
def test_a_named_method_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, cover: Image, tmp_path: Path, named: str, other: str
) -> None:
    path, container = tmp_path / "cover.png", tmp_path / "container.png"
    media.write(media.Picture(cover), path)
    refuse(monkeypatch, named, SurvivalError("it would not survive"))
    forbid(monkeypatch, other)
    with pytest.raises(SurvivalError, match="it would not survive"):
        api.hide(cover, "hello", method=named)
    with pytest.raises(SurvivalError, match="it would not survive"):
        api.hide_file(path, container, "hello", method=named)
    assert not container.exists()


# ── Method.holds ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", METHODS)
def test_a_method_detects_its_own_containers_and_no_others(cover: Image, method: str) -> None:
    psnr = None if METHODS[method].needs_lossless else 36.0
    payloads: dict[str, PicturePayload | FacePayload] = {
        "pixinpix": PicturePayload(Picture(cover)),
        "miais": FacePayload(Picture(cover)),
    }
    container = api.hide(cover, payloads.get(method, "hello"), method=method, passphrase=PASSPHRASE, psnr=psnr)
    assert [name for name, each in METHODS.items() if each.holds(container, PASSPHRASE)] == [method]
    assert not METHODS[method].holds(container, "another")
    assert not METHODS[method].holds(container, None)
    assert not METHODS[method].holds(cover, PASSPHRASE)
    recompressed = api.attack(container, "jpeg:50")
    assert METHODS[method].holds(recompressed, PASSPHRASE) == (not METHODS[method].needs_lossless)


def test_a_container_is_detected_by_its_header_alone(cover: Image) -> None:
    container = api.hide(cover, "hello", method="lsb")
    damaged = container ^ np.uint8(1)
    header = np.arange(344) * container.size // 344
    damaged.reshape(-1)[header] = container.reshape(-1)[header]
    with pytest.raises(DamagedError):
        api.reveal(damaged, method="lsb")
    assert METHODS["lsb"].holds(damaged, None)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(32, 32), (33, 500)])
def test_the_smallest_pictures_are_no_containers(method: str, shape: tuple[int, int]) -> None:
    assert not METHODS[method].holds(np.full((*shape, 3), 90, np.uint8), None)
