"""Still-picture codecs: real encoders and decoders, through Pillow and in memory; JPEG XL through imagecodecs."""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from underpaint.channels.base import Codec, choice, real, whole
from underpaint.errors import ImageError, MissingExtraError, UsageError
from underpaint.media import decode

if TYPE_CHECKING:
    from underpaint.types import Image


@dataclass(frozen=True)
class Jpeg(Codec):
    """JPEG compression (libjpeg), quality 1–100, chroma 4:2:0 by default."""

    name = "jpeg"
    quality: int = whole(1, 100)
    subsampling: str = choice("420", "422", "444", default="420")

    def _code(self, image: Image) -> tuple[Image, float]:
        return _through("JPEG", image, quality=self.quality, subsampling=":".join(self.subsampling))


@dataclass(frozen=True)
class Jpeg2000(Codec):
    """JPEG 2000 compression at a rate (raw size over file size); 1 is lossless.

    The wavelet is the reversible 5/3. Instead of the rate, ``x1000`` takes OpenCV's
    ``IMWRITE_JPEG2000_COMPRESSION_X1000``, which some papers report: 1000 / rate, so 100 is 10:1 and 500 is 2:1. In
    small pictures the file's headers count too: at 10:1 they matter below 128×128.
    """

    name = "jpeg2000"
    rate: float | None = real(1, 1000, default=None)
    x1000: InitVar[float | None] = None

    def __post_init__(self, x1000: float | None) -> None:
        if (self.rate is None) == (x1000 is None):
            raise UsageError("jpeg2000 takes either a rate or x1000", hint="write jpeg2000:10 or jpeg2000:x1000=100")
        if x1000 is not None:
            try:
                object.__setattr__(self, "rate", 1000 / float(x1000))
            except (ValueError, ZeroDivisionError):
                raise UsageError(f"jpeg2000: x1000 cannot be {x1000}", hint="legal is jpeg2000:x1000=1–1000") from None
        super().__post_init__()

    def _code(self, image: Image) -> tuple[Image, float]:
        return _through("JPEG2000", image, quality_mode="rates", quality_layers=[self.rate])


@dataclass(frozen=True)
class WebP(Codec):
    """Lossy WebP compression at a quality of 0–100."""

    name = "webp"
    quality: int = whole(0, 100)

    def _code(self, image: Image) -> tuple[Image, float]:
        return _through("WEBP", image, quality=self.quality)


@dataclass(frozen=True)
class Avif(Codec):
    """AVIF compression at a quality of 0–100, chroma 4:2:0, encoder speed 8."""

    name = "avif"
    quality: int = whole(0, 100)

    def _code(self, image: Image) -> tuple[Image, float]:
        # One thread and no automatic tiling: the result must not depend on how many cores a machine has.
        return _through("AVIF", image, quality=self.quality, speed=8, max_threads=1, autotiling=False)


@dataclass(frozen=True)
class JpegXl(Codec):
    """JPEG XL compression (libjxl, effort 7) at a quality of 0–100; 100 is lossless.

    The quality q stands for a distance in units of just noticeable differences, as in libjxl: 0.1 + 0.09 (100 - q) from
    30 to 99, and 53/3000 q² - 23/20 q + 25 below.
    """

    name = "jpegxl"
    quality: int = whole(0, 100)

    def _code(self, image: Image) -> tuple[Image, float]:
        try:
            imagecodecs = import_module("imagecodecs")
        except ImportError:
            hint = "from a checkout of the project: pip install '.[formats]'"
            raise MissingExtraError("jpegxl needs imagecodecs", hint=hint) from None
        lossless, one_thread = self.quality == 100, {"numthreads": 1}
        distance = 0.0 if lossless else _jpegxl_distance(self.quality)
        pixels = np.ascontiguousarray(image)
        data = imagecodecs.jpegxl_encode(pixels, distance=distance, lossless=lossless, effort=7, **one_thread)
        return imagecodecs.jpegxl_decode(data, **one_thread), 8 * len(data) / (image.shape[0] * image.shape[1])


def _jpegxl_distance(quality: int) -> float:
    """Return the distance of a lossy *quality*, as ``JxlEncoderDistanceFromQuality`` of libjxl."""
    if quality >= 30:
        return 0.1 + (100 - quality) * 0.09
    return 53 / 3000 * quality**2 - 23 / 20 * quality + 25


def _through(codec: str, image: Image, **settings: Any) -> tuple[Image, float]:
    """Encode *image* with Pillow's *codec* and decode it; return the result and its bits per pixel.

    Raises:
        ImageError: the codec cannot encode this picture, usually because a side is too long.
    """
    from PIL import Image as Pillow

    height, width = image.shape[:2]
    with BytesIO() as file:
        try:
            Pillow.fromarray(image).save(file, codec, **settings)
        except (OSError, ValueError, RuntimeError) as error:
            raise ImageError(f"{codec} cannot encode a picture of {width}×{height}: {error}") from error
        data = file.getvalue()
    return decode(data).pixels, 8 * len(data) / (height * width)
