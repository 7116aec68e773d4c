"""STDM in the luma planes of video frames, as messages and pictures in videos use it.

A frame is watermarked as :mod:`underpaint.methods.robust` watermarks a picture, with the same keys, so that the message
is also revealed from a frame that was saved as a picture. Refinement takes too long for every frame and is left out. A
video has many frames instead, which are decoded together: a frame counts by how well its pilots fit, since a codec that
predicts frames from others keeps some much better than others.

Only luma changes. The lattice point of a bit would follow the moving picture; here a bit keeps its lattice point until
the picture is far from it, so that still parts do not flicker, and cost the codec nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from underpaint.coding import convolutional, frame
from underpaint.embedding import lapped, watermark
from underpaint.embedding.canvas import Canvas, stretched
from underpaint.embedding.lapped import BLOCK
from underpaint.embedding.watermark import PILOTS, Embedding
from underpaint.errors import NotFoundError
from underpaint.types import MIN_PSNR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from underpaint.coding.keys import Key
    from underpaint.embedding.lapped import Array
    from underpaint.embedding.spread_transform import SpreadTransform
    from underpaint.embedding.watermark import Projections
    from underpaint.types import Bits, Image, Payload

#: PSNRs of luma in dB: the first at which the lattice step is large enough is used.
QUALITIES = (46.0, 44.0, 42.0, 40.0, 38.0)
#: Ratio of neighbouring lattice steps that a receiver tries, less 1.
STEP_RATIO = 0.008
#: The smallest lattice step that a receiver tries, in units of a coefficient.
_MIN_STEP = 8.0


@dataclass(frozen=True)
class _Masking:
    """Allowed change of a block of luma."""

    least_activity: float = 2.0  # grey levels added to the local activity
    exponent: float = 0.6  # the allowed change is proportional to the activity to this power
    black: float = 18.0  # luma at which no darker value is left: studio range
    white: float = 232.0  # luma at which no brighter value is left
    headroom: float = 18.0  # grey levels from these at which the full change is allowed
    least_headroom: float = 0.05  # share of the change allowed at black and white
    min_contrast: float = 1.5  # grey levels; a frame with a smaller standard deviation is left unchanged


@dataclass(frozen=True)
class _Decoding:
    """Settings of the joint decoding of frames."""

    rounds: int = 3  # times that frames are weighted anew by the message decoded so far
    max_reliability: float = 0.95  # bound on the mean resultant length of a frame


_MASKING, _DECODING = _Masking(), _Decoding()
#: Largest distance in steps from the lattice point of the frame before at which a bit keeps it.
_KEEP_WITHIN = 0.65


@dataclass(frozen=True)
class Plane(Canvas):
    """A canvas for luma planes, ``uint8 (H, W)``."""

    def reduced(self, luma: Image) -> Image:
        """Return the plane resampled to the canvas, ``uint8 (side, side)``; one of that size is returned unchanged."""
        from PIL import Image as Pillow

        if luma.shape == (self.side, self.side):
            return luma
        size = (self.side, self.side)
        return np.asarray(Pillow.fromarray(luma).resize(size, Pillow.Resampling.BICUBIC, reducing_gap=3.0))

    def analyse(self, image: Image, count: int) -> Array:
        """Return the first *count* coefficients of every block, ``float32 (blocks * count,)``."""
        return lapped.transform(self.reduced(image).astype(np.float32), count)

    def paint(self, image: Image, change: Array, count: int) -> Image:
        """Return the plane with a *change* of the coefficients added, stretched over it."""
        return added(image, self.plane(change, count))

    def weights(self, cover: Image, count: int) -> Array:
        """Return the allowed change of each coefficient: more in textured blocks, less near black and white."""
        luma = self.reduced(cover).astype(np.float32)
        across = self.side // BLOCK
        blocks = (lapped.local_activity(luma) + _MASKING.least_activity) ** _MASKING.exponent
        blocks *= _headroom(luma).reshape(across, BLOCK, across, BLOCK).mean(axis=(1, 3)).ravel()
        return np.repeat(blocks, count)

    def frame_step(self, size: int, psnr: float, pixels: int) -> float:
        """Return the lattice step in coefficients of the frame itself.

        Args:
            size: bytes of the compact frame that is embedded.
            psnr: in dB, of luma.
            pixels: of the video frame, of which the canvas is a reduced copy.
        """
        return self.step_at(size, psnr) * math.sqrt(pixels) / self.side

    def step_at(self, size: int, psnr: float) -> float:
        """Return the lattice step on the canvas for a compact frame of *size* bytes at *psnr* dB."""
        return watermark.typical_step(self, PILOTS + watermark.channel_bits(size), psnr)

    def search_steps(self, size: int) -> Projections:
        """Return the lattice steps that a receiver tries, up to that of *size* bytes at the lowest PSNR."""
        largest = self.step_at(size, MIN_PSNR - 3)
        return np.geomspace(_MIN_STEP, largest, int(np.log(largest / _MIN_STEP) / STEP_RATIO) + 2)


class FrameEmbedder:
    """Embeds bits in one frame after the other, in the order they are shown.

    Args:
        plane: canvas of the frames.
        count: coefficients per block.
        step: lattice step on the canvas.
        pattern: added to every frame, in levels, ``float32 (side, side)`` of any side; None for none.
    """

    def __init__(self, plane: Plane, count: int, step: float, pattern: Array | None = None) -> None:
        self._plane, self._count, self._step, self._pattern = plane, count, step, pattern
        self._targets: Projections | None = None
        self._bits: Bits | None = None

    def change(self, luma: Image, parts: Sequence[tuple[SpreadTransform, Bits]]) -> Array | None:
        """Return the change of the next frame, which is stretched over it.

        Args:
            luma: of the frame, ``uint8 (H, W)``.
            parts: spread transforms, each with its bits.

        Returns:
            Levels of luma, ``float32 (side, side)``; None for a frame without contrast, which is left unchanged.
        """
        small = self._plane.reduced(luma)
        if small.std() < _MASKING.min_contrast:
            return None
        pattern = None
        if self._pattern is not None:
            # The bits are embedded in the frame with its pattern, which therefore does not disturb them.
            share = _headroom(small.astype(np.float32))
            pattern = self._pattern * stretched(share, *self._pattern.shape)
            small = cast("Image", small + stretched(pattern, *small.shape))  # a plane need not be of whole numbers
        embedding = Embedding(self._plane, small, self._count, parts)
        targets, bits = embedding.targets(self._step), np.concatenate([bits for _, bits in parts])
        if self._targets is not None:
            near = np.abs(self._targets - embedding.projections) < _KEEP_WITHIN * self._step
            targets = np.where(near & (bits == self._bits), self._targets, targets)
        self._targets, self._bits = targets, bits
        change = self._plane.plane(embedding.change(targets - embedding.projections), self._count)
        return change if pattern is None else stretched(change, *pattern.shape) + pattern

    def paint(self, luma: Image, change: Array | None) -> Image:
        """Return the frame with this change."""
        return luma if change is None else added(luma, change)


def added(luma: Image, change: Array) -> Image:
    """Return a plane, ``uint8 (H, W)``, with a *change* added that is stretched over it."""
    # Not in place: a change of the frame's own size is not copied.
    total = stretched(change, *luma.shape) + luma
    return np.clip(np.rint(total, out=total), 0, 255, out=total).astype(np.uint8)


def _headroom(luma: Array) -> Array:
    """Return the share of a change that values of this *luma* take: less near black and white, where they clip."""
    dark = np.clip((luma - _MASKING.black) / _MASKING.headroom, _MASKING.least_headroom, 1)
    return np.asarray(dark * np.clip((_MASKING.white - luma) / _MASKING.headroom, _MASKING.least_headroom, 1))


def decode_frames(cosines: NDArray[np.float64], pilot_scores: Projections, key: Key) -> Payload | None:
    """Decode the message that frames carry together.

    Args:
        cosines: of the message's residues, ``(frames, bits)``: 1 for a certain 0, -1 for a certain 1.
        pilot_scores: sum of the cosines of each frame's pilots, ``(frames,)``, at most :data:`PILOTS`.
        key: of the sender.

    Returns:
        The payload; None if its tag is wrong.
    """
    reliability = pilot_scores / PILOTS
    for _ in range(_DECODING.rounds):
        soft = -2 * _concentration(reliability) @ cosines
        body = np.packbits(convolutional.decode(soft.astype(np.float32))).tobytes()
        try:
            return frame.open_compact(body, key)
        except NotFoundError:
            belief = np.tanh(soft / 2)
        reliability = (pilot_scores - cosines @ belief) / (PILOTS + np.abs(belief).sum())
    return None


def residue_cosines(residues: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the cosines of residues in lattice cells: 1 at the lattice points of bit 0, -1 at those of bit 1."""
    return np.asarray(np.cos(2 * np.pi * residues), np.float64)


def _concentration(reliability: Projections) -> Projections:
    """Return the concentration of von Mises' distribution with this mean resultant length (Banerjee 2005, eq. 4.4)."""
    length = np.clip(reliability, 0, _DECODING.max_reliability)
    return np.asarray(length * (2 - length**2) / (1 - length**2))
