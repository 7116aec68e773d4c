"""Geometric channels: windows, resampling, dropout, rotation, mirroring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image as Pillow

from underpaint.channels import parse

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
    assert (parse("rotate:45")(square)[0, 0] == 128).all()


def test_flip_mirrors(photo: Image) -> None:
    np.testing.assert_array_equal(parse("flip")(photo), photo[:, ::-1])
    np.testing.assert_array_equal(parse("flip:vertical")(photo), photo[::-1])
