"""Video codecs, the real ones, through PyAV: the picture becomes a short clip, and one frame of it is what arrives.

The clip is :data:`FRAMES` times the same picture in 4:2:0 and the last frame is decoded. It is a predicted frame, as
nearly all frames of a film are, and lies after the encoder's rate control and B-frames have had their say. Encoder and
decoder run in one thread, so the result does not depend on the machine's cores. Odd sides are padded by repeating the
edge, and cropped back.
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

#: How many times the picture is in the clip.
FRAMES = 5
#: Encoders refuse pictures smaller than this; they are padded.
_SMALLEST_SIDE = 16


@dataclass(frozen=True)
class Mpeg4(Codec):
    """MPEG-4 part 2 video, simple profile, at a fixed quantiser of 2–31, FFmpeg's qscale."""

    name = "mpeg4"
    qscale: int = whole(2, 31)

    def _code(self, image: Image) -> tuple[Image, float]:
        return _through("mpeg4", image, _fixed(self.qscale))


@dataclass(frozen=True)
class Xvid(Codec):
    """MPEG-4 part 2 video with Xvid's tools at a fixed quantiser of 2–31: B-frames, trellis, MPEG matrices.

    PyAV's wheels carry no libxvid: this is FFmpeg's own encoder, which OpenCV's ``XVID`` is as well.
    """

    name = "xvid"
    qscale: int = whole(2, 31)

    def _code(self, image: Image) -> tuple[Image, float]:
        return _through("mpeg4", image, _fixed(self.qscale) | {"bf": "2", "trellis": "1", "mpeg_quant": "1"})


@dataclass(frozen=True)
class H264(Codec):
    """H.264 video by x264 at a constant rate factor of 0–51 (23 is x264's default), preset medium."""

    name = "h264"
    crf: float = real(0, 51)

    def _code(self, image: Image) -> tuple[Image, float]:
        return _through("libx264", image, {"crf": str(self.crf)})


def _fixed(qscale: int) -> dict[str, str]:
    # Not the flag qscale: it reads the quantiser from each frame, where PyAV cannot set it.
    return {"qmin": str(qscale), "qmax": str(qscale)}


def _through(encoder: str, image: Image, options: dict[str, str]) -> tuple[Image, float]:
    """Encode *image* as a clip, decode its last frame, and say how many bits per pixel and frame the clip had.

    Raises:
        MissingExtraError: PyAV is not installed.
        ImageError: the encoder cannot hold this picture.
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
        sender = av.Codec(encoder, "w").create("video")
        sender.width, sender.height, sender.pix_fmt = frame.width, frame.height, "yuv420p"
        sender.time_base, sender.thread_count, sender.options = Fraction(1, 30), 1, options
        packets = []
        for time in range(FRAMES):
            frame.pts = time
            packets += sender.encode(frame)
        packets += sender.encode(None)
        receiver = av.Codec(sender.codec.canonical_name, "r").create("video")
        receiver.thread_count = 1
        frames = [decoded for packet in [*packets, None] for decoded in receiver.decode(packet)]
    except (av.FFmpegError, ValueError) as error:
        raise ImageError(f"{encoder} cannot encode a picture of {width}×{height}: {error}") from error
    bits = 8 * sum(packet.size for packet in packets)
    arrived = np.array(frames[-1].to_ndarray(format="rgb24")[:height, :width], dtype=np.uint8)
    return arrived, bits / (FRAMES * height * width)
