"""Covers with transparency: what is shown is marked, hidden colours stay, the message survives on any background."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from support.run_cli import REPORT
from underpaint import api, media
from underpaint.errors import SurvivalError
from underpaint.types import Payload

pytestmark = pytest.mark.usefixtures("cheap_keys")


def rounded(height: int, width: int, radius: int) -> NDArray[np.uint8]:
    """Return the opacity of a picture with rounded corners, one pixel soft, ``uint8 (H, W)``."""
    mask = Image.new("L", (2 * width, 2 * height))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, 2 * width - 1, 2 * height - 1), radius=2 * radius, fill=255)
    return np.asarray(mask.resize((width, height), Image.Resampling.BOX))


@pytest.fixture
def logo(photograph: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NDArray[np.uint8]:
    """Write the photograph with rounded corners, grey where it is not shown, to ``logo.png``; return its opacity."""
    monkeypatch.chdir(tmp_path)
    alpha = rounded(photograph.shape[0], photograph.shape[1], 40)
    pixels = np.where(alpha[..., None] > 0, photograph, 99).astype(np.uint8)
    media.write(media.Picture(pixels, alpha), "logo.png")
    return alpha


def test_a_message_survives_on_white_and_on_black(logo: NDArray[np.uint8]) -> None:
    report = api.hide_file("logo.png", "sent.png", "noon", method="robust")
    sent = media.read("sent.png")
    assert sent.alpha is not None
    assert (sent.alpha == logo).all()
    assert (sent.pixels[logo == 0] == 99).all()
    assert report.psnr > 37.9
    for chain in ("flatten:white | jpeg:60", "flatten:black | rescale:0.5"):
        api.attack_file("sent.png", chain, "shown.png", force=True)
        assert api.reveal_file("shown.png", method="robust")[0].text == "noon"


def test_a_resized_picture_with_transparency_is_revealed(logo: NDArray[np.uint8]) -> None:
    api.hide_file("logo.png", "sent.png", "noon", method="robust")
    with Image.open("sent.png") as sent:
        sent.resize((226, 150), Image.Resampling.LANCZOS).save("half.png")
    assert api.reveal_file("half.png", method="robust")[0].text == "noon"


def test_half_opaque_pixels_are_marked_as_they_are_shown(logo: NDArray[np.uint8]) -> None:
    pixels = media.read("logo.png").pixels
    media.write(media.Picture(pixels, np.full(pixels.shape[:2], 128, np.uint8)), "faded.png")
    api.hide_file("faded.png", "sent.png", "noon", method="stdm")
    assert api.detect_file("sent.png", method="stdm").present
    for colour in ("white", "black"):
        api.attack_file("sent.png", f"flatten:{colour} | jpeg:60", "shown.png", force=True)
        assert api.reveal_file("shown.png", method="stdm")[0].text == "noon"


@pytest.mark.parametrize(("opaque_rows", "share"), [(0, "100%"), (60, "80%")])
def test_a_picture_too_transparent_is_refused_with_its_share(
    logo: NDArray[np.uint8], opaque_rows: int, share: str
) -> None:
    alpha = np.zeros_like(logo)
    alpha[:opaque_rows] = 255
    media.write(media.Picture(media.read("logo.png").pixels, alpha), "clear.png")
    with pytest.raises(SurvivalError, match=f"too transparent: {share}") as caught:
        api.hide_file("clear.png", "sent.png", "noon", psnr=44)
    assert caught.value.hint
    assert not Path("sent.png").exists()


def test_an_exact_method_may_use_pixels_that_are_not_shown(logo: NDArray[np.uint8]) -> None:
    media.write(media.Picture(media.read("logo.png").pixels, np.zeros_like(logo)), "clear.png")
    api.hide_file("clear.png", "sent.png", Payload(REPORT), method="lsb")
    assert api.reveal_file("sent.png", method="lsb")[0].data == REPORT
