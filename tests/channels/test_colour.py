"""Colour channels: saturation, hue, equalisation, palette, greyscale, transparency, colour profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image as Pillow

from underpaint.channels import Flatten, parse
from underpaint.types import luma

if TYPE_CHECKING:
    from underpaint.types import Image


def test_saturation_scales_the_distance_from_luma(photo: Image) -> None:
    np.testing.assert_array_equal(parse("saturation:0")(photo), parse("grey")(photo))
    colour = np.array([[[200, 100, 50]]], np.uint8)  # luma 124.2
    assert parse("saturation:0.5")(colour)[0, 0].tolist() == [162, 112, 87]


def test_hue_keeps_luma_and_turns_the_colour_differences() -> None:
    colours = np.array([[[140, 120, 110], [128, 128, 128], [100, 130, 120]]], np.uint8)
    turned = parse("hue:180")(colours)
    np.testing.assert_allclose(luma(turned), luma(colours), atol=0.6)
    # Half a turn mirrors every colour at its grey.
    assert np.abs(turned + colours.astype(float) - 2 * luma(colours)[..., None]).max() <= 0.6
    quarter = parse("hue:90")(colours)
    np.testing.assert_allclose(parse("hue:-90")(quarter).astype(int), colours, atol=2)
    assert quarter[0, 1].tolist() == [128, 128, 128]


def test_equalise_makes_the_histogram_of_luma_even() -> None:
    ramp = np.repeat(np.arange(100, 164, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert parse("equalise")(ramp)[0, :, 1].tolist() == [round(255 * level / 63) for level in range(64)]
    flat = np.full((4, 4, 3), 9, np.uint8)
    np.testing.assert_array_equal(parse("equalise")(flat), flat)


def test_equalise_keeps_colour_differences() -> None:
    picture = np.zeros((8, 8, 3), np.uint8) + np.arange(110, 118, dtype=np.uint8)[:, None, None]
    picture[..., 0] += 7
    received = parse("equalise")(picture).astype(int)
    inside = (received > 0).all(axis=2) & (received < 255).all(axis=2)
    assert (received[inside][:, 0] - received[inside][:, 1] == 7).all()


@pytest.mark.parametrize("colours", [2, 16, 64, 256])
@pytest.mark.parametrize("dither", ["", ",dither"])
def test_a_palette_has_at_most_so_many_colours(photo: Image, colours: int, dither: str) -> None:
    received = parse(f"palette:{colours}{dither}")(photo)
    assert 1 < len(np.unique(received.reshape(-1, 3), axis=0)) <= colours


def test_the_palette_is_that_of_pillow(photo: Image) -> None:
    expected = np.array(Pillow.fromarray(photo).quantize(64).convert("RGB"))
    np.testing.assert_array_equal(parse("palette:64")(photo), expected)


def test_grey_is_luma_in_every_colour() -> None:
    colour = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]], np.uint8)
    np.testing.assert_array_equal(parse("grey")(colour)[0], np.repeat([[76], [150], [29], [9]], 3, axis=1))


def test_flatten_composes_pixels_with_a_background() -> None:
    pixels = np.full((1, 3, 3), 100, np.uint8)
    alpha = np.array([[0, 51, 255]], np.uint8)
    assert Flatten("white").compose(pixels, alpha)[0, :, 0].tolist() == [255, 224, 100]
    assert Flatten("black").compose(pixels, alpha)[0, :, 0].tolist() == [0, 20, 100]


def test_display_p3_is_converted_to_srgb() -> None:
    colours = np.array([[[200, 100, 50], [77, 77, 77], [255, 0, 0], [0, 255, 0]]], np.uint8)
    received = parse("icc:p3")(colours)[0]
    assert received[1].tolist() == [77, 77, 77]
    assert received[2].tolist() == [255, 0, 0]  # outside sRGB: clipped
    assert received[3].tolist() == [0, 255, 0]
    # CSS Color 4: color(display-p3 0.784 0.392 0.196) is about rgb(215, 96, 35).
    np.testing.assert_allclose(received[0], [215, 96, 35], atol=4)
