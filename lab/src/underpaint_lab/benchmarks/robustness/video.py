"""What is hidden in videos survives: ``python -m underpaint_lab.benchmarks.robustness.video CLIP …`` prints two tables for each clip.

A message of eight bytes is hidden by the path of the command line in a copy of the clip of 352×288, ten seconds at
most. The container is encoded again by each of :data:`CODECS`, and read from the whole and from every two seconds that
begin a quarter of a second apart. Frames per second are of the whole of hiding, reading back included: by the clock,
and by the processors' time, as on two cores that do nothing else.

The second table is of a picture, coffee of the samples at 256×256: how near it is after it was compressed to what the
clip carries, as APD (mean absolute difference of values) and in dB, and whether just that arrives.
"""

from __future__ import annotations

import argparse
import math
import resource
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Pillow

from underpaint import metrics
from underpaint.api import PicturePayload
from underpaint.api.video import hide_video, reveal_video
from underpaint.errors import CapacityError, PayloadError
from underpaint.media import Picture, decode, samples
from underpaint.media.video import FRAMES_PER_SECOND, Transcoder, frames, luma, open_video
from underpaint.methods.video_message import VideoDecoder
from underpaint.methods.video_picture import PacketDecoder
from underpaint.types import Payload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.types import Image

MESSAGE = Payload.from_text("8 bytes!")
WIDTH, HEIGHT, SECONDS, WINDOW, APART = 352, 288, 10.0, 2.0, 0.25
CORES = 2
#: Of the picture, in pixels each way.
SIDE = 256
#: Encoders with their options and bits per second and pixel: as FFmpeg has them, with Xvid's tools, as OpenCV's
#: VideoWriter asks for them (a bit per pixel, quantisers from 3), and x264's default.
CODECS: dict[str, tuple[str, dict[str, str], float | None]] = {
    "mpeg4, FFmpeg's default": ("mpeg4", {}, None),
    "xvid, FFmpeg's default": ("mpeg4", {"bf": "2", "trellis": "1", "mpeg_quant": "1"}, None),
    "mpeg4, OpenCV's default": ("mpeg4", {"qmin": "3"}, 1.0),
    "xvid, OpenCV's default": ("mpeg4", {"bf": "2", "trellis": "1", "mpeg_quant": "1", "qmin": "3"}, 1.0),
    "h264, crf 23": ("libx264", {"crf": "23"}, None),
    "h264, crf 28": ("libx264", {"crf": "28"}, None),
}


def measure(clip: Path) -> list[str]:
    """The tables of one clip, line by line, in Markdown.

    Raises:
        ImageError: it cannot be read; and all that hiding raises.
    """
    with tempfile.TemporaryDirectory() as folder:
        cover, container = Path(folder) / "cover.mkv", Path(folder) / "container.mp4"
        _prepared(clip, cover)
        clock, work = time.perf_counter(), time.process_time()
        report = hide_video(cover, container, MESSAGE)
        clock, work = time.perf_counter() - clock, time.process_time() - work
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))
        before = _lumas(cover)
        count = len(before)
        speed = f"{count / clock:.0f} frames per second by the clock, {CORES * count / work:.0f} by {CORES} cores' time"
        size = container.stat().st_size / 1e6
        lines = [
            f"{clip.stem}: {count} frames, {report.psnr:.1f} dB of luma, {size:.2f} MB; {speed}; {memory:.0f} MiB",
            "",
            "| encoded again | kbit/s | PSNR | whole | any 2 seconds | frames it took, mean and most |",
            "|---|---|---|---|---|---|",
        ]
        for name, (encoder, options, density) in CODECS.items():
            arrived, rate, bits = _arrived(container, encoder, options, density)
            whole = _taken(arrived)
            length, step = round(WINDOW * rate), round(APART * rate)
            taken = [
                _taken(arrived[start : start + length]) for start in range(0, max(len(arrived) - length, 0) + 1, step)
            ]
            exact = [each for each in taken if each]
            needed = f"{np.mean(exact):.1f}, {max(exact)}" if exact else "none"
            lines.append(
                f"| {name} | {bits * rate / len(arrived) / 1000:.0f} | {_psnr(before, arrived):.1f} | "
                f"{'exact' if whole else 'lost'} | {len(exact)} of {len(taken)} exact | {needed} |"
            )
        return [*lines, "", *_pictured(cover, container)]


def _pictured(cover: Path, container: Path) -> list[str]:
    """The table of a picture in *cover*, which is hidden in *container*."""
    secret = _secret()
    try:
        report = hide_video(cover, container, secret, force=True)
    except CapacityError as error:
        return [f"a picture of {SIDE}×{SIDE}: {error}"]
    payload = reveal_video(container)
    came, was = decode(payload.data).pixels, secret.picture.pixels
    near = f"APD {metrics.apd(came, was):.2f}, {metrics.psnr(came, was):.1f} dB"
    how = f"{report.psnr:.1f} dB of luma; survives {report.survives}"
    lines = [
        f"a picture of {SIDE}×{SIDE} in {len(payload.data)} bytes: {near}; {how}",
        "",
        "| encoded again | kbit/s | PSNR | picture |",
        "|---|---|---|---|",
    ]
    before = _lumas(cover)
    for name, (encoder, options, density) in CODECS.items():
        arrived, rate, bits = _arrived(container, encoder, options, density)
        fate = "exact" if _taken(arrived, payload, PacketDecoder(None)) else "lost"
        lines.append(f"| {name} | {bits * rate / len(arrived) / 1000:.0f} | {_psnr(before, arrived):.1f} | {fate} |")
    return lines


def _secret() -> PicturePayload:
    """The middle of a sample, in the size that is measured."""
    with Pillow.open(samples.path("coffee")) as picture:
        size = min(picture.size)
        left, top = (picture.width - size) // 2, (picture.height - size) // 2
        box = (left, top, left + size, top + size)
        small = picture.convert("RGB").resize((SIDE, SIDE), Pillow.Resampling.BICUBIC, box=box)
        return PicturePayload(Picture(np.asarray(small)))


def _prepared(clip: Path, cover: Path) -> None:
    """Write a copy of *clip* in the size that is measured, without loss."""
    import av

    with open_video(clip) as source, av.open(str(cover), "w") as file:
        rate = source.streams.video[0].average_rate or FRAMES_PER_SECOND
        video = file.add_stream("libx264", rate=rate, options={"qp": "0", "preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number, frame in enumerate(frames(source)):
            if number >= SECONDS * rate:
                break
            small = frame.reformat(width=WIDTH, height=HEIGHT)
            small.pts, small.time_base = number, 1 / Fraction(rate)
            file.mux(video.encode(small))
        file.mux(video.encode(None))


def _arrived(
    container: Path, encoder: str, options: dict[str, str], density: float | None
) -> tuple[list[Image], int, int]:
    """The luma that arrives, the frames per second, and the bits it took."""
    with open_video(container) as file:
        rate = round(file.streams.video[0].average_rate or FRAMES_PER_SECOND)
        bit_rate = None if density is None else round(density * WIDTH * HEIGHT * rate)
        resent = Transcoder(WIDTH, HEIGHT, rate, encoder, options, bit_rate)
        arrived = [luma(each) for frame in frames(file) for each in resent.send(frame)]
        arrived += [luma(each) for each in resent.send(None)]
        return arrived, rate, resent.bits


def _lumas(path: Path) -> list[Image]:
    with open_video(path) as file:
        return [luma(frame) for frame in frames(file)]


def _taken(
    planes: Sequence[Image], payload: Payload = MESSAGE, reader: VideoDecoder | PacketDecoder | None = None
) -> int:
    """How many of the frames it took to read the payload; 0 if all are too few, or say something else."""
    reader = reader or VideoDecoder(None)
    for number, plane in enumerate(planes, 1):
        if (found := reader.add(plane)) is not None:
            return number if found == payload else 0
    try:
        return len(planes) if reader.end() == payload else 0
    except PayloadError:
        return 0


def _psnr(before: Sequence[Image], after: Sequence[Image]) -> float:
    """Of luma, in dB, over all frames."""
    squares = [float(np.square(a.astype(np.float32) - b).mean()) for a, b in zip(before, after, strict=False)]
    return 10 * math.log10(255.0**2 / float(np.mean(squares)))


def main() -> None:
    """Print the tables of the clips that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m underpaint_lab.benchmarks.robustness.video", description=__doc__)
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP", help="video file")
    for clip in parser.parse_args().clips:
        print(*measure(clip), "", sep="\n", flush=True)


if __name__ == "__main__":
    main()
