"""A message and a picture in videos behind video codecs, as Markdown tables.

``underpaint-lab evaluate video CLIP …`` hides a message of eight bytes, by the calls of the command line, in a copy of
the clip of 352×288 and at most ten seconds. The container is encoded again by each of :data:`CODECS`, and revealed from
the whole and from every two seconds that begin a quarter of a second apart. Frames per second are those of hiding with
verification: by wall-clock time, and by processor time on two cores.

The second table hides a picture, the sample coffee at 256×256: its quality after compression to the capacity of the
clip, as APD (average pixel discrepancy) and PSNR, and whether it is revealed exactly behind each codec.
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
#: Size of the clip in pixels, and its largest duration in seconds.
WIDTH, HEIGHT, SECONDS = 352, 288, 10.0
#: Duration of an excerpt and distance of excerpts, in seconds.
WINDOW, WINDOW_STEP = 2.0, 0.25
#: Cores that processor time is divided among.
CORES = 2
#: Side of the picture in pixels.
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
    """Return both tables of one clip, line by line, in Markdown.

    Raises:
        ImageError: the clip cannot be read; other errors of hiding.
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
            "| encoded again | kbit/s | PSNR | whole | any 2 seconds | frames needed, mean and most |",
            "|---|---|---|---|---|---|",
        ]
        lines += [_message_line(name, container, before) for name in CODECS]
        return [*lines, "", *picture_table(cover, container)]


def _message_line(name: str, container: Path, before: Sequence[Image]) -> str:
    """Return the table line of one codec: the message from the whole clip and from excerpts."""
    received, rate, bits = _transcoded(container, *CODECS[name])
    length, step = round(WINDOW * rate), round(WINDOW_STEP * rate)
    starts = range(0, max(len(received) - length, 0) + 1, step)
    frames_by_excerpt = [frames_needed(received[start : start + length]) for start in starts]
    exact = [each for each in frames_by_excerpt if each]
    needed = f"{np.mean(exact):.1f}, {max(exact)}" if exact else "none"
    return (
        f"| {name} | {bits * rate / len(received) / 1000:.0f} | {_psnr(before, received):.1f} | "
        f"{'exact' if frames_needed(received) else 'lost'} | {len(exact)} of {len(starts)} exact | {needed} |"
    )


def picture_table(cover: Path, container: Path) -> list[str]:
    """Hide a picture in the video *cover*, write *container*, and return the table, line by line."""
    secret = _secret()
    try:
        report = hide_video(cover, container, secret, force=True)
    except CapacityError as error:
        return [f"a picture of {SIDE}×{SIDE}: {error}"]
    payload = reveal_video(container)
    revealed, sent = decode(payload.data).pixels, secret.picture.pixels
    quality = f"APD {metrics.apd(revealed, sent):.2f}, {metrics.psnr(revealed, sent):.1f} dB"
    container_quality = f"{report.psnr:.1f} dB of luma; survives {report.survives}"
    lines = [
        f"a picture of {SIDE}×{SIDE} in {len(payload.data)} bytes: {quality}; {container_quality}",
        "",
        "| encoded again | kbit/s | PSNR | picture |",
        "|---|---|---|---|",
    ]
    before = _lumas(cover)
    for name, codec in CODECS.items():
        received, rate, bits = _transcoded(container, *codec)
        bit_rate, outcome = bits * rate / len(received), "lost"
        if frames_needed(received, payload, PacketDecoder(None)):
            outcome = "exact"
        lines.append(f"| {name} | {bit_rate / 1000:.0f} | {_psnr(before, received):.1f} | {outcome} |")
    return lines


def _secret() -> PicturePayload:
    """Return the middle of a sample, resized to :data:`SIDE`."""
    with Pillow.open(samples.path("coffee")) as picture:
        size = min(picture.size)
        left, top = (picture.width - size) // 2, (picture.height - size) // 2
        box = (left, top, left + size, top + size)
        small = picture.convert("RGB").resize((SIDE, SIDE), Pillow.Resampling.BICUBIC, box=box)
        return PicturePayload(Picture(np.asarray(small)))


def _prepared(clip: Path, cover: Path) -> None:
    """Write a lossless copy of *clip* in the size that is measured."""
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


def _transcoded(
    container: Path, encoder: str, options: dict[str, str], density: float | None
) -> tuple[list[Image], int, int]:
    """Encode *container* again; return the received luma, the frames per second, and the bits."""
    with open_video(container) as file:
        rate = round(file.streams.video[0].average_rate or FRAMES_PER_SECOND)
        bit_rate = None if density is None else round(density * WIDTH * HEIGHT * rate)
        resent = Transcoder(WIDTH, HEIGHT, rate, encoder, options, bit_rate)
        received = [luma(each) for frame in frames(file) for each in resent.send(frame)]
        received += [luma(each) for each in resent.send(None)]
        return received, rate, resent.bits


def _lumas(path: Path) -> list[Image]:
    with open_video(path) as file:
        return [luma(frame) for frame in frames(file)]


def frames_needed(
    planes: Sequence[Image], payload: Payload = MESSAGE, reader: VideoDecoder | PacketDecoder | None = None
) -> int:
    """Return the number of frames needed to read *payload*; 0 if it is not read, or something else is."""
    reader = reader or VideoDecoder(None)
    for number, plane in enumerate(planes, 1):
        if (found := reader.add(plane)) is not None:
            return number if found == payload else 0
    try:
        return len(planes) if reader.end() == payload else 0
    except PayloadError:
        return 0


def _psnr(before: Sequence[Image], after: Sequence[Image]) -> float:
    """Return the PSNR of luma in dB over all frames."""
    squares = [float(np.square(a.astype(np.float32) - b).mean()) for a, b in zip(before, after, strict=False)]
    return 10 * math.log10(255.0**2 / float(np.mean(squares)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print tables on a message and a picture in videos behind video codecs."""
    parser = argparse.ArgumentParser(prog="underpaint-lab evaluate video", description=main.__doc__)
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP", help="video file")
    for clip in parser.parse_args(arguments).clips:
        print(*measure(clip), "", sep="\n", flush=True)
