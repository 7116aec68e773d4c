"""STDM: a short message on keyed lattices in luma DCT coefficients; survives recompression, without any training.

The message announces itself as :mod:`underpaint.embedding.watermark` says, on the lapped coefficients of the picture as it is.

The strength comes from a wanted PSNR. Before that, embedding looks at what arrives through the channel to be survived,
and moves those projections further that arrive too far from their lattice point: in flat blocks, where a codec drops
small changes, and near black and white, where clipping eats them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np

from underpaint import metrics
from underpaint.channels import parse, received
from underpaint.coding import frame
from underpaint.coding.keys import COMPACT_COST, SALT, Key
from underpaint.embedding import lapped, watermark
from underpaint.embedding.lapped import BLOCK, Array, activity
from underpaint.embedding.spread_transform import SpreadTransform
from underpaint.embedding.watermark import MAX_FALSE_POSITIVE_RATE, MAX_RAW_BER, PILOTS, SIZES, Detection, Embedding
from underpaint.errors import CapacityError, DamagedError, NotFoundError, PayloadError, SurvivalError
from underpaint.types import Bits, Capacity, Channel, Image, Payload, SoftBits, as_bits, as_cover, check_psnr

#: Coefficients per block: as few, and so as low frequencies, as give each bit two.
COUNTS = (7, 14, 35)
#: PSNRs in dB tried in turn where none is asked for.
QUALITIES = (46.0, 44.0, 42.0, 40.0, 38.0)

#: How often a container is looked at and mended.
_ROUNDS = 4
#: Projections that arrive within this share of a step from their aim are left alone; at a quarter the bit turns.
_SLACK = 0.1
#: A block takes change in proportion to (activity + _FLATTEST) ** _MASKING, in grey levels.
_FLATTEST = 2.0
_MASKING = 0.75
#: The step below which JPEG 50 leaves more than TOLERATED of the coded bits wrong.
_SMALLEST_STEP = 47.0


@dataclass(frozen=True)
class Grid:
    """The lapped blocks of a picture of this size, as it is; a :class:`~underpaint.embedding.watermark.Ground`."""

    height: int
    width: int
    counts = COUNTS
    #: Any bit may lie anywhere: busy places make up for flat ones.
    places = None

    @classmethod
    def of(cls, image: Image) -> Grid:
        """The grid of *image*."""
        return cls(*image.shape[:2])

    @property
    def blocks(self) -> int:
        """Whole blocks only."""
        return (self.height // BLOCK) * (self.width // BLOCK)

    @property
    def pixels(self) -> int:
        """Those of the picture."""
        return self.height * self.width

    def analyse(self, image: Image, count: int) -> Array:
        """The first *count* coefficients of every block."""
        return lapped.analyse(image, count)

    restore = analyse

    def paint(self, image: Image, change: Array, count: int) -> Image:
        """Add a *change* of the coefficients."""
        return lapped.paint(image, change, count)

    def weights(self, cover: Image, count: int) -> Array:
        """Busy blocks take more."""
        return np.repeat((activity(cover) + _FLATTEST) ** _MASKING, count)


class STDM:
    """For messages whose pixels stay in their place; a :class:`~underpaint.methods.Method` and a bit carrier."""

    name = "stdm"
    summary = "a short message that survives recompression"
    needs_lossless = False
    default_survive = "jpeg:50"

    def capacity(self, cover: Image) -> Capacity:
        """The longest message to expect to survive ``default_survive`` at the lowest of :data:`QUALITIES`."""
        cover = as_cover(cover)
        quality, overhead = QUALITIES[-1], frame.compact_size(Payload(b""))
        ground = Grid.of(cover)
        usable = (
            size
            for size in SIZES
            if watermark.fits(ground, size)
            and watermark.typical_step(ground, PILOTS + watermark.channel_bits(size), quality) >= _SMALLEST_STEP
        )
        return Capacity(max(usable, default=overhead) - overhead, quality)

    def hide(
        self, cover: Image, payload: Payload, passphrase: str | None, *, psnr: float | None, survive: Channel | None
    ) -> Image:
        """Return a container of at least *psnr* dB whose message can be read before and after *survive*.

        Without *psnr* the best of :data:`QUALITIES` is taken that survives; *survive* is ``default_survive`` if None.
        """
        check_psnr(psnr)
        cover, key = as_cover(cover), _key(passphrase)
        ground = Grid.of(cover)
        size = watermark.frame_size(payload, [ground], self.capacity(cover).payload_bytes)
        plan = watermark.prepare(ground, cover, payload, key, size)
        channel = survive or parse(self.default_survive)
        for quality in QUALITIES if psnr is None else (psnr,):
            container = _at_quality(plan, quality, channel)
            if all(_carries(image, key, payload) for image in chain([container], received(channel, container))):
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

    def find(self, image: Image, passphrase: str | None) -> Detection | None:
        """What the pilots say, without reading the message; None if the picture is too small to have any."""
        return next(iter(watermark.detect(Grid.of(image), image, _key(passphrase))), None)

    def holds(self, image: Image, passphrase: str | None) -> bool:
        """Return whether *image* has a mark."""
        mark = self.find(image, passphrase)
        return mark is not None and mark.p_value < MAX_FALSE_POSITIVE_RATE

    def embed_bits(self, cover: Image, bits: Bits, key: Key, *, psnr: float, survive: Channel | None = None) -> Image:
        """Return a container with *bits* alone: no frame, no pilots, no error correction.

        The step follows from *psnr* in dB, the number of bits and the picture's size, so the receiver has to know
        these. A single container misses *psnr* by a little; over many pictures the mean meets it. Without *survive*
        it is mended for JPEG 25, which covers milder channels.
        """
        bits = as_bits(bits)
        spread, step = _bare(cover, key, len(bits), psnr)
        return _mended(Embedding(Grid.of(cover), cover, COUNTS[0], [(spread, bits)]), step, survive or parse("jpeg:25"))

    def extract_bits(self, container: Image, count: int, key: Key, *, psnr: float) -> SoftBits:
        """Return *count* log-likelihood ratios, positive for 1, of bits embedded at *psnr*."""
        spread, step = _bare(container, key, count, psnr)
        projections = spread.project(lapped.analyse(container, COUNTS[0]))
        return spread.blind_bits(projections, step)


def _key(passphrase: str | None) -> Key:
    return Key.derive(passphrase, SALT, COMPACT_COST)


def _bare(image: Image, key: Key, count: int, psnr: float) -> tuple[SpreadTransform, float]:
    """The directions and the step of *count* bits without pilots."""
    ground = Grid.of(image)
    pool = np.arange(ground.blocks * COUNTS[0])
    if not 0 < count <= len(pool):
        raise CapacityError(f"{count} bits do not fit, this picture has room for {len(pool)}")
    return SpreadTransform(key, f"bits {count}", pool, count), watermark.typical_step(ground, count, psnr)


def _at_quality(plan: Embedding, psnr: float, channel: Channel) -> Image:
    """A container of at least *psnr* dB, and little more."""
    step = plan.step(watermark.energy(plan.domain, psnr))
    while True:
        container = _mended(plan, step, channel)
        missing = psnr - metrics.psnr(plan.cover, container)
        if missing <= 0:
            return container
        step *= 10 ** (-(missing + 0.02) / 20)


def _mended(plan: Embedding, step: float, channel: Channel) -> Image:
    """A container at this *step*, mended where what arrives, straight or through *channel*, is too far from its aim."""
    aims = plan.targets(step)
    change = plan.change(aims - plan.projections)
    container = plan.paint(change)
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
        container = plan.paint(change)
    return container


def _carries(image: Image, key: Key, payload: Payload) -> bool:
    """Whether the payload is read from *image* with strength to spare."""
    try:
        found, corrected = _read(image, key)
    except PayloadError:
        return False
    return found.data == payload.data and corrected <= MAX_RAW_BER


def _read(image: Image, key: Key) -> tuple[Payload, float]:
    """The payload, and the share of its coded bits that error correction had to turn.

    Raises:
        NotFoundError: no mark of this key.
        DamagedError: a mark, but its message is beyond repair.
    """
    ground = Grid.of(image)
    found = watermark.detect(ground, image, key)
    try:
        return watermark.decode(ground, image, key, found)
    except NotFoundError:
        if found and found[0].p_value < MAX_FALSE_POSITIVE_RATE:
            raise DamagedError(
                "a message is here, but too much of it is lost",
                hint="look for a copy that was recompressed less and neither resized nor cropped",
            ) from None
        raise
