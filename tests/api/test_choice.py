"""Which method hides a payload: the one that is named, or else the first that can."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from support.run_cli import CHEAP_COSTS, PASSPHRASE
from underpaint import api, media
from underpaint.api.payloads import FacePayload, PicturePayload
from underpaint.channels import parse
from underpaint.coding import keys
from underpaint.errors import CapacityError, DamagedError, SurvivalError, UsageError
from underpaint.media import Picture, samples
from underpaint.methods import METHODS
from underpaint.types import Payload

if TYPE_CHECKING:
    from underpaint.types import Image

MESSAGE = Payload.from_text("hello")
FILE = Payload(b"hello", name="hello.txt")
#: As many characters as stdm can hide in a narrow picture and robust cannot, and as neither can.
TOO_LONG_FOR_ROBUST, TOO_LONG = (
    bytes(np.random.default_rng(length).integers(33, 127, length, dtype=np.uint8)).decode() for length in (80, 140)
)


@pytest.fixture(autouse=True)
def _cheap_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "COSTS", CHEAP_COSTS)


@pytest.fixture(scope="module")
def cover() -> Image:
    return media.read(samples.path("chelsea")).pixels[40:168, 100:228].copy()


@pytest.fixture(scope="module")
def narrow() -> Image:
    """Too narrow for the larger canvases of robust."""
    return media.read(samples.path("coffee")).pixels[100:200].copy()


def forbid(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def hide(*_: object, **__: object) -> None:
        pytest.fail(f"{name} is asked")

    monkeypatch.setattr(METHODS[name], "hide", hide)


def refuse(monkeypatch: pytest.MonkeyPatch, name: str, reason: Exception) -> None:
    def hide(*_: object, **__: object) -> None:
        raise reason

    monkeypatch.setattr(METHODS[name], "hide", hide)


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
        (FILE, None, "crop:0.7", ["basn", "lsb"]),
        (FILE, "robust", None, ["robust"]),
    ],
)
def test_what_is_tried_and_in_which_order(
    payload: Payload, method: str | None, survive: str | None, names: list[str]
) -> None:
    assert [each.name for each in api.candidates(payload, method, survive)] == names


def test_the_defaults_are_methods() -> None:
    assert {name for names in api.DEFAULT_METHODS.values() for name in names} <= set(METHODS)
    with pytest.raises(UsageError, match="no method is called 'smtd'"):
        api.candidates(MESSAGE, "smtd", None)
    with pytest.raises(UsageError, match="no channel is called 'fax'"):
        api.candidates(MESSAGE, None, "fax")


def test_the_first_that_can_is_taken(monkeypatch: pytest.MonkeyPatch, cover: Image) -> None:
    forbid(monkeypatch, "stdm")
    assert METHODS["robust"].holds(api.hide(cover, "hello", psnr=36), None)
    monkeypatch.undo()
    forbid(monkeypatch, "robust")
    assert METHODS["stdm"].holds(api.hide(cover, "hello", survive="jpeg:50", psnr=36), None)


def test_a_message_too_long_for_robust_goes_by_stdm_and_the_report_says_so(narrow: Image, tmp_path: Path) -> None:
    cover, container = tmp_path / "cover.png", tmp_path / "container.png"
    media.write(media.Picture(narrow), cover)
    with pytest.raises(CapacityError):
        api.hide(narrow, TOO_LONG_FOR_ROBUST, method="robust")
    report = api.hide_file(cover, container, TOO_LONG_FOR_ROBUST, psnr=38)
    assert (report.method, report.survives) == ("stdm", METHODS["stdm"].default_survive), "its own, not robust's"
    payload, method, _ = api.reveal_file(container)
    assert (payload.text, method) == (TOO_LONG_FOR_ROBUST, "stdm")


@pytest.mark.parametrize("reason", [CapacityError("too long"), SurvivalError("too weak")])
def test_what_the_second_can_is_not_refused(monkeypatch: pytest.MonkeyPatch, cover: Image, reason: Exception) -> None:
    refuse(monkeypatch, "robust", reason)
    assert METHODS["stdm"].holds(api.hide(cover, "hello", psnr=36), None)


def test_if_all_fail_the_first_says_why(monkeypatch: pytest.MonkeyPatch, cover: Image, narrow: Image) -> None:
    expected = METHODS["robust"].capacity(narrow).payload_bytes
    with pytest.raises(CapacityError, match=f"{len(TOO_LONG)} bytes do not fit, about {expected} do"):
        api.hide(narrow, TOO_LONG, psnr=38)
    refuse(monkeypatch, "robust", CapacityError("robust has no room"))
    refuse(monkeypatch, "stdm", SurvivalError("stdm does not get through"))
    with pytest.raises(CapacityError, match="robust has no room"):
        api.hide(cover, "hello")
    with pytest.raises(SurvivalError, match="stdm does not get through"):
        api.hide(cover, "hello", survive="jpeg:30")


def test_what_no_method_can_mend_is_said_at_once(monkeypatch: pytest.MonkeyPatch, cover: Image) -> None:
    forbid(monkeypatch, "stdm")
    with pytest.raises(UsageError, match="a PSNR of 500 dB"):
        api.hide(cover, "hello", psnr=500)


@pytest.mark.parametrize(("named", "other"), [("robust", "stdm"), ("stdm", "robust")])
def test_a_named_method_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, cover: Image, tmp_path: Path, named: str, other: str
) -> None:
    path, container = tmp_path / "cover.png", tmp_path / "container.png"
    media.write(media.Picture(cover), path)
    refuse(monkeypatch, named, SurvivalError("it would not arrive"))
    forbid(monkeypatch, other)
    with pytest.raises(SurvivalError, match="it would not arrive"):
        api.hide(cover, "hello", method=named)
    with pytest.raises(SurvivalError, match="it would not arrive"):
        api.hide_file(path, container, "hello", method=named)
    assert not container.exists()


@pytest.mark.parametrize("method", METHODS)
def test_holds_knows_its_own(cover: Image, method: str) -> None:
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


def test_holds_needs_no_whole_payload(cover: Image) -> None:
    container = api.hide(cover, "hello", method="lsb")
    damaged = container ^ np.uint8(1)
    head = np.arange(344) * container.size // 344
    damaged.reshape(-1)[head] = container.reshape(-1)[head]
    with pytest.raises(DamagedError):
        api.reveal(damaged, method="lsb")
    assert METHODS["lsb"].holds(damaged, None)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(32, 32), (33, 500)])
def test_holds_is_no_for_the_smallest_pictures(method: str, shape: tuple[int, int]) -> None:
    assert not METHODS[method].holds(np.full((*shape, 3), 90, np.uint8), None)
