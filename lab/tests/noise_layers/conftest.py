"""Photographs for the tests of noise layers."""

from __future__ import annotations

import pytest
from torch import Tensor

from lab_support.noise import batch
from underpaint import media
from underpaint.media import samples


@pytest.fixture(scope="package")
def photos() -> Tensor:
    """Two photographs, ``(2, 3, 50, 70)``, of 8-bit values; the sides are no multiples of 8."""
    pixels = media.read(samples.path("chelsea")).pixels
    return batch([pixels[40:90, 100:170], pixels[100:150, 200:270]])
