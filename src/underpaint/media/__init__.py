"""Picture files: reading and writing.

::

    bytes ── decode ──► Picture(pixels uint8 (H, W, 3) RGB, alpha, ICC, EXIF, warnings) ── encode ──► bytes
    file  ── read ────►                                                                  ── write ──► file

Reading turns the picture upright (EXIF orientation) and keeps transparency, ICC profile and EXIF data aside.
:attr:`Picture.warnings` lists what 8-bit RGB cannot hold. XMP, comments and print resolution are not kept.
Writing is lossless unless a quality is given or the format is always lossy. A failed write leaves no partial file.
"""

from underpaint.media.files import check_target, target_format
from underpaint.media.formats import (
    EXTENSIONS,
    FORMATS,
    Format,
    JpegCoding,
    Picture,
    format_of,
    is_exact,
    unwritable,
)
from underpaint.media.reader import MAX_PIXELS, decode, read
from underpaint.media.writer import encode, replacing, write, write_bytes

__all__ = [
    "EXTENSIONS",
    "FORMATS",
    "MAX_PIXELS",
    "Format",
    "JpegCoding",
    "Picture",
    "check_target",
    "decode",
    "encode",
    "format_of",
    "is_exact",
    "read",
    "replacing",
    "target_format",
    "unwritable",
    "write",
    "write_bytes",
]
