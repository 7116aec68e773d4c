"""Videos as phones and cameras write them: uneven frame times, a late start, ten bits per value."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from support.films import HEIGHT, WIDTH, pictures
from underpaint import api

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = "noon"
PER_SECOND = 1000
EVEN = list(range(0, 1200, 100))
UNEVEN = [0, 34, 134, 167, 207, 240, 306, 372, 438, 455, 521, 555]


def write_video(path: Path, times: list[int], *, pixels: str = "yuv420p") -> None:
    """Write H.264 with one frame at each of *times* in milliseconds, in BT.2020 colours where there are ten bits."""
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream("libx264", rate=10, options={"crf": "18", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        stream.codec_context.time_base = stream.time_base = Fraction(1, PER_SECOND)
        if "10" in pixels:
            context = stream.codec_context
            context.color_primaries, context.color_trc, context.colorspace = 9, 18, 9
        for time, picture in zip(times, pictures(len(times)), strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, PER_SECOND)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def frame_times(path: Path) -> list[float]:
    with av.open(str(path)) as file:
        return [frame.time or 0.0 for frame in file.decode(video=0)]


def colours(path: Path) -> tuple[Any, ...]:
    with av.open(str(path)) as file:
        context = file.streams.video[0].codec_context
        return context.color_primaries, context.color_trc, context.colorspace


@pytest.mark.parametrize(
    ("times", "pixels", "warning"),
    [
        (UNEVEN, "yuv420p", None),
        ([2500 + time for time in EVEN], "yuv420p", None),
        (EVEN, "yuv420p10le", "colours were reduced from yuv420p10le to yuv420p"),
    ],
    ids=["uneven times", "late start", "ten bits"],
)
def test_a_message_comes_back_and_times_and_colours_stay(
    times: list[int], pixels: str, warning: str | None, tmp_path: Path
) -> None:
    cover, container = tmp_path / "cover.mp4", tmp_path / "container.mp4"
    write_video(cover, times, pixels=pixels)
    report = api.hide_file(cover, container, MESSAGE)
    assert api.reveal_file(container)[0].text == MESSAGE
    assert frame_times(container) == pytest.approx(frame_times(cover), abs=1e-6)
    assert frame_times(cover) == pytest.approx([time / PER_SECOND for time in times], abs=1e-3)
    assert colours(container) == colours(cover)
    assert (warning is None) or warning in report.warnings
