"""Robust in film: one message in every frame, read from any few of them by what they say together.

::

    luma plane  ─► canvas (128² or 256²) ─► keyed lattices, the same in every frame ─► luma plane
    luma planes ─► canvas ─► pilots of all frames ─► soft bits of all frames ─► message

A frame is marked as :mod:`underpaint.methods.robust` marks a picture, under the same keys, so that a frame saved as a
picture may be revealed too. What a film leaves out is what takes too long for every frame: networks, refinement, and
the sync pattern. It has many frames instead. Each of them may arrive in a poor state, as those do that a codec predicts
from others, if what it says counts for no more than its pilots are worth.

Nothing but luma changes. What a bit is moved to follows the picture, which moves: a bit keeps to its lattice point
until the picture is far from it, so that what stands still does not flicker, and costs a codec nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint.coding import convolutional, frame, refusals
from underpaint.coding.keys import COMPACT_COST, SALT, Key
from underpaint.embedding import lapped, watermark
from underpaint.embedding.canvas import Canvas
from underpaint.embedding.lapped import BLOCK
from underpaint.embedding.watermark import MAX_FALSE_POSITIVE_RATE, PILOTS, SIZES, Embedding
from underpaint.errors import CapacityError, DamagedError, NotFoundError
from underpaint.methods.robust import own_key
from underpaint.types import MIN_PSNR, Payload, check_psnr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from underpaint.embedding.lapped import Array
    from underpaint.embedding.spread_transform import SpreadTransform
    from underpaint.embedding.watermark import Projections
    from underpaint.types import Bits, Image

#: Sides of the canvases, in pixels: the first that has room is taken.
SIDES = (128, 256)
#: PSNRs in dB, of luma: the first at which a message is strong enough.
QUALITIES = (46.0, 44.0, 42.0, 40.0, 38.0)
#: Frames that are read together at most.
TOGETHER = 512

#: The step, in the frame's own coefficients, at which two seconds survive a codec at its worst.
_STRONG = 52.0
#: Payloads of more bytes than this are refused before they are compressed.
_HOPELESS = 1 << 20
#: Canvases may be so much larger than the frame.
_ENLARGED = 2
#: How far a bit's projection may be from the lattice point of the frame before, in steps, and still be moved there.
_FAITHFUL = 0.65
#: A block takes change in proportion to (busyness + _FLATTEST) ** _MASKING, in grey levels.
_FLATTEST, _MASKING = 2.0, 0.6
#: Luma within _ROOM of these leaves less and less room, _NO_ROOM at least; studio range, which full range exceeds.
_BLACK, _WHITE, _ROOM, _NO_ROOM = 18.0, 232.0, 18.0, 0.05
#: A frame with less contrast than this many grey levels, such as a black one, is left as it is.
_FLAT = 1.5
#: Steps a reader tries, as in :mod:`underpaint.embedding.watermark`.
_FINEST_STEP, _STEP_RATIO = 8.0, 0.008
#: Marks that are decoded at most, and how often frames are weighed anew by what all of them said.
_ATTEMPTS, _ROUNDS = 3, 3
#: No frame is trusted more than this.
_CERTAIN = 0.95


@dataclass(frozen=True)
class Plane(Canvas):
    """A canvas that luma planes, ``uint8 (H, W)``, are mapped onto."""

    def reduced(self, luma: Image) -> Image:
        """The plane on the canvas, ``uint8 (side, side)``, which is mapped onto itself."""
        from PIL import Image as Pillow

        if luma.shape == (self.side, self.side):
            return luma
        size = (self.side, self.side)
        return np.asarray(Pillow.fromarray(luma).resize(size, Pillow.Resampling.BICUBIC, reducing_gap=3.0))

    def analyse(self, image: Image, count: int) -> Array:
        """The first *count* coefficients of every block."""
        return lapped.transform(self.reduced(image).astype(np.float32), count)

    restore = analyse

    def paint(self, image: Image, change: Array, count: int) -> Image:
        """Add a *change* of the coefficients, stretched over the plane."""
        from PIL import Image as Pillow

        across = self.side // BLOCK
        small = Pillow.fromarray(lapped.inverse(change, across, across, count))
        height, width = image.shape
        # Not np.asarray: the sum needs memory of its own anyway.
        luma = np.array(small.resize((width, height), Pillow.Resampling.BICUBIC), np.float32)
        luma += image
        return np.clip(np.rint(luma, out=luma), 0, 255, out=luma).astype(np.uint8)

    def weights(self, cover: Image, count: int) -> Array:
        """Busy blocks take more, nearly black and white ones less."""
        luma = self.reduced(cover).astype(np.float32)
        across = self.side // BLOCK
        free = np.clip((luma - _BLACK) / _ROOM, _NO_ROOM, 1) * np.clip((_WHITE - luma) / _ROOM, _NO_ROOM, 1)
        blocks = (lapped.local_activity(luma) + _FLATTEST) ** _MASKING
        blocks *= free.reshape(across, BLOCK, across, BLOCK).mean(axis=(1, 3)).ravel()
        return np.repeat(blocks, count)


class VideoEmbedder:
    """Marks one frame after the other with one message.

    Args:
        height: of the frames, in pixels.
        width: the same.
        payload: the message.
        passphrase: what it takes to reveal.
        psnr: of luma, in dB, in the mean over frames of any film; None takes the best of :data:`QUALITIES` at which the
            message is strong enough.

    Raises:
        UsageError: *psnr* is out of range.
        CapacityError: the message does not fit.
    """

    def __init__(
        self, height: int, width: int, payload: Payload, passphrase: str | None, psnr: float | None = None
    ) -> None:
        check_psnr(psnr)
        self._plane, size, self.psnr = _laid(height, width, payload, psnr)
        key = own_key(video_key(passphrase), self._plane)
        blank = np.zeros((self._plane.side, self._plane.side), np.uint8)
        sealed = watermark.prepare(self._plane, blank, payload, key, size)
        step = watermark.typical_step(self._plane, PILOTS + watermark.channel_bits(size), self.psnr)
        self._parts, self._brush = sealed.parts, FrameEmbedder(self._plane, sealed.count, step)

    def change(self, luma: Image) -> Array | None:
        """How the coefficients of the next frame, ``uint8 (H, W)``, are to change; None leaves it as it is.

        Frames come in the order they are shown in, because each looks at the one before.
        """
        return self._brush.change(luma, self._parts)

    def paint(self, luma: Image, change: Array | None) -> Image:
        """The frame with this change; several threads may do so at once."""
        return self._brush.paint(luma, change)


class FrameEmbedder:
    """Moves the projections of one frame after the other to where bits want them, and no further than it must."""

    def __init__(self, plane: Plane, count: int, step: float) -> None:
        self._plane, self._count, self._step = plane, count, step
        self._aims: Projections | None = None
        self._bits: Bits | None = None

    def change(self, luma: Image, parts: Sequence[tuple[SpreadTransform, Bits]]) -> Array | None:
        """How the coefficients of the next frame are to change, as in :meth:`Writer.change`."""
        small = self._plane.reduced(luma)
        if small.std() < _FLAT:
            return None
        plan = Embedding(self._plane, small, self._count, parts)
        aims, bits = plan.targets(self._step), np.concatenate([bits for _, bits in parts])
        if self._aims is not None:
            near = np.abs(self._aims - plan.projections) < _FAITHFUL * self._step
            aims = np.where(near & (bits == self._bits), self._aims, aims)
        self._aims, self._bits = aims, bits
        return plan.change(aims - plan.projections)

    def paint(self, luma: Image, change: Array | None) -> Image:
        """The frame with this change."""
        return luma if change is None else self._plane.paint(luma, change, self._count)


class VideoDecoder:
    """Gathers what frames say until it makes a message.

    It is looked for after one frame, two, four, and so on up to :data:`TOGETHER`, and then anew in those that follow.
    """

    def __init__(self, passphrase: str | None) -> None:
        self._key = video_key(passphrase)
        self._damage: DamagedError | None = None
        self._payload: Payload | None = None
        self._begin()

    def add(self, luma: Image) -> Payload | None:
        """Listen to another frame, ``uint8 (H, W)``, and return the message if there is one by now."""
        if self._payload is None:
            if self._frames == TOGETHER:
                self._begin()
            self._frames += 1
            for listener in self._listeners:
                listener.add(luma)
            if self._frames & (self._frames - 1) == 0:
                self._look()
        return self._payload

    def end(self) -> Payload:
        """The message of all frames.

        Raises:
            NotFoundError: no mark of this key.
            DamagedError: a mark, but its message is beyond repair.
        """
        if self._payload is None and self._frames & (self._frames - 1):
            self._look()
        if self._payload is not None:
            return self._payload
        raise self._damage or refusals.not_found()

    def _begin(self) -> None:
        self._frames = 0
        self._listeners = [_FrameDecoder(plane, own_key(self._key, plane)) for plane in map(Plane, SIDES)]

    def _look(self) -> None:
        heard = ((*mark, listener) for listener in self._listeners for mark in listener.marks())
        for _, size, step, listener in sorted(heard, key=lambda mark: -mark[0])[:_ATTEMPTS]:
            self._payload = listener.message(size, step)
            if self._payload is not None:
                return
        if min(listener.false_alarm() for listener in self._listeners) * len(self._listeners) < MAX_FALSE_POSITIVE_RATE:
            self._damage = DamagedError(
                "a message is here, but too much of it is lost",
                hint="look for a copy that was recompressed less, or for a longer part of it",
            )


class _FrameDecoder:
    """What frames say on one canvas."""

    def __init__(self, plane: Plane, key: Key) -> None:
        self._plane, self._key = plane, key
        self._sizes = [size for size in SIZES if watermark.fits(plane, size)]
        self._count, self._pilots, _ = watermark.layout(plane, key, self._sizes[-1])
        self._patterns = np.stack([1 - 2.0 * watermark.pilot(key, size) for size in self._sizes], axis=1)
        self._steps = steps(plane, self._sizes[0])
        self._scores = np.zeros((len(self._steps), len(self._sizes)))
        self._best = 0.0
        self._heard: list[Array] = []

    def add(self, luma: Image) -> None:
        coefficients = self._plane.analyse(luma, self._count)
        self._heard.append(coefficients)
        cells = self._pilots.residues(self._pilots.project(coefficients), self._steps)
        fit = cosines(cells) @ self._patterns  # (steps, sizes)
        self._best = max(self._best, float(fit.max()))
        # The log-likelihood of a mark as tight as it looks. A few frames that arrived well stand out among many that
        # did not, which a sum of the fits themselves would bury.
        self._scores += np.square(np.maximum(fit, 0)) / PILOTS

    def marks(self) -> list[tuple[float, int, float]]:
        """How well each frame size fits with its best step: (log-likelihood, size, step)."""
        return [
            (float(column.max()), size, float(self._steps[column.argmax()]))
            for size, column in zip(self._sizes, self._scores.T, strict=True)
        ]

    def false_alarm(self) -> float:
        """A bound on the chance that frames without a mark look like these, by the one that looks most like it.

        Frames resemble each other, so their agreement proves nothing; the chance that any of some frames has such a
        fit is at most their number times that of one, which :func:`underpaint.embedding.watermark.find` says.
        """
        tried = self._scores.size * len(self._heard)
        return tried * math.exp(-(self._best**2) / PILOTS)

    def message(self, size: int, step: float) -> Payload | None:
        """The message in a frame size and about this step, if there is one."""
        count, pilots, message = watermark.layout(self._plane, self._key, size)
        heard = [each.reshape(-1, self._count)[:, :count].ravel() for each in self._heard]
        pattern = 1 - 2.0 * watermark.pilot(self._key, size)
        announced = np.array([pilots.project(each) for each in heard])  # (frames, PILOTS)
        step = max(
            step * (1 + _STEP_RATIO * np.linspace(-1, 1, 9)),
            key=lambda each: np.square(np.maximum(cosines(announced / each - pilots.dither) @ pattern, 0)).sum(),
        )
        agreed = cosines(announced / step - pilots.dither) @ pattern  # (frames,)
        said = cosines(np.array([message.project(each) for each in heard]) / step - message.dither)
        return open_payload(said, agreed, self._key)


def open_payload(said: NDArray[np.float64], agreed: Projections, key: Key) -> Payload | None:
    """The message that frames make, if any, by how far each agrees with bits of 0 and, in sum, with its pilots.

    Args:
        said: cosines, ``(frames, bits)``; 1 is a certain 0, -1 a certain 1.
        agreed: of the pilots, ``(frames,)``; at most :data:`PILOTS`.
        key: opens it.
    """
    trust = agreed / PILOTS
    for _ in range(_ROUNDS):
        soft = -2 * _concentration(trust) @ said
        body = np.packbits(convolutional.decode(soft.astype(np.float32))).tobytes()
        try:
            return frame.open_compact(body, key)
        except NotFoundError:
            belief = np.tanh(soft / 2)
        trust = (agreed - said @ belief) / (PILOTS + np.abs(belief).sum())
    return None


def steps(plane: Plane, size: int) -> Projections:
    """The steps that a reader tries, to that of a frame of *size* bytes at the lowest PSNR."""
    largest = watermark.typical_step(plane, PILOTS + watermark.channel_bits(size), MIN_PSNR - 3)
    return np.geomspace(_FINEST_STEP, largest, int(np.log(largest / _FINEST_STEP) / _STEP_RATIO) + 2)


def video_key(passphrase: str | None) -> Key:
    """What keys of films are made from."""
    return Key.derive(passphrase, SALT, COMPACT_COST)


def _laid(height: int, width: int, payload: Payload, psnr: float | None) -> tuple[Plane, int, float]:
    """The canvas, the frame size in bytes, and the PSNR for *payload* in frames of this size.

    Raises:
        CapacityError: it does not fit.
    """
    most = capacity(height, width)
    # Compressing takes its time, which a payload that cannot fit is not worth.
    needed = frame.compact_size(payload) if len(payload.data) <= _HOPELESS else len(payload.data)
    for plane in _planes(height, width):
        for size in SIZES:
            if size < needed or not watermark.fits(plane, size):
                continue
            if psnr is not None:
                return plane, size, psnr
            for quality in QUALITIES:
                if strength(plane, size, quality, height * width) >= _STRONG:
                    return plane, size, quality
    raise CapacityError(
        f"{len(payload.data)} bytes do not fit, about {most} do" if most else "the video is too small for a message",
        hint="shorten the message, or take a larger video",
    )


def capacity(height: int, width: int) -> int:
    """The longest message in bytes, before compression, that frames of this size carry at the last of QUALITIES."""
    overhead = frame.compact_size(Payload(b""))
    usable = (
        size
        for plane in _planes(height, width)
        for size in SIZES
        if watermark.fits(plane, size) and strength(plane, size, QUALITIES[-1], height * width) >= _STRONG
    )
    return max(usable, default=overhead) - overhead


def _planes(height: int, width: int) -> list[Plane]:
    return [Plane(side) for side in SIDES if side <= _ENLARGED * min(height, width)]


def strength(plane: Plane, size: int, psnr: float, pixels: int) -> float:
    """The step in coefficients of the frame, of which the canvas is a reduced copy."""
    return watermark.typical_step(plane, PILOTS + watermark.channel_bits(size), psnr) * math.sqrt(pixels) / plane.side


def cosines(cells: NDArray[np.floating]) -> NDArray[np.float64]:
    """How well projections, in lattice cells, agree with bit 0: 1 at its lattice points, -1 at those of bit 1."""
    return np.asarray(np.cos(2 * np.pi * cells), np.float64)


def _concentration(trust: Projections) -> Projections:
    """Of von Mises' distribution with this mean resultant length (Banerjee et al., 2005, eq. 4.4); none below 0."""
    length = np.clip(trust, 0, _CERTAIN)
    return np.asarray(length * (2 - length**2) / (1 - length**2))
