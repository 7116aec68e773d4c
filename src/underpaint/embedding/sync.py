"""Synchronisation pattern: tells a receiver which part of the whole picture a cropped picture shows.

The pattern is the outer product of one row and one column of keyed chips (±1), stretched over the whole picture. A
search for its position and size must try millions of combinations. Because the pattern is a product, all of them
together are two matrix products: *rows* · picture · *columns*.

The picture is whitened first: the local mean along rows and columns is subtracted, which removes lines and edges along
the axes, and the rest is divided by its local standard deviation. The pattern is embedded in proportion to the same
local standard deviation, where the picture masks it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from underpaint.embedding.lapped import add
from underpaint.types import luma as luma_of

if TYPE_CHECKING:
    from underpaint.coding.keys import Key
    from underpaint.types import Image

Array = NDArray[np.float32]

#: Chips along a side of the whole picture. Part of the format.
CHIPS = 96
#: Smallest share of the whole picture's side that is searched for.
SMALLEST = 0.6
#: Score that embedding is to reach, in standard deviations of a random pattern's score, above that of the cover.
SCORE = 13.0


@dataclass(frozen=True)
class _Whitening:
    """Settings of the whitened square on which patterns are embedded and searched. Part of the format."""

    side: int = 256  # pixels of the square that the picture is resampled to
    mean_reach: int = 3  # rows or columns on either side whose mean is subtracted
    deviation_reach: int = 4  # pixels on either side over which the local standard deviation is taken
    clip: float = 2.5  # standard deviations at which values are clipped


@dataclass(frozen=True)
class _Strength:
    """Amplitude of the pattern."""

    least: float = 0.8  # grey levels, in flat places
    most: float = 12.0  # grey levels, in textured places
    halvings: int = 4  # steps of the bisection for the amplitude


@dataclass(frozen=True)
class _Search:
    """Settings of the search."""

    min_score: float = 4.8  # windows with a smaller score are not returned; most covers have a few above it
    chip_error: float = 0.5  # largest displacement of a chip at the edge of the picture, in chips


_WHITENING, _STRENGTH, _SEARCH = _Whitening(), _Strength(), _Search()


@dataclass(frozen=True)
class Window:
    """Part of the whole picture that a picture shows: start and length as shares of the whole's sides."""

    top: float = 0.0
    left: float = 0.0
    height: float = 1.0
    width: float = 1.0

    @classmethod
    def between(cls, top: float, left: float, bottom: float, right: float) -> Window:
        """Return the window between these edges."""
        return cls(top, left, bottom - top, right - left)

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Top, left, bottom and right."""
        return self.top, self.left, self.top + self.height, self.left + self.width


#: The whole picture.
WHOLE = Window()


def embed(cover: Image, key: Key, energy: float) -> Image:
    """Add the key's pattern to *cover*, with the smallest amplitude that scores :data:`SCORE`.

    Args:
        cover: ``uint8 (H, W, 3)``.
        key: decides the pattern.
        energy: largest mean squared change of a colour value; it limits the amplitude.

    Returns:
        The container, ``uint8 (H, W, 3)``.
    """
    rows, columns = _chips(key)
    sampled = [_sampled(chips, _centres(_WHITENING.side)) for chips in (rows, columns)]
    height, width = cover.shape[:2]
    white, strength = _whitened(cover)
    before = _score(white, *sampled)
    pattern = np.outer(_sampled(rows, _centres(height)), _sampled(columns, _centres(width)))
    pattern *= _resized(np.clip(strength, _STRENGTH.least, _STRENGTH.most), height, width)
    # Rounding removes much of a weak pattern, so the score is not proportional to the amplitude: bisection.
    low, high = 0.0, math.sqrt(energy / max(float(np.mean(np.square(pattern))), 1e-9))
    while (spent := float(np.mean(np.square(np.rint(high * pattern))))) > energy:  # rounding changes the energy
        high *= 0.99 * math.sqrt(energy / spent)
    container = add(cover, high * pattern)
    for _ in range(_STRENGTH.halvings):
        middle = (low + high) / 2
        weaker = add(cover, middle * pattern)
        if _score(_whitened(weaker)[0], *sampled) < SCORE + max(before, 0):
            low = middle
        else:
            high, container = middle, weaker
    return container


def search(image: Image, key: Key, count: int) -> list[Window]:
    """Search the pattern: the likeliest windows of the whole picture that *image* shows.

    Args:
        image: ``uint8 (H, W, 3)``.
        key: the sender's key.
        count: largest number of windows.

    Returns:
        At most *count* windows, the best first; none if the pattern is not found.
    """
    rows, columns = _chips(key)
    (down, vertical), (across, horizontal) = _bank(rows.tobytes()), _bank(columns.tobytes())
    white = _whitened(image)[0]
    scores = (down @ white) @ across.T
    found: list[Window] = []
    for _ in range(count):
        y, x = divmod(int(scores.argmax()), scores.shape[1])
        if scores[y, x] < _SEARCH.min_score:
            break
        found.append(_refined(white, rows, columns, vertical[y].copy(), horizontal[x].copy()))
        # Neighbouring scores belong to the same window.
        near = [np.abs(spots - spots[spot]).sum(axis=1) < 2 / CHIPS for spots, spot in ((vertical, y), (horizontal, x))]
        scores[np.ix_(*near)] = -np.inf
    return found


def _chips(key: Key) -> tuple[Array, Array]:
    """Return the chips of the rows and of the columns, ``(CHIPS,)`` each."""
    signs = np.unpackbits(key.stream("sync", CHIPS // 4)).astype(np.float32)
    return 1 - 2 * signs[:CHIPS], 1 - 2 * signs[CHIPS:]


def _centres(count: int) -> NDArray[np.float64]:
    """Return the centres of *count* pixels as shares of the side."""
    return (np.arange(count) + 0.5) / count


def _sampled(chips: Array, at: NDArray[np.float64]) -> Array:
    """Return the chips, interpolated smoothly, *at* shares of the side."""
    place = np.clip(at * len(chips) - 0.5, 0, len(chips) - 1)
    left = np.minimum(place.astype(np.intp), len(chips) - 2)
    rest = place - left
    rest = rest * rest * (3 - 2 * rest)
    return np.asarray((1 - rest) * chips[left] + rest * chips[left + 1], np.float32)


@lru_cache(maxsize=4)
def _bank(chips: bytes) -> tuple[Array, NDArray[np.float64]]:
    """Return the chips of every possible interval, ``(n, side)``, normalised, and start and length of each."""
    scales = np.append(np.exp(np.arange(np.log(SMALLEST), -0.5 / CHIPS, 2 * _SEARCH.chip_error / CHIPS)), 1.0)
    spots = np.array(
        [(start, scale) for scale in scales for start in np.linspace(0, 1 - scale, int((1 - scale) * 2 * CHIPS) + 2)]
    )
    at = spots[:, :1] + spots[:, 1:] * _centres(_WHITENING.side)
    bank = _sampled(np.frombuffer(chips, np.float32), at)
    return bank / np.linalg.norm(bank, axis=1, keepdims=True), spots


def _refined(
    white: Array, rows: Array, columns: Array, down: NDArray[np.float64], across: NDArray[np.float64]
) -> Window:
    """Refine a window: optimise both directions in turn, in smaller and smaller steps."""
    at = _centres(_WHITENING.side)
    for reach in (0.5, 0.25, 0.12, 0.06):
        for direction in (0, 1):
            chips, spot = ((rows, down), (columns, across))[direction]
            fixed = _sampled(*((columns, across[0] + across[1] * at), (rows, down[0] + down[1] * at))[direction])
            profile = (white, white.T)[direction] @ fixed
            # Start and end of the window vary independently.
            ends = np.linspace(-reach, reach, 9) / CHIPS
            starts, stops = (grid.ravel() for grid in np.meshgrid(spot[0] + ends, spot.sum() + ends))
            bank = _sampled(chips, starts[:, None] + (stops - starts)[:, None] * at)
            best = int((bank @ profile / np.linalg.norm(bank, axis=1)).argmax())
            spot[:] = starts[best], stops[best] - starts[best]
    return Window(float(down[0]), float(across[0]), float(down[1]), float(across[1]))


def _whitened(image: Image) -> tuple[Array, Array]:
    """Return the whitened square, ``(side, side)`` with a mean square of 1, and its local standard deviation."""
    from PIL import Image as Pillow

    small = Pillow.fromarray(image).resize((_WHITENING.side,) * 2, Pillow.Resampling.BICUBIC, reducing_gap=3.0)
    luma = luma_of(np.asarray(small, np.float32))
    for _ in range(2):  # down, then across
        luma = (luma - _mean(luma, _WHITENING.mean_reach)).T
    reach = _WHITENING.deviation_reach
    strength = np.sqrt(_mean(_mean(np.square(luma), reach).T, reach).T + 1)
    white = np.clip(luma / strength, -_WHITENING.clip, _WHITENING.clip)
    return white / np.sqrt(np.mean(np.square(white)) + 1e-9), strength


def _mean(values: Array, reach: int) -> Array:
    """Return the mean of every value and *reach* neighbours above and below."""
    total = np.cumsum(np.pad(values, ((reach + 1, reach), (0, 0)), mode="symmetric"), axis=0, dtype=np.float64)
    width = 2 * reach + 1
    return np.asarray((total[width:] - total[:-width]) / width, np.float32)


def _score(white: Array, rows: Array, columns: Array) -> float:
    """Return the correlation with the pattern, in standard deviations of that with white noise."""
    return float(rows @ white @ columns / (np.linalg.norm(rows) * np.linalg.norm(columns)))


def _resized(plane: Array, height: int, width: int) -> Array:
    """Return *plane* at another size, by bilinear interpolation."""
    from PIL import Image as Pillow

    return np.asarray(Pillow.fromarray(plane).resize((width, height), Pillow.Resampling.BILINEAR), np.float32)
