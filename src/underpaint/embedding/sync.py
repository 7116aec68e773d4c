"""Synchronisation pattern: sinusoids that tell a receiver where, how large and how distorted a marked picture is.

The pattern is a sum of sinusoids in luma and, a quarter of a period on, in the colour difference Cr, whose frequencies
and phases are public constants. It says nothing about the key, and anybody can find and remove it. A rotated, mirrored,
scaled or sheared picture moves the sinusoids to other frequencies, where :mod:`underpaint.embedding.sync_search` looks
them up in one Fourier transform; their phases tell the position.

Coordinates are isotropic: their origin is the centre of the picture and their unit is the square root of its area. The
receiver of a part of a picture does not see the ratio of its sides. The phases of some of the sinusoids carry it.

Source: S. Pereira and T. Pun, "Robust Template Matching for Affine Resistant Image Watermarks", IEEE Trans. Image
Process. 9(6), 2000, for the search of sinusoids; T. Kalker et al., "A Video Watermarking System for Broadcast
Monitoring", SPIE 3657, 1999, for data in the relative shift of two patterns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from underpaint.coding.keys import Key
from underpaint.embedding.lapped import CR_TO_RGB

if TYPE_CHECKING:
    from underpaint.embedding.lapped import Array

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Pattern:
    """Sinusoids of the pattern. Part of the format."""

    searched: int = 64  # sinusoids that are searched for
    aspect: int = 24  # sinusoids whose phases carry the ratio of the sides
    lowest: float = 16.0  # cycles per unit: below, pictures have too much energy of their own
    highest: float = 48.0  # above, resizing and recompression take too much
    spacing: float = 2.5  # least distance of two frequencies
    max_log_aspect: float = math.log(4)  # largest logarithm of width / height that is carried
    fine: float = 16.0  # periods of the fine position over the range of the coarse one


PATTERN = _Pattern()
_KEY = Key.derive(None, b"underpaint synchronisation pattern 1")
#: Root of the mean squared error in RGB of a change of Cr by 1.
CR_ERROR = math.sqrt(sum(weight**2 for weight in CR_TO_RGB) / 3)


@dataclass(frozen=True, eq=False)
class Sinusoids:
    """Frequencies in cycles per unit, whole numbers ``(n, 2)`` (across, down), and phases in radians, ``(n,)``."""

    frequencies: Floats
    phases: Floats


@cache
def _all() -> Sinusoids:
    """Draw all sinusoids; of a frequency and its negative only one is used."""
    reach = np.arange(-int(PATTERN.highest), int(PATTERN.highest) + 1)
    across, down = (grid.ravel() for grid in np.meshgrid(reach, reach))
    half = (across > 0) | ((across == 0) & (down > 0))
    length = np.hypot(across, down)
    pool = np.stack([across, down], axis=1)[half & (length >= PATTERN.lowest) & (length <= PATTERN.highest)]
    count = PATTERN.searched + PATTERN.aspect
    left, chosen = pool[_KEY.permutation("frequencies", len(pool))], []
    for _ in range(count):
        chosen.append(left[0])
        near = np.minimum(np.hypot(*(left - left[0]).T), np.hypot(*(left + left[0]).T)) < PATTERN.spacing
        left = left[~near]
    return Sinusoids(np.array(chosen, float), _KEY.words("phases", count) / 2.0**32 * 2 * np.pi)


@cache
def searched() -> Sinusoids:
    """Return the sinusoids that are the same in every picture."""
    every = _all()
    return Sinusoids(every.frequencies[: PATTERN.searched], every.phases[: PATTERN.searched])


def aspect_carriers(log_aspects: Floats) -> tuple[Floats, Floats]:
    """Return the sinusoids that carry the logarithm of width / height.

    A shift of their pattern by a share of the unit carries a position: across it runs once through the range of
    logarithms, down it runs through :attr:`_Pattern.fine` times.

    Args:
        log_aspects: logarithms, ``(m,)``.

    Returns:
        Frequencies ``(n, 2)`` and phases ``(m, n)``.
    """
    every = _all()
    frequencies = every.frequencies[PATTERN.searched :]
    position = np.clip(np.asarray(log_aspects) / (2 * PATTERN.max_log_aspect) + 0.5, 0, 1)
    shift = np.stack([0.1 + 0.8 * position, PATTERN.fine * position % 1.0], axis=-1)
    return frequencies, every.phases[PATTERN.searched :] + 2 * np.pi * shift @ frequencies.T


def picture_planes(height: int, width: int, side: int) -> tuple[Array, Array]:
    """Return the pattern of a picture of *height* × *width*, stretched over a square of *side* × *side* samples.

    Returns:
        Luma and Cr, ``float32 (side, side)`` each, with a root mean square of 1.
    """
    unit = math.sqrt(height * width)
    at = (np.arange(side) + 0.5) / side - 0.5
    _, phases = aspect_carriers(np.array([math.log(width / height)]))
    every = Sinusoids(_all().frequencies, np.append(searched().phases, phases[0]))
    return sampled(every, at * width / unit, at * height / unit)


def sampled(sinusoids: Sinusoids, across: Floats, down: Floats) -> tuple[Array, Array]:
    """Return luma and Cr of a pattern on a grid of coordinates, ``float32 (len(down), len(across))`` each."""
    by_column = 2 * np.pi * np.outer(sinusoids.frequencies[:, 0], across) + sinusoids.phases[:, None]
    by_row = 2 * np.pi * np.outer(sinusoids.frequencies[:, 1], down)
    scale = math.sqrt(2 / len(sinusoids.phases))
    cosine, sine = (f(by_column).astype(np.float32) * np.float32(scale) for f in (np.cos, np.sin))
    row_cosine, row_sine = (f(by_row).astype(np.float32).T for f in (np.cos, np.sin))
    return row_cosine @ cosine - row_sine @ sine, -(row_cosine @ sine + row_sine @ cosine)
