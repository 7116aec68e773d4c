"""The picture in memory, and the file formats that can hold it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from underpaint.errors import UsageError
from underpaint.types import Image, as_image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Format:
    """A file format: its signature and its features."""

    name: str
    extensions: tuple[str, ...]
    #: Regular expression for the first bytes of a file.
    signature: bytes
    #: Pillow's module for it.
    plugin: str
    #: Has a lossless mode.
    lossless: bool = False
    #: Has a lossy mode with a quality.
    lossy: bool = False
    #: Quality by default; None where the format is lossless by default.
    default_quality: int | None = None
    #: Can hold transparency.
    alpha: bool = True
    #: Can hold an ICC profile and EXIF data (as far as Pillow writes them).
    metadata: bool = True


_JPEG2000 = rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n"  # a bare codestream, or one in a JP2 file

FORMATS: dict[str, Format] = {
    kind.name: kind
    for kind in (
        Format("png", (".png",), rb"\x89PNG\r\n\x1a\n", "PngImagePlugin", lossless=True),
        Format(
            "jpeg",
            (".jpg", ".jpeg", ".jpe", ".jfif"),
            rb"\xff\xd8\xff",
            "JpegImagePlugin",
            lossy=True,
            default_quality=95,
            alpha=False,
        ),
        Format("webp", (".webp",), rb"RIFF....WEBP", "WebPImagePlugin", lossless=True, lossy=True),
        Format("jpeg2000", (".jp2", ".j2k"), _JPEG2000, "Jpeg2KImagePlugin", lossless=True, lossy=True, metadata=False),
        Format("avif", (".avif",), rb"....ftyp.{0,60}avi[fs]", "AvifImagePlugin", lossy=True, default_quality=90),
        Format("tiff", (".tif", ".tiff"), rb"II[*+]\0|MM\0[*+]", "TiffImagePlugin", lossless=True),
        Format("bmp", (".bmp",), rb"BM", "BmpImagePlugin", lossless=True, alpha=False, metadata=False),
    )
}
#: File name extensions of all formats.
EXTENSIONS = {extension for kind in FORMATS.values() for extension in kind.extensions}


@dataclass(frozen=True)
class JpegCoding:
    """Settings of a JPEG encoder that decide quality and size of a file."""

    #: Quantisation tables of 64 values, row by row, 1–65535: of luma, and of both chroma planes or of each.
    tables: tuple[tuple[int, ...], ...]
    #: ``4:4:4``, ``4:2:2`` or ``4:2:0``.
    subsampling: str
    #: Sent in several scans.
    progressive: bool
    #: Luma alone.
    grey: bool


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture in memory, upright, with the metadata of its file."""

    #: ``uint8 (H, W, 3)``, RGB.
    pixels: Image
    #: ``uint8 (H, W)``, 0 transparent to 255 opaque; None where the file had no transparency.
    alpha: NDArray[np.uint8] | None = None
    #: RGB colour profile.
    icc: bytes | None = None
    #: EXIF block, beginning with ``Exif\0\0``; its orientation is applied to the pixels and reset to upright.
    exif: bytes | None = None
    #: Format of the file, a key of :data:`FORMATS`.
    format: str = "png"
    #: Coding of a JPEG file of grey or YCbCr values; None for any other file.
    jpeg: JpegCoding | None = None
    #: Losses on reading, as lower-case sentences.
    warnings: tuple[str, ...] = ()

    def with_pixels(self, pixels: Image) -> Picture:
        """Return a copy with other *pixels*, of the same size if the picture has transparency.

        Raises:
            UsageError: *pixels* is no image, or does not fit the transparency.
        """
        if self.alpha is not None and as_image(pixels).shape[:2] != self.alpha.shape:
            raise UsageError("the picture's transparency has another size than the new pixels")
        return replace(self, pixels=as_image(pixels))


def format_of(path: str | Path) -> Format:
    """Return the format for the extension of *path*.

    Raises:
        UsageError: the extension is unknown.
    """
    suffix = Path(path).suffix.lower()
    for kind in FORMATS.values():
        if suffix in kind.extensions:
            return kind
    known = " ".join(extension for kind in FORMATS.values() for extension in kind.extensions)
    raise UsageError(f"no picture format has the extension {suffix or '(none)'!r}: {path}", hint=f"use one of {known}")


def is_exact(format: str, quality: int | None = None) -> bool:  # noqa: A002
    """Return whether *format* at *quality* is lossless.

    Args:
        format: key of :data:`FORMATS`.
        quality: 1–100, or None for the format's default.

    Raises:
        UsageError: the format is unknown, takes no quality, or *quality* is out of range.
    """
    if format not in FORMATS:
        raise UsageError(f"unknown picture format: {format}", hint=f"use one of {', '.join(FORMATS)}")
    if quality is None:
        return FORMATS[format].lossless
    if not FORMATS[format].lossy:
        raise UsageError(f"{format} is lossless and takes no quality", hint="leave the quality out")
    if not 1 <= quality <= 100:
        raise UsageError(f"quality must be 1–100, not {quality}")
    return False


def unwritable(picture: Picture, format: str) -> tuple[str, ...]:  # noqa: A002
    """Return a warning for each kind of metadata of *picture* that *format* cannot hold."""
    if FORMATS[format].metadata:
        return ()
    parts = {"the ICC profile": picture.icc, "the EXIF data": picture.exif}
    return tuple(f"{part} is not written: {format} has no room for it" for part, data in parts.items() if data)


def reason(error: Exception) -> str:
    """Return the cause of *error* as one lower-case clause, for messages."""
    cause = getattr(error, "strerror", None)  # of an OSError and of an error of FFmpeg
    text = cause or str(error) or type(error).__name__
    return text.splitlines()[0][:1].lower() + text.splitlines()[0][1:]
