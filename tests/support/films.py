"""Short videos that serve as covers."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from underpaint import media
from underpaint.media import samples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from underpaint.types import Image

PHOTOGRAPH = media.read(samples.path("chelsea")).pixels
HEIGHT, WIDTH, FRAMES = 144, 176, 12


def pictures(count: int = FRAMES) -> Iterator[Image]:
    """Yield the frames of a slow pan over the sample photograph."""
    for left in range(count):
        yield PHOTOGRAPH[40 : 40 + HEIGHT, 100 + 2 * left : 100 + 2 * left + WIDTH]


def planes(count: int = FRAMES) -> list[Image]:
    """Return the green planes of the frames."""
    return [np.ascontiguousarray(picture[..., 1]) for picture in pictures(count)]


def write_clip(
    path: Path, *, sound: str | None = None, times: list[int] | None = None, turned: int = 0, count: int = FRAMES
) -> Path:
    """Write an MPEG-4 video at ten frames per second, or at *times* in hundredths of a second, and return its path."""
    with av.open(str(path), "w") as file:
        video: Any = file.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt, video.codec_context.qmax = WIDTH, HEIGHT, "yuv420p", 3
        video.codec_context.time_base = video.time_base = Fraction(1, 100)
        if turned:
            video.set_display_rotation(turned)
        audio: Any = file.add_stream(sound, rate=8000, layout="mono") if sound else None
        for time, picture in zip(times or range(0, 10 * count, 10), pictures(count), strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 100)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        if audio:
            tone = np.sin(np.arange(8192) / 5, dtype=np.float32)[None]
            for start in range(0, 8192, 1024):
                block = av.AudioFrame.from_ndarray(tone[:, start : start + 1024], format="fltp", layout="mono")
                block.sample_rate, block.pts = 8000, start
                file.mux(audio.encode(block))
            file.mux(audio.encode(None))
    return path
