"""What a picture is in memory, and which file formats can hold it."""

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
    """A file format: how it is recognised, and what it can hold."""

    name: str
    extensions: tuple[str, ...]
    #: Regular expression of how such a file begins.
    signature: bytes
    #: Pillow's module for it.
    plugin: str
    #: It can hold the pixels exactly.
    lossless: bool = False
    #: It can trade exactness for size.
    lossy: bool = False
    #: The quality when none is asked for; None where the format is then exact.
    default_quality: int | None = None
    #: It can hold transparency.
    alpha: bool = True
    #: It can hold an ICC profile and EXIF data (as far as Pillow writes them).
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
#: What names of picture files end in.
EXTENSIONS = {extension for kind in FORMATS.values() for extension in kind.extensions}


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture in memory, upright, with what a file says about it beside its pixels."""

    #: ``uint8 (H, W, 3)``, RGB.
    pixels: Image
    #: ``uint8 (H, W)``, 0 transparent to 255 opaque; None where the file had no transparency.
    alpha: NDArray[np.uint8] | None = None
    #: RGB colour profile.
    icc: bytes | None = None
    #: EXIF block, beginning with ``Exif\0\0``; its orientation, already applied, says upright.
    exif: bytes | None = None
    #: Key of :data:`FORMATS`: where the picture came from.
    format: str = "png"
    #: What was lost on reading, in lower-case sentences.
    warnings: tuple[str, ...] = ()

    def with_pixels(self, pixels: Image) -> Picture:
        """Return this picture with other pixels, of the same size where there is transparency.

        Raises:
            UsageError: *pixels* is no image, or does not fit the transparency.
        """
        if self.alpha is not None and as_image(pixels).shape[:2] != self.alpha.shape:
            raise UsageError("the picture's transparency has another size than the new pixels")
        return replace(self, pixels=as_image(pixels))


def format_of(path: str | Path) -> Format:
    """Return the format that *path*'s extension names.

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
    """Whether a picture written in *format* at *quality* is read back exactly.

    Raises:
        UsageError: the format is unknown, or the format or its range does not allow that quality.
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
    """Say what of *picture*'s metadata *format* has no room for, in lower-case sentences."""
    if FORMATS[format].metadata:
        return ()
    parts = {"the ICC profile": picture.icc, "the EXIF data": picture.exif}
    return tuple(f"{part} is not written: {format} has no room for it" for part, data in parts.items() if data)


def reason(error: Exception) -> str:
    """One lower-case clause that says what went wrong."""
    text = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return text.splitlines()[0][:1].lower() + text.splitlines()[0][1:]
