"""Video codecs: real encoders and decoders, through PyAV. The picture is encoded as a short clip.

The clip shows the picture :data:`FRAMES` times, in 4:2:0; its last decoded frame is the result. Like nearly all frames
of a video it is a predicted frame, and rate control and B-frames have settled by then. Only HEVC codes a single frame,
as still pictures do. Encoder and decoder run in one thread, so the result does not depend on the machine's cores. Odd
sides are padded by repeating the edge, and cropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from underpaint.channels.base import Codec, real, whole
from underpaint.errors import ImageError, MissingExtraError

if TYPE_CHECKING:
    from underpaint.types import Image

#: Frames of the clip.
FRAMES = 5
#: Pixels; smaller pictures are padded, because encoders refuse them.
_SMALLEST_SIDE = 16


@dataclass(frozen=True)
class Mpeg4(Codec):
    """MPEG-4 part 2 video, simple profile, at a fixed quantiser (qscale) of 2–31."""

    name = "mpeg4"
    qscale: int = whole(2, 31)

    def _code(self, image: Image) -> tuple[Image, float]:
        return _through("mpeg4", image, _fixed(self.qscale))


@dataclass(frozen=True)
class Xvid(Codec):
    """MPEG-4 part 2 video with Xvid's tools, at a fixed quantiser of 2–31.

    The tools are B-frames, trellis quantisation and MPEG matrices. PyAV's wheels have no libxvid: this is FFmpeg's own
    encoder, which OpenCV's ``XVID`` is as well.
    """

    name = "xvid"
    qscale: int = whole(2, 31)

    def _code(self, image: Image) -> tuple[Image, float]:
        return _through("mpeg4", image, _fixed(self.qscale) | {"bf": "2", "trellis": "1", "mpeg_quant": "1"})


@dataclass(frozen=True)
class H264(Codec):
    """H.264 video (x264, preset medium) at a constant rate factor of 0–51."""

    name = "h264"
    crf: float = real(0, 51)

    def _code(self, image: Image) -> tuple[Image, float]:
        return _through("libx264", image, {"crf": str(self.crf)})


@dataclass(frozen=True)
class Hevc(Codec):
    """One HEVC intra frame (x265, preset medium) at a rate factor of 0–51, as in HEIC.

    In 4:2:0. The bits are those of the frame, without a container file.
    """

    name = "hevc"
    crf: float = real(0, 51)

    def _code(self, image: Image) -> tuple[Image, float]:
        # One thread, so that the result does not depend on the machine's cores.
        settings = "log-level=none:pools=none:frame-threads=1:keyint=1"
        return _through("libx265", image, {"crf": str(self.crf), "x265-params": settings}, frames=1)


def _fixed(qscale: int) -> dict[str, str]:
    """Return the options of a fixed quantiser."""
    # The flag qscale takes the quantiser from each frame, where PyAV cannot set it.
    return {"qmin": str(qscale), "qmax": str(qscale)}


def _through(codec: str, image: Image, options: dict[str, str], frames: int = FRAMES) -> tuple[Image, float]:
    """Encode *image* as a clip and decode its last frame; return it and the clip's bits per pixel and frame.

    Raises:
        MissingExtraError: PyAV is not installed, or has no such encoder.
        ImageError: the encoder cannot encode this picture.
    """
    try:
        import av
    except ImportError:
        hint = "from a checkout of the project: pip install '.[video]'"
        raise MissingExtraError("video channels need PyAV", hint=hint) from None

    height, width = image.shape[:2]
    padding = [(0, max(side + side % 2, _SMALLEST_SIDE) - side) for side in (height, width)]
    frame = av.VideoFrame.from_ndarray(np.pad(image, [*padding, (0, 0)], mode="edge"), format="rgb24")
    try:
        encoder = av.Codec(codec, "w").create("video")
        encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuv420p"
        encoder.time_base, encoder.thread_count, encoder.options = Fraction(1, 30), 1, options
        packets = []
        for time in range(frames):
            frame.pts = time
            packets += encoder.encode(frame)
        packets += encoder.encode(None)
        decoder = av.Codec(encoder.codec.canonical_name, "r").create("video")
        decoder.thread_count = 1
        received = [each for packet in [*packets, None] for each in decoder.decode(packet)]
    except av.codec.codec.UnknownCodecError:
        raise MissingExtraError(f"this build of PyAV has no encoder {codec}", hint="install PyAV's own wheel") from None
    except (av.FFmpegError, ValueError) as error:
        raise ImageError(f"{codec} cannot encode a picture of {width}×{height}: {error}") from error
    bits = 8 * sum(packet.size for packet in packets)
    decoded = np.array(received[-1].to_ndarray(format="rgb24")[:height, :width], dtype=np.uint8)
    return decoded, bits / (frames * height * width)
