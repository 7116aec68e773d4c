"""Where a picture that was cut out of another lies in it: a keyed pattern, and the search for it.

The pattern is the product of one row and one column of keyed chips, stretched over the whole picture. A search for its
place and size must try every position and scale in both directions, millions of combinations; but because the pattern
is a product, all of them together are two matrix products: *rows* · picture · *columns*. No pattern of the same energy
whose rows differ can be searched like this.

The picture is first whitened: what rows and columns have in common with their neighbours is taken off, which removes
lines and edges along the axes, and the rest is divided by its local strength. The pattern is laid on in the same
proportion, where the picture hides it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from underpaint.embedding.lapped import add
from underpaint.types import LUMA

if TYPE_CHECKING:
    from underpaint.coding.keys import Key
    from underpaint.types import Image

Array = NDArray[np.float32]

#: Chips along a side of the whole picture.
CHIPS = 96
#: The smallest part of the whole picture's side that is looked for.
SMALLEST = 0.6
#: What the pattern scores in its own window, if the change allows it, in standard deviations of chance: beyond what the
#: cover scores by itself, for a part of it may not.
SCORE = 13.0

#: What a window scores at least that is worth a try: most pictures have a few that do by chance.
_WORTH_A_TRY = 4.8
#: How closely the amplitude is chosen, in halvings of the most.
_HALVINGS = 4
#: Side of the square that the search works on, whatever the picture's size.
_SIDE = 256
#: Rows and columns on either side that a pixel is compared with, and pixels that its strength is measured over.
_NEAR, _LOCAL = 3, 4
#: Strength of the pattern, in grey levels: of the least and most busy places.
_LEAST, _MOST = 0.8, 12.0
#: Values beyond this many standard deviations tell no more than those at it.
_CLIP = 2.5
#: How far a chip may be out of place and still count, at the edge of the picture.
_TOLERANCE = 0.5


@dataclass(frozen=True)
class Window:
    """Which part of the whole a picture is: where it begins and how long it is, as shares of the whole's sides."""

    top: float = 0.0
    left: float = 0.0
    height: float = 1.0
    width: float = 1.0

    @classmethod
    def between(cls, top: float, left: float, bottom: float, right: float) -> Window:
        """The window between these edges."""
        return cls(top, left, bottom - top, right - left)

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Top, left, bottom and right."""
        return self.top, self.left, self.top + self.height, self.left + self.width


#: All of it.
WHOLE = Window()


def embed(cover: Image, key: Key, energy: float) -> Image:
    """Add the key's pattern to *cover*, ``uint8 (H, W, 3)``, until it scores :data:`SCORE` or takes *energy*.

    Args:
        cover: any size.
        key: whose pattern.
        energy: the largest mean squared change of a colour value.
    """
    rows, columns = _chips(key)
    here = [_sampled(chips, _centres(_SIDE)) for chips in (rows, columns)]
    height, width = cover.shape[:2]
    white, strength = _whitened(cover)
    before = _score(white, *here)
    pattern = np.outer(_sampled(rows, _centres(height)), _sampled(columns, _centres(width)))
    pattern *= _resized(np.clip(strength, _LEAST, _MOST), height, width)
    # The more is asked for, the less rounding swallows: the score is no multiple of the amplitude.
    low, high = 0.0, math.sqrt(energy / max(float(np.mean(np.square(pattern))), 1e-9))
    while (spent := float(np.mean(np.square(np.rint(high * pattern))))) > energy:  # rounding costs, too
        high *= 0.99 * math.sqrt(energy / spent)
    container = add(cover, high * pattern)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        weaker = add(cover, middle * pattern)
        if _score(_whitened(weaker)[0], *here) < SCORE + max(before, 0):
            low = middle
        else:
            high, container = middle, weaker
    return container


def search(image: Image, key: Key, count: int) -> list[Window]:
    """The likeliest windows that *image* is of a picture with the key's pattern, best first: *count* at most."""
    rows, columns = _chips(key)
    (down, vertical), (across, horizontal) = _bank(rows.tobytes()), _bank(columns.tobytes())
    white = _whitened(image)[0]
    scores = (down @ white) @ across.T
    found: list[Window] = []
    for _ in range(count):
        y, x = divmod(int(scores.argmax()), scores.shape[1])
        if scores[y, x] < _WORTH_A_TRY:
            break
        found.append(_refined(white, rows, columns, vertical[y].copy(), horizontal[x].copy()))
        # What lies close by is the same window.
        near = [np.abs(spots - spots[spot]).sum(axis=1) < 2 / CHIPS for spots, spot in ((vertical, y), (horizontal, x))]
        scores[np.ix_(*near)] = -np.inf
    return found


def _chips(key: Key) -> tuple[Array, Array]:
    """The signs of the rows and of the columns."""
    signs = np.unpackbits(key.stream("sync", CHIPS // 4)).astype(np.float32)
    return 1 - 2 * signs[:CHIPS], 1 - 2 * signs[CHIPS:]


def _centres(count: int) -> NDArray[np.float64]:
    return (np.arange(count) + 0.5) / count


def _sampled(chips: Array, at: NDArray[np.float64]) -> Array:
    """The chips, joined smoothly, *at* shares of the side."""
    place = np.clip(at * len(chips) - 0.5, 0, len(chips) - 1)
    left = np.minimum(place.astype(np.intp), len(chips) - 2)
    rest = place - left
    rest = rest * rest * (3 - 2 * rest)
    return np.asarray((1 - rest) * chips[left] + rest * chips[left + 1], np.float32)


@lru_cache(maxsize=4)
def _bank(chips: bytes) -> tuple[Array, NDArray[np.float64]]:
    """Every stretch of the chips that may be seen: ``(n, _SIDE)``, normalised, and where each begins and its length."""
    scales = np.append(np.exp(np.arange(np.log(SMALLEST), -0.5 / CHIPS, 2 * _TOLERANCE / CHIPS)), 1.0)
    spots = np.array(
        [(start, scale) for scale in scales for start in np.linspace(0, 1 - scale, int((1 - scale) * 2 * CHIPS) + 2)]
    )
    at = spots[:, :1] + spots[:, 1:] * _centres(_SIDE)
    bank = _sampled(np.frombuffer(chips, np.float32), at)
    return bank / np.linalg.norm(bank, axis=1, keepdims=True), spots


def _refined(
    white: Array, rows: Array, columns: Array, down: NDArray[np.float64], across: NDArray[np.float64]
) -> Window:
    """The window near by that fits best: one direction after the other, in ever smaller steps."""
    at = _centres(_SIDE)
    for reach in (0.5, 0.25, 0.12, 0.06):
        for turn in (0, 1):
            chips, spot = ((rows, down), (columns, across))[turn]
            fixed = _sampled(*((columns, across[0] + across[1] * at), (rows, down[0] + down[1] * at))[turn])
            seen = (white, white.T)[turn] @ fixed
            # Both ends of the window move, each on its own.
            ends = np.linspace(-reach, reach, 9) / CHIPS
            starts, stops = (grid.ravel() for grid in np.meshgrid(spot[0] + ends, spot.sum() + ends))
            bank = _sampled(chips, starts[:, None] + (stops - starts)[:, None] * at)
            best = int((bank @ seen / np.linalg.norm(bank, axis=1)).argmax())
            spot[:] = starts[best], stops[best] - starts[best]
    return Window(float(down[0]), float(across[0]), float(down[1]), float(across[1]))


def _whitened(image: Image) -> tuple[Array, Array]:
    """The whitened square, ``(_SIDE, _SIDE)`` with a mean square of 1, and the local strength in grey levels."""
    from PIL import Image as Pillow

    small = Pillow.fromarray(image).resize((_SIDE, _SIDE), Pillow.Resampling.BICUBIC, reducing_gap=3.0)
    luma = np.asarray(small, np.float32) @ np.array(LUMA, np.float32)
    for _ in range(2):  # down, then across
        luma = (luma - _mean(luma, _NEAR)).T
    strength = np.sqrt(_mean(_mean(np.square(luma), _LOCAL).T, _LOCAL).T + 1)
    white = np.clip(luma / strength, -_CLIP, _CLIP)
    return white / np.sqrt(np.mean(np.square(white)) + 1e-9), strength


def _mean(values: Array, reach: int) -> Array:
    """The mean of every value and *reach* neighbours above and below."""
    total = np.cumsum(np.pad(values, ((reach + 1, reach), (0, 0)), mode="symmetric"), axis=0, dtype=np.float64)
    width = 2 * reach + 1
    return np.asarray((total[width:] - total[:-width]) / width, np.float32)


def _score(white: Array, rows: Array, columns: Array) -> float:
    """How well the pattern fits, in standard deviations of chance if neighbouring pixels had nothing in common."""
    return float(rows @ white @ columns / (np.linalg.norm(rows) * np.linalg.norm(columns)))


def _resized(plane: Array, height: int, width: int) -> Array:
    from PIL import Image as Pillow

    return np.asarray(Pillow.fromarray(plane).resize((width, height), Pillow.Resampling.BILINEAR), np.float32)
