"""File ⇄ picture: the one reader and the one writer.

::

    bytes ── decode ──► Picture(pixels uint8 (H, W, 3) RGB, alpha, ICC, EXIF, warnings) ── encode ──► bytes
    file  ── read ────►                                                                  ── write ──► file

Reading turns the picture upright (EXIF orientation), keeps transparency, ICC profile and EXIF aside, and says in
:attr:`Picture.warnings` what 8-bit RGB could not hold. XMP, comments and print resolution are not carried.
Writing is exact unless a quality is asked for or the format has no other way; no half-written file is ever left.
"""

from underpaint.media.files import check_target, target_format
from underpaint.media.formats import EXTENSIONS, FORMATS, Format, Picture, format_of, is_exact, unwritable
from underpaint.media.reader import MAX_PIXELS, decode, read
from underpaint.media.writer import encode, replacing, write, write_bytes

__all__ = [
    "EXTENSIONS",
    "FORMATS",
    "MAX_PIXELS",
    "Format",
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
