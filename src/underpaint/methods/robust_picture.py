"""A picture in a picture that survives JPEG, JPEG 2000 and WebP: its file, coded, in luma DCT coefficients.

After C. Zhang, A. Karjauv, P. Benz, I. S. Kweon, "Towards Robust Data Hiding Against (JPEG) Compression: A
Pseudo-Differentiable Deep Learning Approach" (arXiv:2101.00973), whose last experiment is one network for all three
codecs. Here numbers are hidden instead of pixels, and what is learned from the real codecs is where they go::

    payload ─compact frame─► bytes ─ldpc─► bits ─keyed order─► classes of coefficients ─► container
                             keyed pilot of that rate ──────┘

A coefficient of a block of 8×8 takes one bit or two (Gray's code): it moves towards the nearest number that leaves that
class when divided by its period (Chen and Wornell 2001), by a share of the way that is the strength (Eggers, Bäuml,
Tzschoppe, Girod, "Scalar Costa scheme for information embedding", 2003). Which coefficients take part, and their
periods, come from :mod:`underpaint_lab.papers.robust.picture_tables`. Classes lie on the grid that JPEG 50 rounds the low frequencies
to, so that JPEG does next to nothing to them; WebP, which rounds elsewhere, decides how much fits.

The receiver knows neither strength nor rate. Some keyed coefficients carry a pilot, one pattern for each rate, which
tells that, and gives a false-alarm probability. How noisy each frequency is, is then estimated from pilots and from how
tightly all coefficients sit on their classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from underpaint import metrics
from underpaint.channels import parse, received
from underpaint.coding import frame, ldpc, refusals
from underpaint.coding.keys import COMPACT_COST, SALT, Key
from underpaint.embedding.dct_qim import BLOCK, RATES, TABLES, CoefficientLayout
from underpaint.errors import CapacityError, DamagedError, NotFoundError, PayloadError, SurvivalError
from underpaint.types import Capacity, Payload, as_cover, as_image, check_psnr

if TYPE_CHECKING:
    from underpaint.types import Bits, Channel, Image

#: Name of the method.
NAME = "robust-picture"
#: What every container survives, each by itself, beside what is asked for.
CODECS = ("jpeg:75", "webp:75", "jpeg2000:4")
#: Qualities of a container with a picture in it, in dB, unless another is asked for: the first at which it fits.
PICTURE_PSNRS = (31.6, 30.25, 29.0)
#: PSNRs in dB tried in turn where none is asked for.
QUALITIES = tuple(40 - step / 4 for step in range(45))
#: False-alarm probability per picture below which a container is said to be one.
FALSE_ALARM = 1e-6

#: What of a channel's capacity the code can use at some rates.
_USED = ((0.0, 0.2, 0.3, 0.5, 0.6, 0.9), (0.68, 0.72, 0.80, 0.89, 0.915, 0.915))
#: The share by which a short word does worse, times the root of its length.
_SHORT = 0.4
#: Of a large picture the middle carries everything: so many pixels each way, whose place is a multiple of the other.
_MIDDLE, _ALIGNED = 1024, 16
#: Payloads above this many bytes are refused before time is spent on compressing them.
_HOPELESS = 1 << 20
#: How many marks are decoded at most, and how likely to be none at all.
_ATTEMPTS, _WORTH_A_TRY = 2, 0.5


@dataclass(frozen=True)
class Mark:
    """A table and the number of a rate that a picture's pilots agree with."""

    table: int
    rate: int
    #: A bound on the chance that a picture without a container's pilots looks like this.
    false_alarm: float


class _Plan:
    """What is to be embedded in a cover: bits, at a strength that is still open."""

    def __init__(self, cover: Image, layout: CoefficientLayout, bits: Bits, rate: int) -> None:
        self.cover, self.layout, self.bits, self.rate = cover, layout, bits, rate
        coefficients = layout.coefficients(cover)
        wanted = layout.classes(bits, rate)
        self.moves = np.rint(coefficients - wanted) + wanted - coefficients

    def at(self, psnr: float) -> Image:
        """A container of at least *psnr* dB, and little more unless all moves are made whole."""
        strength = 1.0
        for _ in range(6):
            container = self.layout.painted(self.cover, np.float32(strength) * self.moves)
            missing = psnr - metrics.psnr(self.cover, container)
            if missing <= 0 and (strength == 1.0 or missing > -0.05):
                break
            strength = min(1.0, strength * 10 ** (-(missing + 0.01) / 20))
        return container

    def carried(self, image: Image) -> float:
        """How much of a bit each channel bit tells that arrives with *image*, 0–1."""
        soft = self.layout.soft_bits(self.layout.coefficients(image), self.rate)
        signed = np.where(self.bits > 0, soft, -soft)
        return max(0.0, 1 - float(np.logaddexp(0, -signed, dtype=np.float64).mean() / np.log(2)))

    def enough(self, image: Image) -> bool:
        """Whether the payload is to be expected to be read from *image*."""
        return _enough(self.carried(image), self.layout, self.rate)


class RobustPicture:
    """For pictures that are to be revealed from recompressed containers; a :class:`~underpaint.methods.Method`."""

    name = NAME
    summary = "a picture, or a small file, that survives recompression"
    needs_lossless = False
    #: Beside :data:`CODECS`.
    default_survive = "jpeg:50"

    def capacity(self, cover: Image) -> Capacity:
        """What is to be expected of a photograph."""
        layout = CoefficientLayout(as_cover(cover)[_middle(cover)].shape, 0, _key(None))
        size = layout.size(int(np.argmax(RATES <= 0.5)))
        return Capacity(max(0, size - _overhead()), PICTURE_PSNRS[0])

    def payload_at(self, cover: Image, psnr: float) -> int:
        """The largest payload in bytes that survives at *psnr* dB, measured behind the codecs; 0 if none does."""
        table, middle = _table(psnr), as_cover(cover)[_middle(cover)].copy()
        layout = CoefficientLayout(middle.shape, table, _key(None))
        if not layout.size(0):
            return 0
        drawn = np.unpackbits(layout.key.stream("sample", -(-layout.slots.size // 8)))[: layout.slots.size]
        plan = _Plan(middle, layout, drawn, 0)
        passages = _arrivals(plan.at(psnr), parse(self.default_survive))
        carried = min(plan.carried(arrived) for arrived in passages)
        fitting = (layout.size(rate) for rate in range(RATES.size) if _enough(carried, layout, rate))
        return max(0, next(fitting, 0) - _overhead())

    def hide(
        self, cover: Image, payload: Payload, passphrase: str | None, *, psnr: float | None, survive: Channel | None
    ) -> Image:
        """Return a container of at least *psnr* dB that gives the payload after each of :data:`CODECS` and *survive*.

        Without *psnr* the best of :data:`QUALITIES` is taken that survives; *survive* is ``default_survive`` if None.
        """
        check_psnr(psnr)
        cover, key = as_cover(cover), _key(passphrase)
        passage = survive or parse(self.default_survive)
        middle = cover[_middle(cover)].copy()
        plans = [_planned(middle, payload, key, table) for table in range(len(TABLES))]
        if plans[0] is None:
            expected = self.capacity(cover).payload_bytes
            raise CapacityError(
                f"{len(payload.data)} bytes do not fit, about {expected} do",
                hint="take a larger picture, or hide less",
            )
        qualities = QUALITIES if psnr is None else (psnr,)
        # What a quality carries grows as it falls: the first that may do is found by halving.
        low, high = 0, len(qualities) - 1
        while low < high:
            half = (low + high) // 2
            low, high = (low, half) if _may_do(plans, qualities[half], cover, passage) else (half + 1, high)
        for quality in qualities[low:]:
            plan = plans[_table(quality)] or plans[0]
            container = _placed(cover, plan.at(quality))
            if all(_carries(image, key, payload) for image in _arrivals(container, passage)):
                return container
        raise SurvivalError(
            f"the payload does not survive {passage} at {quality:g} dB in this picture",
            hint="hide less, or take a larger picture, a lower --psnr, or a milder --survive",
        )

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        """Return the payload. The container may have been changed, but its pixels have to lie where they did."""
        return _revealed(as_image(container), _key(passphrase))

    def holds(self, image: Image, passphrase: str | None) -> bool:
        """Return whether *image* has the pilots of a container."""
        marks = _find(as_image(image), _key(passphrase))
        return bool(marks) and marks[0].false_alarm < FALSE_ALARM


def _key(passphrase: str | None) -> Key:
    return Key.derive(passphrase, SALT, COMPACT_COST)


def _middle(image: Image) -> tuple[slice, slice]:
    """The rows and columns that carry everything."""
    starts = [max(0, side - _MIDDLE) // 2 // _ALIGNED * _ALIGNED for side in image.shape[:2]]
    down, across = (slice(start, start + _MIDDLE) for start in starts)
    return down, across


def _overhead() -> int:
    """Bytes of a frame that are no data."""
    return frame.compact_size(Payload(b""))


def _table(psnr: float) -> int:
    """The table that carries more at this quality."""
    return 0 if psnr < 36 else 1


def _enough(carried: float, layout: CoefficientLayout, rate: int) -> bool:
    """Whether channel bits that tell so much are to be expected to decode at the rate of that number."""
    used = np.interp(RATES[rate], *_USED) * (1 - _SHORT / layout.length**0.5)
    return bool(carried * used >= RATES[rate])


def _arrivals(container: Image, passage: Channel) -> chain[Image]:
    """The container, and what arrives of it after each codec and the passage."""
    always = (received(parse(codec), container) for codec in CODECS)
    return chain([container], received(passage, container), *always)


def _planned(cover: Image, payload: Payload, key: Key, table: int) -> _Plan | None:
    """The payload at the lowest rate that it fits in; None if there is none."""
    if len(payload.data) > _HOPELESS:
        return None
    layout, needed = CoefficientLayout(cover.shape, table, key), frame.compact_size(payload)
    rate = max((rate for rate in range(RATES.size) if layout.size(rate) >= needed), default=None)
    if rate is None:
        return None
    size = layout.size(rate)
    words = np.unpackbits(np.frombuffer(frame.seal_compact(payload, key, size), np.uint8)).reshape(layout.words, -1)
    code = ldpc.code(words.shape[1], layout.length)
    coins = np.unpackbits(key.stream("coins", -(-layout.slots.size // 8)))[: layout.slots.size]
    return _Plan(cover, layout, np.concatenate([code.encode(word) for word in words]) ^ coins, rate)


def _may_do(plans: list[_Plan | None], psnr: float, cover: Image, passage: Channel) -> bool:
    """Whether a container of that quality is to be expected to carry its payload through everything.

    The codecs are asked about the middle alone, which takes less time; a passage may know the whole picture.
    """
    plan = plans[_table(psnr)]
    if plan is None:
        return False
    middle = plan.at(psnr)
    if not all(plan.enough(image) for codec in CODECS for image in received(parse(codec), middle)):
        return False
    through = received(passage, _placed(cover, middle))
    return all(image.shape == cover.shape and plan.enough(image[_middle(cover)]) for image in through)


def _placed(cover: Image, middle: Image) -> Image:
    container = cover.copy()
    container[_middle(cover)] = middle
    return container


def _find(image: Image, key: Key) -> list[Mark]:
    """The likeliest tables and rates, best first.

    With the right key the patterns are turns that the picture knows nothing of. So each cosine has a mean of 0 and
    stays within ±m, m the larger of its cosine and sine, and their sum exceeds t with a probability below
    exp(-t² / 2 Σm²) (Hoeffding), times the number of patterns tried.
    """
    if min(image.shape[:2]) < BLOCK:
        return []
    found, middle = [], image[_middle(image)]
    for table in range(len(TABLES)):
        layout = CoefficientLayout(middle.shape, table, key)
        rates = [rate for rate in range(RATES.size) if layout.size(rate)]
        if not rates:
            continue
        turns = 2j * np.pi * layout.coefficients(middle).ravel()[layout.pilots].astype(np.float64)
        fits = [float(np.exp(turns - 2j * np.pi * layout.pilot(rate)).real.sum()) for rate in rates]
        squares = np.square([np.cos(turns.imag), np.sin(turns.imag)])
        squares[1, layout.bits[layout.pilots % layout.bits.size] == 1] = 0
        best = int(np.argmax(fits))
        chance = float(np.exp(-(max(fits[best], 0.0) ** 2) / (2 * squares.max(axis=0).sum() + 1e-9)))
        found.append(Mark(table, rates[best], len(TABLES) * len(rates) * chance))
    return sorted(found, key=lambda mark: mark.false_alarm)


def _read(image: Image, key: Key, mark: Mark) -> Payload | None:
    """The payload of *mark*; None if it cannot be read."""
    middle = image[_middle(image)]
    layout = CoefficientLayout(middle.shape, mark.table, key)
    soft = layout.soft_bits(layout.coefficients(middle), mark.rate)
    coins = np.unpackbits(key.stream("coins", -(-soft.size // 8)))[: soft.size]
    code = ldpc.code(8 * layout.size(mark.rate) // layout.words, layout.length)
    words = []
    for word in np.where(coins > 0, -soft, soft).reshape(layout.words, -1):
        if (bits := code.decode(word)) is None:
            return None
        words.append(bits)
    try:
        return frame.open_compact(np.packbits(np.concatenate(words)).tobytes(), key)
    except NotFoundError:
        return None


def _revealed(image: Image, key: Key) -> Payload:
    """The payload.

    Raises:
        NotFoundError: no pilots of this key.
        DamagedError: pilots, but the payload is beyond repair.
    """
    marks = _find(image, key)
    for mark in marks[:_ATTEMPTS]:
        if mark.false_alarm < _WORTH_A_TRY and (payload := _read(image, key, mark)):
            return payload
    if marks and marks[0].false_alarm < FALSE_ALARM:
        raise DamagedError(
            "a payload is here, but too much of it is lost",
            hint="look for a copy that was recompressed less and neither resized nor cropped",
        )
    raise refusals.not_found()


def _carries(image: Image, key: Key, payload: Payload) -> bool:
    """Whether *image* gives the payload."""
    try:
        found = _revealed(image, key)
    except PayloadError:
        return False
    return (found.data, found.kind) == (payload.data, payload.kind)
