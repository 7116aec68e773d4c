"""Encode pictures, and write files atomically: whole or not at all."""

from __future__ import annotations

import io
import os
import secrets
import stat
import sys
import zlib
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image

from underpaint.errors import ImageError
from underpaint.media.files import target_format
from underpaint.media.formats import FORMATS, is_exact, reason
from underpaint.types import as_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from underpaint.media.formats import JpegCoding, Picture


def encode(
    picture: Picture,
    format: str,  # noqa: A002
    *,
    quality: int | None = None,
    metadata: bool = True,
    jpeg: JpegCoding | None = None,
) -> bytes:
    """Encode a picture as the bytes of a file.

    Args:
        picture: pixels and metadata.
        format: key of :data:`FORMATS`.
        quality: 1–100, higher is better; None for lossless (png, webp, jpeg2000, tiff, bmp), or else the format's
            default. From 90 on, JPEG and AVIF keep full chroma resolution (4:4:4), below they halve it (4:2:0).
            For JPEG 2000 it is the target PSNR in dB.
        metadata: write ICC profile and EXIF data, if the format can hold them (:func:`unwritable`).
        jpeg: coding of a JPEG file in place of *quality*; other formats take no notice of it.

    Raises:
        UsageError: unknown format, or a quality that it does not take.
        ImageError: the format cannot hold this picture: its transparency, its size, its metadata.
    """
    is_exact(format, quality)  # raises if format or quality are not valid
    pixels = as_image(picture.pixels)
    # An alpha channel that is opaque everywhere may be dropped.
    if picture.alpha is not None and not FORMATS[format].alpha and (picture.alpha < 255).any():
        raise ImageError(f"{format} cannot hold the picture's transparency", hint="write it as .png")
    if picture.alpha is not None and FORMATS[format].alpha:
        pixels = np.dstack((pixels, picture.alpha))
    options = _options(format, FORMATS[format].default_quality if quality is None else quality)
    if jpeg and format == "jpeg":
        options = _coding_options(jpeg)
        if jpeg.grey and (pixels == pixels[..., :1]).all():
            pixels = pixels[..., 0]
    if metadata and FORMATS[format].metadata:
        options |= {"exif": picture.exif} if picture.exif else {}
        options |= {"icc_profile": picture.icc} if picture.icc else {}
    import_module(f"PIL.{FORMATS[format].plugin}")  # else Pillow would import all its plugins
    buffer = io.BytesIO()
    try:
        PIL.Image.fromarray(pixels).save(buffer, format.upper(), **options)
    except Exception as error:  # too large for the format, EXIF too long, … each codec has its own exception
        size = f"{pixels.shape[1]}×{pixels.shape[0]}"
        raise ImageError(f"cannot write this {size} picture as {format}: {reason(error)}") from error
    return buffer.getvalue()


def write(
    picture: Picture,
    target: str | Path,
    *,
    format: str | None = None,  # noqa: A002
    quality: int | None = None,
) -> None:
    """Write a picture file, whole or not at all.

    Args:
        picture: pixels and metadata.
        target: path; ``-`` is standard output.
        format: key of :data:`FORMATS`; None for that of the extension, PNG on standard output.
        quality: as for :func:`encode`.

    Raises:
        UsageError: unknown format or extension, or a quality the format does not take.
        ImageError: the format cannot hold this picture, or the file cannot be written.
    """
    write_bytes(encode(picture, format or target_format(target), quality=quality), target)


def write_bytes(data: bytes, target: str | Path) -> None:
    """Write *data* to a file, whole or not at all.

    On any failure an existing file stays as it is. Its permissions are kept, and a symbolic link stays a link.

    Args:
        data: content of the file.
        target: path; ``-`` is standard output.

    Raises:
        ImageError: the file cannot be written.
    """
    try:
        if str(target) == "-":
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            _write_atomically(data, Path(target))
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot write {target}: {reason(error)}") from error


def _write_atomically(data: bytes, target: Path) -> None:
    mode = target.stat().st_mode if target.exists() else None
    if mode is not None and not stat.S_ISREG(mode):  # a device or a pipe must be written to, not replaced
        with target.open("wb", buffering=0) as device:
            device.write(data)
        return
    with replacing(target) as part, part.open("wb") as file:
        file.write(data)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield an empty file beside *target* that replaces it at the end of the block; it is removed on any failure.

    Permissions of an existing file are kept, and a symbolic link stays a link.

    Raises:
        OSError: the file cannot be written.
    """
    mode = target.stat().st_mode if target.exists() else None
    target = Path(os.path.realpath(target))  # a link stays a link
    part = target.with_name(f".underpaint-{secrets.token_hex(8)}.part")
    try:
        part.touch(exist_ok=False)
        if mode is not None:
            part.chmod(stat.S_IMODE(mode))
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:  # Ctrl-C too
        part.unlink(missing_ok=True)
        raise


def _options(name: str, quality: int | None) -> dict[str, Any]:
    """Return Pillow's save options; without a *quality* those for lossless."""
    if name == "png":
        # In the noise of a photograph deflate's search for repetitions finds nothing. Run lengths and Huffman codes:
        # 12 megapixels in 0.9 s instead of 2.1 s at level 6, and no larger.
        return {"compress_level": 1, "compress_type": zlib.Z_RLE}
    if name == "tiff":
        return {"compression": "tiff_adobe_deflate"}
    if name == "webp":  # exact: keep the colours beneath transparent pixels
        return {"exact": True} | ({"lossless": True} if quality is None else {"quality": quality})
    if quality is None:
        return {}
    if name == "jpeg2000":
        return {"quality_mode": "dB", "quality_layers": [quality], "irreversible": True}
    return {"quality": quality, "subsampling": "4:4:4" if quality >= 90 else "4:2:0"}  # jpeg, avif


def _coding_options(coding: JpegCoding) -> dict[str, Any]:
    """Return Pillow's save options for a JPEG file of this *coding*."""
    # Huffman codes made for the picture: a file from an encoder that makes them would grow by 3 to 5 % without.
    chosen = {"qtables": [list(table) for table in coding.tables], "optimize": True, "progressive": coding.progressive}
    return chosen if coding.grey else chosen | {"subsampling": coding.subsampling}
