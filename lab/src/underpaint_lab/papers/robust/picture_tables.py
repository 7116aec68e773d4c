"""Choice of the coefficients and periods of ``robust-picture``, from the measured errors of real codecs.

As in Zhang et al., "Towards Robust Data Hiding Against (JPEG) Compression" (arXiv:2101.00973), the error of a real
codec is modelled as additive noise. In containers behind WebP at quality 75 it is nearly equal in all frequencies that
carry data, about 5 levels, and taken to be Gaussian. JPEG's error can be avoided: cosets that lie on the grid of its
quantisation table arrive unchanged. So periods are multiples of JPEG 50's steps in low frequencies and of JPEG 75's
steps in others, and each frequency gets the period with the most information through WebP's noise, minus a price for
the squared change. With one price for all frequencies, no other choice with the same squared change carries more.
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
from underpaint_lab.noise_layers.jpeg import quantisation_tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from underpaint.types import Image

#: Prices of the strong and of the light table, in bits per unit of squared change.
PRICES = (0.0048, 0.0066)
#: Root mean square of WebP's noise in a coefficient, in levels.
NOISE = 5.0
#: Channels whose noise :func:`print_tables` measures.
CHANNELS = ("webp:75", "jpeg2000:4", "jpeg:75", "jpeg:50")

#: Frequencies with a JPEG step up to this have periods on the grid of quality 50, the others on that of quality 75.
_MAX_COARSE_STEP = 22
#: Codecs remove small coefficients beyond this sum of vertical and horizontal frequency.
_MAX_FREQUENCY_SUM = 8
#: Smallest and largest period, in levels.
_PERIODS = (20, 80)
#: Sampling points per period of the numerical integration.
_POINTS = 192


def mutual_information(period: float, bits: int, noise: float) -> float:
    """Return the information that one coefficient carries through Gaussian noise.

    Args:
        period: period of the lattice, in levels.
        bits: number of bits; there are 2^bits equally spaced cosets.
        noise: standard deviation of the noise, in levels.

    Returns:
        Mutual information in bits, 0 to *bits*.
    """
    at = (np.arange(_POINTS) + 0.5) / _POINTS * period
    own = np.exp(-(((at - period * np.arange(-4, 6)[:, None]) / noise) ** 2) / 2).sum(axis=0)
    own /= own.sum()
    mixed = np.mean([np.roll(own, k * _POINTS >> bits) for k in range(1 << bits)], axis=0)
    return float((own * np.log2(own)).sum() - (mixed * np.log2(mixed)).sum())


def choose_frequencies(price: float) -> tuple[Frequency, ...]:
    """Return the frequencies whose information exceeds the price of their squared change, with their best periods.

    Args:
        price: bits per unit of squared change.
    """
    chosen = []
    steps = quantisation_tables(50)[0].reshape(BLOCK, BLOCK)
    for vertical, horizontal in np.ndindex(steps.shape):
        step = int(steps[vertical, horizontal])
        if vertical + horizontal > _MAX_FREQUENCY_SUM:
            continue
        grid = step if step <= _MAX_COARSE_STEP else (step + 1) // 2
        every = [
            Frequency(vertical, horizontal, float(period), bits)
            for bits in (1, 2)
            for period in range(grid << bits, _PERIODS[1] + 1, grid << bits)
            if period >= _PERIODS[0]
        ]
        worth = [mutual_information(each.period, each.bits, NOISE) - price * each.period**2 / 12 for each in every]
        if worth and max(worth) > 0:
            chosen.append(every[int(np.argmax(worth))])
    return tuple(chosen)


def channel_noise(pictures: Iterable[Image], channel: str) -> NDArray[np.float64]:
    """Measure the noise of a channel in containers made with the strong table.

    Args:
        pictures: covers.
        channel: a channel in the grammar of :func:`underpaint.channels.parse`.

    Returns:
        Root mean square of the noise of each coefficient of the table, ``(n,)``, in levels.
    """
    squares = []
    for picture in pictures:
        layout = CoefficientLayout(picture.shape, 0, Key(bytes(KEY_SIZE)))
        drawn = np.unpackbits(layout.key.stream("noise", -(-layout.slots.size // 8)))[: layout.slots.size]
        before, wanted = layout.coefficients(picture), layout.cosets(drawn, 0)
        container = layout.paint(picture, np.rint(before - wanted) + wanted - before)
        change = layout.coefficients(parse(channel)(container)) - layout.coefficients(container)
        squares.append(np.square(change * layout.periods).mean(axis=0))
    return np.sqrt(np.mean(squares, axis=0, dtype=np.float64))


def print_tables(data: Path) -> None:
    """Print the noise of :data:`CHANNELS`, measured in every hundredth photograph of *data*, and the chosen tables."""
    from underpaint_lab.data.photographs import Photographs

    pictures = [each for each in Photographs.open(data).pictures if min(each.shape[:2]) >= 8 * BLOCK][::100]
    for channel in CHANNELS:
        print(channel, np.round(channel_noise(pictures, channel), 1))
    for price, table in zip(PRICES, dct_qim.TABLES, strict=True):
        found = choose_frequencies(price)
        print(price, "as in the format" if found == table else found)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the noise of codecs in containers of photographs, and the coefficient tables learned from it."""
    parser = argparse.ArgumentParser(prog="underpaint-lab evaluate picture-tables", description=main.__doc__)
    parser.add_argument("photographs", type=Path, help="folder or zip file")
    print_tables(parser.parse_args(arguments).photographs)
