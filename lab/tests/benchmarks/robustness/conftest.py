"""Fixtures of the tests on robustness."""

from __future__ import annotations

from pathlib import Path

import pytest

from underpaint import media
from underpaint.media import samples


@pytest.fixture
def two_crops(tmp_path: Path) -> Path:
    """A folder with a picture of two crops."""
    folder = tmp_path / "two"
    folder.mkdir()
    media.write(media.Picture(media.read(samples.path("coffee")).pixels[100:228, 200:456]), folder / "crops.png")
    return folder
