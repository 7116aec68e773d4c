"""``underpaint demo``: hide a message in a photograph, send it as a JPEG, read it back, and show what it cost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from underpaint import app, image, samples

if TYPE_CHECKING:
    from pathlib import Path

    from underpaint.types import Image

MESSAGE = "Meet me at dawn."
PASSPHRASE = "a passphrase only the two of us know"  # noqa: S105 - the demo's, and printed
COVER = "coffee"
QUALITY = 50
#: How much the difference is amplified to be visible at all.
GAIN = 10


def run(out: Path) -> None:
    """Do it, and leave container, JPEG and a picture of both beside the cover in the folder *out*.

    Raises:
        UnderpaintError: a step failed; the message came back exactly otherwise.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out.mkdir(parents=True, exist_ok=True)
    cover, container = samples.path(COVER), out / "container.png"
    sent, picture = out / f"container-q{QUALITY}.jpg", out / "cover-container-difference.png"

    started = time.perf_counter()
    app.hide_file(cover, container, MESSAGE, passphrase=PASSPHRASE, survive=f"jpeg:{QUALITY}", force=True)
    image.write(image.read(container), sent, quality=QUALITY)
    payload, method, _ = app.reveal_file(sent, passphrase=PASSPHRASE)
    seconds = time.perf_counter() - started

    pixels = image.read(cover).pixels, image.read(container).pixels
    image.write(image.Picture(_side_by_side(*pixels)), picture)
    quality = app.compare(*pixels)
    height, width, _ = pixels[0].shape
    table = Table.grid(padding=(0, 2))
    for name, value in (
        ("message", f"{MESSAGE}  ({len(MESSAGE.encode())} bytes, with a passphrase, by {method})"),
        ("cover", f"{cover.name}, {width}×{height}"),
        ("container", f"{quality['psnr']:.1f} dB PSNR, {quality['ssim']:.4f} SSIM"),
        ("sent as", f"JPEG at quality {QUALITY}, {_kilobytes(sent)} instead of {_kilobytes(container)}"),
        ("revealed", payload.text),
        ("took", f"{seconds:.1f} s to hide, check, send and reveal"),
        ("pictures", "\n".join(str(file) for file in (container, sent, picture))),
    ):
        table.add_row(Text(name, style="bold"), Text(value))
    Console(soft_wrap=True).print("", table, "", highlight=False)


def _kilobytes(file: Path) -> str:
    return f"{file.stat().st_size / 1000:.0f} kB"


def _side_by_side(cover: Image, container: Image) -> Image:
    """Cover, container and the amplified difference around middle grey, side by side with their names above."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    difference = np.clip(128 + GAIN * (container.astype(np.int16) - cover), 0, 255).astype(np.uint8)
    height, width, _ = cover.shape
    gap, bar = 8, 24
    sheet = Pillow.new("RGB", (3 * width + 2 * gap, height + bar), "white")
    draw = ImageDraw.Draw(sheet)
    parts = {"cover": cover, "container": container, f"difference x{GAIN}": difference}
    for column, (name, part) in enumerate(parts.items()):
        left = column * (width + gap)
        sheet.paste(Pillow.fromarray(part), (left, bar))
        draw.text((left + 2, 4), name, fill="black", font=ImageFont.load_default(14))
    return np.asarray(sheet)
