"""Command ``underpaint demo``: hide a message in a photograph, distort copies, and reveal it from each."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from underpaint.types import Image

MESSAGE = "Meet me at dawn."
PASSPHRASE = "a passphrase only the two of us know"  # noqa: S105 - no secret
COVER = "chelsea"
#: Channel that the container survives: the strongest of those below.
SURVIVE = "crop:0.7 | jpeg:75"
#: Channel of each copy before it is saved as JPEG, and the quality of that file.
COPIES = {"compressed": ("none", 50), "resized": ("rescale:0.5", 75), "cropped": ("crop:0.7", 75)}
#: Amplification of the difference, to make it visible.
GAIN = 10


def demo(
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="DIR", help="Folder for the pictures.")
    ] = "underpaint-demo",
) -> None:
    """Hide a message in a photograph, distort copies of it, and reveal the message from each."""
    run(Path(output))


def run(out: Path) -> None:
    """Run the demonstration, and write container, copies and a picture of the difference to the folder *out*.

    Raises:
        UnderpaintError: the message could not be hidden, or not be revealed from every copy.
    """
    from underpaint import api, media
    from underpaint.media import samples

    out.mkdir(parents=True, exist_ok=True)
    cover, container = samples.path(COVER), out / "container.png"
    picture = out / "cover-container-difference.png"

    started = time.perf_counter()
    report = api.hide_file(cover, container, MESSAGE, passphrase=PASSPHRASE, survive=SURVIVE, force=True)
    copies = {name: _copy(container, out / f"{name}.jpg", *how) for name, how in COPIES.items()}
    seconds = time.perf_counter() - started

    pixels = media.read(cover).pixels, media.read(container).pixels
    media.write(media.Picture(side_by_side(*pixels)), picture)
    quality = api.compare(*pixels)
    print()
    for name, value in (
        ("message", f"{MESSAGE}  ({report.payload_bytes} bytes, with a passphrase, by {report.method})"),
        ("cover", f"{cover.name}, {_size(pixels[0])}"),
        ("container", f"{quality['psnr']:.1f} dB PSNR, {quality['ssim']:.4f} SSIM"),
        *copies.items(),
        ("took", f"{seconds:.1f} s to hide, check, send and reveal"),
        ("pictures", f"in {out}; see {picture.name}"),
    ):
        print(f"{name:12}{value}")
    print()


def _copy(container: Path, copy: Path, chain: str, quality: int) -> str:
    """Write the container, distorted by *chain*, as the JPEG *copy*; return a line with the message in it."""
    from underpaint import api, media

    picture = media.read(container)
    sent = picture.with_pixels(api.attack(picture.pixels, chain))
    media.write(sent, copy, quality=quality)
    payload, _, _ = api.reveal_file(copy, passphrase=PASSPHRASE)
    kilobytes = copy.stat().st_size / 1000
    return f"{payload.text}  (from {_size(sent.pixels)}, JPEG at quality {quality}, {kilobytes:.0f} kB)"


def _size(pixels: Image) -> str:
    """Return width × height."""
    height, width, _ = pixels.shape
    return f"{width}×{height}"


def side_by_side(cover: Image, container: Image) -> Image:
    """Return cover, container and their amplified difference around middle grey, side by side with titles."""
    import numpy as np
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
