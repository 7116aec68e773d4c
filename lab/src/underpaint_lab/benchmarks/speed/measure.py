"""Table ``speed``: time and memory of whole processes, started as a user starts them, one at a time."""

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
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.speed.rows import Timing
from underpaint_lab.data.pictures import pictures_in
from underpaint_lab.provenance import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.types import Image

#: Runs of every command.
RUNS = 3
#: Width and height of the covers, about 1 and 12 megapixels, and the size in bytes of the file to hide in each.
SIZES = ((1152, 900, 1_000_000), (4000, 3000, 5_000_000))
#: Message for methods that survive a channel.
MESSAGE = "meet me at noon"
PASSPHRASE = "correct horse battery staple"  # noqa: S105 - an example
PYTHON = (sys.executable, "-P", "-c")
#: The console script, as a command line.
UNDERPAINT = (*PYTHON, "import sys; from underpaint.cli.main import main; sys.exit(main())")


def speed(
    method: str,
    *,
    images: Path | None = None,
    sizes: Sequence[tuple[int, int, int]] = SIZES,
    seed: int = 0,
    jobs: int | None = None,
) -> ResultFile[Timing]:
    """Measure time and memory of starting the program, and of hide and reveal with a passphrase.

    A method that survives a channel hides a short message, one that does not hides a file of random bytes.

    Args:
        method: key of :data:`EXACT`.
        images: folder of pictures that covers are composed of; the samples by default.
        sizes: width and height of covers, and bytes of the file to hide in each.
        seed: seed of covers and files.
        jobs: must be 1 or None: processes side by side slow each other down.

    Raises:
        UsageError: an unknown method, more than one process, or no pictures.
        UnderpaintError: a command failed.
    """
    if method not in EXACT:
        raise UsageError(f"no method is called '{method}'", hint=f"the methods are {', '.join(EXACT)}")
    if jobs not in (None, 1):
        raise UsageError("speed is measured one process at a time", hint="leave out jobs")
    pictures = pictures_in(images)
    rows = [time_command("import underpaint", (*PYTHON, "import underpaint"))]
    rows += [time_command("underpaint --help", (*UNDERPAINT, "--help"))]
    with TemporaryDirectory() as name:
        folder = Path(name)
        cover, container, payload = folder / "cover.png", folder / "container.png", folder / "payload.bin"
        for width, height, size in sizes:
            rng = np.random.default_rng([seed, width, height])
            media.write(media.Picture(tile(pictures, width, height, rng)), cover)
            payload.write_bytes(rng.bytes(size))
            if EXACT[method].needs_lossless:
                option, value, payload_bytes = "-f", str(payload), size
            else:
                option, value, payload_bytes = "-m", MESSAGE, len(MESSAGE.encode())
            hide = (*UNDERPAINT, "hide", str(cover), "-o", str(container), option, value, "--method", method, "--force")
            reveal = (*UNDERPAINT, "reveal", str(container), "-o", str(folder / "revealed"), "--force")
            rows += [time_command(f"hide {option}", hide, width * height, payload_bytes)]
            rows += [time_command("reveal -o", reveal, width * height, payload_bytes)]
    return ResultFile("speed", method, Source.of_bench("speed", method, images, pictures, seed), tuple(rows))


def tile(pictures: Sequence[Path], width: int, height: int, rng: np.random.Generator) -> Image:
    """Return a picture of *width* × *height*: *pictures* side by side, mirrored at the edges, with noise of ±2."""
    read = [media.read(picture).pixels for picture in pictures]
    lowest = min(len(pixels) for pixels in read)
    sheet = np.hstack([pixels[:lowest] for pixels in read])
    missing = [(0, max(0, side - length)) for side, length in zip((height, width), sheet.shape, strict=False)]
    cover = np.pad(sheet, (*missing, (0, 0)), mode="symmetric")[:height, :width].astype(np.int16)
    cover += rng.integers(-2, 3, cover.shape, dtype=np.int8)
    return cover.clip(0, 255).astype(np.uint8)


def time_command(what: str, command: Sequence[str], pixels: int = 0, payload_bytes: int = 0) -> Timing:
    """Run *command* :data:`RUNS` times and return its row.

    Raises:
        UnderpaintError: it failed.
    """
    runs, peaks = [], []
    for _ in range(RUNS):
        seconds, peak = run_once(command)
        runs.append(round(seconds, 3))
        peaks.append(peak)
    return Timing(what, pixels, payload_bytes, tuple(runs), round(max(peaks) / 1e6, 1))


def run_once(command: Sequence[str]) -> tuple[float, int]:
    """Run *command* once and return its seconds and its peak memory in bytes.

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
