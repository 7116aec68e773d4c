"""Small pictures as files, many in variants of the formats that Pillow cannot write."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
from PIL import ImageCms

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RNG = np.random.default_rng(1)
PIXELS = _RNG.integers(0, 256, (12, 17, 3), dtype=np.uint8)
ALPHA = _RNG.integers(0, 256, (12, 17), dtype=np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int = 1) -> bytes:
    block = PIL.Image.Exif()
    block[0x010F] = "a camera"
    block[0x0112] = orientation
    return block.tobytes()


def tags(block: bytes | None) -> dict[int, Any]:
    """Return the tags of an EXIF block, without an orientation that is upright."""
    read = PIL.Image.Exif()
    read.load(block or b"")
    return {tag: value for tag, value in read.items() if (tag, value) != (0x0112, 1)}


def saved(picture: PIL.Image.Image, format: str, **options: Any) -> bytes:  # noqa: A002
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, bits: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(pixels: NDArray[Any], photometric: int, bits: int = 0, *, float_: bool = False) -> bytes:
    """Return a little-endian, uncompressed TIFF of (H, W) or (H, W, 3) values, of types that Pillow cannot write."""
    height, width, *depth = pixels.shape
    samples, bits = (depth or [1])[0], bits or pixels.dtype.itemsize * 8
    body = _packed(pixels) if bits == 12 else pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    entries = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 277: samples, 278: height, 279: len(body)}
    entries |= {273: 8 + 2 + 12 * 10 + 4 + 6, 339: 3 if float_ else 1}
    fields = b""
    for tag, value in sorted(entries.items()):
        if tag == 258 and samples == 3:
            fields += struct.pack("<HHII", tag, 3, 3, 8 + 2 + 12 * 10 + 4)
        else:
            fields += struct.pack("<HHII", tag, 4, 1, value)
    ifd = struct.pack("<H", 10) + fields + struct.pack("<I", 0)
    return b"II*\0\x08\0\0\0" + ifd + struct.pack("<HHH", bits, bits, bits) + body


def _packed(pixels: NDArray[np.uint16]) -> bytes:
    """Return values of 12 bits, an even number in each row, without gaps and with the most significant bit first."""
    bits = np.unpackbits(pixels.astype(">u2").view(np.uint8)).reshape(-1, 16)
    return np.packbits(bits[:, -12:]).tobytes()


def profile(space: bytes, tag: bytes, body: bytes) -> bytes:
    """Return the smallest ICC profile that littleCMS reads: a header and one tag, grey curve or CMYK table."""
    header = struct.pack(
        ">I4sI4s4s4s", 0, b"lcms", 0x02400000, b"prtr" if space == b"CMYK" else b"mntr", space, b"Lab "
    )
    header = header.ljust(36, b"\0") + b"acsp".ljust(32, b"\0") + struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)
    white = b"XYZ \0\0\0\0" + struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)
    entries = struct.pack(">I4sII4sII", 2, b"wtpt", 156, len(white), tag, 156 + len(white), len(body))
    whole = bytearray(header.ljust(128, b"\0") + entries + white + body)
    whole[:4] = struct.pack(">I", len(whole))
    return bytes(whole)


def grey_profile(gamma: float) -> bytes:
    data = profile(b"GRAY", b"kTRC", b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0")
    return data.replace(b"Lab ", b"XYZ ", 1)


def cmyk_profile() -> bytes:
    """Return a CMYK profile in which any ink is grey and none is white."""
    grid = bytes([255, 128, 128]) + bytes([128, 128, 128]) * 15
    ramp = bytes(range(256))
    matrix = struct.pack(">9I", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    return profile(b"CMYK", b"A2B0", b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + ramp * 4 + grid + ramp * 3)
