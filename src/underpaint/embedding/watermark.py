"""Messages on a lattice that announce themselves: what is laid where, how it is found, and how it is read.

::

    payload ─compact frame─► bytes ─convolutional code─► bits ┐
                              keyed pilot of that frame size ─┴► Spread ─► coefficients of a Ground ─► container

The receiver knows neither the strength nor the length of the message. A pilot of 64 keyed bits, one pattern per frame
size, is laid on lattices of the same step as the message: the pattern and step that fit best tell both, undo a change
of gain, and give a false-alarm probability. Only then is the message decoded, and its tag checked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from underpaint.coding import convolutional, frame
from underpaint.embedding.lapped import Array, SpreadTransform
from underpaint.errors import CapacityError, NotFoundError
from underpaint.types import MIN_PSNR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.coding.keys import Key
    from underpaint.types import Bits, Image, Payload, SoftBits

#: Frame sizes in bytes: four to a doubling, so that padding costs at most a fifth.
SIZES = tuple(sorted({round(2 ** (e / 4)) for e in range(14, 53)}))
PILOTS = 64
#: False-alarm probability per picture below which a mark is said to be there.
MAX_FALSE_POSITIVE_RATE = 1e-6
#: The share of coded bits that may arrive wrong where a message is to survive: a third of what can be corrected.
MAX_RAW_BER = 0.04

Projections = NDArray[np.float64]

#: Payloads above this many bytes are refused before time is spent on compressing them.
_HOPELESS = 1 << 20
#: What masking and mending add to the even share of step² / 12 per bit: over training pictures, and a little more.
_OVERHEAD = 1.25
#: Steps a reader tries: from the finest that carries anything to that of the shortest message at the lowest PSNR.
_FINEST_STEP = 8.0
_STEP_RATIO = 0.008
#: Changes of gain that bits without pilots may have gone through, how likely none is, and the scale of their logarithm.
_GAINS = np.append(1.0, np.geomspace(0.6, 1.6, 197))
_UNCHANGED, _CHANGE = 0.85, 0.08
#: How tightly such bits may sit on their lattice (von Mises), and how sure they can be.
_CONCENTRATIONS = (0.7, 1.5, 3.0, 6.0, 12.0, 24.0)
_CERTAIN = 1 - 1e-9
#: How many marks are looked at closely, how many are decoded at most, and how likely to be none at all.
_CONSIDERED = 6
_ATTEMPTS = 3
_WORTH_A_TRY = 0.5


class EmbeddingDomain(Protocol):
    """Coefficients, in blocks, that marks are laid on."""

    @property
    def counts(self) -> tuple[int, ...]:
        """Coefficients per block that may be used: as few, and so as low frequencies, as give each bit two."""
        ...

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        ...

    @property
    def pixels(self) -> int:
        """How many pixels a coefficient's energy counts among."""
        ...

    @property
    def places(self) -> NDArray[np.intp] | None:
        """Where each block lies along a curve, if bits keep to neighbouring blocks; else None."""
        ...

    def analyse(self, image: Image, count: int) -> Array:
        """The first *count* coefficients of every block, ``float32 (blocks * count,)``; NaN where none arrived."""
        ...

    def restore(self, image: Image, count: int) -> Array:
        """The same of a picture that went through something, as well as that can be undone."""
        ...

    def paint(self, image: Image, change: Array, count: int) -> Image:
        """Add a *change* of the coefficients to a picture."""
        ...

    def weights(self, cover: Image, count: int) -> Array:
        """How much change each coefficient may take, relative to the others: ``float32 (blocks * count,)``."""
        ...


@dataclass(frozen=True)
class Detection:
    """A frame size and lattice step that a picture's pilots agree with."""

    size: int
    step: float
    #: A bound on the chance that a picture without a mark of this key looks like this; the chance itself is far less.
    #: Above 1 it says nothing.
    false_alarm: float


class Embedding:
    """What is to be embedded where in a cover: the bits of several spreads, as one vector of projections."""

    def __init__(
        self, ground: EmbeddingDomain, cover: Image, count: int, parts: Sequence[tuple[SpreadTransform, Bits]]
    ) -> None:
        self.ground, self.cover, self.count, self.parts = ground, cover, count, parts
        self.starts = np.cumsum([len(bits) for _, bits in parts])[:-1]
        self.projections = self.project(cover)
        self.weights = ground.weights(cover, count)

    def project(self, image: Image) -> Projections:
        """All projections of *image*."""
        coefficients = self.ground.analyse(image, self.count)
        return np.concatenate([spread.project(coefficients) for spread, _ in self.parts])

    def aims(self, step: float) -> Projections:
        """Where every projection has to go."""
        own = zip(self.parts, np.split(self.projections, self.starts), strict=True)
        return np.concatenate([spread.targets(values, bits, step) for (spread, bits), values in own])

    def change(self, moves: Projections) -> Array:
        """The change of the coefficients that moves the projections so."""
        own = zip(self.parts, np.split(moves, self.starts), strict=True)
        return np.asarray(sum(spread.spread(values, self.weights) for (spread, _), values in own))

    def paint(self, change: Array) -> Image:
        """The container with this change."""
        return self.ground.paint(self.cover, change, self.count)

    def step(self, energy: float) -> float:
        """The step at which embedding changes the coefficients by this *energy*, their squared change in sum."""
        step = math.sqrt(12 * energy / len(self.projections) / _OVERHEAD)
        for _ in range(6):  # the energy grows with the square of the step, but not smoothly
            change = self.change(self.aims(step) - self.projections)
            step *= math.sqrt(energy / float(np.square(change).sum(dtype=np.float64)))
        return step


def frame_size(payload: Payload, grounds: Sequence[EmbeddingDomain], expected: int) -> int:
    """The smallest frame that holds *payload* and fits on one of *grounds*.

    Raises:
        CapacityError: none does; *expected* bytes would.
    """
    needed = frame.compact_size(payload) if len(payload.data) <= _HOPELESS else len(payload.data)
    for size in SIZES:
        if size >= needed and any(fits(ground, size) for ground in grounds):
            return size
    raise CapacityError(
        f"{len(payload.data)} bytes do not fit, about {expected} do" if expected else "the picture holds no message",
        hint="take a larger picture, or a PNG and --method lsb, which holds far more but survives nothing",
    )


def sealed(ground: EmbeddingDomain, cover: Image, payload: Payload, key: Key, size: int) -> Embedding:
    """A plan of *payload* in a frame of *size* bytes, with its pilots."""
    count, pilots, message = layout(ground, key, size)
    body = np.unpackbits(np.frombuffer(frame.seal_compact(payload, key, size), np.uint8))
    return Embedding(ground, cover, count, ((pilots, pilot(key, size)), (message, convolutional.encode(body))))


def energy(ground: EmbeddingDomain, psnr: float) -> float:
    """The squared change of coefficients, in sum, that costs *psnr* dB: each colour channel takes all of it."""
    return float(ground.pixels * 255.0**2 / 10 ** (psnr / 10))


def typical_step(ground: EmbeddingDomain, bits: int, psnr: float) -> float:
    """The step at which *bits* cost *psnr* dB in a typical picture: step² / 12 each, times an overhead."""
    return math.sqrt(12 * energy(ground, psnr) / bits / _OVERHEAD)


def coded(size: int) -> int:
    """Message bits of a frame of *size* bytes."""
    return 8 * size * convolutional.EXPANSION


def fits(ground: EmbeddingDomain, size: int) -> bool:
    """Whether a frame of *size* bytes finds a coefficient for each of its bits."""
    return ground.blocks * ground.counts[-1] >= _pilot_pool(ground) + coded(size)


def pilot(key: Key, size: int) -> Bits:
    """The pilot bits that announce a frame of *size* bytes."""
    return np.unpackbits(key.stream(f"pilot {size}", PILOTS // 8))


def layout(ground: EmbeddingDomain, key: Key, size: int) -> tuple[int, SpreadTransform, SpreadTransform]:
    """Coefficients per block, and the directions of the pilots and of the message of a frame of *size* bytes."""
    bits = coded(size)
    room = (ground.blocks * count - _pilot_pool(ground) for count in ground.counts)
    count = next(
        (count for count, free in zip(ground.counts, room, strict=True) if free >= 2 * bits), ground.counts[-1]
    )
    pilots = _pilots(ground, key, count)
    free = np.ones(ground.blocks * count, bool)
    free[pilots.order] = False
    pool = np.flatnonzero(free)
    return count, pilots, SpreadTransform(key, f"message {size}", pool, bits, _places(ground, pool, count))


def detect(ground: EmbeddingDomain, image: Image, key: Key) -> list[Detection]:
    """The likeliest marks, best first: for some frame sizes the step at which their pilots fit best.

    With the right key the dither makes the phases of a picture without a mark uniform, so the sum of n cosines exceeds
    t with a probability below exp(-t² / n) (Hoeffding's lemma: the variance proxy of such a cosine is 1/2), times the
    number of sizes and steps tried. Pilots that did not arrive are not counted.
    """
    if ground.blocks * ground.counts[0] < _pilot_pool(ground):
        return []
    sizes = [size for size in SIZES if fits(ground, size)]
    if not sizes:
        return []
    spread = _pilots(ground, key, ground.counts[0])
    projections = spread.project(ground.analyse(image, ground.counts[0]))
    arrived = np.isfinite(projections)
    if not arrived.any():
        return []
    patterns = np.stack([1 - 2.0 * pilot(key, size) for size in sizes], axis=1) * arrived[:, None]  # (PILOTS, sizes)
    projections[~arrived] = 0.0
    largest = typical_step(ground, PILOTS + coded(sizes[0]), MIN_PSNR - 3)
    steps = np.geomspace(_FINEST_STEP, largest, int(np.log(largest / _FINEST_STEP) / _STEP_RATIO) + 2)
    fit = _fit(spread, projections, steps, patterns)  # (steps, sizes)
    marks = []
    for column in np.argsort(-fit.max(axis=0), kind="stable")[:_CONSIDERED]:
        near = steps[fit[:, column].argmax()] * (1 + _STEP_RATIO * np.linspace(-1, 1, 21))
        fine = _fit(spread, projections, near, patterns[:, column])
        tried = fit.size * len(near)
        chance = tried * float(np.exp(-(max(fine.max(), 0.0) ** 2) / arrived.sum()))
        marks.append(Detection(sizes[column], float(near[fine.argmax()]), chance))
    return sorted(marks, key=lambda mark: mark.false_alarm)


def decode(ground: EmbeddingDomain, image: Image, key: Key, marks: Sequence[Detection]) -> tuple[Payload, float]:
    """The payload of the first of *marks* that has one, and the share of coded bits that had to be turned.

    Raises:
        NotFoundError: none of them has.
    """
    for mark in marks[:_ATTEMPTS]:
        if mark.false_alarm > _WORTH_A_TRY:
            break
        count, _, message = layout(ground, key, mark.size)
        projections = message.project(ground.restore(image, count))
        arrived, soft = np.isfinite(projections), message.soft_bits(projections, mark.step)
        bits = convolutional.decode(soft)
        try:
            payload = frame.open_compact(np.packbits(bits).tobytes(), key)
        except NotFoundError:
            continue
        return payload, float(np.mean(convolutional.encode(bits)[arrived] != (soft > 0)[arrived]))
    raise frame.not_found()


def blind_bits(spread: SpreadTransform, projections: Projections, step: float) -> SoftBits:
    """Log-likelihood ratios, positive for 1, of bits without pilots, whose gain and noise nothing else tells.

    The posterior of each bit is averaged over both, by how well all bits together agree with them: the mean over what
    may have happened errs less than the likeliest of it, where that is in doubt.
    """
    cosines = np.cos(2 * np.pi * spread.phases(projections, _GAINS * step), dtype=np.float64)  # (gains, bits)
    changed = np.exp(-np.abs(np.log(_GAINS[1:])) / _CHANGE)
    prior = np.log(np.append(_UNCHANGED, (1 - _UNCHANGED) * changed / changed.sum()))
    # Phases scatter around 0 for a 0, half a cell away for a 1, as von Mises' distribution of a concentration does.
    agreement = [
        prior + np.logaddexp(each * cosines, -each * cosines).sum(axis=1) - len(projections) * np.log(np.i0(each))
        for each in _CONCENTRATIONS
    ]
    weights = np.exp(agreement - np.max(agreement))
    belief = (
        sum(weight @ np.tanh(-each * cosines) for weight, each in zip(weights, _CONCENTRATIONS, strict=True))
        / weights.sum()
    )
    return np.asarray(2 * np.arctanh(np.clip(belief, -_CERTAIN, _CERTAIN)), np.float32)


def _pilot_pool(ground: EmbeddingDomain) -> int:
    """How many coefficients the pilots share: an eighth of the lowest, and never fewer than there are pilots."""
    return max(PILOTS, ground.blocks * ground.counts[0] // 8)


def _pilots(ground: EmbeddingDomain, key: Key, count: int) -> SpreadTransform:
    """The pilots' directions in ``analyse(image, count)``: the same coefficients whatever *count*."""
    order = key.permutation("pilot pool", ground.blocks * ground.counts[0])
    block, frequency = np.divmod(order[: _pilot_pool(ground)], ground.counts[0])
    pool = block * count + frequency
    return SpreadTransform(key, "pilots", pool, PILOTS, _places(ground, pool, count))


def _places(ground: EmbeddingDomain, pool: NDArray[np.intp], count: int) -> NDArray[np.intp] | None:
    return None if ground.places is None else ground.places[pool // count]


def _fit(
    spread: SpreadTransform, projections: Projections, steps: Projections, patterns: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How well each of *steps* agrees with bits known as ±1 *patterns*: -count to count."""
    return np.asarray(np.cos(2 * np.pi * spread.phases(projections, steps)) @ patterns)
