"""A short message in pictures of unusual sizes: it comes back, or the reason is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from underpaint import api, media
from underpaint.errors import CapacityError, UnderpaintError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from underpaint.types import Image


def hide(photograph: Image, width: int, height: int, folder: Path) -> Path:
    """Hide a message in the photograph, repeated by reflection to *width* × *height*."""
    margins = [(0, max(0, side - length)) for side, length in zip((height, width), photograph.shape[:2], strict=True)]
    pixels = np.pad(photograph, [*margins, (0, 0)], mode="symmetric")[:height, :width]
    cover, container = folder / "cover.png", folder / "container.png"
    media.write(media.Picture(np.ascontiguousarray(pixels)), cover)
    api.hide_file(cover, container, "hi")
    return container


@pytest.mark.parametrize(("width", "height"), [(101, 67), (127, 129), (2000, 40), (4000, 32)])
def test_a_message_comes_back(width: int, height: int, photograph: Image, tmp_path: Path) -> None:
    assert api.reveal_file(hide(photograph, width, height, tmp_path))[0].text == "hi"


@pytest.mark.parametrize(
    ("side", "error", "message"),
    [
        (1, UsageError, "the picture is too small: 1×1"),
        (31, UsageError, "the picture is too small: 31×31"),
        (32, CapacityError, "the picture holds no message"),
    ],
)
def test_a_picture_that_is_too_small_is_refused(
    side: int, error: type[UnderpaintError], message: str, photograph: Image, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message) as refused:
        hide(photograph, side, side, tmp_path)
    assert refused.value.hint
    assert not (tmp_path / "container.png").exists()
