"""Presets: canonical chains of existing channels, and what they do to a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from underpaint.channels import CHANNELS, PRESETS, parse
from underpaint.metrics import psnr

if TYPE_CHECKING:
    from underpaint.types import Image


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_canonical_chain(name: str) -> None:
    assert name not in CHANNELS
    assert str(parse(name)) == PRESETS[name].chain
    assert PRESETS[name].chain.endswith(tuple(f"jpeg:{quality}" for quality in range(60, 91)))


@pytest.mark.parametrize("name", PRESETS)
def test_a_small_picture_keeps_its_size_and_most_of_its_quality(photo: Image, name: str) -> None:
    received = parse(name)(photo)
    assert received.shape == photo.shape
    assert psnr(photo, received) > (10 if name == "photo" else 25)


def test_the_longest_side_of_a_large_picture_is_limited() -> None:
    large = np.zeros((90, 3000, 3), np.uint8)
    sides = {name: max(parse(name)(large).shape) for name in PRESETS if name != "photo"}
    assert sides == {"whatsapp": 1600, "telegram": 1280, "instagram": 1080, "x": 2048, "email": 1024, "thumbnail": 320}
