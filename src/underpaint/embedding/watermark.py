"""Watermarks by spread-transform dither modulation: embedding of a short message.

::

    payload ─compact frame─► bytes ─convolutional code─► channel bits ┐
                                 keyed pilots of that frame size ─────┴► SpreadTransform ─► coefficients ─► container

The receiver knows neither the strength nor the length of the message. Keyed pilot bits, one pattern for each frame
size, are embedded with the same lattice step as the message. The pattern and step that fit best tell the frame size,
undo a change of gain, and give a p-value. Only then is the message decoded and its tag checked.

Any transform can carry a watermark: see :class:`EmbeddingDomain`. The receiver is
:mod:`underpaint.embedding.blind_detection`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from underpaint.coding import convolutional, frame
from underpaint.embedding import lapped
from underpaint.embedding.spread_transform import SpreadTransform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.coding.keys import Key
    from underpaint.embedding.lapped import Array
    from underpaint.types import Bits, Image, Payload

#: Frame sizes in bytes: four to a doubling, so that padding costs at most a fifth.
SIZES = tuple(sorted({round(2 ** (e / 4)) for e in range(14, 53)}))
#: Number of pilot bits of most domains.
PILOTS = 64

#: Raw bit error rate allowed in the survival trial: a third of what the convolutional code corrects.
MAX_RAW_BER = 0.04
#: The same behind a channel that moves pixels: two thirds, for each part of a picture is a trial of its own.
MAX_MOVED_RAW_BER = 0.08

#: Projections of the coefficients on keyed directions, ``(bits,)``.
Projections = NDArray[np.float64]

#: Payloads above this many bytes are refused before time is spent on compressing them.
_MAX_PAYLOAD_BYTES = 1 << 20
#: Energy per bit over that of a uniform quantiser, step² / 12: the cost of masking and corrections, with a margin.
_ENERGY_OVERHEAD = 1.25


class EmbeddingDomain(Protocol):
    """Coefficients of a picture, in blocks, that a watermark is embedded in."""

    @property
    def counts(self) -> tuple[int, ...]:
        """Numbers of coefficients per block to choose from, rising. The smallest that gives each bit two is taken."""
        ...

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        ...

    @property
    def pixels(self) -> int:
        """Number of pixels over which the energy of the coefficients is averaged."""
        ...

    @property
    def places(self) -> NDArray[np.intp] | None:
        """Position of each block along a space-filling curve, if a bit uses neighbouring blocks; else None."""
        ...

    @property
    def pilots(self) -> int:
        """Number of pilot bits, a multiple of 8."""
        ...

    @property
    def copies(self) -> tuple[int, ...]:
        """Numbers of times that the coded message may be embedded, 1 first. With more, a part of it is enough."""
        ...

    def analyse(self, image: Image, count: int) -> Array:
        """Return the first *count* coefficients of every block, ``float32 (blocks * count,)``; NaN if not received."""
        ...

    def paint(self, image: Image, change: Array, count: int) -> Image:
        """Return the picture with a *change* of its coefficients added."""
        ...

    def weights(self, cover: Image, count: int) -> Array:
        """Return the allowed change of each coefficient, relative to the others: ``float32 (blocks * count,)``."""
        ...


class Embedding:
    """Bits that are to be embedded in a cover, with the cover's projections, ``(bits,)``, as one vector."""

    #: Largest change of the values of each pixel, ``uint8 (H, W)``; None for any change.
    limit: NDArray[np.uint8] | None = None

    def __init__(
        self, domain: EmbeddingDomain, cover: Image, count: int, parts: Sequence[tuple[SpreadTransform, Bits]]
    ) -> None:
        """Analyse the cover.

        Args:
            domain: coefficients to embed in.
            cover: ``uint8 (H, W, 3)``.
            count: coefficients per block.
            parts: spread transforms on different coefficients, each with its bits.
        """
        self.domain, self.cover, self.count, self.parts = domain, cover, count, parts
        self.starts = np.cumsum([len(bits) for _, bits in parts])[:-1]
        self.projections = self.project(cover)
        self.weights = domain.weights(cover, count)

    def project(self, image: Image) -> Projections:
        """Return the projections of *image*, ``(bits,)``, those of all parts in order."""
        coefficients = self.domain.analyse(image, self.count)
        return np.concatenate([spread.project(coefficients) for spread, _ in self.parts])

    def targets(self, step: float) -> Projections:
        """Return the lattice point of each bit nearest to the cover's projection, ``(bits,)``."""
        own = zip(self.parts, np.split(self.projections, self.starts), strict=True)
        return np.concatenate([spread.quantise(values, bits, step) for (spread, bits), values in own])

    def change(self, moves: Projections) -> Array:
        """Return the cheapest change of the coefficients that moves the projections by *moves*."""
        own = zip(self.parts, np.split(moves, self.starts), strict=True)
        return np.asarray(sum(spread.spread(values, self.weights) for (spread, _), values in own))

    def paint(self, change: Array) -> Image:
        """Return the container: the cover with this *change* of its coefficients."""
        return lapped.within(self.limit, self.cover, self.domain.paint(self.cover, change, self.count))

    def step(self, energy: float) -> float:
        """Return the lattice step at which the squared changes of the coefficients sum to *energy*."""
        step = math.sqrt(12 * energy / len(self.projections) / _ENERGY_OVERHEAD)
        for _ in range(6):  # the energy grows with the square of the step, but not smoothly
            change = self.change(self.targets(step) - self.projections)
            step *= math.sqrt(energy / float(np.square(change).sum(dtype=np.float64)))
        return step


def frame_size(payload: Payload, domains: Sequence[EmbeddingDomain]) -> int | None:
    """Return the smallest frame size in bytes that holds *payload* and fits in one of *domains*; None if none does."""
    needed = frame.compact_size(payload) if len(payload.data) <= _MAX_PAYLOAD_BYTES else len(payload.data)
    fitting = (size for size in SIZES if size >= needed and any(fits(domain, size) for domain in domains))
    return next(fitting, None)


def prepare(domain: EmbeddingDomain, cover: Image, payload: Payload, key: Key, size: int, copies: int = 1) -> Embedding:
    """Seal and encode *payload* in *copies* frames of *size* bytes, and place its bits and pilots in *cover*."""
    return Embedding(domain, cover, *seal(domain, payload, key, size, copies))


def seal(
    domain: EmbeddingDomain, payload: Payload, key: Key, size: int, copies: int = 1
) -> tuple[int, tuple[tuple[SpreadTransform, Bits], ...]]:
    """Seal and encode *payload* in a frame of *size* bytes.

    Returns:
        Coefficients per block, and the spread transforms of pilots and message with their bits.
    """
    count, spread, message = layout(domain, key, size, copies)
    body = np.unpackbits(np.frombuffer(frame.seal_compact(payload, key, size), np.uint8))
    bits = np.tile(convolutional.encode(body), copies)
    return count, ((spread, pilot(domain, key, size, copies)), (message, bits))


def energy(domain: EmbeddingDomain, psnr: float) -> float:
    """Return the sum of squared changes of coefficients at a PSNR in dB, each colour channel changed alike."""
    return float(domain.pixels * 255.0**2 / 10 ** (psnr / 10))


def typical_step(domain: EmbeddingDomain, bits: int, psnr: float) -> float:
    """Return the lattice step at which *bits* bits give *psnr* dB in a typical picture."""
    return math.sqrt(12 * energy(domain, psnr) / bits / _ENERGY_OVERHEAD)


def channel_bits(size: int) -> int:
    """Return the number of channel bits of a frame of *size* bytes, without pilots."""
    return 8 * size * convolutional.EXPANSION


def fits(domain: EmbeddingDomain, size: int, copies: int = 1) -> bool:
    """Return True if there is a coefficient for each channel bit of *copies* frames of *size* bytes."""
    return domain.blocks * domain.counts[-1] >= pilot_pool(domain) + copies * channel_bits(size)


def pilot(domain: EmbeddingDomain, key: Key, size: int, copies: int = 1) -> Bits:
    """Return the pilot bits of *copies* frames of *size* bytes, ``(domain.pilots,)``."""
    label = f"pilot {size}" if copies == 1 else f"pilot {size} × {copies}"
    return np.unpackbits(key.stream(label, domain.pilots // 8))


def pilots(domain: EmbeddingDomain, key: Key) -> SpreadTransform:
    """Return the spread transform of the pilots in ``analyse(image, counts[0])``."""
    return _pilots(domain, key, domain.counts[0])


def layout(
    domain: EmbeddingDomain, key: Key, size: int, copies: int = 1
) -> tuple[int, SpreadTransform, SpreadTransform]:
    """Place *copies* frames of *size* bytes: coefficients per block, spread transforms of pilots and message."""
    bits = copies * channel_bits(size)
    share = 2 if copies == 1 else 1  # coefficients per bit, if there is room for it
    room = (domain.blocks * count - pilot_pool(domain) for count in domain.counts)
    count = next(
        (count for count, free in zip(domain.counts, room, strict=True) if free >= share * bits), domain.counts[-1]
    )
    pilots = _pilots(domain, key, count)
    free = np.ones(domain.blocks * count, bool)
    free[pilots.order] = False
    pool = np.flatnonzero(free)
    return count, pilots, SpreadTransform(key, f"message {size}", pool, bits, _places(domain, pool, count))


def pilot_pool(domain: EmbeddingDomain) -> int:
    """Return the number of coefficients of all pilots: an eighth of the lowest, at least one for each pilot."""
    return max(domain.pilots, domain.blocks * domain.counts[0] // 8)


def _pilots(domain: EmbeddingDomain, key: Key, count: int) -> SpreadTransform:
    """Return the spread transform of the pilots in ``analyse(image, count)``: the same coefficients for any *count*."""
    order = key.permutation("pilot pool", domain.blocks * domain.counts[0])
    block, frequency = np.divmod(order[: pilot_pool(domain)], domain.counts[0])
    pool = block * count + frequency
    return SpreadTransform(key, "pilots", pool, domain.pilots, _places(domain, pool, count))


def _places(domain: EmbeddingDomain, pool: NDArray[np.intp], count: int) -> NDArray[np.intp] | None:
    """Return the positions of the blocks of the coefficients *pool*."""
    return None if domain.places is None else domain.places[pool // count]
