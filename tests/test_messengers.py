"""A message survives what messengers and websites do to pictures: scaling, sharpening, JPEG, palettes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageFilter

from underpaint import api
from underpaint.media import samples

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from PIL.Image import Image as Picture

MESSAGE = "meet me at noon"
#: The cover's longer side is 600 pixels.
COVER = samples.path("coffee")


def scale(picture: Picture, longer_side: int, filter: Image.Resampling = Image.Resampling.LANCZOS) -> Picture:  # noqa: A002
    factor = longer_side / max(picture.size)
    return picture.resize((round(picture.width * factor), round(picture.height * factor)), filter)


def jpeg(picture: Picture, *qualities: int) -> Picture:
    """The picture after JPEG at each of *qualities*, with halved chroma."""
    for quality in qualities:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality, subsampling=2)
        picture = Image.open(buffer).convert("RGB")
    return picture


def sharpen(picture: Picture) -> Picture:
    return picture.filter(ImageFilter.UnsharpMask(radius=1, percent=80, threshold=3))


SERVICES: dict[str, Callable[[Picture], Picture]] = {
    "enlarged twice, JPEG 70": lambda sent: jpeg(scale(sent, 1250), 70),
    "enlarged, JPEG 60": lambda sent: jpeg(scale(sent, 1000), 60),
    "enlarged and sharpened, JPEG 75": lambda sent: jpeg(sharpen(scale(sent, 840)), 75),
    "forwarded twice": lambda sent: jpeg(scale(sent, 750), 70, 70, 60),
    "preview, JPEG 70": lambda sent: jpeg(scale(sent, 250), 70),
    "nearest neighbour, JPEG 80": lambda sent: jpeg(scale(sent, 625, Image.Resampling.NEAREST), 80),
    "palette of 256 colours": lambda sent: sent.quantize(256).convert("RGB"),
    "palette of 64 colours": lambda sent: sent.quantize(64).convert("RGB"),
}


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sent") / "sent.jpg"
    report = api.hide_file(COVER, path, MESSAGE)
    assert report.method == "robust"
    assert report.psnr > 38
    return path


@pytest.mark.parametrize("service", SERVICES)
def test_a_message_survives_a_service(service: str, sent: Path) -> None:
    arrived = SERVICES[service](Image.open(sent).convert("RGB"))
    assert api.reveal(np.asarray(arrived)).text == MESSAGE
