"""Run the command line in this process with its own standard streams; write the small files that its tests use."""

from __future__ import annotations

import io
import os
import struct
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np

from underpaint import api, media
from underpaint.cli import main
from underpaint.coding import keys
from underpaint.media import samples
from underpaint.types import Image, Payload

#: Lowest cost of Argon2id; the real cost is tested in tests/coding/test_keys.py.
CHEAP_COSTS = {keys.DEFAULT_COST: keys.Cost(8, 1, 1)}
MESSAGE = "meet me at noon"
REPORT = bytes(range(256)) * 4
PASSPHRASE = "correct horse"


@dataclass(frozen=True)
class Outcome:
    status: int
    stdout: bytes
    stderr: str


class _Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


def run(
    *arguments: str,
    stdin: bytes = b"",
    terminal: bool = False,
    passphrase: str | None = None,
    program: Callable[[Sequence[str]], int] = main,
) -> Outcome:
    """Run *program* and return its exit status and output.

    Args:
        arguments: of the command line.
        stdin: content of standard input.
        terminal: True if all three streams are to look like a terminal.
        passphrase: value of UNDERPAINT_PASSPHRASE; None leaves it unset.
        program: function that takes the arguments and returns the exit status.
    """
    streams = [(_Terminal if terminal else io.BytesIO)(data) for data in (stdin, b"", b"")]
    opened = [io.TextIOWrapper(stream, "utf-8", "backslashreplace", write_through=True) for stream in streams]
    given = {} if passphrase is None else {"UNDERPAINT_PASSPHRASE": passphrase}
    unset = {name: value for name, value in os.environ.items() if name != "UNDERPAINT_PASSPHRASE"}
    with (
        patch.multiple(sys, stdin=opened[0], stdout=opened[1], stderr=opened[2]),
        patch.dict(os.environ, unset | given, clear=True),
        patch.dict(keys.COSTS, CHEAP_COSTS),
    ):
        status = program(arguments)
    return Outcome(status, streams[1].getvalue(), streams[2].getvalue().decode())


def fill(folder: Path) -> None:
    """Write the files that tests and transcripts use to *folder*: covers, containers, payloads, passphrases."""
    for name, data in _files().items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)


@cache
def _files() -> dict[str, bytes]:
    pixels = media.read(samples.path("chelsea")).pixels[40:232, 100:292].copy()
    cover = media.Picture(pixels)
    faded = media.Picture(pixels, alpha=np.full(pixels.shape[:2], 128, np.uint8))
    png = media.encode(cover, "png")
    files = {
        "cover.png": png,
        "replaced.png": media.encode(media.Picture(_replaced(pixels)), "png"),
        "cover.jpg": media.encode(cover, "jpeg"),
        "faded.png": media.encode(faded, "png"),
        "small.png": media.encode(media.Picture(pixels[:64, :64]), "png"),
        "people/cat.png": media.encode(media.Picture(pixels[:, ::-1]), "png"),
        "people/cup.png": media.encode(media.read(samples.path("coffee")), "png"),
        "tiny.png": media.encode(media.Picture(pixels[:1, :1]), "png"),
        "cut.png": png[: len(png) // 2],
        "empty.png": b"",
        "text.png": b"this is a letter, whatever its name says\n",
        "huge.png": _huge(),
        "report.bin": REPORT,
        "large.bin": bytes(np.random.default_rng(0).integers(0, 256, 200_000, dtype=np.uint8)),
        "passphrase.txt": f"{PASSPHRASE}\nonly the first line counts\n".encode(),
        "other.txt": b"battery staple",
        "latin1.txt": "schlüssel".encode("latin-1"),
    }
    with TemporaryDirectory() as name, patch.dict(keys.COSTS, CHEAP_COSTS):
        folder = Path(name)
        (folder / "cover.png").write_bytes(png)
        report = Payload(REPORT, name="report.bin")
        for container, payload, passphrase in (
            ("message.png", MESSAGE, None),
            ("message.jpg", MESSAGE, PASSPHRASE),
            ("file.png", report, None),
            ("locked.png", report, PASSPHRASE),
        ):
            api.hide_file(folder / "cover.png", folder / container, payload, passphrase=passphrase)
            files[container] = (folder / container).read_bytes()
    return files


def _replaced(pixels: Image) -> Image:
    """Return *pixels* with random least significant bits."""
    bits = np.random.default_rng(0).integers(0, 2, pixels.shape, dtype=np.uint8)
    return pixels & np.uint8(254) | bits


def _huge() -> bytes:
    """Return a PNG whose header claims ten thousand million pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(300_001))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
