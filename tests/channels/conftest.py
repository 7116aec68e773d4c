"""Picture for tests of channels."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pytest
from skimage import data

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
    picture = np.ascontiguousarray(data.astronaut()[20:116, 160:288])  # type: ignore[no-untyped-call]
    picture.flags.writeable = False
    return picture
