"""Watermarks by spread-transform dither modulation: embedding, blind detection and decoding of a short message.

::

    payload ─compact frame─► bytes ─convolutional code─► channel bits ┐
                                 keyed pilots of that frame size ─────┴► SpreadTransform ─► coefficients ─► container

The receiver knows neither the strength nor the length of the message. 64 keyed pilot bits, one pattern for each frame
size, are embedded with the same lattice step as the message. The pattern and step that fit best tell the frame size,
undo a change of gain, and give a p-value. Only then is the message decoded and its tag checked.

Any transform can carry a watermark: see :class:`EmbeddingDomain`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from underpaint.coding import convolutional, frame
from underpaint.coding.refusals import not_found
from underpaint.embedding.spread_transform import SpreadTransform
from underpaint.errors import CapacityError, NotFoundError
from underpaint.types import MIN_PSNR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.coding.keys import Key
    from underpaint.embedding.lapped import Array
    from underpaint.types import Bits, Image, Payload

#: Frame sizes in bytes: four to a doubling, so that padding costs at most a fifth.
SIZES = tuple(sorted({round(2 ** (e / 4)) for e in range(14, 53)}))
#: Number of pilot bits.
PILOTS = 64
#: A watermark is reported as present if its p-value is below this.
MAX_FALSE_POSITIVE_RATE = 1e-6
#: Raw bit error rate allowed in the survival trial: a third of what the convolutional code corrects.
MAX_RAW_BER = 0.04

#: Projections of the coefficients on keyed directions, ``(bits,)``.
Projections = NDArray[np.float64]

#: Payloads above this many bytes are refused before time is spent on compressing them.
_MAX_PAYLOAD_BYTES = 1 << 20
#: Energy per bit over that of a uniform quantiser, step² / 12: the cost of masking and corrections, with a margin.
_ENERGY_OVERHEAD = 1.25


@dataclass(frozen=True)
class _Search:
    """Settings of blind detection."""

    finest_step: float = 8.0  # smallest lattice step tried, in units of a coefficient
    step_ratio: float = 0.008  # relative distance of neighbouring steps tried
    psnr_margin: float = 3.0  # dB; the largest step tried is that of the lowest PSNR less this
    candidates: int = 6  # frame sizes whose step is refined
    decoded: int = 3  # candidates that are decoded at most
    max_p_value: float = 0.5  # candidates with a larger p-value are not decoded


_SEARCH = _Search()


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

    def analyse(self, image: Image, count: int) -> Array:
        """Return the first *count* coefficients of every block, ``float32 (blocks * count,)``; NaN if not received."""
        ...

    def paint(self, image: Image, change: Array, count: int) -> Image:
        """Return the picture with a *change* of its coefficients added."""
        ...

    def weights(self, cover: Image, count: int) -> Array:
        """Return the allowed change of each coefficient, relative to the others: ``float32 (blocks * count,)``."""
        ...


@dataclass(frozen=True)
class Detection:
    """A candidate for a watermark: a frame size and lattice step that the pilots of a picture agree with."""

    #: Frame size in bytes.
    size: int
    #: Lattice step, in units of a coefficient.
    step: float
    #: Upper bound on the probability that a picture without a watermark of this key scores as high, corrected for the
    #: number of sizes and steps tried. Above 1 it says nothing.
    p_value: float


class Embedding:
    """Bits that are to be embedded in a cover, with the cover's projections, ``(bits,)``, as one vector."""

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
        return self.domain.paint(self.cover, change, self.count)

    def step(self, energy: float) -> float:
        """Return the lattice step at which the squared changes of the coefficients sum to *energy*."""
        step = math.sqrt(12 * energy / len(self.projections) / _ENERGY_OVERHEAD)
        for _ in range(6):  # the energy grows with the square of the step, but not smoothly
            change = self.change(self.targets(step) - self.projections)
            step *= math.sqrt(energy / float(np.square(change).sum(dtype=np.float64)))
        return step


def frame_size(payload: Payload, domains: Sequence[EmbeddingDomain], expected: int) -> int:
    """Return the smallest frame size in bytes that holds *payload* and fits in one of *domains*.

    Args:
        payload: what is to be embedded.
        domains: choices of coefficients.
        expected: capacity in payload bytes, for the error message.

    Raises:
        CapacityError: the payload fits in none of them.
    """
    needed = frame.compact_size(payload) if len(payload.data) <= _MAX_PAYLOAD_BYTES else len(payload.data)
    for size in SIZES:
        if size >= needed and any(fits(domain, size) for domain in domains):
            return size
    raise CapacityError(
        f"{len(payload.data)} bytes do not fit, about {expected} do" if expected else "the picture holds no message",
        hint="take a larger picture, or a PNG and --method lsb, which holds far more but survives nothing",
    )


def prepare(domain: EmbeddingDomain, cover: Image, payload: Payload, key: Key, size: int) -> Embedding:
    """Seal and encode *payload* in a frame of *size* bytes, and place its bits and pilots in *cover*."""
    count, pilots, message = layout(domain, key, size)
    body = np.unpackbits(np.frombuffer(frame.seal_compact(payload, key, size), np.uint8))
    return Embedding(domain, cover, count, ((pilots, pilot(key, size)), (message, convolutional.encode(body))))


def energy(domain: EmbeddingDomain, psnr: float) -> float:
    """Return the sum of squared changes of coefficients at a PSNR in dB, each colour channel changed alike."""
    return float(domain.pixels * 255.0**2 / 10 ** (psnr / 10))


def typical_step(domain: EmbeddingDomain, bits: int, psnr: float) -> float:
    """Return the lattice step at which *bits* bits give *psnr* dB in a typical picture."""
    return math.sqrt(12 * energy(domain, psnr) / bits / _ENERGY_OVERHEAD)


def channel_bits(size: int) -> int:
    """Return the number of channel bits of a frame of *size* bytes, without pilots."""
    return 8 * size * convolutional.EXPANSION


def fits(domain: EmbeddingDomain, size: int) -> bool:
    """Return True if there is a coefficient for each channel bit of a frame of *size* bytes."""
    return domain.blocks * domain.counts[-1] >= _pilot_pool(domain) + channel_bits(size)


def pilot(key: Key, size: int) -> Bits:
    """Return the pilot bits of frames of *size* bytes, ``(PILOTS,)``."""
    return np.unpackbits(key.stream(f"pilot {size}", PILOTS // 8))


def layout(domain: EmbeddingDomain, key: Key, size: int) -> tuple[int, SpreadTransform, SpreadTransform]:
    """Place a frame of *size* bytes: coefficients per block, spread transforms of the pilots and of the message."""
    bits = channel_bits(size)
    room = (domain.blocks * count - _pilot_pool(domain) for count in domain.counts)
    count = next(
        (count for count, free in zip(domain.counts, room, strict=True) if free >= 2 * bits), domain.counts[-1]
    )
    pilots = _pilots(domain, key, count)
    free = np.ones(domain.blocks * count, bool)
    free[pilots.order] = False
    pool = np.flatnonzero(free)
    return count, pilots, SpreadTransform(key, f"message {size}", pool, bits, _places(domain, pool, count))


def detect(domain: EmbeddingDomain, image: Image, key: Key) -> list[Detection]:
    """Detect watermarks by their pilots, without decoding: the step that fits best, for the likeliest frame sizes.

    With the right key the dither makes the residues of a picture without a watermark uniform. The sum of n cosines then
    exceeds t with a probability below exp(-t² / n) (Hoeffding's lemma; the variance proxy of such a cosine is 1/2). The
    p-value is this bound times the number of sizes and steps tried. Pilots that were not received are not counted.

    Args:
        domain: coefficients to search.
        image: ``uint8 (H, W, 3)``.
        key: the sender's key.

    Returns:
        Candidates by rising p-value; none if the picture is too small.
    """
    if domain.blocks * domain.counts[0] < _pilot_pool(domain):
        return []
    sizes = [size for size in SIZES if fits(domain, size)]
    if not sizes:
        return []
    spread = _pilots(domain, key, domain.counts[0])
    projections = spread.project(domain.analyse(image, domain.counts[0]))
    received = np.isfinite(projections)
    if not received.any():
        return []
    patterns = np.stack([1 - 2.0 * pilot(key, size) for size in sizes], axis=1) * received[:, None]  # (PILOTS, sizes)
    projections[~received] = 0.0
    largest = typical_step(domain, PILOTS + channel_bits(sizes[0]), MIN_PSNR - _SEARCH.psnr_margin)
    finest, ratio = _SEARCH.finest_step, _SEARCH.step_ratio
    steps = np.geomspace(finest, largest, int(np.log(largest / finest) / ratio) + 2)
    scores = _pilot_scores(spread, projections, steps, patterns)  # (steps, sizes)
    detections = []
    for column in np.argsort(-scores.max(axis=0), kind="stable")[: _SEARCH.candidates]:
        near = steps[scores[:, column].argmax()] * (1 + ratio * np.linspace(-1, 1, 21))
        refined = _pilot_scores(spread, projections, near, patterns[:, column])
        trials = scores.size * len(near)
        p_value = trials * float(np.exp(-(max(refined.max(), 0.0) ** 2) / received.sum()))
        detections.append(Detection(sizes[column], float(near[refined.argmax()]), p_value))
    return sorted(detections, key=lambda detection: detection.p_value)


def decode(domain: EmbeddingDomain, image: Image, key: Key, detections: Sequence[Detection]) -> tuple[Payload, float]:
    """Decode the message of the first of *detections* whose tag is right.

    Args:
        domain: coefficients to read.
        image: ``uint8 (H, W, 3)``.
        key: the sender's key.
        detections: what :func:`detect` returned.

    Returns:
        The payload and the raw bit error rate: the share of received channel bits that the code corrected.

    Raises:
        NotFoundError: none of them has a valid frame.
    """
    for detection in detections[: _SEARCH.decoded]:
        if detection.p_value > _SEARCH.max_p_value:
            break
        count, _, message = layout(domain, key, detection.size)
        projections = message.project(domain.analyse(image, count))
        received, soft = np.isfinite(projections), message.soft_bits(projections, detection.step)
        bits = convolutional.decode(soft)
        try:
            payload = frame.open_compact(np.packbits(bits).tobytes(), key)
        except NotFoundError:
            continue
        return payload, float(np.mean(convolutional.encode(bits)[received] != (soft > 0)[received]))
    raise not_found()


def _pilot_pool(domain: EmbeddingDomain) -> int:
    """Return the number of coefficients of all pilots: an eighth of the lowest, at least one for each pilot."""
    return max(PILOTS, domain.blocks * domain.counts[0] // 8)


def _pilots(domain: EmbeddingDomain, key: Key, count: int) -> SpreadTransform:
    """Return the spread transform of the pilots in ``analyse(image, count)``: the same coefficients for any *count*."""
    order = key.permutation("pilot pool", domain.blocks * domain.counts[0])
    block, frequency = np.divmod(order[: _pilot_pool(domain)], domain.counts[0])
    pool = block * count + frequency
    return SpreadTransform(key, "pilots", pool, PILOTS, _places(domain, pool, count))


def _places(domain: EmbeddingDomain, pool: NDArray[np.intp], count: int) -> NDArray[np.intp] | None:
    """Return the positions of the blocks of the coefficients *pool*."""
    return None if domain.places is None else domain.places[pool // count]


def _pilot_scores(
    spread: SpreadTransform, projections: Projections, steps: Projections, patterns: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the agreement of the projections with ±1 *patterns* at each of *steps*: -PILOTS to PILOTS."""
    return np.asarray(np.cos(2 * np.pi * spread.residues(projections, steps)) @ patterns)
