"""The one path: what is hidden comes back exactly, what fails leaves nothing behind, reveal says what it knows."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import underpaint
from support import run_cli
from support.run_cli import CHEAP_COSTS, MESSAGE, PASSPHRASE, REPORT
from underpaint import api, errors, media
from underpaint.coding import keys, template
from underpaint.errors import (
    AmbiguousError,
    CapacityError,
    DamagedError,
    ImageError,
    NotFoundError,
    SurvivalError,
    UnderpaintError,
    UsageError,
)
from underpaint.methods import METHODS
from underpaint.models import classifiers
from underpaint.types import Capacity, Payload

if TYPE_CHECKING:
    from underpaint.types import Channel, Image


class Fake:
    """A method that hides nothing, and reveals what it was told to, one answer after the other, the last for ever."""

    name = "fake"
    summary = "for tests"
    needs_lossless = False
    default_survive = "jpeg:50"

    def __init__(self, *answers: Payload | UnderpaintError) -> None:
        self.answers = list(answers)

    def capacity(self, _cover: Image) -> Capacity:
        return Capacity(1, 50.0)

    def hide(
        self, cover: Image, payload: Payload, passphrase: str | None, *, psnr: float | None, survive: Channel | None
    ) -> Image:
        return cover

    def holds(self, image: Image, passphrase: str | None) -> bool:
        return False

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Payload):
            return answer
        raise answer


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    run_cli.fill(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keys, "COSTS", CHEAP_COSTS)
    return tmp_path


@pytest.fixture
def cover() -> Image:
    return media.read("cover.png").pixels


def listing() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
@pytest.mark.parametrize("payload", [MESSAGE, REPORT, Payload(b"", name="nothing.txt"), "", "schön 🎨"])
def test_round_trip(cover: Image, payload: bytes | str | Payload, passphrase: str | None) -> None:
    before = cover.copy()
    found = api.reveal(api.hide(cover, payload, passphrase=passphrase), passphrase=passphrase)
    assert (cover == before).all()
    if isinstance(payload, Payload):
        assert found == payload
    else:
        assert (found.text if isinstance(payload, str) else found.data) == payload


@pytest.mark.parametrize("extension", [extension for kind in media.FORMATS.values() for extension in kind.extensions])
def test_a_message_goes_into_every_format(extension: str) -> None:
    report = api.hide_file("cover.png", f"out{extension}", MESSAGE, method="stdm", psnr=40)
    payload, method, warnings = api.reveal_file(f"out{extension}")
    assert (payload.text, method, warnings) == (MESSAGE, "stdm", ())
    assert (report.method, report.payload_bytes, report.survives) == ("stdm", len(MESSAGE), "jpeg:50")
    assert report.psnr == pytest.approx(api.compare_files("cover.png", f"out{extension}")["psnr"])


@pytest.mark.parametrize("kind", [kind for kind in media.FORMATS.values() if kind.lossless], ids=lambda kind: kind.name)
def test_a_file_goes_into_every_exact_format(kind: media.Format) -> None:
    report = api.hide_file("cover.png", f"out{kind.extensions[0]}", Payload(REPORT, name="report.bin"))
    assert api.reveal_file(f"out{kind.extensions[0]}")[0] == Payload(REPORT, name="report.bin")
    assert (report.method, report.survives) == ("basn", None)


def test_transparency_stays() -> None:
    api.hide_file("faded.png", "out.png", REPORT)
    alpha = media.read("out.png").alpha
    assert alpha is not None
    assert (alpha == 128).all()


def test_what_was_asked_for_survives(cover: Image) -> None:
    container = api.hide(cover, MESSAGE, survive="webp:60")
    assert api.reveal(api.attack(container, "webp:60")).text == MESSAGE


@pytest.mark.parametrize(
    ("target", "payload", "options", "error"),
    [
        ("out.png", bytes(range(256)) * 1000 + os.urandom(100_000), {}, CapacityError),
        ("out.jpg", REPORT, {}, UsageError),
        ("out.webp", REPORT, {"quality": 90}, UsageError),
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
def test_on_failure_every_file_is_as_it_was(
    target: str, payload: bytes | str, options: dict[str, Any], error: type[UnderpaintError]
) -> None:
    before = listing()
    with pytest.raises(error):
        api.hide_file("cover.png", target, payload, **options)
    assert listing() == before


def test_on_a_full_disk_every_file_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = listing()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ImageError, match="no space left"):
        api.hide_file("cover.png", "out.png", REPORT)
    with pytest.raises(ImageError, match="no space left"):
        api.hide_file("cover.png", "message.png", REPORT, force=True)
    assert listing() == before


@pytest.mark.parametrize(
    "answer", [NotFoundError("none"), DamagedError("lost"), Payload(b"else"), Payload(b"x", "text")]
)
def test_hide_verifies(monkeypatch: pytest.MonkeyPatch, cover: Image, answer: Payload | UnderpaintError) -> None:
    monkeypatch.setitem(METHODS, "fake", Fake(answer))
    with pytest.raises(SurvivalError):
        api.hide(cover, b"x", method="fake")
    with pytest.raises(SurvivalError):
        api.hide_file("cover.png", "out.png", b"x", method="fake")
    assert not Path("out.png").exists()


def test_hide_verifies_after_the_chain_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "fake", Fake(Payload(b"x"), NotFoundError("none")))
    with pytest.raises(SurvivalError, match="blur"):
        api.hide_file("cover.png", "out.png", b"x", method="fake", survive="blur:1")
    assert not Path("out.png").exists()


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_the_output_is_not_the_input_by_another_name(link: Any) -> None:
    link(Path("other.png"), Path("cover.png").resolve())
    for source, target in (("cover.png", "other.png"), ("other.png", "./cover.png")):
        with pytest.raises(UsageError, match="the output is the input"):
            api.hide_file(source, target, MESSAGE, force=True)
        with pytest.raises(UsageError, match="the output is the input"):
            api.attack_file(source, "jpeg:50", target, force=True)


def test_reveal_without_a_method(monkeypatch: pytest.MonkeyPatch, cover: Image) -> None:
    message, damaged = Payload(b"found"), DamagedError("lost")
    monkeypatch.setitem(METHODS, "fake", Fake(damaged))
    with pytest.raises(DamagedError):
        api.reveal(cover)
    assert api.reveal(api.hide(cover, MESSAGE)).text == MESSAGE
    monkeypatch.setitem(METHODS, "fake", Fake(message))
    assert api.reveal(cover) == message
    with pytest.raises(AmbiguousError, match="more than one payload, by robust and fake"):
        api.reveal(api.hide(cover, MESSAGE))


@pytest.mark.parametrize(
    ("container", "passphrase", "hint"),
    [
        ("cover.png", None, "if it was hidden with a passphrase"),
        ("locked.png", None, "if it was hidden with a passphrase"),
        ("cover.png", "guess", "another passphrase"),
        ("locked.png", "guess", "another passphrase"),
        ("message.png", "guess", "run reveal without a passphrase"),
        ("file.png", "guess", "run reveal without a passphrase"),
    ],
)
def test_not_found_says_what_can_be_known(container: str, passphrase: str | None, hint: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        api.reveal_file(container, passphrase=passphrase)
    assert hint in (caught.value.hint or "")


def test_what_needs_every_bit_is_not_looked_for_in_a_jpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    eager = Fake(Payload(b"found"))
    eager.needs_lossless = True
    monkeypatch.setitem(METHODS, "fake", eager)
    assert api.reveal_file("cover.png")[1] == "fake"
    with pytest.raises(NotFoundError):
        api.reveal_file("cover.jpg")


def test_capacity_is_what_fits(cover: Image) -> None:
    found = api.capacity_file("cover.png")
    assert found == api.capacity(cover)
    assert set(found) == set(METHODS)
    assert found.pop("pixinpix").payload_bytes == cover.size
    assert found.pop("miais").payload_bytes == template.size(template.FINE)
    for name, each in found.items():
        payload = os.urandom(each.payload_bytes)
        assert api.reveal(api.hide(cover, payload, method=name)).data == payload


def test_attack_is_the_same_for_the_same_seed(cover: Image) -> None:
    assert (api.attack(cover, "noise:0.1", seed=1) == api.attack(cover, "noise:0.1", seed=1)).all()
    assert (api.attack(cover, "noise:0.1", seed=1) != api.attack(cover, "noise:0.1", seed=2)).any()


def test_attack_says_what_else_changed() -> None:
    assert api.attack_file("faded.png", "jpeg:50", "same.png") == ()
    assert media.read("same.png").alpha is not None
    assert "transparency" in api.attack_file("faded.png", "crop:0.5", "part.png")[0]
    assert "jpeg is not exact" in api.attack_file("cover.png", "blur:1", "blurred.jpg")[0]


def test_compare(cover: Image) -> None:
    assert api.compare(cover, cover) == {
        "psnr": float("inf"),
        "ssim": 1.0,
        "ms_ssim": 1.0,
        "apd": 0.0,
        "changed": 0.0,
        "largest": 0.0,
        "machine": {name: {"change": 0.0, "kept": True} for name in classifiers.names()},
    }
    other = cover.copy()
    other[0, 0, 0] ^= 128
    found = api.compare(cover, other)
    assert (found["largest"], found["changed"]) == (128, 1 / cover.size)
    assert api.compare(cover[:64], other[:64])["ms_ssim"] is None
    with pytest.raises(UsageError, match="192×192 and 192×64"):
        api.compare(cover, cover[:64])


@pytest.mark.parametrize("picture", [np.zeros((64, 64), np.uint8), np.zeros((64, 64, 3)), "cover.png", None])
def test_only_images_are_images(picture: Any) -> None:
    for use in (api.reveal, api.capacity, lambda it: api.hide(it, b"x"), lambda it: api.attack(it, "jpeg:50")):
        with pytest.raises(UsageError, match="expected an RGB image"):
            use(picture)


def test_public_names() -> None:
    assert underpaint.__all__ == sorted(underpaint.__all__)
    assert set(underpaint.__all__) <= set(dir(underpaint))
    for name in underpaint.__all__:
        assert getattr(underpaint, name).__module__.startswith("underpaint.")
    assert {name for name, each in vars(errors).items() if isinstance(each, type)} <= set(underpaint.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        attrgetter("nothing")(underpaint)


def test_importing_underpaint_imports_nothing_else() -> None:
    program = "import sys, underpaint; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {name for name in done.stdout.split() if name.startswith("underpaint.")} == set()
    assert not {"numpy", "PIL", "typer"} & set(done.stdout.split())


def test_a_low_quality_of_the_file_is_mended_for(folder: Path) -> None:
    """The container is made for the file it is written to, not only for what comes after."""
    report = api.hide_file("cover.png", "sent.jpg", "hello", quality=30, survive="none")
    assert report.method == "stdm"
    assert api.reveal_file("sent.jpg")[0].text == "hello"


@pytest.mark.parametrize("shape", [(31, 400), (400, 20), (16, 4000)])
@pytest.mark.parametrize("method", METHODS)
def test_what_reveal_does_not_read_hide_does_not_write(shape: tuple[int, int], method: str) -> None:
    narrow = np.random.default_rng(0).integers(50, 200, (*shape, 3), dtype=np.uint8)
    with pytest.raises(UsageError, match="too small"):
        api.hide(narrow, "hello", method=method)
    with pytest.raises(NotFoundError):
        api.reveal(narrow)


def test_a_file_that_misses_the_quality_asked_for_is_warned_of() -> None:
    assert api.hide_file("cover.png", "sent.png", "hello", psnr=44).warnings == ()
    (warning,) = api.hide_file("cover.png", "sent.jpg", "hello", psnr=44, quality=80).warnings
    assert warning.startswith("jpeg at quality 80 brought 44 dB down to 3")


def test_hiding_in_a_container_is_warned_of() -> None:
    api.hide_file("cover.png", "one.png", "hello", passphrase=PASSPHRASE)
    (warning,) = api.hide_file("one.png", "two.png", b"file", passphrase=PASSPHRASE).warnings
    assert warning == "the cover held a payload by robust, which may be lost"
    assert api.hide_file("one.png", "three.png", b"file", passphrase="another").warnings == ()


@pytest.mark.parametrize("payload", [5, None, ["x"]])
def test_payloads_are_bytes_or_text(cover: Image, payload: Any) -> None:
    with pytest.raises(UsageError, match="a payload is"):
        api.hide(cover, payload)
    assert api.reveal(api.hide(cover, bytearray(b"bytes")), method="basn").data == b"bytes"  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="of kind text, file, template, picture"):
        Payload(b"x", "sound")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="a passphrase is text"):
        api.hide(cover, b"x", passphrase=b"bytes")  # type: ignore[arg-type]
