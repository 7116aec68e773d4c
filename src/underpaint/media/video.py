"""Video files by PyAV: decode frames, and write changed frames together with sound, subtitles and metadata.

::

    file ─► open_video ─► frames ─► embedding ─► Remuxer ─► file
                   └─► sound, subtitles, copied ────┘

Frames are ``yuv420p``, 8 bits. Only one frame is in memory at a time, beside those in the codecs' buffers.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from underpaint.errors import ImageError, MissingExtraError
from underpaint.media.formats import reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.stream import Stream

    from underpaint.types import Image

#: FFmpeg's names of the container formats, by extension.
VIDEOS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".avi": "avi",
    ".webm": "webm",
}

#: Encoders with visually lossless settings. VP9 is slow without the options for speed.
_X264 = "libx264", {"crf": "18", "preset": "medium"}
_VP9 = "libvpx-vp9", {"crf": "20", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}
#: FFmpeg's older pixel format for full range.
_FULL_RANGE = {"yuvj420p"}
_JPEG_RANGE = 2
#: Frame rate where a file has none.
FRAMES_PER_SECOND = Fraction(25)
#: Streams beside the video that are copied.
_COPIED = ("audio", "subtitle")


def is_video(path: str | Path) -> bool:
    """Return whether *path* has the extension of a video."""
    return Path(path).suffix.lower() in VIDEOS


@contextmanager
def open_video(path: str | Path) -> Iterator[InputContainer]:
    """Open a video file for reading.

    Args:
        path: of the file.

    Raises:
        MissingExtraError: PyAV is not installed.
        ImageError: the file cannot be read, or has no video; errors of decoding in the block are converted too.
    """
    try:
        import av
    except ImportError:
        hint = "from a checkout of the project: pip install '.[video]'"
        raise MissingExtraError("videos need PyAV", hint=hint) from None

    try:
        # FFmpeg takes an absolute path for no address; the whitelist keeps playlists from naming addresses.
        with av.open(str(Path(path).absolute()), options={"protocol_whitelist": "file"}) as container:
            if not container.streams.video:
                raise ImageError(f"cannot read {path}: there is no video in it")
            container.streams.video[0].thread_type = "AUTO"
            yield container
    except (av.FFmpegError, OSError) as error:
        raise ImageError(f"cannot read {path}: {reason(error)}") from error


@contextmanager
def writing(target: str | Path) -> Iterator[None]:
    """Convert errors of encoders and of the disk in the block to an ImageError for *target*."""
    try:
        yield
    except (OSError, ValueError) as error:  # FFmpeg's errors are one of these
        raise ImageError(f"cannot write {target}: {reason(error)}") from error


def frames(container: InputContainer) -> Iterator[VideoFrame]:
    """Yield the frames in display order, as ``yuv420p``; damaged packets are skipped."""
    from av import FFmpegError

    for packet in container.demux(container.streams.video[0]):
        with suppress(FFmpegError):
            for frame in packet.decode():
                yield planar(frame)


def planar(frame: Any) -> VideoFrame:
    """Return *frame* in ``yuv420p``, with the range of values that it has."""
    plain = frame.format.name == "yuv420p" or frame.format.name in _FULL_RANGE
    return frame if plain else frame.reformat(format="yuv420p")  # type: ignore[no-any-return]


def luma(frame: VideoFrame) -> Image:
    """Return a copy of the luma plane, ``uint8 (H, W)``, turned as it is shown."""
    return np.rot90(_values(frame.planes[0]), quarter_turns(frame)).copy()


def quarter_turns(frame: VideoFrame) -> int:
    """Return by how many quarter turns, counter-clockwise, *frame* is turned when it is shown."""
    return round(frame.rotation / 90) % 4


def shown_aspect(container: InputContainer, frame: VideoFrame) -> float:
    """Return width over height of *frame* as it is shown: turned, and with pixels that need not be square."""
    pixel = container.streams.video[0].sample_aspect_ratio or 1
    aspect = float(pixel) * frame.width / frame.height
    return 1 / aspect if quarter_turns(frame) % 2 else aspect


def with_luma(frame: VideoFrame, plane: Image) -> VideoFrame:
    """Return a copy of *frame* with the luma *plane*, ``uint8 (H, W)``, turned as it is shown."""
    import av

    plane = np.rot90(plane, -quarter_turns(frame))

    # A copy: the decoder predicts other frames from the memory of this one.
    copy = av.VideoFrame(frame.width, frame.height, "yuv420p")
    for target, values in zip(copy.planes, [plane, *map(_values, frame.planes[1:])], strict=True):
        _values(target)[...] = values
    copy.pts, copy.time_base, copy.duration = frame.pts, frame.time_base, frame.duration
    return copy


def _values(plane: Any) -> Image:
    """Return a view of a plane of a frame, ``uint8 (H, W)``."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]


def seconds(container: InputContainer) -> float:
    """Return the duration in seconds, 0 if the file has none."""
    return (container.duration or 0) / 1e6


def played(frame: VideoFrame, container: InputContainer) -> float:
    """Return the share of the video up to this frame, 0–1; 0 if its duration is unknown."""
    length = seconds(container)
    return min((frame.time or 0.0) / length, 1.0) if length else 0.0


class Remuxer:
    """Write a video file: encode frames one by one, and copy the other streams of the *source*.

    Args:
        source: the video that is copied.
        first: its first decoded frame.
        target: final path of the file, with one of the extensions of :data:`VIDEOS`.
        part: path to write to.
        metadata: copy the title and other metadata.

    Raises:
        ImageError: the encoder does not take such frames, or the file cannot be written; all methods raise it too.
    """

    def __init__(
        self, source: InputContainer, first: VideoFrame, target: str | Path, part: Path, *, metadata: bool
    ) -> None:
        import av

        self.warnings: list[str] = []
        self._target = target
        kind = VIDEOS[Path(target).suffix.lower()]
        given = source.streams.video[0]
        movflags = {"movflags": "+faststart"} if kind in ("mp4", "mov") else {}
        self._file = av.open(str(part.absolute()), "w", format=kind, options=movflags)
        encoder, options = _VP9 if kind == "webm" else _X264
        # AVI stores a frame rate instead of times, and frames in display order only.
        options = options | {"bf": "0"} if kind == "avi" else options
        rate = given.average_rate or given.guessed_rate or FRAMES_PER_SECOND
        self._video: Any = self._file.add_stream(encoder, rate=rate, options=dict(options))
        if encoder == _X264[0] and (first.width % 2 or first.height % 2):
            raise ImageError(f"{encoder} cannot encode a video of {first.width}×{first.height}: it needs even sides")
        self._describe(first, given)
        self._ticks: Fraction | None = 1 / Fraction(rate) if kind == "avi" else None
        base = self._ticks or given.time_base or 1 / Fraction(rate)
        self._video.codec_context.time_base = self._video.time_base = base
        self._last: int | None = None
        self._others = {s.index: copy for s in source.streams if s.index != given.index for copy in [self._copied(s)]}
        if metadata:
            self._file.metadata.update(source.metadata)

    def _describe(self, first: VideoFrame, given: Any) -> None:
        """Copy the properties of the source's video stream."""
        context, old = self._video.codec_context, given.codec_context
        context.width, context.height, context.pix_fmt = first.width, first.height, "yuv420p"
        for name in ("color_range", "colorspace", "color_primaries", "color_trc", "sample_aspect_ratio"):
            if (value := getattr(old, name)) is not None:
                setattr(context, name, value)
        if old.pix_fmt in _FULL_RANGE:
            context.color_range = _JPEG_RANGE
        elif old.pix_fmt != "yuv420p":
            self.warnings.append(f"colours were reduced from {old.pix_fmt} to yuv420p")
        if first.rotation:
            self._video.set_display_rotation(first.rotation)

    def _copied(self, stream: Stream) -> Stream | None:
        """Add a copy of *stream* to the file, if its container format can hold it."""
        name = stream.codec_context.name if stream.codec_context else "data"
        if stream.type in _COPIED and name in self._file.supported_codecs:
            return self._file.add_stream_from_template(stream)
        self.warnings.append(f"left out, for the file cannot hold it: {stream.type} ({name})")
        return None

    def pass_on(self, packet: Packet[Any]) -> None:
        """Copy a packet of another stream."""
        copy = self._others.get(packet.stream.index)
        if copy is not None and packet.dts is not None:
            packet.stream = copy
            with writing(self._target):
                self._file.mux(packet)

    def add(self, frame: VideoFrame) -> None:
        """Encode the next frame at its own time, or if it has none after the frame before."""
        if self._ticks or frame.pts is None:
            step = self._ticks or 1 / (self._video.average_rate or FRAMES_PER_SECOND)
            base = self._video.codec_context.time_base
            time = None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base
            following = 0 if self._last is None else self._last + round(step / base)
            frame.pts, frame.time_base = following if time is None else round(time / base), base
        if self._last is not None and frame.pts is not None:
            frame.pts = max(frame.pts, self._last + 1)  # an encoder refuses two frames at the same time
        self._last = frame.pts
        with writing(self._target):
            self._file.mux(self._video.encode(frame))

    def end(self) -> None:
        """Encode the frames that the encoder still holds."""
        with writing(self._target):
            self._file.mux(self._video.encode(None))

    def close(self) -> None:
        """Close the file."""
        with writing(self._target):
            self._file.close()


class Transcoder:
    """Encode frames again and decode them, as a video platform does.

    Args:
        width: of a frame in pixels.
        height: of a frame in pixels.
        rate: frames per second.
        encoder: FFmpeg's name.
        options: of the encoder.
        bit_rate: in bits per second; None for that of the options.
    """

    def __init__(
        self,
        width: int,
        height: int,
        rate: int,
        encoder: str,
        options: dict[str, str],
        bit_rate: int | None = None,
    ) -> None:
        import av

        sender = av.Codec(encoder, "w").create("video")
        sender.width, sender.height, sender.pix_fmt = width, height, "yuv420p"
        sender.time_base, sender.framerate, sender.options = Fraction(1, rate), Fraction(rate), options
        if bit_rate is not None:
            sender.bit_rate = bit_rate
        self._sender, self._receiver = sender, av.Codec(sender.codec.canonical_name, "r").create("video")
        self._time = 0
        #: Bits sent so far.
        self.bits = 0

    def send(self, frame: VideoFrame | None) -> list[VideoFrame]:
        """Encode a frame ``yuv420p``, or None after the last, and return the decoded frames that are ready."""
        if frame is not None:
            frame = with_luma(frame, luma(frame))  # a copy, whose time can be set
            frame.pts, frame.time_base = self._time, self._sender.time_base
            self._time += 1
        packets = self._sender.encode(frame)
        self.bits += 8 * sum(packet.size for packet in packets)
        return [each for packet in [*packets, *([None] * (frame is None))] for each in self._receiver.decode(packet)]
