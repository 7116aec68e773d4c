"""Revealing: every method is tried, exactly one may answer, and an error tells what is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.fake_method import FakeMethod
from support.run_cli import MESSAGE
from underpaint import api, media
from underpaint.errors import AmbiguousError, DamagedError, NotFoundError
from underpaint.methods import METHODS
from underpaint.types import Image, Payload

pytestmark = pytest.mark.usefixtures("cheap_keys", "example_files")


@pytest.fixture
def cover(example_files: Path) -> Image:
    return media.read("cover.png").pixels


def test_the_one_method_that_finds_a_payload_returns_it(monkeypatch: pytest.MonkeyPatch, cover: Image) -> None:
    monkeypatch.setitem(METHODS, "fake", FakeMethod(Payload(b"found")))
    assert api.reveal(cover) == Payload(b"found")


def test_two_methods_that_find_a_payload_are_an_error(monkeypatch: pytest.MonkeyPatch, cover: Image) -> None:
    monkeypatch.setitem(METHODS, "fake", FakeMethod(Payload(b"found")))
    container = METHODS["robust"].hide(cover, Payload.from_text(MESSAGE), None, psnr=40, survive=None)
    with pytest.raises(AmbiguousError, match="more than one payload, by robust and fake"):
        api.reveal(container)
    assert api.reveal(container, method="robust").text == MESSAGE


def test_a_damaged_payload_is_an_error_unless_another_method_finds_one(
    monkeypatch: pytest.MonkeyPatch, cover: Image
) -> None:
    monkeypatch.setitem(METHODS, "fake", FakeMethod(DamagedError("lost")))
    with pytest.raises(DamagedError):
        api.reveal(cover)
    assert api.reveal(api.hide(cover, MESSAGE)).text == MESSAGE


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
def test_the_hint_of_not_found_tells_what_can_be_known(container: str, passphrase: str | None, hint: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        api.reveal_file(container, passphrase=passphrase)
    assert hint in (caught.value.hint or "")


def test_lossless_methods_are_not_tried_on_a_jpeg_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "fake", FakeMethod(Payload(b"found"), needs_lossless=True))
    assert api.reveal_file("cover.png")[1] == "fake"
    with pytest.raises(NotFoundError):
        api.reveal_file("cover.jpg")
