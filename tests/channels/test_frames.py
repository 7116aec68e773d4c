"""Channels that show the whole picture inside a larger one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from underpaint.channels import parse
from underpaint.metrics import psnr

if TYPE_CHECKING:
    from underpaint.types import Image


@pytest.mark.parametrize("colour", ["black", "white", "photo"])
def test_pad_surrounds_the_picture(photo: Image, colour: str) -> None:
    received = parse(f"pad:0.1,{colour}")(photo)
    assert received.shape == (96 + 2 * 10, 128 + 2 * 13, 3)
    np.testing.assert_array_equal(received[10:-10, 13:-13], photo)
    border = np.concatenate([received[:10].ravel(), received[-10:].ravel()])
    if colour == "photo":
        assert border.std() > 10
    else:
        assert (border == {"black": 0, "white": 255}[colour]).all()


def test_the_border_photo_is_the_mirrored_picture_blurred(photo: Image) -> None:
    border = parse("pad:0.5,photo")(photo)[:48, 64:-64]
    assert psnr(parse("blur:4")(photo[:48][::-1]), border) > 25


@pytest.mark.parametrize(
    ("ratio", "size", "place"),
    [
        ("16:9", (96, 171), (0, 21)),
        ("1:1", (128, 128), (16, 0)),
        ("9:16", (228, 128), (66, 0)),
        ("4:3", (96, 128), (0, 0)),
    ],
)
def test_letterbox_gives_the_ratio_by_black_bars(
    photo: Image, ratio: str, size: tuple[int, int], place: tuple[int, int]
) -> None:
    received = parse(f"letterbox:{ratio}")(photo)
    assert received.shape[:2] == size
    window = received[place[0] : place[0] + 96, place[1] : place[1] + 128]
    np.testing.assert_array_equal(window, photo)
    assert int(received.sum()) == int(photo.sum())


def test_a_portrait_gets_bars_left_and_right(photo: Image) -> None:
    received = parse("letterbox:16:9")(photo.transpose(1, 0, 2))
    assert received.shape[:2] == (128, 228)
    assert (received[:, :66] == 0).all()
    assert (received[:, -66:] == 0).all()


@pytest.mark.parametrize("area", [0.15, 0.4, 0.9])
def test_a_screenshot_shows_the_picture_on_a_share_of_its_area(photo: Image, area: float) -> None:
    for seed in range(3):
        received = parse(f"screenshot:{area}")(photo, seed)
        assert photo.size / received.size == pytest.approx(area, rel=0.03)
        rows = np.lib.stride_tricks.sliding_window_view(received[..., 0], 128, axis=1)
        tops = np.argwhere((rows == photo[0, :, 0]).all(axis=2))
        assert any(np.array_equal(received[y : y + 96, x : x + 128], photo) for y, x in tops)


def test_the_desktop_has_windows_and_text(photo: Image) -> None:
    desktop = parse("screenshot:0.15")(np.zeros_like(photo))
    levels, counts = np.unique(desktop[desktop > 0], return_counts=True)
    assert levels.tolist() == [40, 60, 96, 250]
    assert (counts > 0.002 * desktop.size).all()
