"""Compression inside frames: the smallest form, and limits of what is unpacked."""

from __future__ import annotations

import lzma
import os
import zlib

import pytest

from underpaint.coding import refusals
from underpaint.coding.compression import Compression, compress, decompress, lzma_filters
from underpaint.errors import DamagedError


@pytest.mark.parametrize(
    ("data", "compression"),
    [
        (b"", Compression.RAW),
        (os.urandom(1000), Compression.RAW),
        (b"https://www.example.com/picture", Compression.DEFLATE),
        (b"".join(b"%d squared is %d\n" % (i, i * i) for i in range(20000)), Compression.LZMA),
    ],
)
def test_the_smallest_form_is_taken(data: bytes, compression: Compression) -> None:
    chosen, packed = compress(data)
    assert chosen == compression
    assert len(packed) <= len(data)
    assert decompress(chosen, packed) == data


def test_lzma_forms_of_version_1_open() -> None:
    packed = bytes.fromhex("e0014900145d003a9b88b05778bf123a72c3144abfdb3aeb70000000")
    assert decompress(Compression.LZMA, packed) == b"underpaint " * 30


def test_forms_that_unpack_to_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "LARGEST_PAYLOAD", 1000)
    deflate = zlib.compressobj(9, wbits=-15)
    deflated = deflate.compress(bytes(1001)) + deflate.flush()
    lzmaed = lzma.compress(bytes(1001), lzma.FORMAT_RAW, filters=lzma_filters(6))
    for compression, packed in ((Compression.DEFLATE, deflated), (Compression.LZMA, lzmaed)):
        with pytest.raises(DamagedError):
            decompress(compression, packed)
