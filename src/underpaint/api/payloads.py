"""A picture inside a picture: compressed until it fits, hidden like a file, revealed in whatever format is named."""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from PIL import features

from underpaint import metrics
from underpaint.api.measure import target_format
from underpaint.coding import compression
from underpaint.coding.template import COARSE, FINE, pack
from underpaint.errors import CapacityError, UsageError
from underpaint.media import Picture, decode, encode, is_exact, read
from underpaint.methods import METHODS, PredictablePSNR, robust_picture
from underpaint.methods.pixinpix import PixInPix
from underpaint.models.face import template
from underpaint.types import Payload, PayloadKind

if TYPE_CHECKING:
    from underpaint.methods import Method
    from underpaint.types import Image

#: What a container with a picture in it keeps unless another quality is asked for, in dB.
DEFAULT_PSNR = 44.0
#: Of some methods, the first of these at which it fits.
DEFAULT_PSNRS = {robust_picture.NAME: robust_picture.PICTURE_PSNRS}
#: How a picture gets beside a template.
PIXINPIX = PixInPix()
#: Formats a secret may be compressed in, where Pillow has them; that in which it comes out best is taken.
CODECS = ("avif", "webp")


@dataclass(frozen=True)
class PictureCompression:
    """How a picture was made to fit."""

    #: A format, or the method that hides pictures as they are.
    codec: str
    #: 1–100; None has none.
    quality: int | None
    #: How far it is from what it was, in dB; None is not at all.
    psnr: float | None


@dataclass(frozen=True)
class PicturePayload:
    """A picture to hide, as good as it can be. Size, transparency and ICC profile stay."""

    kind: ClassVar[PayloadKind] = "picture"

    picture: Picture
    name: str | None = None

    @classmethod
    def read(cls, path: str | Path) -> PicturePayload:
        """The picture in a file, less its EXIF data, which may say where and when.

        Raises:
            ImageError: the file cannot be read.
        """
        return cls(replace(read(path), exif=None), None if str(path) == "-" else Path(path).name)

    def fitted(self, cover: Image, method: Method, psnr: float | None) -> tuple[Payload, PictureCompression]:
        """Compress it to what leaves *psnr* dB of *cover*, by default :data:`DEFAULT_PSNR`, or the method's own.

        Raises:
            CapacityError: it does not fit, however it is compressed.
            UsageError: the method cannot tell beforehand what leaves that quality, or the quality makes no sense.
        """
        if not isinstance(method, PredictablePSNR):
            able = ", ".join(name for name, each in METHODS.items() if isinstance(each, PredictablePSNR))
            raise UsageError(f"{method.name} hides no pictures", hint=f"these do: {able}")
        if psnr is not None and not 30 <= psnr <= 70:
            raise UsageError(f"a PSNR of {psnr:g} dB is out of range", hint="30–70 dB are possible")
        *better, last = DEFAULT_PSNRS.get(method.name, (DEFAULT_PSNR,)) if psnr is None else (psnr,)
        for aim in better:
            with suppress(CapacityError):
                return self._compressed(method.payload_at(cover, aim))
        return self._compressed(method.payload_at(cover, last))

    def _compressed(self, budget: int) -> tuple[Payload, PictureCompression]:
        data, compression = compress_to(self.picture, budget)
        return Payload(data, "picture", self.name), compression


@dataclass(frozen=True)
class FacePayload:
    """Somebody to hide, in the middle of a picture, who is to be recognised."""

    kind: ClassVar[PayloadKind] = "template"

    picture: Picture
    #: Passphrase of those who may bring the picture back, too; None leaves the picture out.
    restorable: str | None = None

    @classmethod
    def read(cls, path: str | Path, restorable: str | None = None) -> FacePayload:
        """Whom a file shows.

        Raises:
            ImageError: the file cannot be read.
        """
        return cls(read(path), restorable)

    def template(self, by: Method) -> Payload:
        """What *by* is to hide of it: finer where there is room.

        Raises:
            ModelError: the network is missing or altered.
        """
        return Payload(pack(template(self.picture.pixels), FINE if by.needs_lossless else COARSE), self.kind)

    def beside(self, container: Image) -> Image:
        """*container* with the picture in it, if that may be had back."""
        return (
            container
            if self.restorable is None
            else PIXINPIX.embed_image(container, self.picture.pixels, self.restorable)
        )

    def restored(self, container: Image) -> float:
        """How far the picture that *container* gives back is from what it was, in dB.

        Raises:
            PayloadError: it gives back none.
        """
        return metrics.psnr(self.picture.pixels, PIXINPIX.extract_image(container, self.restorable))


def compress_to(picture: Picture, budget: int) -> tuple[bytes, PictureCompression]:
    """Return the file of *picture* that takes at most *budget* bytes once packed: exact if that fits, else nearest.

    Raises:
        CapacityError: at the lowest quality it still takes more.
    """
    exact = encode(picture, "webp")
    if len(exact) <= budget:
        return exact, PictureCompression("webp", None, None)
    found = []
    for codec in filter(features.check, CODECS):
        sized = partial(_size, picture, codec)
        quality = bisect_right(range(1, 101), budget, key=sized)
        if quality:
            data = encode(picture, codec, quality=quality)
            found.append((data, PictureCompression(codec, quality, metrics.psnr(picture.pixels, decode(data).pixels))))
    if not found:
        raise CapacityError(
            f"the picture does not fit at any quality: there is room for {budget} bytes",
            hint="take a lower --psnr, a larger cover or a smaller picture",
        )
    return max(found, key=lambda each: each[1].psnr or 0)


def revealed_name(payload: Payload) -> str:
    """A file name for a revealed picture, after that of the secret."""
    return f"{Path(payload.name).stem}-revealed.png" if payload.name else "revealed.png"


def picture_as(payload: Payload, out: str | Path) -> tuple[bytes, tuple[str, ...]]:
    """Return the file of a revealed picture in the format that *out* names, and warnings; untouched if it is in that.

    Raises:
        UsageError: *out* names no format.
        ImageError: the format cannot hold the picture.
    """
    kind = target_format(out)
    picture = decode(payload.data)
    if picture.format == kind:
        return payload.data, ()
    inexact = () if is_exact(kind) else (f"{kind} is not exact: writing it changed the picture once more",)
    return encode(picture, kind), inexact


def _size(picture: Picture, codec: str, quality: int) -> int:
    return compression.stored_picture_size(encode(picture, codec, quality=quality))
