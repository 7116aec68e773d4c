"""Hiding in videos: every frame is marked and encoded again, and the new file is read back before it takes its place.

::

    decode ─► aim ─► paint (two threads) ─► encode ─► file beside ─► read back ─► renamed
       └─► sound and subtitles, as they are ─┘

Memory holds a few frames, however long the video is. What frames say is :mod:`underpaint.methods.film`'s.
"""

from __future__ import annotations

import math
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from underpaint.app.hiding import HideReport
from underpaint.app.reels import (
    FRAMES_PER_SECOND,
    VIDEOS,
    Copy,
    Resent,
    frames,
    is_video,
    luma,
    opened,
    planar,
    seconds,
    with_luma,
    writing,
)
from underpaint.app.tools import check_target
from underpaint.errors import ImageError, NotFoundError, PayloadError, SurvivalError, UsageError
from underpaint.image import replacing
from underpaint.methods.film import Reader, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from av import VideoFrame
    from av.container import InputContainer

    from underpaint.lattice import Array
    from underpaint.types import Image, Payload

    #: Is told what is being done, and which share of it is done.
    Progress = Callable[[str, float], None]

#: What frames are marked by, and the only method there is for them.
METHOD = "robust"
#: A clip from the middle, of so many seconds, is sent through FFmpeg's MPEG-4 as that is unless it is told otherwise.
CLIP = 2.0
HARSH = "mpeg4 at 200 kbit/s, 2 seconds of it"
DEFAULT: tuple[str, dict[str, str]] = "mpeg4", {}

#: Larger frames are not sent: MPEG-4 does not hold them.
_LARGEST = 4096
#: Threads that paint, and frames that may wait for them.
_PAINTERS, _WAITING = 2, 4


def hide_video(
    cover: str | Path,
    container: str | Path,
    payload: Payload,
    *,
    passphrase: str | None = None,
    psnr: float | None = None,
    metadata: bool = True,
    force: bool = False,
    progress: Progress | None = None,
) -> HideReport:
    """Hide *payload* in every frame of the video file *cover*, and write *container*, as its extension says.

    Sound, subtitles and the times of frames stay. The new file is read back before it takes its name; on any failure
    there is none, and an old one is as it was.

    Args:
        cover: video file.
        container: file to write.
        payload: a message, or a few bytes.
        passphrase: what it takes to reveal.
        psnr: of luma, in dB, to aim at before frames are encoded.
        metadata: keep the cover's title and the like.
        force: replace an existing file.
        progress: is called now and then.

    Raises:
        UsageError: *container* is no video or may not be written over, or the PSNR makes no sense.
        CapacityError: the payload does not fit.
        SurvivalError: it could not be read back.
        ImageError: *cover* cannot be read or *container* not be written.
        MissingExtraError: PyAV is not installed.
    """
    started = time.perf_counter()
    for path in (cover, container):
        if not is_video(path):
            raise UsageError(f"{path} is no video", hint=f"cover and container are both one of {', '.join(VIDEOS)}")
    check_target(container, cover, force=force)
    tell = progress or _silent
    with writing(container), replacing(Path(container)) as part:
        first = _first(cover)
        writer = Writer(first.height, first.width, payload, passphrase, psnr)
        with opened(cover) as source, ThreadPoolExecutor(_PAINTERS) as pool:
            copy = Copy(source, first, container, part, metadata=metadata)
            try:
                _mark(source, copy, writer, pool, tell)
            finally:
                copy.close()
        reached, survives = _read_back(cover, part, payload, passphrase, tell)
    missed: tuple[str, ...] = ()
    if psnr is not None and reached < psnr:
        missed = (f"encoding brought {psnr:g} dB down to {reached:.1f}",)
    return HideReport(
        container=str(container),
        method=METHOD,
        payload_bytes=len(payload.data),
        psnr=reached,
        survives=survives,
        seconds=time.perf_counter() - started,
        warnings=(*copy.warnings, *missed),
        compression=None,
        findings=None,
    )


def reveal_video(path: str | Path, *, passphrase: str | None = None, progress: Progress | None = None) -> Payload:
    """Return exactly what was hidden in a video file, from as few of its frames as it takes.

    Raises:
        NotFoundError: nothing was found, which a wrong passphrase cannot be told from.
        DamagedError: a payload is there, but beyond repair.
        ImageError: the file cannot be read.
        MissingExtraError: PyAV is not installed.
    """
    reader = Reader(passphrase)
    with opened(path) as container:
        for frame in _told(container, "reading", progress or _silent):
            if (payload := reader.add(luma(frame))) is not None:
                return payload
    try:
        return reader.end()
    except NotFoundError as error:
        hint = "another passphrase, an unmarked video, or one that has changed too much: they look the same"
        raise NotFoundError("no payload found", hint=hint) from error


def refuse(**settings: object) -> None:
    """Refuse *settings* of pictures that were made and that videos do not have.

    Raises:
        UsageError: there is one.
    """
    for name, value in settings.items():
        if value:
            word = name.replace("_", "-")
            raise UsageError(f"a video takes no --{word}", hint="leave it out; a message is hidden in every frame")


def _silent(_what: str, _share: float) -> None:
    pass


def _first(cover: str | Path) -> VideoFrame:
    """The first frame, which tells more than the file's head does."""
    with opened(cover) as source:
        for frame in frames(source):
            return frame
    raise ImageError(f"cannot read {cover}: no frame of it can be decoded")


def _mark(source: InputContainer, copy: Copy, writer: Writer, pool: ThreadPoolExecutor, tell: Progress) -> None:
    """Copy *source*, every frame marked."""
    video = source.streams.video[0]
    waiting: deque[Future[VideoFrame]] = deque()
    try:
        for packet in source.demux():
            if packet.stream.index != video.index:
                copy.pass_on(packet)
                continue
            for frame in map(planar, packet.decode()):
                plane = luma(frame)
                waiting.append(pool.submit(_painted, writer, frame, plane, writer.change(plane)))
                if len(waiting) > _WAITING:
                    copy.add(waiting.popleft().result())
                tell("hiding", _share(frame, source))
        while waiting:
            copy.add(waiting.popleft().result())
        copy.end()
    finally:
        tell("hiding", 1.0)


def _painted(writer: Writer, frame: VideoFrame, plane: Image, change: Array | None) -> VideoFrame:
    return with_luma(frame, writer.paint(plane, change))


def _read_back(
    cover: str | Path, part: Path, payload: Payload, passphrase: str | None, tell: Progress
) -> tuple[float, str | None]:
    """See that the payload is read from *part*; return its PSNR in dB, of luma, and what a clip of it survives.

    Raises:
        SurvivalError: it is not.
        ImageError: frames were lost.
    """
    whole, clip, squares, pixels = Reader(passphrase), Reader(passphrase), 0.0, 0
    with opened(cover) as source, opened(part) as written:
        start = max(seconds(written) - CLIP, 0) / 2
        rate = max(round(written.streams.video[0].average_rate or FRAMES_PER_SECOND), 1)
        resent: Resent | None = None
        for before, after in zip_longest(frames(source), _told(written, "reading back", tell)):
            if before is None or after is None:
                raise ImageError(f"cannot write a copy of {cover}: not every frame came back")
            was, plane = luma(before), luma(after)
            difference = np.subtract(plane, was, dtype=np.float32).ravel()
            squares += float(difference @ difference)
            pixels += difference.size
            whole.add(plane)
            if start <= (after.time or 0) < start + CLIP and max(plane.shape) <= _LARGEST:
                resent = resent or Resent(after.width, after.height, rate, *DEFAULT)
                for each in resent.send(after):
                    clip.add(luma(each))
        for each in resent.send(None) if resent else ():
            clip.add(luma(each))
    if not _says(whole, payload):
        hint = "shorten the message, take a larger or longer video, or a lower --psnr"
        raise SurvivalError("the message cannot be read from the video as it was encoded", hint=hint)
    reached = 10 * math.log10(255.0**2 * pixels / squares) if squares else math.inf
    return reached, HARSH if _says(clip, payload) else None


def _says(reader: Reader, payload: Payload) -> bool:
    try:
        found = reader.end()
    except PayloadError:
        return False
    return (found.data, found.kind) == (payload.data, payload.kind)


def _told(container: InputContainer, what: str, tell: Progress) -> Iterator[VideoFrame]:
    """Its frames; *tell* hears how far they are, and that no more are wanted."""
    try:
        for frame in frames(container):
            tell(what, _share(frame, container))
            yield frame
    finally:
        tell(what, 1.0)


def _share(frame: VideoFrame, container: InputContainer) -> float:
    length = seconds(container)
    return min((frame.time or 0.0) / length, 1.0) if length else 0.0
