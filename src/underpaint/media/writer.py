"""The writer: a :class:`Picture` to a file's bytes, and bytes to a file, whole or not at all."""

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

    from underpaint.media.formats import Picture


def encode(picture: Picture, format: str, *, quality: int | None = None, metadata: bool = True) -> bytes:  # noqa: A002
    """Turn a picture into the bytes of a file.

    Args:
        picture: what to write.
        format: key of :data:`FORMATS`.
        quality: 1–100, higher is better; None is exact where the format can (png, webp, jpeg2000, tiff, bmp), else
            its default. From 90 on, JPEG and AVIF keep full colour resolution (4:4:4), below they halve it (4:2:0).
            For JPEG 2000 it is the PSNR in dB that the coder aims at.
        metadata: write ICC profile and EXIF data, where the format has room (:func:`unwritable`).

    Raises:
        UsageError: unknown format, or a quality it does not take.
        ImageError: the format cannot hold this picture: its transparency, its size, its metadata.
    """
    is_exact(format, quality)  # refuses what cannot be meant
    pixels = as_image(picture.pixels)
    # An alpha channel that is opaque throughout says nothing, and may go.
    if picture.alpha is not None and not FORMATS[format].alpha and (picture.alpha < 255).any():
        raise ImageError(f"{format} cannot hold the picture's transparency", hint="write it as .png")
    if picture.alpha is not None and FORMATS[format].alpha:
        pixels = np.dstack((pixels, picture.alpha))
    options = _options(format, FORMATS[format].default_quality if quality is None else quality)
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
    metadata: bool = True,
) -> None:
    """Write a picture file, whole or not at all; ``-`` is standard output.

    Without *format* the extension decides, and on standard output PNG is written. The rest is as in :func:`encode`.

    Raises:
        UsageError: unknown format or extension, or a quality the format does not take.
        ImageError: the format cannot hold this picture, or the file cannot be written.
    """
    write_bytes(encode(picture, format or target_format(target), quality=quality, metadata=metadata), target)


def write_bytes(data: bytes, target: str | Path) -> None:
    """Write *data* to a file, whole or not at all; ``-`` is standard output.

    On any failure nothing is left behind, and a file that was there is as it was. Its permissions stay, and a symbolic
    link stays a link.

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
    """Lend an empty file beside *target*, which takes its place in the end; on any failure it is gone.

    Permissions of a file that was there stay, and a symbolic link stays a link.

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
    """Pillow's save options; *quality* None is exact."""
    if name == "png":
        # A photograph's low bits are noise, in which deflate's search for repetitions finds nothing and only takes
        # time. Run lengths and Huffman codes: 12 megapixels in 0.9 s instead of 2.1 s at level 6, and no larger.
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
