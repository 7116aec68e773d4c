"""Picture for tests of channels."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from underpaint import media
from underpaint.media import samples

if TYPE_CHECKING:
    from underpaint.types import Image


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests of JPEG XL where the extra ``formats`` is not installed."""
    if find_spec("imagecodecs") is None:
        for item in items:
            if "jpegxl" in item.name:
                item.add_marker(pytest.mark.skip(reason="needs imagecodecs, of the extra formats"))


@pytest.fixture(scope="session")
def photo() -> Image:
    """A detailed, colourful photograph, 96×128, read-only."""
    picture = media.read(samples.path("coffee")).pixels[100:196, 200:328].copy()
    picture.flags.writeable = False
    return picture
