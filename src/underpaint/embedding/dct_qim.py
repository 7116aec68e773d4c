"""Bits in classes of luma DCT coefficients, many for each picture: what lies where, and how it is read.

A coefficient of a block of 8×8 takes one bit or two: it is moved towards the nearest number that leaves their class
when divided by its period (Chen and Wornell, "Quantization index modulation", IEEE Trans. Inf. Theory 47(4), 2001);
two bits by Gray's code, so that neighbouring classes differ in one. All coefficients are in units of their periods.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from underpaint.embedding.lapped import dct
from underpaint.types import LUMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.coding.keys import Key
    from underpaint.types import Bits, Image, SoftBits

    Array = NDArray[np.float32]

#: Side of a block.
BLOCK = 8
#: Bits of a code word at most.
LONGEST_WORD = 40_000
#: Rates of the code.
RATES = 0.88 * 0.97 ** np.arange(112)

#: Coefficients for one pilot, and how many pilots there are at least and at most.
_PER_PILOT, _FEWEST_PILOTS, _MOST_PILOTS = 16, 96, 512
#: Parts of a period in which likelihoods are tabulated.
_PHASES = 240
#: Spreads of noise that are told apart, in periods.
_SPREADS = np.geomspace(0.012, 0.7, 60)
#: Shares of coefficients that arrive in any class.
_MISTAKES = np.array([0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.5, 0.7, 0.85, 1.0])


class Frequency(NamedTuple):
    """A coefficient that takes part."""

    vertical: int
    horizontal: int
    #: In units of the coefficient.
    period: float
    #: 1 or 2.
    bits: int


def _frequencies(*rows: str) -> tuple[Frequency, ...]:
    """A table as it is printed: a line of periods for each vertical frequency, a colon after those of two bits."""
    cells = ((v, h, cell) for v, row in enumerate(rows) for h, cell in enumerate(row.split()) if cell != ".")
    return tuple(Frequency(v, h, float(cell.rstrip(":")), 1 + cell.endswith(":")) for v, h, cell in cells)


#: What takes part, strong and light: learned by ``underpaint_lab.papers.robust.picture_tables``. Part of the format.
TABLES = (
    _frequencies(
        "32  44: 40: 32  48: 40",
        "48: 48: 56: 38  52:",
        "56: 52: 32  48: 40",
        "56: 34  44  30",
        "36  44  38",
        "48: 36",
    ),
    _frequencies("32 44: 40: 32", ". . 28", "28 . 32", "28 34 . 30", "36", ". 36"),
)


class CoefficientLayout:
    """Which coefficients of a picture of this size carry what, by a table and a key.

    What is left over at the right and at the bottom is not touched.
    """

    def __init__(self, shape: tuple[int, ...], table: int, key: Key) -> None:
        self.table, self.key = table, key
        frequencies = TABLES[table]
        self.periods = np.array([each.period for each in frequencies], np.float32)
        self.bits = np.array([each.bits for each in frequencies])
        rows = np.array([[each.vertical, each.horizontal] for each in frequencies])
        waves = dct(BLOCK)
        #: One wave per frequency, ``(64, n)``.
        self.basis = np.stack([np.outer(waves[v], waves[h]).ravel() for v, h in rows], axis=1).astype(np.float32)
        self.down, self.across = shape[0] // BLOCK, shape[1] // BLOCK
        self.blocks = self.down * self.across
        count = self.blocks * len(frequencies)
        pilots = min(max(count // _PER_PILOT, _FEWEST_PILOTS), _MOST_PILOTS) // 8 * 8
        self.pilots = key.permutation(f"pilots {table}", count)[:pilots]
        free = np.ones((count, 2), bool)
        free[:, 1] = np.tile(self.bits == 2, self.blocks)
        free[self.pilots] = False
        slots = np.flatnonzero(free)
        self.words = max(1, -(-slots.size // LONGEST_WORD))
        #: Channel bits of a code word.
        self.length = slots.size // self.words
        order = key.permutation(f"slots {table}", slots.size)[: self.words * self.length]
        self.slots = slots[order]

    def size(self, rate: int) -> int:
        """Bytes of a frame at the rate of that number; 0 if there is none."""
        bits = int(self.length * RATES[rate]) // 8 * 8
        return self.words * bits // 8 if bits >= 16 else 0

    def pilot(self, rate: int) -> Array:
        """The classes of the pilots that announce the rate of that number."""
        drawn = self.key.stream(f"pilot {self.table} {rate}", self.pilots.size)
        levels = 1 << self.bits[self.pilots % self.bits.size]
        return np.asarray(drawn % levels / levels, np.float32)

    def coefficients(self, image: Image) -> Array:
        """Those that take part, ``(blocks, n)``, in periods."""
        luma = image[: self.down * BLOCK, : self.across * BLOCK] @ np.array(LUMA, np.float32) - np.float32(128)
        blocks = luma.reshape(self.down, BLOCK, self.across, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK * BLOCK)
        return np.asarray(blocks @ self.basis / self.periods, np.float32)

    def painted(self, image: Image, change: Array) -> Image:
        """Add a *change* of the coefficients, in periods, to all three colours."""
        luma = ((change * self.periods) @ self.basis.T).reshape(self.down, self.across, BLOCK, BLOCK)
        container = image.copy()
        inner = container[: self.down * BLOCK, : self.across * BLOCK]
        inner[...] = np.clip(np.rint(inner + luma.swapaxes(1, 2).reshape(*inner.shape[:2], 1)), 0, 255)
        return container

    def classes(self, bits: Bits, rate: int) -> Array:
        """Where in its period each coefficient has to go, ``(blocks, n)``: 0, 1/4, 1/2 or 3/4."""
        pairs = np.zeros((self.blocks * self.bits.size, 2), np.uint8)
        pairs.reshape(-1)[self.slots] = bits
        single = np.tile(self.bits == 1, self.blocks)
        wanted = np.where(single, pairs[:, 0] / 2, (2 * pairs[:, 0] + (pairs[:, 0] ^ pairs[:, 1])) / 4)
        wanted[self.pilots] = self.pilot(rate)
        return wanted.reshape(-1, self.bits.size).astype(np.float32)

    def soft_bits(self, coefficients: Array, rate: int) -> SoftBits:
        """Log-likelihood ratios of all channel bits, positive for 1, by the pilot of that rate."""
        at = np.floor(coefficients % 1 * _PHASES).astype(np.intp) % _PHASES
        rows = np.arange(self.bits.size)
        seen, missed = np.zeros((2, self.bits.size, _PHASES))
        np.add.at(seen, (np.broadcast_to(rows, at.shape), at), 1)
        turned = at.ravel()[self.pilots] - np.rint(self.pilot(rate) * _PHASES).astype(np.intp)
        np.add.at(missed, (self.pilots % rows.size, turned % _PHASES), 1)
        ratios = np.empty((rows.size, _PHASES, 2), np.float32)
        for row, bits in enumerate(self.bits.tolist()):
            noises = _noises(bits)
            likely = noises.all @ seen[row] + noises.own @ missed[row]  # (mistakes, spreads)
            ratios[row] = noises.ratios[np.unravel_index(int(likely.argmax()), likely.shape)]
        return np.asarray(ratios[rows, at].reshape(-1)[self.slots], np.float32)


class _Noises(NamedTuple):
    """Noise of so many mistakes and spreads: logarithms of how likely phases are, and what they say."""

    #: Of class 0, ``(mistakes, spreads, phases)``.
    own: NDArray[np.float64]
    #: Of any class, ``(spreads, phases)``.
    all: NDArray[np.float64]
    #: Soft bits, ``(mistakes, spreads, phases, 2)``.
    ratios: Array


@cache
def _noises(bits: int) -> _Noises:
    """What noise does to coefficients that take so many *bits*.

    It spreads them around the class they were moved to, or, where a codec rounds coarsely, around another.
    """
    levels = 1 << bits
    phases = (np.arange(_PHASES) + 0.5) / _PHASES
    turns = phases + np.arange(-4, 4)[:, None, None]
    around = np.exp(-((turns / _SPREADS[:, None]) ** 2) / 2).sum(axis=0)
    around /= around.sum(axis=1, keepdims=True)
    mixed = np.mean([np.roll(around, k * _PHASES // levels, axis=1) for k in range(levels)], axis=0)
    own = (1 - _MISTAKES)[:, None, None] * around + _MISTAKES[:, None, None] * mixed
    classes = [np.roll(own, k * _PHASES // levels, axis=2) for k in range(levels)]
    sets = [((1,), (0,))] if bits == 1 else [((2, 3), (0, 1)), ((1, 2), (0, 3))]
    ratios = np.zeros((*own.shape, 2), np.float32)
    for bit, (ones, zeros) in enumerate(sets):
        ratios[..., bit] = np.log(sum(classes[k] for k in ones) / sum(classes[k] for k in zeros))
    return _Noises(np.log(own), np.log(mixed), ratios)
