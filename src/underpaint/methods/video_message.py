"""A message in a video: the same watermark in every frame, decoded from several frames together.

::

    luma plane  ─► canvas (128² or 256²) ─► STDM, with the same keys in every frame ─► luma plane
    luma planes ─► canvas ─► pilots of all frames ─► soft bits of all frames ─► message

:mod:`underpaint.methods.video_frames` has the embedding in a frame and the joint decoding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint.coding import frame, refusals
from underpaint.embedding import watermark
from underpaint.embedding.blind_detection import MAX_FALSE_POSITIVE_RATE
from underpaint.embedding.watermark import PILOTS, SIZES
from underpaint.errors import CapacityError
from underpaint.methods import video_sync
from underpaint.methods.base import shared_key, too_much_lost
from underpaint.methods.robust import canvas_key
from underpaint.methods.video_frames import (
    QUALITIES,
    STEP_RATIO,
    FrameEmbedder,
    Plane,
    decode_frames,
    residue_cosines,
)
from underpaint.types import Payload, check_psnr

if TYPE_CHECKING:
    from underpaint.coding.keys import Key
    from underpaint.embedding.lapped import Array
    from underpaint.embedding.watermark import Projections
    from underpaint.errors import DamagedError
    from underpaint.types import Image

#: Sides of the canvases in pixels: the sender takes the first that has room, the receiver tries both.
SIDES = (128, 256)
#: Frames that are decoded together at most.
TOGETHER = 512

#: Largest ratio of the canvas side to the shorter side of a frame.
_MAX_ENLARGEMENT = 2
#: Lattice step in coefficients of the frame at which two seconds survive a codec at its worst.
_MIN_FRAME_STEP = 52.0
#: Payloads of more bytes are refused without compressing them.
_MAX_PAYLOAD_BYTES = 1 << 20
#: Detections that are decoded at most.
_MAX_ATTEMPTS = 3


class VideoEmbedder:
    """Embeds a message in one frame after the other.

    Args:
        height: of the frames in pixels.
        width: of the frames in pixels.
        payload: the message.
        passphrase: needed to reveal; None lets anybody reveal.
        psnr: of luma in dB, the mean over the frames of any video; None takes the best of
            :data:`~underpaint.methods.video_frames.QUALITIES` at which the message is strong enough.
        aspect: width over height as the frames are shown; None for that of their sides.

    Raises:
        UsageError: *psnr* is out of range.
        CapacityError: the message does not fit.
    """

    def __init__(
        self,
        height: int,
        width: int,
        payload: Payload,
        passphrase: str | None,
        psnr: float | None = None,
        aspect: float | None = None,
    ) -> None:
        check_psnr(psnr)
        plane, size, self.psnr = _choose(height, width, payload, psnr)
        count, self._parts = watermark.seal(plane, payload, canvas_key(shared_key(passphrase), plane), size)
        step = plane.step_at(size, video_sync.message_psnr(height, width, self.psnr))
        self._frames = FrameEmbedder(plane, count, step, video_sync.pattern(height, width, self.psnr, aspect))

    def change(self, luma: Image) -> Array | None:
        """Return the change of the next frame, ``uint8 (H, W)``; None leaves it unchanged.

        Frames must come in the order they are shown, because each depends on the one before.
        """
        return self._frames.change(luma, self._parts)

    def paint(self, luma: Image, change: Array | None) -> Image:
        """Return the frame with this change; several threads may call this at once."""
        return self._frames.paint(luma, change)


class VideoDecoder:
    """Collects frames until they give a message.

    Decoding is tried after one frame, two, four, and so on up to :data:`TOGETHER`, and then again with the next frames.

    Args:
        passphrase: the sender's.
    """

    def __init__(self, passphrase: str | None) -> None:
        self._key = shared_key(passphrase)
        self._damage: DamagedError | None = None
        self._payload: Payload | None = None
        self._search = video_sync.Search()
        self._batches, self._best = 0, 1.0
        self._decoders: list[_FrameDecoder] = []
        self._begin()

    def add(self, luma: Image) -> Payload | None:
        """Add a frame, ``uint8 (H, W)``, and return the message if it is decoded by now."""
        if self._payload is None:
            if self._frames == TOGETHER:
                self._begin()
            self._frames += 1
            self._search.add(luma)
            for decoder in self._decoders:
                decoder.add(luma)
            if self._frames & (self._frames - 1) == 0:
                self._try()
        return self._payload

    def end(self) -> Payload:
        """Return the message of all frames. If they show none, a moved picture is searched in some of them.

        Raises:
            NotFoundError: no watermark of this passphrase.
            DamagedError: a watermark whose message cannot be decoded.
        """
        if self._payload is None and self._frames & (self._frames - 1):
            self._try()
        if self._payload is None and self._damage is None:
            self._find()
        if self._payload is not None:
            return self._payload
        raise self._damage or refusals.not_found()

    def p_value(self) -> float:
        """Return a bound on the probability that frames without this watermark score as high, 0–1."""
        return min(self._batches * min(self._best, self._p_value_together()), 1.0)

    def _p_value_together(self) -> float:
        """Return the p-value of the frames that are decoded together, corrected for the canvases."""
        return min((each.p_value() for each in self._decoders), default=1.0) * len(self._decoders)

    def _begin(self) -> None:
        """Forget the frames collected so far, but not how well the best of them fits."""
        if self._batches:
            self._best = min(self._best, self._p_value_together())
        self._frames, self._batches = 0, self._batches + 1
        self._decoders = [_FrameDecoder(plane, canvas_key(self._key, plane)) for plane in map(Plane, SIDES)]

    def _find(self) -> None:
        """Decode the kept frames by one place after the other at which they may lie."""
        for planes in self._search.straightened():
            self._begin()
            for plane in planes:
                for decoder in self._decoders:
                    decoder.add(plane)
            self._try()
            if self._payload is not None:
                return

    def _try(self) -> None:
        """Decode the likeliest detections in the frames collected so far."""
        found = ((each, decoder) for decoder in self._decoders for each in decoder.detections())
        for detection, decoder in sorted(found, key=lambda pair: -pair[0].log_likelihood)[:_MAX_ATTEMPTS]:
            self._payload = decoder.decode(detection)
            if self._payload is not None:
                return
        if self._p_value_together() < MAX_FALSE_POSITIVE_RATE:
            self._damage = too_much_lost(
                "message", "look for a copy that was recompressed less, or for a longer part of it"
            )


@dataclass(frozen=True)
class _Detection:
    """A frame size in bytes and its likeliest lattice step."""

    log_likelihood: float
    size: int
    step: float


class _FrameDecoder:
    """Collects the coefficients and pilots of frames on one canvas."""

    def __init__(self, plane: Plane, key: Key) -> None:
        self._plane, self._key = plane, key
        self._sizes = [size for size in SIZES if watermark.fits(plane, size)]
        self._count, self._pilots, _ = watermark.layout(plane, key, self._sizes[-1])
        self._patterns = np.stack([1 - 2.0 * watermark.pilot(plane, key, size) for size in self._sizes], axis=1)
        self._steps = plane.search_steps(self._sizes[0])
        self._scores = np.zeros((len(self._steps), len(self._sizes)))
        self._best = 0.0
        self._coefficients: list[Array] = []

    def add(self, luma: Image) -> None:
        """Add a frame."""
        coefficients = self._plane.analyse(luma, self._count)
        self._coefficients.append(coefficients)
        residues = self._pilots.residues(self._pilots.project(coefficients), self._steps)
        fit = residue_cosines(residues) @ self._patterns  # (steps, sizes)
        self._best = max(self._best, float(fit.max()))
        # The log-likelihood of a watermark at its likeliest noise. A few well kept frames then stand out among many bad
        # ones, which would hide them in a sum of the fits.
        self._scores += np.square(np.maximum(fit, 0)) / PILOTS

    def detections(self) -> list[_Detection]:
        """Return the likeliest step of each frame size."""
        return [
            _Detection(float(column.max()), size, float(self._steps[column.argmax()]))
            for size, column in zip(self._sizes, self._scores.T, strict=True)
        ]

    def p_value(self) -> float:
        """Return a bound on the probability that frames without a watermark score as high as the best one.

        Frames resemble each other, so that their agreement proves nothing. The probability that any of n frames scores
        so high is at most n times that of one, as :func:`underpaint.embedding.blind_detection.detect` has it.
        """
        tried = self._scores.size * len(self._coefficients)
        return tried * math.exp(-(self._best**2) / PILOTS)

    def decode(self, detection: _Detection) -> Payload | None:
        """Return the message in this frame size and near this step; None if it cannot be decoded."""
        count, pilots, message = watermark.layout(self._plane, self._key, detection.size)
        coefficients = [each.reshape(-1, self._count)[:, :count].ravel() for each in self._coefficients]
        pattern = 1 - 2.0 * watermark.pilot(self._plane, self._key, detection.size)
        projections = np.array([pilots.project(each) for each in coefficients])  # (frames, PILOTS)

        def pilot_scores(step: float) -> Projections:
            return residue_cosines(projections / step - pilots.dither) @ pattern  # (frames,)

        step = max(
            detection.step * (1 + STEP_RATIO * np.linspace(-1, 1, 9)),
            key=lambda each: np.square(np.maximum(pilot_scores(each), 0)).sum(),
        )
        bits = np.array([message.project(each) for each in coefficients]) / step - message.dither
        return decode_frames(residue_cosines(bits), pilot_scores(step), self._key)


def capacity(height: int, width: int) -> int:
    """Return the longest message in bytes, before compression, in frames of this size at the lowest PSNR."""
    overhead = frame.compact_size(Payload(b""))
    usable = (
        size
        for plane in _planes(height, width)
        for size in SIZES
        if watermark.fits(plane, size) and _frame_step(plane, size, QUALITIES[-1], height, width) >= _MIN_FRAME_STEP
    )
    return max(usable, default=overhead) - overhead


def _choose(height: int, width: int, payload: Payload, psnr: float | None) -> tuple[Plane, int, float]:
    """Return the canvas, the size of the compact frame in bytes and the PSNR in dB for *payload*.

    Raises:
        CapacityError: it does not fit.
    """
    # A payload that cannot fit is not worth the time of compressing it.
    needed = frame.compact_size(payload) if len(payload.data) <= _MAX_PAYLOAD_BYTES else len(payload.data)
    for plane in _planes(height, width):
        for size in SIZES:
            if size < needed or not watermark.fits(plane, size):
                continue
            if psnr is not None:
                return plane, size, psnr
            for quality in QUALITIES:
                if _frame_step(plane, size, quality, height, width) >= _MIN_FRAME_STEP:
                    return plane, size, quality
    most = capacity(height, width)
    raise CapacityError(
        f"{len(payload.data)} bytes do not fit, about {most} do" if most else "the video is too small for a message",
        hint="shorten the message, or take a larger video",
    )


def _frame_step(plane: Plane, size: int, psnr: float, height: int, width: int) -> float:
    """Return the lattice step in coefficients of the frame that the pattern leaves."""
    return plane.frame_step(size, video_sync.message_psnr(height, width, psnr), height * width)


def _planes(height: int, width: int) -> list[Plane]:
    """Return the canvases for frames of this size."""
    return [Plane(side) for side in SIDES if side <= _MAX_ENLARGEMENT * min(height, width)]
