"""Hiding in videos: every frame is marked and encoded again, and the new file is revealed before it takes its name.

::

    decode ─► plan the change ─► embed (two threads) ─► encode ─► temporary file ─► reveal ─► rename
       └─► sound and subtitles, copied ─┘

Memory holds a few frames, however long the video is. A message goes into every frame by
:mod:`underpaint.methods.video_message`, a picture into packets by :mod:`underpaint.methods.video_picture`.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from underpaint.api.payloads import BytesPayload, PicturePayload, as_source, compress_to
from underpaint.api.reports import HideReport
from underpaint.errors import (
    CapacityError,
    DamagedError,
    ImageError,
    NotFoundError,
    PayloadError,
    SurvivalError,
    UsageError,
)
from underpaint.media import check_target, replacing
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
    played,
    quarter_turns,
    seconds,
    shown_aspect,
    with_luma,
    writing,
)
from underpaint.methods import video_picture
from underpaint.methods.video_message import VideoDecoder, VideoEmbedder
from underpaint.methods.video_picture import PacketDecoder, PacketEmbedder
from underpaint.types import Payload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from av import VideoFrame
    from av.container import InputContainer

    from underpaint.api.payloads import PayloadSource, PictureCompression
    from underpaint.embedding.lapped import Array
    from underpaint.types import Image

#: Is called with the current step and its completed share, 0–1.
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class RecompressionTrial:
    """Recompression that a container goes through before its report says that the payload survives it."""

    #: Name in the report.
    name: str
    #: Length in seconds of the part that is recompressed, from the middle of the video.
    length: float
    #: Bit rate per pixel and frame; None for the encoder's own, which is low.
    bits_per_pixel: int | None = None
    #: Options of the encoder, MPEG-4 Part 2 of FFmpeg.
    options: dict[str, str] = field(default_factory=dict)


#: Name of the only method for videos.
METHOD = "robust"
#: Trial of a message: FFmpeg's MPEG-4 with its default settings.
MESSAGE_TRIAL = RecompressionTrial("mpeg4 at 200 kbit/s, 2 seconds of it", 2.0)
#: Trial of a picture, which needs all frames: MPEG-4 with the settings of OpenCV, quantisers from 3.
PICTURE_TRIAL = RecompressionTrial("mpeg4 at a bit per pixel", math.inf, 1, {"qmin": "3"})

#: Largest side of a frame in the trial, in pixels: MPEG-4 holds no larger ones.
_LARGEST_SIDE = 4096
#: Threads that embed, and frames that may wait for them.
_THREADS, _QUEUE = 2, 4


def hide_video(
    cover: str | Path,
    container: str | Path,
    payload: bytes | str | Payload | PayloadSource,
    *,
    passphrase: str | None = None,
    psnr: float | None = None,
    metadata: bool = True,
    force: bool = False,
    progress: Progress | None = None,
) -> HideReport:
    """Hide *payload* in the frames of the video file *cover*, and write *container*, in the format of its extension.

    Sound, subtitles and the times of frames stay. The new file is revealed before it takes its name; on any failure
    there is none, and an old one is as it was.

    Args:
        cover: video file.
        container: file to write.
        payload: a message or a few bytes, embedded in every frame; or a picture, in packets over all frames.
        passphrase: None hides the payload without encryption.
        psnr: PSNR of luma to aim at before frames are encoded, 30–60 dB.
        metadata: keep the cover's title and the like.
        force: replace an existing file.
        progress: called with the current step and its completed share, 0–1.

    Raises:
        UsageError: *container* is no video or exists, *psnr* is out of range, or the payload is a template.
        CapacityError: the payload does not fit.
        SurvivalError: the payload is not revealed from the new file.
        ImageError: *cover* cannot be read or *container* cannot be written.
        MissingExtraError: PyAV is not installed.
    """
    started = time.perf_counter()
    _check_videos(cover, container, force=force)
    progress = progress or _no_progress
    with writing(container), replacing(Path(container)) as part:
        first = _first_frame(cover)
        data, compression = _prepare(as_source(payload), cover, first)
        pictured = compression is not None
        with open_video(cover) as source, ThreadPoolExecutor(_THREADS) as pool:
            embedder = _embedder(source, first, data, passphrase, psnr, pictured=pictured)
            copy = Remuxer(source, first, container, part, metadata=metadata)
            try:
                _embed(source, copy, embedder, pool, progress)
            finally:
                copy.close()
        reached, survives = _verify(cover, part, data, passphrase, pictured=pictured, progress=progress)
    missed = (f"encoding brought {psnr:g} dB down to {reached:.1f}",) if psnr is not None and reached < psnr else ()
    return HideReport(
        container=str(container),
        method=METHOD,
        payload_bytes=len(data.data),
        psnr=reached,
        survives=survives,
        seconds=time.perf_counter() - started,
        warnings=(*copy.warnings, *missed),
        compression=compression,
        findings=None,
    )


def _embedder(
    source: InputContainer,
    first: VideoFrame,
    data: Payload,
    passphrase: str | None,
    psnr: float | None,
    *,
    pictured: bool,
) -> VideoEmbedder | PacketEmbedder:
    height, width = luma(first).shape
    if pictured:
        return PacketEmbedder(height, width, data, passphrase, psnr)
    return VideoEmbedder(height, width, data, passphrase, psnr, shown_aspect(source, first))


def reveal_video(path: str | Path, *, passphrase: str | None = None, progress: Progress | None = None) -> Payload:
    """Return exactly what was hidden in a video file, from as few of its frames as are needed.

    Args:
        path: video file.
        passphrase: the one that the payload was hidden with.
        progress: called with the current step and its completed share, 0–1.

    Raises:
        NotFoundError: no payload, or a wrong passphrase.
        DamagedError: a payload was detected, but cannot be restored.
        ImageError: the file cannot be read.
        MissingExtraError: PyAV is not installed.
    """
    decoders = VideoDecoder(passphrase), PacketDecoder(passphrase)
    with open_video(path) as container:
        for frame in _with_progress(container, "reading", progress or _no_progress):
            plane = luma(frame)
            for decoder in decoders:
                if (payload := decoder.add(plane)) is not None:
                    return payload
    damage = None
    for decoder in reversed(decoders):  # messages last, for they are searched
        try:
            return decoder.end()
        except NotFoundError:
            continue
        except DamagedError as error:
            damage = error
    hint = "another passphrase, an unmarked video, or one that has changed too much: they look the same"
    raise damage or NotFoundError("no payload found", hint=hint)


def _check_videos(cover: str | Path, container: str | Path, *, force: bool) -> None:
    for path in (cover, container):
        if not is_video(path):
            raise UsageError(f"{path} is no video", hint=f"cover and container are both one of {', '.join(VIDEOS)}")
    check_target(container, cover, force=force)


def _prepare(payload: PayloadSource, cover: str | Path, first: VideoFrame) -> tuple[Payload, PictureCompression | None]:
    """Return the bytes to embed, and the loss of a picture that is compressed to what the frames carry."""
    if isinstance(payload, BytesPayload):
        return payload.payload, None
    if not isinstance(payload, PicturePayload):
        raise UsageError("a video takes no template", hint="take a picture for a cover")
    with open_video(cover) as source:
        count = sum(packet.size > 0 for packet in source.demux(source.streams.video[0]))
    room = video_picture.room(first.height, first.width, count)
    try:
        data, compression = compress_to(payload.picture, room)
    except CapacityError:
        raise CapacityError(
            f"the picture does not fit at any quality: {count} frames have room for {max(room, 0)} bytes",
            hint="take a longer video or a smaller picture",
        ) from None
    return Payload(data, "picture"), compression


def _no_progress(_step: str, _share: float) -> None:
    pass


def _first_frame(cover: str | Path) -> VideoFrame:
    """Return the first frame: its size and colours are right where the file's header is not."""
    with open_video(cover) as source:
        for frame in frames(source):
            return frame
    raise ImageError(f"cannot read {cover}: no frame of it can be decoded")


def _embed(
    source: InputContainer,
    copy: Remuxer,
    embedder: VideoEmbedder | PacketEmbedder,
    pool: ThreadPoolExecutor,
    progress: Progress,
) -> None:
    """Write *source* to *copy*, every frame marked, every packet of another stream as it is."""
    video = source.streams.video[0]
    waiting: deque[Future[VideoFrame]] = deque()
    try:
        for packet in source.demux():
            if packet.stream.index != video.index:
                copy.pass_on(packet)
                continue
            for frame in map(planar, packet.decode()):
                plane = luma(frame)
                waiting.append(pool.submit(_marked, embedder, frame, plane, embedder.change(plane)))
                if len(waiting) > _QUEUE:
                    copy.add(waiting.popleft().result())
                progress("hiding", played(frame, source))
        while waiting:
            copy.add(waiting.popleft().result())
        copy.end()
    finally:
        progress("hiding", 1.0)


def _marked(
    embedder: VideoEmbedder | PacketEmbedder, frame: VideoFrame, plane: Image, change: Array | None
) -> VideoFrame:
    return with_luma(frame, embedder.paint(plane, change))


def _verify(
    cover: str | Path, part: Path, payload: Payload, passphrase: str | None, *, pictured: bool, progress: Progress
) -> tuple[float, str | None]:
    """Reveal *payload* from the file *part*, and from a recompressed clip of it.

    Returns:
        PSNR of luma in dB, and the name of the recompression if the payload survives it.

    Raises:
        SurvivalError: it is not revealed from *part*.
        ImageError: frames were lost.
    """
    decoder, trial = (PacketDecoder, PICTURE_TRIAL) if pictured else (VideoDecoder, MESSAGE_TRIAL)
    whole, clip = decoder(passphrase), decoder(passphrase)
    squares, pixels = 0.0, 0
    with open_video(cover) as source, open_video(part) as written:
        start = max(seconds(written) - trial.length, 0) / 2
        transcoder: Transcoder | None = None
        turns = 0  # the recompressed frames have no rotation flag
        for before, after in zip_longest(frames(source), _with_progress(written, "reading back", progress)):
            if before is None or after is None:
                raise ImageError(f"cannot write a copy of {cover}: not every frame came back")
            original, plane = luma(before), luma(after)
            difference = np.subtract(plane, original, dtype=np.float32).ravel()
            squares += float(difference @ difference)
            pixels += difference.size
            whole.add(plane)
            if start <= (after.time or 0) < start + trial.length and max(plane.shape) <= _LARGEST_SIDE:
                transcoder, turns = transcoder or _transcoder(written, after, trial), quarter_turns(after)
                for frame in transcoder.send(after):
                    clip.add(np.rot90(luma(frame), turns).copy())
        for frame in transcoder.send(None) if transcoder else ():
            clip.add(np.rot90(luma(frame), turns).copy())
    if not _reveals(whole, payload):
        hint = "hide less, take a larger or longer video, or a lower --psnr"
        raise SurvivalError("the payload cannot be read from the video as it was encoded", hint=hint)
    reached = 10 * math.log10(255.0**2 * pixels / squares) if squares else math.inf
    return reached, trial.name if _reveals(clip, payload) else None


def _transcoder(video: InputContainer, frame: VideoFrame, trial: RecompressionTrial) -> Transcoder:
    rate = max(round(video.streams.video[0].average_rate or FRAMES_PER_SECOND), 1)
    bit_rate = None if trial.bits_per_pixel is None else frame.width * frame.height * rate * trial.bits_per_pixel
    return Transcoder(frame.width, frame.height, rate, "mpeg4", dict(trial.options), bit_rate)


def _reveals(decoder: VideoDecoder | PacketDecoder, payload: Payload) -> bool:
    try:
        found = decoder.end()
    except PayloadError:
        return False
    return (found.data, found.kind) == (payload.data, payload.kind)


def _with_progress(container: InputContainer, step: str, progress: Progress) -> Iterator[VideoFrame]:
    """Yield the frames of *container*, and report the share that is done; all of it once no more are wanted."""
    try:
        for frame in frames(container):
            progress(step, played(frame, container))
            yield frame
    finally:
        progress(step, 1.0)
