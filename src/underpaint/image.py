"""File ⇄ picture: the one reader and the one writer.

::

    bytes ── decode ──► Picture(pixels uint8 (H, W, 3) RGB, alpha, ICC, EXIF, warnings) ── encode ──► bytes
    file  ── read ────►                                                                  ── write ──► file

Reading turns the picture upright (EXIF orientation), keeps transparency, ICC profile and EXIF aside, and says in
:attr:`Picture.warnings` what 8-bit RGB could not hold. XMP, comments and print resolution are not carried.
Writing is exact unless a quality is asked for or the format has no other way; no half-written file is ever left.
"""

from __future__ import annotations

import io
import os
import re
import secrets
import stat
import struct
import sys
import warnings as python_warnings
import zlib
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image

from underpaint.errors import ImageError, UsageError
from underpaint.types import Image, as_image

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

#: The largest picture that is read unless the caller allows more, in pixels: 600 MB as RGB.
MAX_PIXELS = 200_000_000

_EXIF_PREFIX = b"Exif\0\0"
_ORIENTATION = 0x0112
# TIFF keeps its metadata among the tags that describe the file's own layout; only these speak of the picture:
# description, make, model, resolution (3), software, date, artist, host, rating, copyright, EXIF, GPS, Windows' titles.
_TIFF_METADATA = {270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 18246, 33432, 34665, 34853, *range(40091, 40096)}


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
        raise UsageError(f"{format} is always exact and takes no quality", hint="leave the quality out")
    if not 1 <= quality <= 100:
        raise UsageError(f"quality must be 1–100, not {quality}")
    return False


def unwritable(picture: Picture, format: str) -> tuple[str, ...]:  # noqa: A002
    """Say what of *picture*'s metadata *format* has no room for, in lower-case sentences."""
    if FORMATS[format].metadata:
        return ()
    parts = {"the ICC profile": picture.icc, "the EXIF data": picture.exif}
    return tuple(f"{part} is not written: {format} has no room for it" for part, data in parts.items() if data)


def read(source: str | Path, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a picture file; ``-`` is standard input.

    Raises:
        ImageError: there is no such file, or :func:`decode` refuses it.
    """
    try:
        data = sys.stdin.buffer.read() if str(source) == "-" else Path(source).read_bytes()
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot read {source}: {_reason(error)}") from error
    try:
        return decode(data, max_pixels=max_pixels)
    except ImageError as error:
        raise ImageError(f"cannot read {source}: {error}", hint=error.hint) from error


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Turn the bytes of a picture file into a picture.

    Raises:
        ImageError: *data* is no picture in one of :data:`FORMATS`, is damaged or cut short, or has more than
            *max_pixels* pixels according to its header.
    """
    if not data:
        raise ImageError("it is empty")
    kind = next((kind for kind in FORMATS.values() if re.match(kind.signature, data, re.DOTALL)), None)
    if kind is None:
        raise ImageError("it is no picture in a known format", hint=f"known formats: {', '.join(FORMATS)}")
    try:
        with python_warnings.catch_warnings():  # Pillow warns of odd metadata, which is no concern of the user's
            python_warnings.simplefilter("ignore")
            return _decode(data, kind, max_pixels)
    except ImageError:
        raise
    except PIL.Image.DecompressionBombError as error:  # only its WebP and TIFF readers, on more than 178 megapixels
        raise ImageError(f"this {kind.name} picture has too many pixels", hint="make it smaller first") from error
    except Exception as error:  # on malformed files Pillow raises nearly anything: OSError, SyntaxError, KeyError …
        hint = "open it in an image viewer and save it again, or fetch it again"
        raise ImageError(f"damaged or truncated {kind.name} data", hint=hint) from error


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
        raise ImageError(f"cannot write this {size} picture as {format}: {_reason(error)}") from error
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
    name = format or ("png" if str(target) == "-" else format_of(target).name)
    write_bytes(encode(picture, name, quality=quality, metadata=metadata), target)


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
            _write_atomically(data, Path(os.path.realpath(target)))
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot write {target}: {_reason(error)}") from error


def _write_atomically(data: bytes, target: Path) -> None:
    mode = target.stat().st_mode if target.exists() else None
    if mode is not None and not stat.S_ISREG(mode):  # a device or a pipe must be written to, not replaced
        with target.open("wb", buffering=0) as device:
            device.write(data)
        return
    part = target.with_name(f".underpaint-{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            if mode is not None:
                part.chmod(stat.S_IMODE(mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:  # Ctrl-C too
        part.unlink(missing_ok=True)
        raise


def _reason(error: Exception) -> str:
    """One lower-case clause that says what went wrong."""
    text = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return text.splitlines()[0][:1].lower() + text.splitlines()[0][1:]


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
        tuple(notes),
    )


def _bits_per_value(data: bytes, kind: Format, file: ImageFile) -> int:
    """How deep the file's colour values are: Pillow cuts deep RGB to 8 bits without a word."""
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
    """Return the EXIF block, made upright, and the orientation (1–8) it had."""
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
    """Set the orientation in an EXIF block to 1, in place, and return what it was (1–8).

    In place, so that everything else stays to the bit: maker's notes hold offsets that a rewritten block would break.

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
    """Turn ``(H, W, …)`` as EXIF orientation *orientation* (1–8) asks."""
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
    """Return pixels, alpha and RGB profile of a loaded file, and note what 8-bit RGB cannot hold."""
    icc: bytes | None = file.info.get("icc_profile")
    alpha = None
    if file.mode.startswith(("I", "F")):
        values = np.asarray(file).astype(np.float32)
        # PNG and JPEG 2000 fill 16 bits; TIFF may use 12 of them. Beyond that, files do not say what white is.
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
        file = file.convert("LA").convert("L")  # by way of LA: Pillow has no direct road from La
    if file.mode in ("PA", "RGBa"):
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
    """Guess which of the customary values is white: the least that no pixel exceeds, else the brightest pixel."""
    brightest = float(np.nanmax(values, initial=0, where=np.isfinite(values)))
    return next((white for white in (1.0, 255.0, 65535.0) if white >= brightest), brightest)


def _repair_transparency(file: PIL.Image.Image, bits: int) -> None:
    """Put PNG's transparent colour on the scale of the pixels: Pillow scales those to 8 bits, but not the colour."""
    colour = file.info.get("transparency")
    if file.mode == "L" and isinstance(colour, int) and bits < 8:
        file.info["transparency"] = colour * 255 // (2**bits - 1)
    if file.mode == "RGB" and isinstance(colour, tuple) and bits > 8:
        file.info["transparency"] = tuple(value >> 8 for value in colour)


def _to_srgb(file: PIL.Image.Image, icc: bytes | None, notes: list[str]) -> PIL.Image.Image:
    """Convert a grey or CMYK picture by its profile, or a LAB one, to sRGB."""
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
