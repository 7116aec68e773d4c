"""Picture for tests of channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from skimage import data

if TYPE_CHECKING:
    from underpaint.types import Image


@pytest.fixture(scope="session")
def photo() -> Image:
    """A detailed, colourful photograph, 96×128, read-only."""
    picture = np.ascontiguousarray(data.astronaut()[20:116, 160:288])  # type: ignore[no-untyped-call]
    picture.flags.writeable = False
    return picture
