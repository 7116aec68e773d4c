"""Estimators of LSB replacement: the share of a picture's values that carry a bit, judged by the picture alone.

Each takes ``uint8 (H, W, 3)`` or ``(H, W)`` and returns the share, 0–1, or None where it has no estimate; colours are
judged one by one and averaged. All look for what replacement does to values 2k and 2k + 1: a method that adds or takes
1 where it has to, such as ``lsb``, is hardly seen, and one that leaves the lowest bits alone not at all.

With ``compat`` they return what the tool StegExpose returns (B. Boehm: StegExpose – a tool for detecting LSB
steganography, 2014), in all that it does otherwise than the papers: each says what that is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import UsageError
from underpaint.steganalysis import planes
from underpaint.steganalysis.chi_square import chi_square
from underpaint.steganalysis.rs import rs
from underpaint.steganalysis.spa import primary_sets, sample_pairs
from underpaint.steganalysis.ws import weighted_stego

if TYPE_CHECKING:
    from collections.abc import Iterable

    from underpaint.steganalysis.planes import Plane

__all__ = [
    "STEGEXPOSE",
    "Verdict",
    "bit_planes",
    "chi_square",
    "fused",
    "primary_sets",
    "rs",
    "sample_pairs",
    "stegexpose",
    "weighted_stego",
]

#: The detectors that StegExpose takes the mean of, in its order.
STEGEXPOSE = {
    "primary-sets": primary_sets,
    "sample-pairs": sample_pairs,
    "chi-square": chi_square,
    "rs": rs,
}


@dataclass(frozen=True)
class Verdict:
    """What the detectors of StegExpose say of one picture."""

    #: The share by each detector, by its name in :data:`STEGEXPOSE`; None where it has no estimate.
    estimates: dict[str, float | None]
    #: The mean of those there are, 0–1, None where there are none; the tool calls more than 0.2 suspicious.
    mean: float | None


def stegexpose(image: Plane, *, compat: bool = False) -> Verdict:
    """Ask the four detectors of StegExpose, and take the mean.

    Raises:
        UsageError: *image* is no picture.
    """
    estimates = {name: estimate(image, compat=compat) for name, estimate in STEGEXPOSE.items()}
    return Verdict(estimates, fused(estimates.values()))


def fused(estimates: Iterable[float | None]) -> float | None:
    """The mean of the *estimates* there are, 0–1; None where there are none."""
    found = [each for each in estimates if each is not None]
    return sum(found) / len(found) if found else None


def bit_planes(image: Plane, plane: int) -> Plane:
    """Return a picture, of the shape of *image*, of one of its bits: 255 where bit *plane*, 0 the lowest to 7, is set.

    Raises:
        UsageError: *image* is no picture, or there is no such bit.
    """
    planes.of(image)
    if not 0 <= plane < 8:
        raise UsageError(f"values have no bit {plane}", hint="0 is the lowest, 7 the highest")
    return np.where(image >> np.uint8(plane) & 1, np.uint8(255), np.uint8(0))
