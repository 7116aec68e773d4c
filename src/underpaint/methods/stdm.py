"""STDM: a short message on keyed lattices in luma DCT coefficients; survives recompression, without any training.

::

    payload ─compact frame─► bytes ─convolutional code─► bits ┐
                              keyed pilot of that frame size ─┴► Spread ─► coefficients ─► container

The receiver knows neither the strength nor the length of the message. A pilot of 64 keyed bits, one pattern per frame
size, is laid on lattices of the same step as the message: the pattern and step that fit best tell both, undo a change
of gain, and give a false-alarm probability. Only then is the message decoded, and its tag checked.

The strength comes from a wanted PSNR. Before that, embedding looks at what arrives through the channel to be survived,
and moves those projections further that arrive too far from their lattice point: in flat blocks, where a codec drops
small changes, and near black and white, where clipping eats them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from underpaint import metrics
from underpaint.channels import arrivals, parse
from underpaint.errors import CapacityError, DamagedError, NotFoundError, PayloadError, SurvivalError, UsageError
from underpaint.lattice import Array, Spread, activity, analyse, grid, paint
from underpaint.secret import ecc, frame
from underpaint.secret.keys import COMPACT_COST, SALT, Key
from underpaint.types import Bits, Capacity, Image, Passage, Payload, SoftBits, as_bits, as_cover

#: Frame sizes in bytes: four to a doubling, so that padding costs at most a fifth.
SIZES = tuple(sorted({round(2 ** (e / 4)) for e in range(14, 53)}))
PILOTS = 64
#: Coefficients per block: as few, and so as low frequencies, as give each bit two.
COUNTS = (7, 14, 35)
#: PSNRs in dB tried in turn where none is asked for.
QUALITIES = (46.0, 44.0, 42.0, 40.0, 38.0)
LOWEST_PSNR, HIGHEST_PSNR = 30.0, 60.0
#: False-alarm probability per picture below which a mark is said to be there.
FALSE_ALARM = 1e-6

Projections = NDArray[np.float64]

#: Payloads above this many bytes are refused before time is spent on compressing them.
_HOPELESS = 1 << 20
#: The share of coded bits that may arrive wrong where a message is to survive: a third of what can be corrected.
_TOLERATED = 0.04
#: How often a container is looked at and mended.
_ROUNDS = 4
#: Projections that arrive within this share of a step from their aim are left alone; at a quarter the bit turns.
_SLACK = 0.1
#: A block takes change in proportion to (activity + _FLATTEST) ** _MASKING, in grey levels.
_FLATTEST = 2.0
_MASKING = 0.75
#: What masking and mending add to the even share of step² / 12 per bit: over training pictures, and a little more.
_OVERHEAD = 1.25
#: The step below which JPEG 50 leaves more than _TOLERATED of the coded bits wrong.
_SMALLEST_STEP = 47.0
#: Steps a reader tries: from the finest that carries anything to that of the shortest message at the lowest PSNR.
_FINEST_STEP = 8.0
_STEP_RATIO = 0.008
#: How many marks are decoded at most, and how likely to be none at all.
_ATTEMPTS = 3
_WORTH_A_TRY = 0.5
#: By how much (in nats) a change of gain has to fit better than none.
_BEYOND_DOUBT = 6.0


@dataclass(frozen=True)
class Mark:
    """A frame size and lattice step that a picture's pilots agree with."""

    size: int
    step: float
    #: A bound on the chance that a picture without a mark of this key looks like this; the chance itself is far less.
    false_alarm: float


class STDM:
    """The method behind ``hide -m``; a :class:`~underpaint.methods.Method` and a bit carrier."""

    name = "stdm"
    summary = "a short message that survives recompression"
    needs_lossless = False
    default_survive = "jpeg:50"

    def capacity(self, cover: Image) -> Capacity:
        """The longest message to expect to survive ``default_survive`` at the lowest of :data:`QUALITIES`."""
        cover = as_cover(cover)
        quality, overhead = QUALITIES[-1], frame.compact_size(Payload(b""))
        usable = (
            size
            for size in SIZES
            if _fits(cover, size) and _typical_step(cover, PILOTS + _coded(size), quality) >= _SMALLEST_STEP
        )
        return Capacity(max(usable, default=overhead) - overhead, quality)

    def hide(
        self, cover: Image, payload: Payload, passphrase: str | None, *, psnr: float | None, survive: Passage | None
    ) -> Image:
        """Return a container of at least *psnr* dB whose message can be read before and after *survive*.

        Without *psnr* the best of :data:`QUALITIES` is taken that survives; *survive* is ``default_survive`` if None.
        """
        if psnr is not None and not LOWEST_PSNR <= psnr <= HIGHEST_PSNR:
            raise UsageError(
                f"a PSNR of {psnr:g} dB is out of range", hint=f"{LOWEST_PSNR:g} to {HIGHEST_PSNR:g} make sense"
            )
        cover = as_cover(cover)
        needed = frame.compact_size(payload) if len(payload.data) <= _HOPELESS else len(payload.data)
        size = next((size for size in SIZES if size >= needed and _fits(cover, size)), None)
        if size is None:
            fits = self.capacity(cover).payload_bytes
            raise CapacityError(
                f"{len(payload.data)} bytes do not fit, about {fits} do" if fits else "the picture holds no message",
                hint="take a larger picture, or a PNG and --method lsb, which holds far more but survives nothing",
            )
        key = _key(passphrase)
        sealed = np.frombuffer(frame.seal_compact(payload, key, size), np.uint8)
        count, pilots, message = _layout(key, cover, size)
        bits = ecc.encode(np.unpackbits(sealed))
        plan = _Plan(cover, count, ((pilots, _pilot(key, size)), (message, bits)))
        channel = survive or parse(self.default_survive)
        for quality in QUALITIES if psnr is None else (psnr,):
            container = _at_quality(plan, quality, channel)
            if all(_carries(image, key, payload) for image in chain([container], arrivals(channel, container))):
                return container
        moved = channel(cover, 0).shape != cover.shape
        raise SurvivalError(
            f"the message does not survive {channel} at {quality:g} dB in this picture",
            hint="stdm needs every pixel to stay in its place"
            if moved
            else "shorten the message, take a larger picture, a lower --psnr, or a milder --survive",
        )

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        """Return the message. The container may have been changed, but its pixels have to lie where they did."""
        return _read(container, _key(passphrase))[0]

    def find(self, image: Image, passphrase: str | None) -> Mark | None:
        """What the pilots say, without reading the message; None if the picture is too small to have any."""
        return next(iter(_find(image, _key(passphrase))), None)

    def embed_bits(self, cover: Image, bits: Bits, key: Key, *, psnr: float, survive: Passage | None = None) -> Image:
        """Return a container with *bits* alone: no frame, no pilots, no error correction.

        The step follows from *psnr* in dB, the number of bits and the picture's size, so the receiver has to know
        these. A single container misses *psnr* by a little; over many pictures the mean meets it. Without *survive*
        it is mended for JPEG 25, which covers milder channels.
        """
        bits = as_bits(bits)
        spread, step = _bare(cover, key, len(bits), psnr)
        return _mended(_Plan(cover, COUNTS[0], ((spread, bits),)), step, survive or parse("jpeg:25"))

    def extract_bits(self, container: Image, count: int, key: Key, *, psnr: float) -> SoftBits:
        """Return *count* log-likelihood ratios, positive for 1, of bits embedded at *psnr*."""
        spread, step = _bare(container, key, count, psnr)
        projections = spread.project(analyse(container, COUNTS[0]))
        return spread.soft_bits(projections, step * _gain(spread, projections, step))


# Where everything lies


def _key(passphrase: str | None) -> Key:
    return Key.derive(passphrase, SALT, COMPACT_COST)


def _blocks(image: Image) -> int:
    down, across = grid(image)
    return down * across


def _coded(size: int) -> int:
    """Message bits of a frame of *size* bytes."""
    return 8 * size * ecc.EXPANSION


def _pilot_pool(image: Image) -> int:
    """How many coefficients the pilots share: an eighth of the lowest, and never fewer than there are pilots."""
    return max(PILOTS, _blocks(image) * COUNTS[0] // 8)


def _fits(image: Image, size: int) -> bool:
    return _blocks(image) * COUNTS[-1] >= _pilot_pool(image) + _coded(size)


def _pilots(key: Key, image: Image, count: int) -> Spread:
    """The pilots' directions in ``analyse(image, count)``: the same coefficients whatever *count*."""
    order = key.permutation("pilot pool", _blocks(image) * COUNTS[0])
    block, frequency = np.divmod(order[: _pilot_pool(image)], COUNTS[0])
    return Spread(key, "pilots", block * count + frequency, PILOTS)


def _pilot(key: Key, size: int) -> Bits:
    """The pilot bits that announce a frame of *size* bytes."""
    return np.unpackbits(key.stream(f"pilot {size}", PILOTS // 8))


def _layout(key: Key, image: Image, size: int) -> tuple[int, Spread, Spread]:
    """Coefficients per block, and the directions of the pilots and of the message of a frame of *size* bytes."""
    bits = _coded(size)
    room = (_blocks(image) * count - _pilot_pool(image) for count in COUNTS)
    count = next((count for count, free in zip(COUNTS, room, strict=True) if free >= 2 * bits), COUNTS[-1])
    pilots = _pilots(key, image, count)
    free = np.ones(_blocks(image) * count, bool)
    free[pilots.order] = False
    return count, pilots, Spread(key, f"message {size}", np.flatnonzero(free), bits)


def _bare(image: Image, key: Key, count: int, psnr: float) -> tuple[Spread, float]:
    """The directions and the step of *count* bits without pilots."""
    pool = np.arange(_blocks(image) * COUNTS[0])
    if not 0 < count <= len(pool):
        raise CapacityError(f"{count} bits do not fit, this picture has room for {len(pool)}")
    return Spread(key, f"bits {count}", pool, count), _typical_step(image, count, psnr)


# Embedding


class _Plan:
    """What is to be embedded where in a cover: the bits of several spreads, as one vector of projections."""

    def __init__(self, cover: Image, count: int, parts: tuple[tuple[Spread, Bits], ...]) -> None:
        self.cover, self.count, self.parts = cover, count, parts
        self.starts = np.cumsum([len(bits) for _, bits in parts])[:-1]
        self.projections = self.project(cover)
        # How much change each coefficient may take, relative to the others.
        self.weights = np.repeat((activity(cover) + _FLATTEST) ** _MASKING, count)

    def project(self, image: Image) -> Projections:
        coefficients = analyse(image, self.count)
        return np.concatenate([spread.project(coefficients) for spread, _ in self.parts])

    def aims(self, step: float) -> Projections:
        """Where every projection has to go."""
        own = zip(self.parts, np.split(self.projections, self.starts), strict=True)
        return np.concatenate([spread.targets(values, bits, step) for (spread, bits), values in own])

    def change(self, moves: Projections) -> Array:
        """The change of the coefficients that moves the projections so."""
        own = zip(self.parts, np.split(moves, self.starts), strict=True)
        return np.asarray(sum(spread.spread(values, self.weights) for (spread, _), values in own))


def _energy(image: Image, psnr: float) -> float:
    """The squared change of luma coefficients, in sum, that costs *psnr* dB: each colour channel takes all of it."""
    return float(image.shape[0] * image.shape[1] * 255.0**2 / 10 ** (psnr / 10))


def _typical_step(image: Image, bits: int, psnr: float) -> float:
    """The step at which *bits* cost *psnr* dB in a typical picture of this size: step² / 12 each, times an overhead."""
    return math.sqrt(12 * _energy(image, psnr) / bits / _OVERHEAD)


def _at_quality(plan: _Plan, psnr: float, channel: Passage) -> Image:
    """A container of at least *psnr* dB, and little more."""
    step = _typical_step(plan.cover, len(plan.projections), psnr)
    for _ in range(6):  # the energy grows with the square of the step, but not smoothly
        change = plan.change(plan.aims(step) - plan.projections)
        step *= math.sqrt(_energy(plan.cover, psnr) / float(np.square(change).sum(dtype=np.float64)))
    while True:
        container = _mended(plan, step, channel)
        missing = psnr - metrics.psnr(plan.cover, container)
        if missing <= 0:
            return container
        step *= 10 ** (-(missing + 0.02) / 20)


def _mended(plan: _Plan, step: float, channel: Passage) -> Image:
    """A container at this *step*, mended where what arrives, straight or through *channel*, is too far from its aim."""
    aims = plan.aims(step)
    change = plan.change(aims - plan.projections)
    container = paint(plan.cover, change, plan.count)
    for seed in range(_ROUNDS):
        sent = plan.project(container)
        misses = [aims - sent]
        if (arrived := channel(container, seed)).shape == container.shape and sent.any():
            received = plan.project(arrived)
            # A change of gain is the receiver's to undo, not the embedding's to mend.
            gain = float(np.vdot(sent, received)) / float(np.vdot(sent, sent))
            misses.append(aims - received / max(gain, 0.1))
        # No mending beyond the half step that embedding itself may take: what misses by more is lost in this channel.
        moves = sum(np.where(np.abs(miss) > _SLACK * step, np.clip(miss, -step / 2, step / 2), 0) for miss in misses)
        if not np.any(moves):
            break
        change += plan.change(moves / np.sqrt(len(misses)))
        container = paint(plan.cover, change, plan.count)
    return container


def _carries(image: Image, key: Key, payload: Payload) -> bool:
    """Whether the payload is read from *image* with strength to spare."""
    try:
        found, corrected = _read(image, key)
    except PayloadError:
        return False
    return found.data == payload.data and corrected <= _TOLERATED


# Reading


def _find(image: Image, key: Key) -> list[Mark]:
    """The likeliest marks, best first: for each frame size the step at which its pilots fit best.

    With the right key the dither makes the phases of a picture without a mark uniform, so the sum of PILOTS cosines
    exceeds t with a probability below exp(-t² / PILOTS) (Hoeffding's lemma: the variance proxy of such a cosine is
    1/2), times the number of sizes and steps tried.
    """
    if _blocks(image) * COUNTS[0] < _pilot_pool(image):
        return []
    sizes = [size for size in SIZES if _fits(image, size)]
    if not sizes:
        return []
    patterns = np.stack([1 - 2.0 * _pilot(key, size) for size in sizes], axis=1)  # (PILOTS, sizes)
    spread = _pilots(key, image, COUNTS[0])
    projections = spread.project(analyse(image, COUNTS[0]))
    largest = _typical_step(image, PILOTS + _coded(sizes[0]), LOWEST_PSNR - 3)
    steps = np.geomspace(_FINEST_STEP, largest, int(np.log(largest / _FINEST_STEP) / _STEP_RATIO) + 2)
    fit = _fit(spread, projections, steps, patterns)  # (steps, sizes)
    marks = []
    for column in range(len(sizes)):
        near = steps[fit[:, column].argmax()] * (1 + _STEP_RATIO * np.linspace(-1, 1, 21))
        fine = _fit(spread, projections, near, patterns[:, column])
        tried = fit.size * len(near)
        chance = tried * float(np.exp(-(max(fine.max(), 0.0) ** 2) / PILOTS))
        marks.append(Mark(sizes[column], float(near[fine.argmax()]), min(chance, 1.0)))
    return sorted(marks, key=lambda mark: mark.false_alarm)


def _fit(
    spread: Spread, projections: Projections, steps: Projections, patterns: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How well each of *steps* agrees with bits known as ±1 *patterns*: -count to count."""
    return np.asarray(np.cos(2 * np.pi * spread.phases(projections, steps)) @ patterns)


def _read(image: Image, key: Key) -> tuple[Payload, float]:
    """The payload, and the share of its coded bits that error correction had to turn.

    Raises:
        NotFoundError: no mark of this key.
        DamagedError: a mark, but its message is beyond repair.
    """
    marks = _find(image, key)
    for mark in marks[:_ATTEMPTS]:
        if mark.false_alarm > _WORTH_A_TRY:
            break
        count, _, message = _layout(key, image, mark.size)
        soft = message.soft_bits(message.project(analyse(image, count)), mark.step)
        bits = ecc.decode(soft)
        try:
            payload = frame.open_compact(np.packbits(bits).tobytes(), key)
        except NotFoundError:
            continue
        return payload, float(np.mean(ecc.encode(bits) != (soft > 0)))
    if marks and marks[0].false_alarm < FALSE_ALARM:
        raise DamagedError(
            "a message is here, but too much of it is lost",
            hint="look for a copy that was recompressed less and neither resized nor cropped",
        )
    raise frame.not_found()


def _gain(spread: Spread, projections: Projections, step: float) -> float:
    """The change of gain that the projections show beyond doubt, else 1.

    Without known bits, the lattice of half the step that both values share is what has to fit.
    """
    gains = np.append(1.0, np.geomspace(0.6, 1.6, 197))
    phases = spread.phases(projections, gains * step)
    fit = np.maximum(np.cos(4 * np.pi * phases).sum(axis=1, dtype=np.float64), 0)
    surprise = fit**2 / len(projections)
    best = surprise.argmax()
    return float(gains[best]) if surprise[best] > surprise[0] + _BEYOND_DOUBT else 1.0
