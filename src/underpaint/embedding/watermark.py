"""Watermarks by spread-transform dither modulation: embedding, blind detection and decoding of a short message.

::

    payload ─compact frame─► bytes ─convolutional code─► channel bits ┐
                                 keyed pilots of that frame size ─────┴► SpreadTransform ─► coefficients ─► container

The receiver knows neither the strength nor the length of the message. Keyed pilot bits, one pattern for each frame
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
#: Number of pilot bits of most domains.
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

    @property
    def pilots(self) -> int:
        """Number of pilot bits, a multiple of 8."""
        ...

    @property
    def copies(self) -> tuple[int, ...]:
        """Numbers of times that the coded message may be embedded, 1 first. With more, a part of the picture is enough."""
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
    #: Number of times that the coded message is embedded.
    copies: int
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


def prepare(domain: EmbeddingDomain, cover: Image, payload: Payload, key: Key, size: int, copies: int = 1) -> Embedding:
    """Seal and encode *payload* in a frame of *size* bytes, and place its bits, *copies* times, and pilots in *cover*."""
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
    return domain.blocks * domain.counts[-1] >= _pilot_pool(domain) + copies * channel_bits(size)


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
    """Place *copies* frames of *size* bytes: coefficients per block, spread transforms of the pilots and the message."""
    bits = copies * channel_bits(size)
    share = 2 if copies == 1 else 1  # coefficients per bit, if there is room for it
    room = (domain.blocks * count - _pilot_pool(domain) for count in domain.counts)
    count = next(
        (count for count, free in zip(domain.counts, room, strict=True) if free >= share * bits), domain.counts[-1]
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
    variants = [(size, copies) for copies in domain.copies for size in SIZES if fits(domain, size, copies)]
    if not variants:
        return []
    spread = _pilots(domain, key, domain.counts[0])
    projections = spread.project(domain.analyse(image, domain.counts[0]))
    received = np.isfinite(projections)
    if not received.any():
        return []
    patterns = np.stack([1 - 2.0 * pilot(domain, key, *variant) for variant in variants], axis=1)  # (pilots, variants)
    patterns *= received[:, None]
    projections[~received] = 0.0
    largest = typical_step(domain, domain.pilots + channel_bits(variants[0][0]), MIN_PSNR - _SEARCH.psnr_margin)
    finest, ratio = _SEARCH.finest_step, _SEARCH.step_ratio
    steps = np.geomspace(finest, largest, int(np.log(largest / finest) / ratio) + 2)
    scores = _pilot_scores(spread, projections, steps, patterns)  # (steps, variants)
    detections = []
    for column in np.argsort(-scores.max(axis=0), kind="stable")[: _SEARCH.candidates]:
        near = steps[scores[:, column].argmax()] * (1 + ratio * np.linspace(-1, 1, 21))
        refined = _pilot_scores(spread, projections, near, patterns[:, column])
        trials = scores.size * len(near)
        p_value = trials * float(np.exp(-(max(refined.max(), 0.0) ** 2) / received.sum()))
        detections.append(Detection(*variants[column], float(near[refined.argmax()]), p_value))
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
        count, _, message = layout(domain, key, detection.size, detection.copies)
        projections = message.project(domain.analyse(image, count))
        received, soft = np.isfinite(projections), message.soft_bits(projections, detection.step)
        bits = convolutional.decode(soft.reshape(detection.copies, -1).sum(axis=0))
        try:
            payload = frame.open_compact(np.packbits(bits).tobytes(), key)
        except NotFoundError:
            continue
        sent = np.tile(convolutional.encode(bits), detection.copies)
        return payload, float(np.mean(sent[received] != (soft > 0)[received]))
    raise not_found()


def _pilot_pool(domain: EmbeddingDomain) -> int:
    """Return the number of coefficients of all pilots: an eighth of the lowest, at least one for each pilot."""
    return max(domain.pilots, domain.blocks * domain.counts[0] // 8)


def _pilots(domain: EmbeddingDomain, key: Key, count: int) -> SpreadTransform:
    """Return the spread transform of the pilots in ``analyse(image, count)``: the same coefficients for any *count*."""
    order = key.permutation("pilot pool", domain.blocks * domain.counts[0])
    block, frequency = np.divmod(order[: _pilot_pool(domain)], domain.counts[0])
    pool = block * count + frequency
    return SpreadTransform(key, "pilots", pool, domain.pilots, _places(domain, pool, count))


def _places(domain: EmbeddingDomain, pool: NDArray[np.intp], count: int) -> NDArray[np.intp] | None:
    """Return the positions of the blocks of the coefficients *pool*."""
    return None if domain.places is None else domain.places[pool // count]


def _pilot_scores(
    spread: SpreadTransform, projections: Projections, steps: Projections, patterns: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the agreement of the projections with ±1 *patterns* at each of *steps*: minus to plus their number."""
    return np.asarray(np.cos(2 * np.pi * spread.residues(projections, steps)) @ patterns)
