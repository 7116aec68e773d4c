"""AVIF files without their boxes: exact restoration, and files that are not stripped."""

from __future__ import annotations

import numpy as np
import pytest

from underpaint import media
from underpaint.coding import avif_boxes, compression, frame
from underpaint.coding.keys import Key
from underpaint.media import Picture
from underpaint.types import Payload

PICTURE = Picture(np.random.default_rng(0).integers(0, 256, (90, 130, 3), dtype=np.uint8))
FILE = media.encode(PICTURE, "avif", quality=30)
STRIPPED = avif_boxes.strip_boxes(FILE)
SAVED = 267 if STRIPPED else 0  # another libavif may write other boxes
KEY = Key(bytes(range(32)))


def test_boxes_are_stripped_and_restored() -> None:
    if STRIPPED is not None:
        assert len(STRIPPED) == len(FILE) - SAVED
        assert avif_boxes.restore_boxes(STRIPPED) == FILE


def test_a_frame_holds_the_stripped_file() -> None:
    payload = Payload(FILE, "picture")
    assert compression.stored_picture_size(FILE) == len(FILE) - SAVED
    assert frame.compact_size(payload) <= len(FILE) + 8 - SAVED
    assert frame.open_compact(frame.seal_compact(payload, KEY, 20_000), KEY) == payload


@pytest.mark.parametrize("other", [b"", b"x" * 400, FILE[:-1], FILE[:100], media.encode(PICTURE, "webp", quality=30)])
def test_other_files_are_not_stripped(other: bytes) -> None:
    assert avif_boxes.strip_boxes(other) is None
    assert compression.stored_picture_size(other) == len(other)


def test_too_short_a_stripped_file_is_refused() -> None:
    assert avif_boxes.restore_boxes(b"short") is None
