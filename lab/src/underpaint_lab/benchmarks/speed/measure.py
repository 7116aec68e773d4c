"""Seconds and memory of whole processes, started as a user starts them, one at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from underpaint import media
from underpaint.errors import UnderpaintError, UsageError
from underpaint.methods import EXACT
from underpaint_lab.benchmarks.core.source import Source
from underpaint_lab.benchmarks.robustness.rows import Speed, Timing
from underpaint_lab.data.pictures import pictures_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.types import Image

RUNS = 3
#: Width and height of the covers, about one megapixel and twelve, and the bytes of a file to hide in each.
SIZES = ((1152, 900, 1_000_000), (4000, 3000, 5_000_000))
#: What is hidden by a method that is for messages.
MESSAGE = "meet me at noon"
PASSPHRASE = "correct horse battery staple"  # noqa: S105 - nobody's
PYTHON = (sys.executable, "-P", "-c")
#: What the console script does.
UNDERPAINT = (*PYTHON, "import sys; from underpaint.cli.main import main; sys.exit(main())")


def speed(
    method: str,
    *,
    images: Path | None = None,
    sizes: Sequence[tuple[int, int, int]] = SIZES,
    seed: int = 0,
    jobs: int | None = None,
) -> Speed:
    """Measure how long *method* takes and how much memory: a start, then hide and reveal with a passphrase.

    A method that survives something hides a short message, one that does not a file of random bytes.

    Args:
        method: key of :data:`EXACT`.
        images: folder of pictures that covers are tiled with; the samples by default.
        sizes: width and height of covers, and bytes of the file to hide in each.
        seed: of covers and files.
        jobs: 1, whatever the number of cores: processes side by side slow each other down.

    Raises:
        UsageError: an unknown method, more than one process, or no pictures.
        UnderpaintError: a command failed.
    """
    if method not in EXACT:
        raise UsageError(f"no method is called '{method}'", hint=f"the methods are {', '.join(EXACT)}")
    if jobs not in (None, 1):
        raise UsageError("speed is measured one process at a time", hint="leave out jobs")
    pictures = pictures_in(images)
    rows = [timed("import underpaint", (*PYTHON, "import underpaint"))]
    rows += [timed("underpaint --help", (*UNDERPAINT, "--help"))]
    with TemporaryDirectory() as name:
        folder = Path(name)
        cover, container, payload = folder / "cover.png", folder / "container.png", folder / "payload.bin"
        for width, height, size in sizes:
            rng = np.random.default_rng([seed, width, height])
            media.write(media.Picture(tiled(pictures, width, height, rng)), cover)
            payload.write_bytes(rng.bytes(size))
            if EXACT[method].needs_lossless:
                option, given, held = "-f", str(payload), size
            else:
                option, given, held = "-m", MESSAGE, len(MESSAGE.encode())
            hide = (*UNDERPAINT, "hide", str(cover), "-o", str(container), option, given, "--method", method, "--force")
            reveal = (*UNDERPAINT, "reveal", str(container), "-o", str(folder / "revealed"), "--force")
            rows += [timed(f"hide {option}", hide, width * height, held)]
            rows += [timed("reveal -o", reveal, width * height, held)]
    return Speed("speed", method, Source.of("speed", method, images, pictures, seed), tuple(rows))


def tiled(pictures: Sequence[Path], width: int, height: int, rng: np.random.Generator) -> Image:
    """Return a picture of that size: *pictures* side by side, mirrored at the edges, and as noisy as from a camera."""
    read = [media.read(picture).pixels for picture in pictures]
    lowest = min(len(pixels) for pixels in read)
    sheet = np.hstack([pixels[:lowest] for pixels in read])
    missing = [(0, max(0, side - length)) for side, length in zip((height, width), sheet.shape, strict=False)]
    cover = np.pad(sheet, (*missing, (0, 0)), mode="symmetric")[:height, :width].astype(np.int16)
    cover += rng.integers(-2, 3, cover.shape, dtype=np.int8)
    return cover.clip(0, 255).astype(np.uint8)


def timed(what: str, command: Sequence[str], pixels: int = 0, payload_bytes: int = 0) -> Timing:
    """Run *command* :data:`RUNS` times.

    Raises:
        UnderpaintError: it failed.
    """
    runs, peaks = [], []
    for _ in range(RUNS):
        seconds, peak = watched(command)
        runs.append(round(seconds, 3))
        peaks.append(peak)
    return Timing(what, pixels, payload_bytes, tuple(runs), round(max(peaks) / 1e6, 1))


def watched(command: Sequence[str]) -> tuple[float, int]:
    """Run *command* and return seconds and the peak of its memory in bytes.

    Raises:
        UnderpaintError: it failed.
    """
    watch = (sys.executable, "-I", "-S", str(Path(__file__).with_name("watch.py")))
    environment = os.environ | {"UNDERPAINT_PASSPHRASE": PASSPHRASE}
    done = subprocess.run((*watch, *command), capture_output=True, text=True, env=environment)  # noqa: S603
    if done.returncode:
        hint = "speed is measured with posix_spawn and wait4, which Windows does not have"
        raise UnderpaintError(f"{command[0]} cannot be started", hint=hint)
    seconds, peak, status = done.stdout.split()
    if status != "0":
        raise UnderpaintError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return float(seconds), int(peak)
