"""Quantisation index modulation (QIM) of luma DCT coefficients: many bits in each picture.

A coefficient of a block of 8×8 pixels takes one bit or two. It is moved towards the nearest number of the coset of its
bits: those whose residue modulo the coefficient's period is 0, 1/4, 1/2 or 3/4 of the period. Two bits are Gray coded,
so that neighbouring cosets differ in one bit. All coefficients are in units of their periods.

Source: Chen and Wornell, "Quantization index modulation", IEEE Trans. Inf. Theory 47(4), 2001.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from underpaint.embedding.lapped import dct
from underpaint.types import luma as luma_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.coding.keys import Key
    from underpaint.types import Bits, Image, SoftBits

    Array = NDArray[np.float32]

#: Side of a block, in pixels.
BLOCK = 8
#: Channel bits of a code word at most.
LONGEST_WORD = 40_000
#: Code rates, falling; a rate is named by its number.
RATES = 0.88 * 0.97 ** np.arange(112)


@dataclass(frozen=True)
class _Pilots:
    """Number of pilots of a picture. Part of the format."""

    coefficients_each: int = 16  # coefficients per pilot
    fewest: int = 96
    most: int = 512


@dataclass(frozen=True)
class _Noise:
    """Noise models that are compared by their likelihood."""

    #: Standard deviations, in periods.
    levels: NDArray[np.float64] = field(default_factory=lambda: np.geomspace(0.012, 0.7, 60))
    #: Shares of coefficients that are received in a random coset.
    error_shares: NDArray[np.float64] = field(
        default_factory=lambda: np.array([0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.5, 0.7, 0.85, 1.0])
    )


_PILOTS, _NOISE = _Pilots(), _Noise()
#: Bins of a period in which likelihoods are tabulated.
_BINS = 240


class Frequency(NamedTuple):
    """A coefficient of each block that bits are embedded in."""

    vertical: int
    horizontal: int
    #: Period of its cosets, in units of the coefficient.
    period: float
    #: Bits per coefficient, 1 or 2.
    bits: int


def _frequencies(*rows: str) -> tuple[Frequency, ...]:
    """Read a printed table: a row of periods for each vertical frequency, with a colon after those of two bits."""
    cells = ((v, h, cell) for v, row in enumerate(rows) for h, cell in enumerate(row.split()) if cell != ".")
    return tuple(Frequency(v, h, float(cell.rstrip(":")), 1 + cell.endswith(":")) for v, h, cell in cells)


#: Frequencies used, for strong and weak embedding. Part of the format; learned by
#: ``underpaint_lab.papers.robust.picture_tables``.
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
    """Order of pilots and channel bits among the coefficients of a picture, by a table and a key.

    Pixels beyond the last whole block at the right and at the bottom stay unchanged.

    Attributes:
        words: number of code words.
        length: channel bits of a code word.
        blocks: number of blocks; ``down`` rows and ``across`` columns.
    """

    def __init__(self, shape: tuple[int, ...], table: int, key: Key) -> None:
        """Lay out a picture.

        Args:
            shape: of the picture, ``(H, W, …)``.
            table: number of the table in :data:`TABLES`.
            key: decides which coefficients are pilots and the order of the bits.
        """
        self.table, self.key = table, key
        frequencies = TABLES[table]
        self.periods = np.array([each.period for each in frequencies], np.float32)
        self.bits = np.array([each.bits for each in frequencies])
        rows = np.array([[each.vertical, each.horizontal] for each in frequencies])
        waves = dct(BLOCK)
        #: One basis function per frequency, ``(64, n)``.
        self.basis = np.stack([np.outer(waves[v], waves[h]).ravel() for v, h in rows], axis=1).astype(np.float32)
        self.down, self.across = shape[0] // BLOCK, shape[1] // BLOCK
        self.blocks = self.down * self.across
        count = self.blocks * len(frequencies)
        pilots = min(max(count // _PILOTS.coefficients_each, _PILOTS.fewest), _PILOTS.most) // 8 * 8
        self.pilots = key.permutation(f"pilots {table}", count)[:pilots]
        free = int(self.bits.sum()) * self.blocks - int(self.bits[self.pilots % self.bits.size].sum())
        self.words = max(1, -(-free // LONGEST_WORD))
        self.length = free // self.words

    @cached_property
    def slots(self) -> NDArray[np.intp]:
        """Place of each channel bit: twice the number of its coefficient, and one more for the second bit of one."""
        free = np.ones((self.blocks * self.bits.size, 2), bool)
        free[:, 1] = np.tile(self.bits == 2, self.blocks)
        free[self.pilots] = False
        slots = np.flatnonzero(free)
        return slots[self.key.permutation(f"slots {self.table}", slots.size)[: self.words * self.length]]

    def size(self, rate: int) -> int:
        """Return the frame size in bytes at a rate of :data:`RATES`, by its number; 0 if the picture is too small."""
        bits = int(self.length * RATES[rate]) // 8 * 8
        return self.words * bits // 8 if bits >= 16 else 0

    def pilot(self, rate: int) -> Array:
        """Return the cosets of the pilots that signal a rate, by its number, ``float32 (pilots,)`` in periods."""
        drawn = self.key.stream(f"pilot {self.table} {rate}", self.pilots.size)
        levels = 1 << self.bits[self.pilots % self.bits.size]
        return np.asarray(drawn % levels / levels, np.float32)

    def coefficients(self, image: Image) -> Array:
        """Return the embedded coefficients of *image*, ``(blocks, n)``, in periods."""
        luma = luma_of(image[: self.down * BLOCK, : self.across * BLOCK]) - np.float32(128)
        blocks = luma.reshape(self.down, BLOCK, self.across, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK * BLOCK)
        return np.asarray(blocks @ self.basis / self.periods, np.float32)

    def paint(self, image: Image, change: Array) -> Image:
        """Add a *change* of the coefficients, ``(blocks, n)`` in periods, to all three colour channels, in 8 bits."""
        luma = ((change * self.periods) @ self.basis.T).reshape(self.down, self.across, BLOCK, BLOCK)
        container = image.copy()
        inner = container[: self.down * BLOCK, : self.across * BLOCK]
        inner[...] = np.clip(np.rint(inner + luma.swapaxes(1, 2).reshape(*inner.shape[:2], 1)), 0, 255)
        return container

    def cosets(self, bits: Bits, rate: int) -> Array:
        """Return the wanted residue of each coefficient in periods, ``(blocks, n)``: 0, 1/4, 1/2 or 3/4.

        Args:
            bits: channel bits of all code words, ``(words * length,)``.
            rate: number of the rate that the pilots signal.
        """
        pairs = np.zeros((self.blocks * self.bits.size, 2), np.uint8)
        pairs.reshape(-1)[self.slots] = bits
        single = np.tile(self.bits == 1, self.blocks)
        wanted = np.where(single, pairs[:, 0] / 2, (2 * pairs[:, 0] + (pairs[:, 0] ^ pairs[:, 1])) / 4)
        wanted[self.pilots] = self.pilot(rate)
        return wanted.reshape(-1, self.bits.size).astype(np.float32)

    def soft_bits(self, coefficients: Array, rate: int) -> SoftBits:
        """Return log-likelihood ratios of all channel bits, positive for 1, ``(words * length,)``.

        The noise of each frequency is estimated from the residues of all its coefficients and those of its pilots.

        Args:
            coefficients: of the received picture, ``(blocks, n)`` in periods.
            rate: number of the rate that the pilots signal.
        """
        at = np.floor(coefficients % 1 * _BINS).astype(np.intp) % _BINS
        rows = np.arange(self.bits.size)
        histogram, pilot_histogram = np.zeros((2, self.bits.size, _BINS))
        np.add.at(histogram, (np.broadcast_to(rows, at.shape), at), 1)
        shift = at.ravel()[self.pilots] - np.rint(self.pilot(rate) * _BINS).astype(np.intp)
        np.add.at(pilot_histogram, (self.pilots % rows.size, shift % _BINS), 1)
        ratios = np.empty((rows.size, _BINS, 2), np.float32)
        for row, bits in enumerate(self.bits.tolist()):
            models = _noise_models(bits)
            likely = models.any_coset @ histogram[row] + models.own_coset @ pilot_histogram[row]  # (shares, levels)
            ratios[row] = models.ratios[np.unravel_index(int(likely.argmax()), likely.shape)]
        return np.asarray(ratios[rows, at].reshape(-1)[self.slots], np.float32)


class _NoiseModels(NamedTuple):
    """Log-likelihoods of residues for each share of errors and each noise level, and the soft bits they give."""

    #: For coset 0, ``(shares, levels, bins)``.
    own_coset: NDArray[np.float64]
    #: For a random coset, ``(levels, bins)``.
    any_coset: NDArray[np.float64]
    #: Soft bits, ``(shares, levels, bins, 2)``.
    ratios: Array


@cache
def _noise_models(bits: int) -> _NoiseModels:
    """Return the noise models of coefficients that take so many *bits*.

    Gaussian noise spreads residues around their coset or, where a codec rounds coarsely, around a random one.
    """
    levels = 1 << bits
    residues = (np.arange(_BINS) + 0.5) / _BINS
    wrapped = residues + np.arange(-4, 4)[:, None, None]
    around = np.exp(-((wrapped / _NOISE.levels[:, None]) ** 2) / 2).sum(axis=0)
    around /= around.sum(axis=1, keepdims=True)
    mixed = np.mean([np.roll(around, k * _BINS // levels, axis=1) for k in range(levels)], axis=0)
    shares = _NOISE.error_shares[:, None, None]
    own = (1 - shares) * around + shares * mixed
    cosets = [np.roll(own, k * _BINS // levels, axis=2) for k in range(levels)]
    sets = [((1,), (0,))] if bits == 1 else [((2, 3), (0, 1)), ((1, 2), (0, 3))]
    ratios = np.zeros((*own.shape, 2), np.float32)
    for bit, (ones, zeros) in enumerate(sets):
        ratios[..., bit] = np.log(sum(cosets[k] for k in ones) / sum(cosets[k] for k in zeros))
    return _NoiseModels(np.log(own), np.log(mixed), ratios)
