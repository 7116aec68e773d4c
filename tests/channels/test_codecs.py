"""Still-picture codecs: identical to Pillow's, and their limits."""

from __future__ import annotations

import sys
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image as Pillow

from underpaint.channels import parse
from underpaint.errors import ImageError, MissingExtraError
from underpaint.metrics import psnr

if TYPE_CHECKING:
    from underpaint.types import Image


@pytest.mark.parametrize(
    ("text", "codec", "settings"),
    [
        ("jpeg:50", "JPEG", {"quality": 50}),
        ("jpeg:90,subsampling=444", "JPEG", {"quality": 90, "subsampling": 0}),
        ("jpeg2000:20", "JPEG2000", {"quality_layers": [20]}),
        ("webp:30", "WEBP", {"quality": 30}),
        ("avif:30", "AVIF", {"quality": 30, "speed": 8, "max_threads": 1}),
    ],
)
def test_the_result_is_that_of_pillows_codec(photo: Image, text: str, codec: str, settings: dict[str, Any]) -> None:
    file = BytesIO()
    Pillow.fromarray(photo).save(file, codec, **settings)
    np.testing.assert_array_equal(parse(text)(photo), np.array(Pillow.open(file).convert("RGB")))


@pytest.mark.parametrize("text", ["jpeg:95", "webp:95", "avif:95", "jpegxl:95"])
def test_the_best_quality_is_above_32_db(photo: Image, text: str) -> None:
    assert psnr(photo, parse(text)(photo)) > 32


@pytest.mark.parametrize("text", ["jpeg:50", "webp:50", "avif:50"])
def test_pictures_too_wide_for_the_codec_are_refused(text: str) -> None:
    with pytest.raises(ImageError, match="cannot encode a picture of 70000×1"):
        parse(text)(np.zeros((1, 70000, 3), np.uint8))


def test_without_imagecodecs_the_extra_is_named(photo: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(MissingExtraError) as caught:
        parse("jpegxl:50")(photo)
    assert "pip install '.[formats]'" in (caught.value.hint or "")
