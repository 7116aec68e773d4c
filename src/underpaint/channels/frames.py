"""Channels that show the whole picture inside a larger one: a border, bars, a desktop.

The picture is neither cut nor resampled; its size changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint.channels.base import BaseChannel, choice, ratio, real
from underpaint.channels.geometry import scaled, scaled_sides

if TYPE_CHECKING:
    from underpaint.types import Image

#: Levels of the borders of one colour.
_LEVELS = {"black": 0, "white": 255}
#: Factor by which the mirrored picture is reduced and enlarged again for the border ``photo``.
_BLUR_FACTOR = 8


@dataclass(frozen=True)
class _Desktop:
    """The drawing of a desktop: grey levels, and lengths as shares of the desktop's height."""

    background: int = 96
    window: int = 250
    bar: int = 60  # title bars, and the panel at the top of the desktop
    text: int = 40
    bar_height: float = 0.03
    text_height: float = 0.012  # of a line of text; lines are two of these apart
    windows: int = 4
    smallest_window: float = 0.25  # share of each side of the desktop
    largest_window: float = 0.6
    ink: float = 0.4  # share of the pixels of a line of text that are dark


_DESKTOP = _Desktop()


@dataclass(frozen=True)
class Pad(BaseChannel):
    """A border on each side, of a share of that side of the picture; the size grows.

    Above and below lie round(share × height) rows, left and right round(share × width) columns. The border is black,
    white, or the picture itself (photo): mirrored at its edges, reduced to an eighth by area averaging and enlarged
    again by the bicubic filter.
    """

    name = "pad"
    geometric = True
    share: float = real(0, 1)
    colour: str = choice("black", "white", "photo", default="black")

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        height, width = image.shape[:2]
        rows, columns = round(self.share * height), round(self.share * width)
        around = ((rows, rows), (columns, columns), (0, 0))
        if self.colour != "photo":
            return np.pad(image, around, constant_values=_LEVELS[self.colour])
        mirrored = np.pad(image, around, mode="symmetric")
        whole = height + 2 * rows, width + 2 * columns
        small = scaled(mirrored, *scaled_sides(1 / _BLUR_FACTOR, *whole), "box")
        result = scaled(small, *whole, "bicubic")
        result[rows : rows + height, columns : columns + width] = image
        return result


@dataclass(frozen=True)
class Letterbox(BaseChannel):
    """Black bars give the picture a ratio of width to height; the size grows.

    A picture that is too narrow gets bars left and right, one that is too wide bars above and below. The longer side is
    rounded to whole pixels. Of an odd number of rows or columns, the additional one lies below or on the right.
    """

    name = "letterbox"
    geometric = True
    ratio: str = ratio(10)

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        height, width = image.shape[:2]
        across, down = (float(number) for number in self.ratio.split(":"))
        spare_rows = max(0, round(width * down / across) - height)
        spare_columns = max(0, round(height * across / down) - width)
        rows, columns = ((spare // 2, spare - spare // 2) for spare in (spare_rows, spare_columns))
        return np.pad(image, (rows, columns, (0, 0)))


@dataclass(frozen=True)
class Screenshot(BaseChannel):
    """A desktop that shows the picture, on a share of its area; the size grows.

    The desktop has sides of round(side / √area), so the picture's proportions; lengths below are shares of its height.
    On flat grey (level 96) lie a panel (level 60, 3 %) along the upper edge and four white windows (250). Each has
    sides of 25 to 60 % of the desktop's, a title bar (60, 3 %), and lines of text: 1.2 % high and as far apart, 30 to
    100 % of the window long, with 40 % of their pixels dark (40). Size, place and text of the windows and the place of
    the picture are uniform, from the seed. The picture lies above all, unscaled, with a title bar over it as far as
    there is room.
    """

    name = "screenshot"
    geometric = True
    random = True
    area: float = real(0.15, 1)

    def _apply(self, image: Image, rng: np.random.Generator) -> Image:
        height, width = image.shape[:2]
        desktop = np.full((*scaled_sides(self.area**-0.5, height, width), 3), _DESKTOP.background, np.uint8)
        bar = max(1, round(_DESKTOP.bar_height * len(desktop)))
        for _ in range(_DESKTOP.windows):
            _draw_window(desktop, bar, rng)
        desktop[:bar] = _DESKTOP.bar
        spare = desktop.shape[0] - height, desktop.shape[1] - width
        top, left = rng.integers(0, spare, endpoint=True)
        desktop[max(0, top - bar) : top, left : left + width] = _DESKTOP.bar
        desktop[top : top + height, left : left + width] = image
        return desktop


def _draw_window(desktop: Image, bar: int, rng: np.random.Generator) -> None:
    """Draw a window with a title bar of *bar* rows and lines of text on *desktop*, all at random."""
    sides = np.array(desktop.shape[:2])
    extent = np.ceil(rng.uniform(_DESKTOP.smallest_window, _DESKTOP.largest_window, 2) * sides).astype(int)
    top, left = rng.integers(0, sides - extent, endpoint=True)
    window = desktop[top : top + extent[0], left : left + extent[1]]
    window[:] = _DESKTOP.window
    window[:bar] = _DESKTOP.bar
    letter = max(1, round(_DESKTOP.text_height * len(desktop)))
    for row in range(bar + letter, len(window) - letter, 2 * letter):
        line = window[row : row + letter, letter : letter + int(rng.uniform(0.3, 1) * (window.shape[1] - 2 * letter))]
        line[rng.random(line.shape[:2]) < _DESKTOP.ink] = _DESKTOP.text
