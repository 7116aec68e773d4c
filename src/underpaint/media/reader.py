"""Decode picture files: upright, 8 bits per colour, with a warning for every loss."""

from __future__ import annotations

import io
import re
import struct
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image

from underpaint.errors import ImageError
from underpaint.media.formats import FORMATS, Format, JpegCoding, Picture, reason

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

    from underpaint.types import Image

#: Largest number of pixels that is read by default: 600 MB as RGB.
MAX_PIXELS = 200_000_000

_EXIF_PREFIX = b"Exif\0\0"
_ORIENTATION = 0x0112
# TIFF keeps its metadata among tags that describe the layout of the file; only these describe the picture:
# description, make, model, resolution (3), software, date, artist, host, rating, copyright, EXIF, GPS, Windows' titles.
_TIFF_METADATA = {270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 18246, 33432, 34665, 34853, *range(40091, 40096)}


def read(source: str | Path) -> Picture:
    """Read a picture file; ``-`` is standard input.

    Raises:
        ImageError: there is no such file, or :func:`decode` refuses it.
    """
    try:
        data = sys.stdin.buffer.read() if str(source) == "-" else Path(source).read_bytes()
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot read {source}: {reason(error)}") from error
    try:
        return decode(data)
    except ImageError as error:
        raise ImageError(f"cannot read {source}: {error}", hint=error.hint) from error


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode the bytes of a picture file.

    Args:
        data: whole file in one of :data:`FORMATS`.
        max_pixels: larger pictures are refused before they are decoded.

    Raises:
        ImageError: *data* is in no known format, damaged or truncated, or has more than *max_pixels* pixels according
            to its header.
    """
    if not data:
        raise ImageError("it is empty")
    kind = next((kind for kind in FORMATS.values() if re.match(kind.signature, data, re.DOTALL)), None)
    if kind is None:
        raise ImageError("it is no picture in a known format", hint=f"known formats: {', '.join(FORMATS)}")
    try:
        return _decode(data, kind, max_pixels)
    except ImageError:
        raise
    except PIL.Image.DecompressionBombError as error:  # only its WebP and TIFF readers, on more than 178 megapixels
        raise ImageError(f"this {kind.name} picture has too many pixels", hint="make it smaller first") from error
    except Exception as error:  # on malformed files Pillow raises nearly anything: OSError, SyntaxError, KeyError …
        hint = "open it in an image viewer and save it again, or fetch it again"
        raise ImageError(f"damaged or truncated {kind.name} data", hint=hint) from error


def _decode(data: bytes, kind: Format, max_pixels: int) -> Picture:
    # The plugin itself rather than PIL.Image.open: that one has a pixel limit of its own, global to the process.
    import_module(f"PIL.{kind.plugin}")
    file = PIL.Image.OPEN[kind.name.upper()][0](io.BytesIO(data), "")
    width, height = file.size
    if width * height > max_pixels:
        raise ImageError(
            f"it has {width}×{height} pixels, more than the {max_pixels} that are read", hint="make it smaller first"
        )
    notes: list[str] = []
    frames = getattr(file, "n_frames", 1)
    if frames > 1:
        notes.append(f"only the first of {frames} frames is kept")
    bits = _bits_per_value(data, kind, file)
    file.load()
    exif, orientation = _exif(file, kind, notes)
    pixels, alpha, icc = _to_rgb(file, kind, bits, notes)
    return Picture(
        _upright(pixels, orientation),
        None if alpha is None else _upright(alpha, orientation),
        icc,
        exif,
        kind.name,
        _jpeg_coding(file, turned=orientation >= 5) if kind.name == "jpeg" else None,
        tuple(notes),
    )


def _jpeg_coding(file: Any, *, turned: bool) -> JpegCoding | None:
    """Return the coding of a JPEG *file*; None if its values are neither grey nor YCbCr.

    Args:
        file: Pillow's, whose layers are tuples of name, sampling across and down, and table of a component.
        turned: rows and columns change places when the picture is turned upright.
    """
    names, across, down, used = zip(*file.layer, strict=True)
    is_rgb = file.info.get("adobe_transform") == 0 or names == tuple(b"RGB")
    if len(names) not in (1, 3) or (len(names) == 3 and is_rgb) or not set(used) <= set(file.quantization):
        return None
    tables = [np.reshape(file.quantization[table], (8, 8)) for table in used]
    rows = tuple(tuple(int(value) for value in (table.T if turned else table).ravel()) for table in tables)
    # Pillow writes no other subsampling: the one with as many chroma values is taken.
    pixels_per_value = across[0] * down[0] // (across[-1] * down[-1])
    subsampling = {1: "4:4:4", 2: "4:2:2"}.get(pixels_per_value, "4:2:0")
    return JpegCoding(
        rows[:2] if rows[1:2] == rows[2:] else rows, subsampling, "progressive" in file.info, len(names) == 1
    )


def _bits_per_value(data: bytes, kind: Format, file: ImageFile) -> int:
    """Return the bits per colour value in the file: Pillow reduces deep RGB to 8 bits without a warning."""
    if kind.name == "png":
        return data[24]  # in IHDR
    if kind.name == "tiff":
        return int(np.max(file.getexif().get(258, 1)))  # BitsPerSample
    if kind.name == "jpeg2000":
        return (data[data.index(b"\xff\x4f\xff\x51") + 42] & 0x7F) + 1  # first component's depth in SIZ
    if kind.name == "avif" and b"pixi" in data:
        return data[data.index(b"pixi") + 9]  # first channel's depth
    return 8


def _exif(file: ImageFile, kind: Format, notes: list[str]) -> tuple[bytes | None, int]:
    """Return the EXIF block with its orientation reset, and the orientation (1–8) before."""
    if kind.name == "tiff":
        tags = file.getexif()  # Pillow has applied and removed the orientation
        for sub in {34665, 34853} & set(tags):
            tags.get_ifd(sub)  # load before the tags around it go
        for tag in set(tags) - _TIFF_METADATA:
            del tags[tag]
        return (tags.tobytes() if len(tags) else None), 1
    exif: bytes | None = file.info.get("exif")
    if not exif:
        return None, 1
    block = bytearray(_EXIF_PREFIX + exif.removeprefix(_EXIF_PREFIX))
    try:
        orientation = _reset_orientation(block)
    except (KeyError, struct.error):
        notes.append("damaged EXIF data was dropped")
        return None, 1
    return bytes(block), orientation


def _reset_orientation(exif: bytearray) -> int:
    """Set the orientation in an EXIF block to 1, in place, and return the orientation before (1–8).

    All other bytes stay: maker notes hold offsets that a rewritten block would break.

    Raises:
        KeyError, struct.error: the block is damaged.
    """
    base = len(_EXIF_PREFIX)  # offsets count from the byte order mark
    order = {b"II*\0": "<", b"MM\0*": ">"}[bytes(exif[base : base + 4])]
    (first,) = struct.unpack_from(order + "I", exif, base + 4)
    (count,) = struct.unpack_from(order + "H", exif, base + first)
    for entry in range(base + first + 2, base + first + 2 + 12 * count, 12):
        tag, type_ = struct.unpack_from(order + "HH", exif, entry)
        if tag == _ORIENTATION:
            layout = order + {3: "H", 4: "I"}[type_]
            (value,) = struct.unpack_from(layout, exif, entry + 8)
            struct.pack_into(layout, exif, entry + 8, 1)
            return int(value) if 1 <= value <= 8 else 1
    return 1


def _upright(array: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Apply the EXIF *orientation* (1–8) to an array ``(H, W, …)``."""
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)


def _to_rgb(
    file: PIL.Image.Image, kind: Format, bits: int, notes: list[str]
) -> tuple[Image, NDArray[np.uint8] | None, bytes | None]:
    """Return pixels, alpha and RGB profile of a loaded file, and append warnings to *notes*."""
    icc: bytes | None = file.info.get("icc_profile")
    alpha = None
    if file.mode.startswith(("I", "F")):
        values = np.asarray(file).astype(np.float32)
        # PNG and JPEG 2000 use all 16 bits; TIFF may use 12 of them. Other files do not define white.
        known = 2.0 ** (bits if kind.name == "tiff" else 16) - 1 if file.mode.startswith("I;16") else None
        white = known or _white(values)
        if "transparency" in file.info:
            alpha = np.where(values == file.info["transparency"], 0, 255).astype(np.uint8)
        notes.append(f"values up to {white:g} were reduced to 8 bits")
        grey = np.nan_to_num(values / white * 255).clip(0, 255).round().astype(np.uint8)
        file = PIL.Image.fromarray(grey)
    elif bits > 8:
        notes.append(f"{bits} bits per colour were reduced to 8")
    if file.has_transparency_data:
        _repair_transparency(file, bits)
        alpha = np.array(file.convert("RGBA").getchannel("A"))
    if file.mode in ("1", "LA", "La"):
        file = file.convert("LA").convert("L")  # by way of LA: Pillow cannot convert La directly
    if file.mode in ("PA", "RGBa") or (file.mode == "P" and "transparency" in file.info):
        file = file.convert("RGBA")
    space = {"L": b"GRAY", "CMYK": b"CMYK", "LAB": b"Lab "}.get(file.mode, b"RGB ")
    if icc and (icc[36:40] != b"acsp" or icc[16:20] not in (space, b"RGB ")):
        notes.append("a damaged or unfitting ICC profile was dropped")
        icc = None
    if file.mode in ("CMYK", "YCbCr", "LAB"):
        notes.append(f"{file.mode} colours were converted to RGB")
    if file.mode == "LAB" or (icc and icc[16:20] != b"RGB "):
        file, icc = _to_srgb(file, icc, notes), None
    return np.array(file.convert("RGB")), alpha, icc


def _white(values: NDArray[np.float32]) -> float:
    """Guess the value of white: the smallest customary one that no pixel exceeds, else the brightest pixel."""
    brightest = float(np.nanmax(values, initial=0, where=np.isfinite(values)))
    return next((white for white in (1.0, 255.0, 65535.0) if white >= brightest), brightest)


def _repair_transparency(file: PIL.Image.Image, bits: int) -> None:
    """Scale PNG's transparent colour to 8 bits: Pillow scales the pixels, but not this colour."""
    colour = file.info.get("transparency")
    if file.mode == "L" and isinstance(colour, int) and bits < 8:
        file.info["transparency"] = colour * 255 // (2**bits - 1)
    if file.mode == "RGB" and isinstance(colour, tuple) and bits > 8:
        file.info["transparency"] = tuple(value >> 8 for value in colour)


def _to_srgb(file: PIL.Image.Image, icc: bytes | None, notes: list[str]) -> PIL.Image.Image:
    """Convert a LAB picture, or a grey or CMYK one with a profile, to sRGB."""
    from PIL import ImageCms

    source = io.BytesIO(icc) if icc and file.mode != "LAB" else ImageCms.createProfile("LAB")
    try:
        converted = ImageCms.profileToProfile(file, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except ImageCms.PyCMSError:
        notes.append("the ICC profile could not be applied and was dropped")
        return file.convert("RGB")
    if file.mode == "L":
        notes.append("grey values were converted to sRGB by their ICC profile")
    return converted if converted is not None else file  # None only for inPlace
