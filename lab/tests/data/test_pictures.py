"""Folders of pictures, crops, and work that is spread over processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from underpaint import media
from underpaint.errors import UsageError
from underpaint.media import samples
from underpaint_lab.data.pictures import crops, pictures_in, spread


def test_crops_tile_the_picture() -> None:
    pixels = media.read(samples.path("chelsea")).pixels  # 300×451
    cut = crops(pixels, 128)
    assert [crop.shape for crop in cut] == [(128, 128, 3)] * 6
    assert np.array_equal(cut[4], pixels[128:256, 128:256])
    assert crops(pixels[:100], 128) == []


def test_results_keep_their_order_whatever_the_number_of_processes() -> None:
    assert spread(abs, [-3, 2, -1], 2) == spread(abs, [-3, 2, -1], 1) == [3, 2, 1]


def test_a_folder_without_pictures_is_refused() -> None:
    with pytest.raises(UsageError, match="no pictures"):
        pictures_in(Path(__file__).parent)
