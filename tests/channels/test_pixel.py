"""Pixel channels: noise level, blur width, sharpening, moiré, and value curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from underpaint.channels import parse

if TYPE_CHECKING:
    from underpaint.types import Image


def test_noise_has_the_given_standard_deviation() -> None:
    grey = np.full((256, 256, 3), 128, np.uint8)
    difference = parse("noise:0.04")(grey, 5).astype(float) - 128
    assert difference.std() == pytest.approx(10.2, rel=0.01)
    assert difference.mean() == pytest.approx(0, abs=0.1)


def test_blur_spreads_a_point_to_a_gaussian() -> None:
    points = np.zeros((41, 41, 3), np.uint8)
    points[20, 20] = 255
    spread = parse("blur:1.5")(points)[20, :, 0].astype(float)
    offsets = np.arange(41) - 20
    np.testing.assert_allclose(spread, 255 / (2 * np.pi * 1.5**2) * np.exp(-0.5 * (offsets / 1.5) ** 2), atol=0.6)


def test_blur_keeps_a_flat_picture() -> None:
    flat = np.full((5, 9, 3), 201, np.uint8)
    np.testing.assert_array_equal(parse("blur:20")(flat), flat)


def test_sharpen_adds_what_a_blur_takes_away(photo: Image) -> None:
    flat = np.full((9, 9, 3), 77, np.uint8)
    np.testing.assert_array_equal(parse("sharpen:2,amount=3")(flat), flat)
    values = photo.astype(int)
    expected = np.clip(values + 2 * (values - parse("blur:1.5")(photo).astype(int)), 0, 255)
    assert np.abs(parse("sharpen:1.5,amount=2")(photo) - expected).max() <= 2  # the blur is rounded here


def test_moire_adds_two_gratings_of_the_period() -> None:
    grey = np.full((256, 256, 3), 128, np.uint8)
    change = parse("moire:40,period=8")(grey, 3)[..., 0] - 128.0
    assert np.abs(change).max() == pytest.approx(40, abs=1)
    spectrum = np.abs(np.fft.fft2(change))
    peaks = np.argwhere(spectrum > 0.3 * spectrum.max())
    frequencies = np.hypot(*(np.fft.fftfreq(256)[peaks.T]))
    assert np.abs(frequencies - 1 / 8).max() < 0.01
    directions = np.arctan2(*np.fft.fftfreq(256)[peaks.T]) % (np.pi / 2)
    assert np.ptp(np.exp(4j * directions).real) < 0.2


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("brightness:0.5", [0, 101, 255], [0, 50, 128]),  # 50.5 to the even number
        ("brightness:2", [0, 100, 200], [0, 200, 255]),
        ("contrast:0", [0, 100, 200], [100, 100, 100]),
        ("contrast:2", [60, 100, 140], [20, 100, 180]),
        ("gamma:2", [0, 128, 255], [0, 64, 255]),
        ("quantise:1", [0, 127, 128], [0, 0, 255]),
        ("quantise:2", [42, 43, 200], [0, 85, 170]),
    ],
)
def test_value_curves(text: str, before: list[int], after: list[int]) -> None:
    picture = np.repeat(np.array(before, np.uint8)[None, :, None], 3, axis=2)
    assert parse(text)(picture)[0, :, 0].tolist() == after
