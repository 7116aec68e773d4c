"""Compression of payloads inside a frame: the smallest of four forms.

The forms are part of the format: their numbers stand in a frame's lead byte, and the deflate dictionary and LZMA2
settings here are those that a reader uses.
"""

from __future__ import annotations

import lzma
import zlib
from enum import IntEnum

from underpaint.coding import avif_boxes, refusals


class Compression(IntEnum):
    """Form of a payload in a frame, by its number in the lead byte."""

    RAW = 0
    #: Raw deflate with a preset dictionary.
    DEFLATE = 1
    #: Raw LZMA2.
    LZMA = 2
    #: An AVIF file without its boxes: :mod:`underpaint.coding.avif_boxes`.
    AVIF = 3


#: Payloads below this many bytes are compressed at the slowest, best settings.
_SMALL_PAYLOAD = 1 << 20
#: LZMA2 is tried only if deflate saves this share: it is slow, also where it gains nothing.
_MIN_DEFLATE_SAVING = 0.02
#: Size of LZMA2's dictionary in bytes.
_LZMA_DICTIONARY_SIZE = 1 << 23
#: Strings that short messages are likely to contain, the likeliest last: deflate encodes near matches shorter.
_DICTIONARY = (
    b'0123456789 <html><div class="\n</ xmlns:{"id": "name": "url": "date": "type": [true, false, null}, "\n'
    b"January February March April June July August September October November December Monday Tuesday Wednesday "
    b"Thursday Friday Saturday Sunday image picture photo author artist All rights reserved. Copyright (c) 2025 2026 "
    b"password: address phone email: @gmail.com mailto: ftp://.html .jpg .png .pdf .net/ .de/ .org/ .com/ und der die "
    b"das ist nicht ein Sie ich mit auf que les des est pas pour por para una los del question because something "
    b"tomorrow today tonight morning evening o'clock station people please thanks Thank you Hello, Dear meeting meet "
    b"at Don't don't I'm It's message secret hidden about after again before between could first great house know "
    b"little never other place right should their there these thing think those through time under very want were "
    b"where which while with would world year your when what this that they then them than some only over into more "
    b"from have been here like come back just said will can all not but are his her him had has was one our out who "
    b"you for it is on be as by we or at an if my me so do to in of and a . The . I ations ment ness ing the of the "
    b"in the to the and the ing ed , and https://www.example.com/"
)


def compress(data: bytes) -> tuple[Compression, bytes]:
    """Return the smallest form of *data*, and which form it is."""
    small = len(data) < _SMALL_PAYLOAD
    deflate = zlib.compressobj(9 if small else 6, wbits=-15, memLevel=9, zdict=_DICTIONARY)
    deflated = deflate.compress(data) + deflate.flush()
    forms = [(Compression.RAW, data), (Compression.DEFLATE, deflated)]
    if len(deflated) < (1 - _MIN_DEFLATE_SAVING) * len(data):
        packed = lzma.compress(data, lzma.FORMAT_RAW, filters=lzma_filters(6 if small else 2))
        forms.append((Compression.LZMA, packed))
    if (stripped := avif_boxes.strip_boxes(data)) is not None:
        forms.append((Compression.AVIF, stripped))
    return min(forms, key=lambda form: len(form[1]))


def decompress(compression: Compression, data: bytes) -> bytes:
    """Return the payload of which *data* is the compressed form.

    Raises:
        DamagedError: the data is not of this form, or unpacks to more than :data:`refusals.LARGEST_PAYLOAD` bytes.
    """
    if compression == Compression.RAW:
        return data
    if compression == Compression.AVIF:
        file = avif_boxes.restore_boxes(data)
        if file is None:
            raise refusals.newer()
        return file
    unpack: zlib._Decompress | lzma.LZMADecompressor
    if compression == Compression.DEFLATE:
        unpack = zlib.decompressobj(wbits=-15, zdict=_DICTIONARY)
    else:
        unpack = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=lzma_filters(6))
    try:
        plain = unpack.decompress(data, refusals.LARGEST_PAYLOAD + 1)
    except (zlib.error, lzma.LZMAError):
        raise refusals.newer() from None
    if not unpack.eof or len(plain) > refusals.LARGEST_PAYLOAD:
        raise refusals.newer()
    return plain


def stored_picture_size(picture: bytes) -> int:
    """Return the number of bytes that a picture file takes in a frame at most, without the frame's overhead."""
    return len(avif_boxes.strip_boxes(picture) or picture)


def lzma_filters(preset: int) -> list[dict[str, int]]:
    """Return the filter chain of raw LZMA2 at a preset of 0–9. Readers need only its dictionary size."""
    return [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": _LZMA_DICTIONARY_SIZE}]
