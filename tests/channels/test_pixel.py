"""Pixel channels: noise level, blur width, and value curves."""

from __future__ import annotations

import numpy as np
import pytest

from underpaint.channels import parse


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
