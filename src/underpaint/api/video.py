"""Hiding in videos: every frame is marked and encoded again, and the new file is read back before it takes its place.

::

    decode ─► aim ─► paint (two threads) ─► encode ─► file beside ─► read back ─► renamed
       └─► sound and subtitles, as they are ─┘

Memory holds a few frames, however long the video is. What frames say is :mod:`underpaint.methods.video_message`'s, and
:mod:`underpaint.methods.video_picture`' if that is a picture.
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

from underpaint.api.hide import HideReport
from underpaint.api.measure import check_target
from underpaint.api.payloads import PicturePayload, compress_to
from underpaint.errors import (
    CapacityError,
    DamagedError,
    ImageError,
    NotFoundError,
    PayloadError,
    SurvivalError,
    UsageError,
)
from underpaint.media import replacing
from underpaint.media.video import (
    FRAMES_PER_SECOND,
    VIDEOS,
    Remuxer,
    Transcoder,
    frames,
    is_video,
    luma,
    open_video,
    planar,
    seconds,
    with_luma,
    writing,
)
from underpaint.methods import video_picture
from underpaint.methods.video_message import VideoDecoder, VideoEmbedder
from underpaint.methods.video_picture import PacketDecoder, PacketEmbedder
from underpaint.types import Payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from av import VideoFrame
    from av.container import InputContainer

    from underpaint.api.payloads import PictureCompression
    from underpaint.embedding.lapped import Array
    from underpaint.types import Image

    #: Is told what is being done, and which share of it is done.
    Progress = Callable[[str, float], None]

#: What frames are marked by, and the only method there is for them.
METHOD = "robust"
#: A clip from the middle, of so many seconds, is sent through FFmpeg's MPEG-4 as that is unless it is told otherwise.
CLIP = 2.0
HARSH = "mpeg4 at 200 kbit/s, 2 seconds of it"
DEFAULT: tuple[str, dict[str, str]] = "mpeg4", {}
#: All of a video with a picture is sent through what OpenCV asks of it: a bit per pixel, quantisers from 3.
USUAL = "mpeg4 at a bit per pixel"
OPENCV: tuple[str, dict[str, str]] = "mpeg4", {"qmin": "3"}

#: Larger frames are not sent: MPEG-4 does not hold them.
_LARGEST = 4096
#: Threads that paint, and frames that may wait for them.
_PAINTERS, _WAITING = 2, 4


def hide_video(
    cover: str | Path,
    container: str | Path,
    payload: Payload | PicturePayload,
    *,
    passphrase: str | None = None,
    psnr: float | None = None,
    metadata: bool = True,
    force: bool = False,
    progress: Progress | None = None,
) -> HideReport:
    """Hide *payload* in the frames of the video file *cover*, and write *container*, as its extension says.

    Sound, subtitles and the times of frames stay. The new file is read back before it takes its name; on any failure
    there is none, and an old one is as it was.

    Args:
        cover: video file.
        container: file to write.
        payload: a message or a few bytes, in every frame; or a picture, in packets one after the other.
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
        writer: VideoEmbedder | PacketEmbedder
        reader: type[VideoDecoder | PacketDecoder]
        if isinstance(payload, PicturePayload):
            payload, compression = fitted(payload, cover, first)
            writer, reader = PacketEmbedder(first.height, first.width, payload, passphrase, psnr), PacketDecoder
        else:
            compression = None
            writer, reader = VideoEmbedder(first.height, first.width, payload, passphrase, psnr), VideoDecoder
        with open_video(cover) as source, ThreadPoolExecutor(_PAINTERS) as pool:
            copy = Remuxer(source, first, container, part, metadata=metadata)
            try:
                _mark(source, copy, writer, pool, tell)
            finally:
                copy.close()
        reached, survives = _read_back(cover, part, payload, (reader(passphrase), reader(passphrase)), tell)
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
        compression=compression,
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
    readers = VideoDecoder(passphrase), PacketDecoder(passphrase)
    with open_video(path) as container:
        for frame in _told(container, "reading", progress or _silent):
            plane = luma(frame)
            for reader in readers:
                if (payload := reader.add(plane)) is not None:
                    return payload
    damage: DamagedError | None = None
    for reader in readers:
        try:
            return reader.end()
        except NotFoundError:
            continue
        except DamagedError as error:
            damage = error
    hint = "another passphrase, an unmarked video, or one that has changed too much: they look the same"
    raise damage or NotFoundError("no payload found", hint=hint)


def fitted(secret: PicturePayload, cover: str | Path, first: VideoFrame) -> tuple[Payload, PictureCompression]:
    """A picture compressed to what a video with such a *first* frame carries.

    Raises:
        CapacityError: it does not fit, however it is compressed.
        ImageError: *cover* cannot be read.
    """
    with open_video(cover) as source:
        count = sum(packet.size > 0 for packet in source.demux(source.streams.video[0]))
    room = video_picture.room(first.height, first.width, count)
    try:
        data, compression = compress_to(secret.picture, room)
    except CapacityError:
        raise CapacityError(
            f"the picture does not fit at any quality: {count} frames have room for {max(room, 0)} bytes",
            hint="take a longer video or a smaller picture",
        ) from None
    return Payload(data, "picture"), compression


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
    with open_video(cover) as source:
        for frame in frames(source):
            return frame
    raise ImageError(f"cannot read {cover}: no frame of it can be decoded")


def _mark(
    source: InputContainer,
    copy: Remuxer,
    writer: VideoEmbedder | PacketEmbedder,
    pool: ThreadPoolExecutor,
    tell: Progress,
) -> None:
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


def _painted(
    writer: VideoEmbedder | PacketEmbedder, frame: VideoFrame, plane: Image, change: Array | None
) -> VideoFrame:
    return with_luma(frame, writer.paint(plane, change))


def _read_back(
    cover: str | Path,
    part: Path,
    payload: Payload,
    readers: tuple[VideoDecoder | PacketDecoder, VideoDecoder | PacketDecoder],
    tell: Progress,
) -> tuple[float, str | None]:
    """See that the payload is read from *part*; return its PSNR in dB, of luma, and what a clip of it survives.

    One of *readers* reads the whole, the other the clip.

    Raises:
        SurvivalError: it is not.
        ImageError: frames were lost.
    """
    (whole, clip), squares, pixels = readers, 0.0, 0
    pictured = isinstance(clip, PacketDecoder)
    length, encoder = (math.inf, OPENCV) if pictured else (CLIP, DEFAULT)
    with open_video(cover) as source, open_video(part) as written:
        start = max(seconds(written) - length, 0) / 2
        rate = max(round(written.streams.video[0].average_rate or FRAMES_PER_SECOND), 1)
        resent: Transcoder | None = None
        for before, after in zip_longest(frames(source), _told(written, "reading back", tell)):
            if before is None or after is None:
                raise ImageError(f"cannot write a copy of {cover}: not every frame came back")
            was, plane = luma(before), luma(after)
            difference = np.subtract(plane, was, dtype=np.float32).ravel()
            squares += float(difference @ difference)
            pixels += difference.size
            whole.add(plane)
            if start <= (after.time or 0) < start + length and max(plane.shape) <= _LARGEST:
                bit_rate = after.width * after.height * rate if pictured else None
                resent = resent or Transcoder(after.width, after.height, rate, *encoder, bit_rate)
                for each in resent.send(after):
                    clip.add(luma(each))
        for each in resent.send(None) if resent else ():
            clip.add(luma(each))
    if not _says(whole, payload):
        hint = "hide less, take a larger or longer video, or a lower --psnr"
        raise SurvivalError("the payload cannot be read from the video as it was encoded", hint=hint)
    reached = 10 * math.log10(255.0**2 * pixels / squares) if squares else math.inf
    return reached, (USUAL if pictured else HARSH) if _says(clip, payload) else None


def _says(reader: VideoDecoder | PacketDecoder, payload: Payload) -> bool:
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
