"""Geometric channels: windows, resampling, dropout, rotation, shear, perspective, mirroring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image as Pillow

from underpaint.channels import parse
from underpaint.metrics import psnr

if TYPE_CHECKING:
    from underpaint.types import Image


def test_resize_is_rescale_and_back(photo: Image) -> None:
    small = parse("rescale:0.5,filter=lanczos")(photo)
    assert small.shape == (48, 64, 3)
    back = Pillow.fromarray(small).resize((128, 96), Pillow.Resampling.LANCZOS)
    np.testing.assert_array_equal(parse("resize:0.5,filter=lanczos")(photo), np.array(back))


def test_crop_returns_a_window(photo: Image) -> None:
    np.testing.assert_array_equal(parse("crop:0.25,at=centre")(photo), photo[24:72, 32:96])
    received = parse("crop:0.25")(photo, 7)
    assert received.shape == (48, 64, 3)
    assert any(
        np.array_equal(received, photo[top : top + 48, left : left + 64]) for top in range(49) for left in range(65)
    )


def test_cut_takes_a_share_or_one_row_or_column_off_a_side(photo: Image) -> None:
    np.testing.assert_array_equal(parse("cut:0.05,left")(photo), photo[:, 6:])
    np.testing.assert_array_equal(parse("cut:0.05,right")(photo), photo[:, :-6])
    np.testing.assert_array_equal(parse("cut:0.02,top")(photo), photo[2:])
    np.testing.assert_array_equal(parse("cut:0,bottom")(photo), photo[:-1])


def test_cropout_keeps_the_window_of_crop(photo: Image) -> None:
    received = parse("cropout:0.25,at=centre")(photo)
    np.testing.assert_array_equal(received[24:72, 32:96], photo[24:72, 32:96])
    received[24:72, 32:96] = 128
    assert (received == 128).all()


def test_dropout_replaces_a_share_by_the_mean_of_neighbours(photo: Image) -> None:
    lost = (parse("dropout:0.3")(photo) != photo).any(axis=2)
    assert lost.mean() == pytest.approx(0.3, abs=0.03)
    around = [photo[y : y + 94, x : x + 126].astype(float) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    everywhere = parse("dropout:1")(photo)[1:-1, 1:-1]
    assert np.abs(everywhere - np.mean(around, axis=0)).max() <= 0.5


def test_rotate_is_counter_clockwise(photo: Image) -> None:
    square = photo[:96, :96]
    np.testing.assert_array_equal(parse("rotate:90")(square), np.rot90(square))
    assert (parse("rotate:45")(square)[0, 0] == 0).all()


@pytest.mark.parametrize(("degrees", "quarters"), [(90, 1), (180, 2), (-90, 3)])
def test_quarter_turns_with_expand_resample_nothing(photo: Image, degrees: int, quarters: int) -> None:
    np.testing.assert_array_equal(parse(f"rotate:{degrees},expand")(photo), np.rot90(photo, quarters))


def test_rotate_with_expand_cuts_nothing_off(photo: Image) -> None:
    received = parse("rotate:30,expand")(photo)
    height, width = received.shape[:2]
    assert abs(height - (96 * 0.75**0.5 + 128 / 2)) < 2
    assert abs(width - (128 * 0.75**0.5 + 96 / 2)) < 2
    back = parse("rotate:-30")(received)
    top, left = (height - 96) // 2, (width - 128) // 2
    assert psnr(photo, back[top : top + 96, left : left + 128]) > 20


@pytest.mark.parametrize(("text", "size"), [("fit:64", (48, 64)), ("fit:127", (95, 127)), ("fit:128", (96, 128))])
def test_fit_never_enlarges(photo: Image, text: str, size: tuple[int, int]) -> None:
    for picture, expected in ((photo, size), (photo.transpose(1, 0, 2), size[::-1])):
        assert parse(text)(picture).shape[:2] == expected
    np.testing.assert_array_equal(parse("fit:64")(photo), parse("rescale:0.5")(photo))
    np.testing.assert_array_equal(parse("fit:500")(photo), photo)


def test_shear_moves_rows_about_the_centre() -> None:
    picture = np.zeros((101, 201, 3), np.uint8)
    picture[:, 100] = 255
    received = parse("shear:0.5")(picture)[..., 0]
    for row in (0, 50, 100):
        assert received[row].argmax() == 100 + (row - 50) // 2


def test_perspective_moves_every_corner_by_the_share(photo: Image) -> None:
    white = np.full((100, 200, 3), 255, np.uint8)
    inner = np.pad(white, ((40, 40), (40, 40), (0, 0)))
    assert (parse("perspective:0.02")(photo, 1) != parse("perspective:0.02")(photo, 2)).any()
    share = 10 / (180 * 280) ** 0.5
    for seed in range(4):
        columns = np.flatnonzero(parse(f"perspective:{share}")(inner, seed)[90, :, 0] > 127)
        assert abs(columns[0] - 40) <= 10
        assert abs(columns[-1] - 239) <= 10
    lost = [(parse(f"perspective:{share}")(np.full_like(inner, 255), seed) == 0).mean() for seed in range(4)]
    assert max(lost) > 0.001


def test_flip_mirrors(photo: Image) -> None:
    np.testing.assert_array_equal(parse("flip")(photo), photo[:, ::-1])
    np.testing.assert_array_equal(parse("flip:vertical")(photo), photo[::-1])
