"""STDM watermarking: a short message in luma coefficients of a lapped transform, which survives recompression.

Spread-transform dither modulation (Chen and Wornell, "Quantization index modulation", IEEE Trans. Inf. Theory 47(4),
2001) with keyed pilots, as :mod:`underpaint.embedding.watermark` describes, in the blocks of the picture at its own
size. So the pixels of the container have to stay in their places. No network is used.

The lattice step follows from the PSNR. The container is then sent through the channel that it is to survive, and
projections that arrive too far from their lattice points are moved further: in flat blocks, where a codec drops small
changes, and near black and white, where values are clipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint.channels import parse
from underpaint.embedding import lapped, watermark
from underpaint.embedding.lapped import BLOCK, Array, activity
from underpaint.embedding.spread_transform import SpreadTransform
from underpaint.embedding.watermark import PILOTS
from underpaint.errors import CapacityError
from underpaint.methods.base import check_size_kept
from underpaint.methods.watermarking import BitLayout, WatermarkMethod
from underpaint.types import as_cover

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.coding.keys import Key
    from underpaint.embedding.watermark import Embedding
    from underpaint.types import Channel, Image, Payload

#: Coefficients per block: the smallest number that gives each bit two is used. Part of the format.
COUNTS = (7, 14, 35)
#: PSNRs in dB that are tried in turn unless one is requested.
QUALITIES = (46.0, 44.0, 42.0, 40.0, 38.0)


@dataclass(frozen=True)
class _Masking:
    """Allowed change of a block: proportional to (activity + least_activity) ** exponent."""

    least_activity: float = 2.0  # grey levels added to the activity of the block
    exponent: float = 0.75


@dataclass(frozen=True)
class _Correction:
    """Settings of the correction: move projections that arrive too far from their lattice points."""

    rounds: int = 4  # containers that are made and sent through the channel at most
    max_miss: float = 0.1  # steps; projections nearer to their lattice point are left alone, 0.25 is the boundary
    min_gain: float = 0.1  # least gain of the channel that is divided out


_MASKING, _CORRECTION = _Masking(), _Correction()


@dataclass(frozen=True)
class Grid:
    """The lapped blocks of a picture at its own size; an :class:`~underpaint.embedding.watermark.EmbeddingDomain`."""

    #: Height and width of the picture in pixels.
    height: int
    width: int
    counts = COUNTS
    pilots = PILOTS
    copies = (1,)
    #: None: a bit uses blocks from all over the picture, so that textured blocks make up for flat ones.
    places = None

    @classmethod
    def of(cls, image: Image) -> Grid:
        """Return the grid of *image*."""
        return cls(*image.shape[:2])

    @property
    def blocks(self) -> int:
        """Number of whole blocks."""
        return (self.height // BLOCK) * (self.width // BLOCK)

    @property
    def pixels(self) -> int:
        """Number of pixels of the picture."""
        return self.height * self.width

    def analyse(self, image: Image, count: int) -> Array:
        """Return the first *count* coefficients of every block, ``float32 (blocks * count,)``."""
        return lapped.analyse(image, count)

    def paint(self, image: Image, change: Array, count: int) -> Image:
        """Return *image* with a *change* of its coefficients added."""
        return lapped.paint(image, change, count)

    def weights(self, cover: Image, count: int) -> Array:
        """Return the allowed change of each coefficient: more in textured blocks."""
        return np.repeat((activity(cover) + _MASKING.least_activity) ** _MASKING.exponent, count)


class STDM(WatermarkMethod[Grid]):
    """The STDM watermarking method, for containers whose pixels stay in their places."""

    name = "stdm"
    summary = "a short message that survives recompression"
    default_survive = "jpeg:50"
    qualities = QUALITIES
    min_step = 47.0
    bit_channels = (parse("jpeg:25"),)
    damage_hint = "look for a copy that was recompressed less and neither resized nor cropped"

    def sender_domains(self, cover: Image) -> list[Grid]:
        """Return the grid of *cover*."""
        return [Grid.of(cover)]

    def receiver_domains(self, image: Image) -> list[Grid]:
        """Return the grid of *image*."""
        return [Grid.of(image)]

    def hide(
        self, cover: Image, payload: Payload, passphrase: str | None, *, psnr: float | None, survive: Channel | None
    ) -> Image:
        """Return a container; a channel that changes the size is refused before anything is embedded.

        Args, Returns and Raises are those of :meth:`WatermarkMethod.hide`.
        """
        if survive is not None:
            check_size_kept(self.name, as_cover(cover), survive)
        return super().hide(cover, payload, passphrase, psnr=psnr, survive=survive)

    def bit_layout(self, image: Image, key: Key, count: int, psnr: float) -> BitLayout[Grid]:
        """Return the coefficients and the step of *count* bits without pilots.

        Raises:
            CapacityError: there are not enough coefficients.
        """
        grid = Grid.of(image)
        pool = np.arange(grid.blocks * COUNTS[0])
        if not 0 < count <= len(pool):
            raise CapacityError(f"{count} bits do not fit, this picture has room for {len(pool)}")
        spread = SpreadTransform(key, f"bits {count}", pool, count)
        return BitLayout(grid, COUNTS[0], spread, watermark.typical_step(grid, count, psnr))

    def embed_at_step(self, embedding: Embedding, step: float, channels: Sequence[Channel]) -> Image:
        """Return a container at this *step*, corrected where bits arrive too far from their lattice points."""
        targets = embedding.targets(step)
        change = embedding.change(targets - embedding.projections)
        container = embedding.paint(change)
        for seed in range(_CORRECTION.rounds):
            sent = embedding.project(container)
            misses = [targets - sent]
            for channel in channels:
                arrived = channel(container, seed)
                if arrived.shape == container.shape and sent.any():
                    received = embedding.project(arrived)
                    # The receiver undoes a change of gain, so the embedding need not.
                    gain = float(np.vdot(sent, received)) / float(np.vdot(sent, sent))
                    misses.append(targets - received / max(gain, _CORRECTION.min_gain))
            # At most half a step, as embedding itself: what misses by more cannot be saved in this channel.
            moves = sum(
                np.where(np.abs(miss) > _CORRECTION.max_miss * step, np.clip(miss, -step / 2, step / 2), 0)
                for miss in misses
            )
            if not np.any(moves):
                break
            change += embedding.change(moves / np.sqrt(len(misses)))
            container = embedding.paint(change)
        return container
