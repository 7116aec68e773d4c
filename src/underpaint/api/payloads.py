"""Kinds of payload: bytes and text, a picture that is compressed until it fits, a face as a biometric template.

::

    prepare(cover, method, psnr)   ─► the bytes that the method embeds
    finish(container)              ─► the container, with whatever else this kind puts into it
    check(container, revealed, …)  ─► what the report says of the payload as it is revealed
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from PIL import features

from underpaint import metrics
from underpaint.coding import compression
from underpaint.coding.template import COARSE, FINE, pack
from underpaint.errors import CapacityError, UsageError
from underpaint.media import Picture, decode, encode, is_exact, read, target_format
from underpaint.methods import METHODS, ImageCarrier, PredictablePSNR, miais, robust_picture
from underpaint.methods.pixinpix import PixInPix
from underpaint.models.face import template
from underpaint.types import Payload, PayloadKind, check_psnr

if TYPE_CHECKING:
    from underpaint.methods import Method
    from underpaint.types import Image

#: PSNR in dB of a container with a picture in it, unless another is asked for.
DEFAULT_PSNR = 44.0
#: The same for methods that have their own.
DEFAULT_PSNRS = {robust_picture.NAME: robust_picture.PICTURE_PSNR}
#: Formats that a secret picture may be compressed in, where Pillow has them; the one with the highest PSNR is taken.
CODECS = ("avif", "webp")
#: Factors by which both sides of a secret picture are reduced to fit, in the order they are tried.
REDUCTIONS = tuple(2.0**-step for step in range(1, 6))
#: Quality setting below which a smaller picture is tried.
LOWEST_QUALITY = 20
#: The method that hides a restorable picture beside its template.
_BESIDE_TEMPLATE = PixInPix()


@dataclass(frozen=True)
class PictureCompression:
    """The loss of a hidden picture."""

    #: Name of a file format, or of the method that hides pictures without one.
    codec: str
    #: Quality setting of the format, 1–100; None if it has none.
    quality: int | None
    #: PSNR in dB of the revealed picture against the original; None if they are equal.
    psnr: float | None
    #: Width and height of the hidden picture if they were reduced; else None.
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Prepared:
    """A payload as one method embeds it in one cover."""

    method: Method
    payload: Payload
    #: PSNR in dB that the method is asked for; None leaves it to the method, or to the size of the payload.
    psnr: float | None = None
    #: Loss of a hidden picture; None for other payloads.
    compression: PictureCompression | None = None
    warnings: tuple[str, ...] = ()


class PayloadSource(ABC):
    """A payload before it is adapted to a method and a cover."""

    @property
    def only_method(self) -> str | None:
        """Name of the one method that can hide it; None if there are several."""
        return None

    @property
    @abstractmethod
    def kind(self) -> PayloadKind:
        """Kind of the bytes that are embedded."""

    @abstractmethod
    def prepare(self, cover: Image, method: Method, psnr: float | None) -> Prepared:
        """Return the bytes that *method* embeds in *cover*, at *psnr* dB or at the default quality.

        Raises:
            CapacityError: they do not fit.
            UsageError: the method cannot hide this kind of payload.
        """

    def finish(self, container: Image) -> Image:
        """Return *container* with whatever this kind of payload adds after the method has embedded its bytes."""
        return container

    def check(self, container: Image, revealed: Payload, prepared: Prepared) -> Prepared:  # noqa: ARG002
        """Complete *prepared* by measuring what is revealed.

        Args:
            container: as it is delivered.
            revealed: payload that the method reveals from it.
            prepared: result of :meth:`prepare`.

        Raises:
            PayloadError: something that :meth:`finish` added cannot be revealed.
        """
        return prepared


@dataclass(frozen=True)
class BytesPayload(PayloadSource):
    """Bytes or text, embedded as they are."""

    payload: Payload

    @property
    def kind(self) -> PayloadKind:
        """Kind of the payload."""
        return self.payload.kind

    def prepare(self, cover: Image, method: Method, psnr: float | None) -> Prepared:  # noqa: ARG002
        """Return the payload unchanged."""
        return Prepared(method, self.payload, psnr)


@dataclass(frozen=True)
class PicturePayload(PayloadSource):
    """A picture to hide, with as little loss as fits. Size, transparency and ICC profile stay."""

    kind: ClassVar[PayloadKind] = "picture"

    picture: Picture
    #: File name that is hidden with it.
    name: str | None = None

    @classmethod
    def read(cls, path: str | Path) -> PicturePayload:
        """Read a picture file, without its EXIF data, which may tell place and time.

        Raises:
            ImageError: the file cannot be read.
        """
        return cls(replace(read(path), exif=None), None if str(path) == "-" else Path(path).name)

    def prepare(self, cover: Image, method: Method, psnr: float | None) -> Prepared:
        """Compress the picture to the size that leaves *psnr* dB of *cover*.

        Args:
            cover: ``uint8 (H, W, 3)``.
            method: one that hides pictures as they are, or that can predict the PSNR of a payload's size.
            psnr: 30–60 dB; None for :data:`DEFAULT_PSNR`, or for the method's own in :data:`DEFAULT_PSNRS`.

        Raises:
            CapacityError: the picture does not fit at any quality.
            UsageError: the method hides no pictures, or *psnr* is out of range.
        """
        if isinstance(method, ImageCarrier):
            plain = replace(self.picture, alpha=None, icc=None)
            return Prepared(method, Payload(encode(plain, "png"), "picture"), psnr)
        if not isinstance(method, PredictablePSNR):
            able = ", ".join(name for name, each in METHODS.items() if isinstance(each, PredictablePSNR))
            raise UsageError(f"{method.name} hides no pictures", hint=f"these do: {able}")
        check_psnr(psnr)
        target = DEFAULT_PSNRS.get(method.name, DEFAULT_PSNR) if psnr is None else psnr
        data, loss = compress_to(self.picture, method.payload_at(cover, target))
        return Prepared(method, Payload(data, "picture", self.name), compression=loss)

    def check(self, container: Image, revealed: Payload, prepared: Prepared) -> Prepared:  # noqa: ARG002
        """Measure the revealed picture, if the method hid it without a file format."""
        if prepared.compression is not None:
            return prepared
        psnr = metrics.psnr(self.picture.pixels, decode(revealed.data).pixels)
        lost = () if self.picture.alpha is None else ("the hidden picture loses its transparency",)
        return replace(prepared, compression=PictureCompression(prepared.method.name, None, psnr), warnings=lost)


@dataclass(frozen=True)
class FacePayload(PayloadSource):
    """A face to hide as a biometric template, by which the person is recognised.

    With the passphrase *restorable* the picture itself is hidden, too, for whoever has that passphrase.
    """

    kind: ClassVar[PayloadKind] = "template"

    #: Picture with the face in the middle, upright, from chin to hair.
    picture: Picture
    #: Passphrase that reveals the picture itself; None leaves the picture out.
    restorable: str | None = None

    @classmethod
    def read(cls, path: str | Path, restorable: str | None = None) -> FacePayload:
        """Read a picture file with a face.

        Raises:
            ImageError: the file cannot be read.
        """
        return cls(read(path), restorable)

    @property
    def only_method(self) -> str | None:
        """``miais`` for a restorable picture: the only method offered for a template beside a picture."""
        return None if self.restorable is None else miais.NAME

    def prepare(self, cover: Image, method: Method, psnr: float | None) -> Prepared:  # noqa: ARG002
        """Return the template: with fine resolution for lossless methods, coarse for the others.

        Raises:
            ModelError: the network is missing or altered.
        """
        packed = pack(template(self.picture.pixels), FINE if method.needs_lossless else COARSE)
        return Prepared(method, Payload(packed, self.kind), psnr)

    def finish(self, container: Image) -> Image:
        """Return *container* with the picture in it, if that is to be restorable."""
        if self.restorable is None:
            return container
        return _BESIDE_TEMPLATE.embed_image(container, self.picture.pixels, self.restorable)

    def check(self, container: Image, revealed: Payload, prepared: Prepared) -> Prepared:  # noqa: ARG002
        """Reveal the restorable picture from *container*, and measure it.

        Raises:
            PayloadError: *container* does not give it back.
        """
        if self.restorable is None:
            return prepared
        restored = _BESIDE_TEMPLATE.extract_image(container, self.restorable)
        psnr = metrics.psnr(self.picture.pixels, restored)
        return replace(prepared, compression=PictureCompression(_BESIDE_TEMPLATE.name, None, psnr))


def as_source(payload: bytes | str | Payload | PayloadSource) -> PayloadSource:
    """Return *payload* as one of the kinds above; bytes become a file, a string becomes a text message.

    Raises:
        UsageError: it is none of these, or no valid Unicode text.
    """
    if isinstance(payload, PayloadSource):
        return payload
    if not isinstance(payload, str):
        return BytesPayload(payload if isinstance(payload, Payload) else Payload(payload))
    try:
        return BytesPayload(Payload.from_text(payload))
    except UnicodeEncodeError:
        raise UsageError("the message is not valid Unicode text", hint="hide it as a file") from None


def compress_to(picture: Picture, budget: int) -> tuple[bytes, PictureCompression]:
    """Compress *picture* to a file that takes at most *budget* bytes in a frame: lossless if that fits.

    A picture that would have a quality below :data:`LOWEST_QUALITY` is reduced in size as long as that makes it more
    like the original.

    Raises:
        CapacityError: even the smallest picture at the lowest quality takes more.
    """
    exact = encode(picture, "webp")
    if len(exact) <= budget:
        return exact, PictureCompression("webp", None, None)
    best = _best_file(picture, picture, budget)
    height, width = picture.pixels.shape[:2]
    for factor in REDUCTIONS:
        if best and (best[1].quality or 0) >= LOWEST_QUALITY:
            break
        size = max(1, round(width * factor)), max(1, round(height * factor))
        smaller = _best_file(picture, resized(picture, size), budget)
        if best and (smaller is None or (smaller[1].psnr or 0) < (best[1].psnr or 0)):
            break
        best = smaller
    if best is None:
        raise CapacityError(
            f"the picture does not fit at any quality: there is room for {budget} bytes",
            hint="take a lower --psnr, a larger cover or a smaller picture",
        )
    return best


def resized(picture: Picture, size: tuple[int, int]) -> Picture:
    """Return *picture* with its transparency resized to *size*, width and height."""
    from PIL import Image as Pillow

    pixels, alpha = (
        None if plane is None else np.asarray(Pillow.fromarray(plane).resize(size, Pillow.Resampling.LANCZOS))
        for plane in (picture.pixels, picture.alpha)
    )
    assert pixels is not None  # noqa: S101 - for the type checker
    return replace(picture, pixels=pixels, alpha=alpha)


def _best_file(original: Picture, picture: Picture, budget: int) -> tuple[bytes, PictureCompression] | None:
    """Return the file of *picture* that is most like *original* within the budget, and its loss; None if none fits."""
    height, width = original.pixels.shape[:2]
    size = picture.pixels.shape[1::-1] if picture is not original else None
    found = []
    for codec in filter(features.check, CODECS):
        quality = bisect_right(range(1, 101), budget, key=partial(_size_at, picture, codec))
        if quality:
            data = encode(picture, codec, quality=quality)
            psnr = metrics.psnr(original.pixels, resized(decode(data), (width, height)).pixels)
            found.append((data, PictureCompression(codec, quality, psnr, size)))
    return max(found, key=lambda each: each[1].psnr or 0, default=None)


def revealed_name(payload: Payload) -> str:
    """Return a file name for a revealed picture, made from the name of the secret file."""
    return f"{Path(payload.name).stem}-revealed.png" if payload.name else "revealed.png"


def picture_as(payload: Payload, out: str | Path) -> tuple[bytes, tuple[str, ...]]:
    """Convert a revealed picture to the format that the file name *out* asks for.

    Returns:
        Bytes of the file, unchanged if they are in that format already, and warnings.

    Raises:
        UsageError: *out* names no format.
        ImageError: the format cannot hold the picture.
    """
    format_name = target_format(out)
    picture = decode(payload.data)
    if picture.format == format_name:
        return payload.data, ()
    lossy = () if is_exact(format_name) else (f"{format_name} is lossy: writing it changed the picture again",)
    return encode(picture, format_name), lossy


def _size_at(picture: Picture, codec: str, quality: int) -> int:
    return compression.stored_picture_size(encode(picture, codec, quality=quality))
