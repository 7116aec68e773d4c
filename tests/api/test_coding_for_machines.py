"""Coding for machines: values stay within their threshold, classifiers decide how small a file may be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from support.machine_models import Generator, generator
from underpaint import media
from underpaint.api.coding_for_machines import compress_for_machines, reduce_levels, smooth
from underpaint.models import classifiers
from underpaint.types import Image

__all__ = ["generator"]


def noise(height: int, width: int, low: int = 0, high: int = 256) -> Image:
    return np.random.default_rng(0).integers(low, high, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("prepare", [smooth, reduce_levels])
def test_no_value_moves_beyond_its_threshold(prepare: Any) -> None:
    picture, threshold = noise(40, 50), noise(40, 50)[::-1] // 4
    change = np.abs(prepare(picture, threshold).astype(int) - picture)
    assert (change <= threshold).all()
    assert change.any()
    assert np.array_equal(prepare(picture, np.zeros_like(threshold)), picture)


def test_neighbours_become_similar_or_values_few() -> None:
    picture = noise(40, 50, 90, 110)
    threshold = np.full_like(picture, 16)
    rough = np.abs(np.diff(picture.astype(int), axis=0)).mean()
    assert np.abs(np.diff(smooth(picture, threshold).astype(int), axis=0)).mean() < rough / 4
    assert len(np.unique(reduce_levels(picture, threshold))) <= 2


@pytest.mark.parametrize("format_name", ["jpeg", "webp", "png"])
def test_bytes_are_saved_while_all_labels_are_kept(generator: Generator, format_name: str) -> None:
    picture = media.Picture(noise(64, 64, 60, 200))
    threshold = np.full_like(picture.pixels, 40)
    data, saving = compress_for_machines(picture, threshold, format_name, 75, classifiers.load_classifiers())
    assert (len(data), saving.kept_after) == (saving.after, 2)
    assert saving.share > 0.2


def test_the_plain_file_is_returned_if_every_change_alters_a_label() -> None:
    picture = media.Picture(noise(64, 64, 60, 200))
    threshold = np.full_like(picture.pixels, 40)
    sums: dict[str, classifiers.Classifier] = {"sum": lambda pixels: int(pixels.astype(int).sum())}
    plain, saving = compress_for_machines(picture, threshold, "png", 75, sums)
    assert (saving.share, saving.kept_after) == (0, 1)
    assert np.array_equal(media.decode(plain).pixels, picture.pixels)
