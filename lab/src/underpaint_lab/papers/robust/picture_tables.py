"""Which coefficients ``robust-picture`` writes to, and with what periods: learned from what real codecs do.

::

    underpaint-lab evaluate picture-tables COVERS/train.zip

As in Zhang et al., "Towards Robust Data Hiding Against (JPEG) Compression" (arXiv:2101.00973), the error of a real
codec counts as noise that is added. Measured in containers behind WebP at quality 75 it is nearly alike in all
frequencies that are written to, about 5 levels, and taken to be Gaussian. JPEG's is of another kind, for it can be
dodged: classes that lie on the grid of its table arrive as they are. So periods are multiples of JPEG 50's steps in the
low frequencies, of JPEG 75's in others, and each frequency takes the period that carries most through WebP's noise,
less a price for the squared change. By one price for all, no other choice of as little change carries more.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from underpaint.channels import parse
from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.embedding import dct_qim
from underpaint.embedding.dct_qim import BLOCK, CoefficientLayout, Frequency

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from underpaint.types import Image

#: Bits that a unit of squared change is worth, of the strong table and the light one.
PRICES = (0.0048, 0.0066)
#: What WebP adds, in units of a coefficient: root of its mean square.
NOISE = 5.0

#: JPEG's table for luma at quality 50 (ITU-T T.81, K.1).
_STEPS = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
#: Up to this step classes lie on the grid of quality 50, beyond on that of 75.
_COARSE = 22
#: Beyond this sum of both frequencies codecs drop what is small.
_HIGHEST = 8
_PERIODS = (20, 80)
_PHASES = 192


def mutual_information(period: float, bits: int, noise: float) -> float:
    """Bits that arrive in one coefficient of that *period* behind Gaussian *noise*."""
    at = (np.arange(_PHASES) + 0.5) / _PHASES * period
    own = np.exp(-(((at - period * np.arange(-4, 6)[:, None]) / noise) ** 2) / 2).sum(axis=0)
    own /= own.sum()
    mixed = np.mean([np.roll(own, k * _PHASES >> bits) for k in range(1 << bits)], axis=0)
    return float((own * np.log2(own)).sum() - (mixed * np.log2(mixed)).sum())


def choose_frequencies(price: float, noise: float = NOISE) -> tuple[Frequency, ...]:
    """The frequencies that are worth their *price*, each with its best period."""
    chosen = []
    for vertical, horizontal in np.ndindex(_STEPS.shape):
        step = int(_STEPS[vertical, horizontal])
        if vertical + horizontal > _HIGHEST:
            continue
        grid = step if step <= _COARSE else (step + 1) // 2
        every = [
            Frequency(vertical, horizontal, float(period), bits)
            for bits in (1, 2)
            for period in range(grid << bits, _PERIODS[1] + 1, grid << bits)
            if period >= _PERIODS[0]
        ]
        worth = [mutual_information(each.period, each.bits, noise) - price * each.period**2 / 12 for each in every]
        if worth and max(worth) > 0:
            chosen.append(every[int(np.argmax(worth))])
    return tuple(chosen)


def measured(pictures: Iterable[Image], channel: str) -> NDArray[np.float64]:
    """Root mean square of what *channel* adds to each coefficient of the strong table in containers, ``(n,)``."""
    squares = []
    for picture in pictures:
        layout = CoefficientLayout(picture.shape, 0, Key(bytes(KEY_SIZE)))
        drawn = np.unpackbits(layout.key.stream("noise", -(-layout.slots.size // 8)))[: layout.slots.size]
        before, wanted = layout.coefficients(picture), layout.classes(drawn, 0)
        container = layout.painted(picture, np.rint(before - wanted) + wanted - before)
        change = layout.coefficients(parse(channel)(container)) - layout.coefficients(container)
        squares.append(np.square(change * layout.periods).mean(axis=0))
    return np.sqrt(np.mean(squares, axis=0, dtype=np.float64))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the noise of codecs in containers of photographs, and the coefficient tables learned from it."""
    from underpaint_lab.data.photographs import Photographs

    parser = argparse.ArgumentParser(prog="underpaint-lab evaluate picture-tables", description=main.__doc__)
    parser.add_argument("photographs", type=Path, help="folder or zip file")
    options = parser.parse_args(arguments)
    pictures = [each for each in Photographs.open(options.photographs).pictures if min(each.shape[:2]) >= 8 * BLOCK]
    for channel in ("webp:75", "jpeg2000:4", "jpeg:75", "jpeg:50"):
        print(channel, np.round(measured(pictures[::100], channel), 1))
    for price, table in zip(PRICES, dct_qim.TABLES, strict=True):
        print(price, "unchanged" if choose_frequencies(price) == table else choose_frequencies(price))
