"""Draw the two pictures of the README from the sample photographs.

Run with ``python docs/figures/make_figures.py``; it writes ``difference.webp`` and ``jpeg.webp`` beside this file.
Without a passphrase embedding is deterministic, so the pictures change only when a method or a codec does.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

import underpaint
from underpaint.media import samples

FOLDER = Path(__file__).parent
MESSAGE = "meet me at noon"
#: Amplification of the difference between container and cover.
GAIN = 10
#: JPEG quality of the copy that is sent.
JPEG_QUALITY = 25
#: Height of a caption, space between pictures, and width of one picture, in pixels.
CAPTION, GAP, WIDTH = 28, 8, 400
#: Left, top, right and bottom of the detail shown of the cat, in pixels.
DETAIL = (150, 50, 330, 170)


def main() -> None:
    """Write both pictures."""
    coffee, chelsea = (np.asarray(Pillow.open(samples.path(name)).convert("RGB")) for name in ("coffee", "chelsea"))
    _draw_difference(coffee, FOLDER / "difference.webp")
    _draw_jpeg(chelsea, FOLDER / "jpeg.webp")


def _draw_difference(cover: np.ndarray, target: Path) -> None:
    """Show cover, container and their amplified difference."""
    container = underpaint.hide(cover, MESSAGE)
    change = container.astype(np.int16) - cover
    difference = np.clip(128 + GAIN * change, 0, 255).astype(np.uint8)
    psnr = underpaint.compare(cover, container)["psnr"]
    captions = ["cover", f"container with {len(MESSAGE)} bytes, {psnr:.1f} dB", f"difference x {GAIN}"]
    _sheet(dict(zip(captions, (cover, container, difference), strict=True)), target)


def _draw_jpeg(cover: np.ndarray, target: Path) -> None:
    """Show a detail of a container and of a JPEG copy, with the message that the copy gives."""
    container = underpaint.hide(cover, MESSAGE)
    png, jpeg = BytesIO(), BytesIO()
    Pillow.fromarray(container).save(png, "png")
    Pillow.fromarray(container).save(jpeg, "jpeg", quality=JPEG_QUALITY)
    received = np.asarray(Pillow.open(jpeg).convert("RGB"))
    message = underpaint.reveal(received).text
    left, top, right, bottom = DETAIL
    sent, arrived = (picture[top:bottom, left:right] for picture in (container, received))
    captions = [
        f"container, PNG, {len(png.getvalue()) / 1000:.0f} kB",
        f"JPEG quality {JPEG_QUALITY}, {len(jpeg.getvalue()) / 1000:.0f} kB, reads: {message}",
    ]
    _sheet(dict(zip(captions, (sent, arrived), strict=True)), target)


def _sheet(pictures: dict[str, np.ndarray], target: Path) -> None:
    """Write *pictures* side by side with their captions above."""
    height, width, _ = next(iter(pictures.values())).shape
    size = (WIDTH, round(height * WIDTH / width))
    sheet = Pillow.new("RGB", (len(pictures) * (WIDTH + GAP) - GAP, size[1] + CAPTION), "white")
    draw = ImageDraw.Draw(sheet)
    for column, (caption, picture) in enumerate(pictures.items()):
        left = column * (WIDTH + GAP)
        resampling = Pillow.Resampling.NEAREST if width < WIDTH else Pillow.Resampling.LANCZOS
        sheet.paste(Pillow.fromarray(picture).resize(size, resampling), (left, CAPTION))
        draw.text((left + 2, 4), caption, fill="black", font=ImageFont.load_default(17))
    sheet.save(target, "webp", quality=88, method=6)


if __name__ == "__main__":
    main()
