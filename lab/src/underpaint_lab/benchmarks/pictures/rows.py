"""Rows of the tables ``pictures`` and ``pictures-small``: pictures hidden in pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint import metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.types import Image

#: Names of the tables: photographs, and pictures of 32×32.
PICTURES, SMALL = "pictures", "pictures-small"
#: PSNR in dB of identical pictures, in means.
_SAME = 100.0


@dataclass(frozen=True)
class PictureQuality:
    """Distances of two sets of pictures: means over pairs."""

    psnr: float  #: in dB
    psnr_within: float  #: half the width of the 95 % interval of the mean, in dB
    ssim: float
    apd: float  #: average pixel discrepancy, in levels
    ms_ssim: float | None = None  #: None for pictures below 176 pixels

    @classmethod
    def of(cls, before: Sequence[Image], after: Sequence[Image]) -> PictureQuality:
        """Measure pairs of pictures of one size."""
        pairs = list(zip(before, after, strict=True))
        psnr = np.array([min(metrics.psnr(*pair), _SAME) for pair in pairs])
        large = min(before[0].shape[:2]) >= metrics.MS_SSIM_SMALLEST_SIDE
        return cls(
            float(psnr.mean()),
            float(1.96 * psnr.std() / max(len(pairs) - 1, 1) ** 0.5),
            _mean([metrics.ssim(*pair) for pair in pairs]),
            _mean([metrics.apd(*pair) for pair in pairs]),
            _mean([metrics.ms_ssim(*pair) for pair in pairs]) if large else None,
        )


@dataclass(frozen=True)
class PictureRow:
    """Pairs of cover and secret picture, hidden and revealed by one method."""

    pictures: str  #: data set and size
    sides: tuple[int, int]  #: height and width in pixels
    pairs: int
    refused: int  #: pairs that were not hidden or not revealed
    cover: PictureQuality  #: container against cover
    secret: PictureQuality | None  #: revealed against secret picture; None where bits were hidden
    trained: str | None = None  #: scale of the training, for networks that are not in the zoo
    #: SteganoGAN's RS-BPP, D (2 · accuracy − 1): bits per pixel that an ideal Reed–Solomon code would leave.
    bits: float | None = None
    after: str | None = None  #: channel between container and receiver


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
