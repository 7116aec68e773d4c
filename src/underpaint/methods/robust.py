"""Robust: a short message for a picture that will be resized, cut, and compressed hard; learned behind real codecs.

::

    cover ─► sync pattern ─► canvas (128², 256² or 512²) ─► writer network ─► keyed lattices ─► refined ─► container
    container ─► canvas ─► pilots ─► reader network ─► soft bits ─► message
             └─► sync search, if nothing is found: it may be a part of the picture

The message announces itself as :mod:`underpaint.embedding.watermark` says, on the two lowest frequencies wherever it is short enough.
How it is laid there was found by training behind real codecs; see docs/methods/robust.md for what the networks add.

Refinement looks at what arrives through several channels, and moves the bits that come too near to turning. A
quantiser answers such a nudge irregularly, so each round is kept only if the container got better by it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from underpaint import metrics
from underpaint.channels import parse, received
from underpaint.coding import frame, refusals
from underpaint.coding.keys import COMPACT_COST, SALT, Key
from underpaint.embedding import sync, watermark
from underpaint.embedding.canvas import Canvas
from underpaint.embedding.spread_transform import SpreadTransform
from underpaint.embedding.watermark import MAX_FALSE_POSITIVE_RATE, MAX_RAW_BER, PILOTS, SIZES, Detection, Embedding
from underpaint.errors import CapacityError, DamagedError, NotFoundError, PayloadError, SurvivalError
from underpaint.types import Bits, Capacity, Channel, Image, Payload, SoftBits, as_bits, as_cover, check_psnr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from underpaint.embedding.watermark import Projections

#: Sides of the canvases, in pixels. The sender takes one, the reader tries all.
SIDES = (128, 256, 512)
#: PSNRs in dB tried in turn where none is asked for.
QUALITIES = (44.0, 42.0, 40.0, 38.0)
#: A picture may be this much smaller than the canvas it is mapped onto.
_ENLARGED = 2
#: The share of the change that the sync pattern may take.
_SYNC = 0.35
#: PSNR of rounding to 8 bits, in dB, and the least share of the change that is left for the message.
_ROUNDING, _LEAST_SHARE = 58.9, 0.1
#: Windows that a search tries.
_WINDOWS = 6
#: What bits without a message are refined for: harsh codecs, so that what they do to others is covered, and a mild one.
HARSH = tuple(parse(chain) for chain in ("jpeg:10", "jpeg:25", "webp:10", "jpeg2000:20", "brightness:1.1"))
_ROUNDS = 8
#: How often, and down to which share of a step, what does not reach its lattice point as sent is corrected first.
_MENDINGS, _MISS = 6, 0.05
#: How much of itself a picture keeps at least that stays in its place.
_AGREES = 0.5
#: How many marks of a window are decoded at most.
_ATTEMPTS = 3
#: Windows whose pilots are this unlikely to be chance are sharpened, by so many pixels of the canvas.
_HINT = 3.0
_REACHES = (1.0, 0.5, 0.25)
#: How far from its lattice point a bit may arrive, in steps, before it is moved; at a quarter it turns.
_NEAR = 0.14
#: The furthest that one round moves it.
_NUDGE = 0.1
#: What is further away than this is given up.
_HOPELESS = 0.4
#: The distance that is too far, after a channel and as the container is; how sharply; how much more the latter counts.
_TOO_FAR, _SENT_TOO_FAR, _SHARPNESS, _AS_SENT = 0.235, 0.21, 60.0, 3.0
#: The step below which JPEG 50 leaves more than TOLERATED of the coded bits wrong.
_SMALLEST_STEP = 60.0


class Robust:
    """What ``hide -m`` tries first; a :class:`~underpaint.methods.Method` and a bit carrier.

    Args:
        tolerance: from a cover to how much change each of its pixels takes, ``float32 (H, W)`` with a mean of about 1,
            beside what networks make of that. Who reveals need not know it.
    """

    name = "robust"
    summary = "a short message that survives resizing, cutting and hard compression"
    needs_lossless = False
    default_survive = "jpeg:50 | resize:0.5"

    def __init__(self, tolerance: Callable[[Image], NDArray[np.float32]] | None = None) -> None:
        self._tolerance = tolerance

    def capacity(self, cover: Image) -> Capacity:
        """The longest message to expect to survive JPEG 50 at the lowest of :data:`QUALITIES`."""
        cover = as_cover(cover)
        quality, overhead = QUALITIES[-1], frame.compact_size(Payload(b""))
        usable = (
            size
            for canvas in _canvases(cover)
            for size in SIZES
            if watermark.fits(canvas, size)
            and watermark.typical_step(canvas, PILOTS + watermark.channel_bits(size), quality) * _density(cover, canvas)
            >= _SMALLEST_STEP
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
        canvases = _canvases(cover)
        size = watermark.frame_size(payload, canvases, self.capacity(cover).payload_bytes)
        # The lowest frequencies that are enough, on the largest canvas.
        canvas = min(
            (canvas for canvas in canvases if watermark.fits(canvas, size)),
            key=lambda canvas: (watermark.layout(canvas, own_key(key, canvas), size)[0], -canvas.side),
        )
        channel = survive or parse(self.default_survive)
        room = self._tolerance and canvas.shared(self._tolerance(cover))
        for quality in QUALITIES if psnr is None else (psnr,):
            patterned = sync.embed(cover, key, _SYNC * 255.0**2 / 10 ** (quality / 10))
            plan = watermark.prepare(canvas, patterned, payload, own_key(key, canvas), size)
            if room is not None:
                plan.weights *= np.repeat(room, plan.count)
            container = _at_quality(plan, cover, quality, (channel,))
            if all(_carries(image, key, payload) for image in _looked_at(container, channel)):
                return container
        raise SurvivalError(
            f"the message does not survive {channel} at {quality:g} dB in this picture",
            hint="shorten the message, take a larger picture, a lower --psnr, or a milder --survive",
        )

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        """Return the message of a container, or of a part of one."""
        return _read(container, _key(passphrase))[0]

    def find(self, image: Image, passphrase: str | None) -> Detection:
        """What the pilots say, without reading the message."""
        key = _key(passphrase)
        mark, _ = min((each for side in SIDES for each in _marks(image, Canvas(side), key)), key=_doubt)
        return replace(mark, p_value=mark.p_value * len(SIDES))

    def holds(self, image: Image, passphrase: str | None) -> bool:
        """Return whether *image* has a mark."""
        return self.find(image, passphrase).p_value < MAX_FALSE_POSITIVE_RATE

    def embed_bits(self, cover: Image, bits: Bits, key: Key, *, psnr: float) -> Image:
        """Return a container with *bits* alone: no frame, no pilots, no error correction, no sync pattern.

        The canvas and the step follow from the number of bits and *psnr* in dB, so the receiver has to know these. A
        single container misses *psnr* by a little. It is refined for :data:`HARSH`.
        """
        bits = as_bits(bits)
        canvas, frequencies, spread, step = bare(key, len(bits), psnr)
        return refined(Embedding(canvas, as_cover(cover), frequencies, [(spread, bits)]), step, HARSH)

    def extract_bits(self, container: Image, count: int, key: Key, *, psnr: float) -> SoftBits:
        """Return *count* log-likelihood ratios, positive for 1, of bits embedded at *psnr*."""
        canvas, frequencies, spread, step = bare(key, count, psnr)
        projections = spread.project(canvas.restore(container, frequencies))
        return spread.blind_bits(projections, step)


# Where everything lies


def _key(passphrase: str | None) -> Key:
    return Key.derive(passphrase, SALT, COMPACT_COST)


def own_key(key: Key, canvas: Canvas) -> Key:
    """Another key for each canvas, and for none of them that of stdm."""
    return Key(key.subkey(f"robust {canvas.side}"))


def _canvases(cover: Image) -> list[Canvas]:
    """Those that *cover* is large enough for."""
    return [Canvas(side) for side in SIDES if side <= _ENLARGED * min(cover.shape[:2])]


def _density(cover: Image, canvas: Canvas) -> float:
    """Pixels of the picture per pixel of the canvas along a side: by so much weigh codecs less there."""
    return math.sqrt(cover.shape[0] * cover.shape[1]) / canvas.side


def bare(key: Key, count: int, psnr: float) -> tuple[Canvas, int, SpreadTransform, float]:
    """The canvas, its coefficients per block, the directions and the step of *count* bits without pilots."""
    for share in (4, 1):  # of coefficients per bit, if there is room for it
        for frequencies in Canvas.counts:
            for side in SIDES:
                canvas = Canvas(side, near=False)
                pool = np.arange(canvas.blocks * frequencies)
                if 0 < share * count <= len(pool):
                    return (
                        canvas,
                        frequencies,
                        SpreadTransform(key, f"bits {count}", pool, count),
                        watermark.typical_step(canvas, count, psnr),
                    )
    raise CapacityError(f"{count} bits do not fit, the largest canvas has room for {len(pool)}")


# Embedding


def _at_quality(plan: Embedding, cover: Image, psnr: float, channels: Sequence[Channel]) -> Image:
    """A container of at least *psnr* dB, and little more."""
    # What the sync pattern and rounding to 8 bits leave over is for the message.
    share = 1 - 10 ** ((psnr - metrics.psnr(cover, plan.cover)) / 10) - 10 ** ((psnr - _ROUNDING) / 10)
    step = plan.step(watermark.energy(plan.domain, psnr) * max(share, _LEAST_SHARE))
    while True:
        container = refined(plan, step, channels)
        missing = psnr - metrics.psnr(cover, container)
        if missing <= 0:
            return container
        step *= 10 ** (-(missing + 0.02) / 20 / max(share, _LEAST_SHARE))


def refined(plan: Embedding, step: float, channels: Sequence[Channel]) -> Image:
    """A container at this *step*, whose bits keep away from turning, straight and behind each of *channels*."""
    aims = plan.targets(step)
    change = plan.change(aims - plan.projections)
    container = plan.paint(change)
    sent = plan.project(container)
    for _ in range(_MENDINGS):  # the way onto the canvas and back, rounding, and clipping all take a little
        if np.abs(aims - sent).max() < _MISS * step:
            break
        change = change + plan.change(aims - sent)
        container = plan.paint(change)
        sent = plan.project(container)
    distances = _distances(plan, aims, step, container, sent, channels)
    limits = np.array([_SENT_TOO_FAR] + [_TOO_FAR] * (len(distances) - 1))[:, None]
    rng = np.random.default_rng(0)
    for _ in range(_ROUNDS):
        if np.all(np.abs(distances) < limits):
            break
        worst = np.take_along_axis(distances, np.abs(distances).argmax(axis=0)[None], axis=0)[0]
        reach = np.where(np.abs(worst) < _HOPELESS, np.clip(np.abs(worst) - _NEAR, 0, _NUDGE), 0)
        nudges = np.sign(worst) * reach * rng.uniform(0.5, 1.5, len(worst))
        nudged = change - plan.change(nudges * step)
        candidate = plan.paint(nudged)
        reached = _distances(plan, aims, step, candidate, plan.project(candidate), channels)
        if reached.shape == distances.shape and _danger(reached, limits) < _danger(distances, limits):
            change, container, distances = nudged, candidate, reached
    return container


def _distances(
    plan: Embedding, aims: Projections, step: float, container: Image, sent: Projections, channels: Sequence[Channel]
) -> Projections:
    """How far projections are from their aims, in steps: as sent, and behind each channel that leaves them in place."""
    rows = [sent - aims]
    for channel in channels:
        received = plan.project(channel(container, 0))
        # A change of gain is the receiver's to undo. Where little agrees the picture was cut or turned.
        gain = float(np.vdot(sent, received)) / max(float(np.vdot(sent, sent)), 1.0)
        if gain > _AGREES:
            rows.append(received / gain - aims)
    return np.array(rows) / step


def _danger(distances: Projections, limits: Projections) -> float:
    """About how many bits turn; those of the container as sent count most."""
    turned = 1 / (1 + np.exp(_SHARPNESS * (limits - np.abs(distances))))
    return float(turned.sum() + _AS_SENT * turned[0].sum())


def _looked_at(container: Image, channel: Channel) -> Iterator[Image]:
    yield container
    yield from received(channel, container)


def _carries(image: Image, key: Key, payload: Payload) -> bool:
    """Whether the payload is read from *image* with strength to spare."""
    try:
        found, corrected = _read(image, key)
    except PayloadError:
        return False
    return found.data == payload.data and corrected <= MAX_RAW_BER


# Reading


def _read(image: Image, key: Key) -> tuple[Payload, float]:
    """The payload, and the share of its coded bits that error correction had to turn.

    Raises:
        NotFoundError: no mark of this key.
        DamagedError: a mark, but its message is beyond repair.
    """
    found: list[tuple[Detection, Canvas]] = []
    seen = image
    for seen, window in _windows(image, key):
        here = [each for side in SIDES for each in _marks(seen, Canvas(side, window), key)]
        found.append(min(here, key=_doubt))
        if payload := _tried(seen, key, here):
            return payload
    # A window that is half a pixel off loses the message, but hardly the pilots: these tell it more exactly.
    for _, canvas in sorted((hint for hint in found[1:] if _doubt(hint) < _HINT), key=_doubt):
        found.append(_sharpened(seen, key, canvas))
        if payload := _tried(seen, key, found[-1:]):
            return payload
    if min(mark.p_value for mark, _ in found) * len(found) < MAX_FALSE_POSITIVE_RATE:
        raise DamagedError(
            "a message is here, but too much of it is lost",
            hint="look for a copy that was recompressed less, and cut and turned less",
        )
    raise refusals.not_found()


def _windows(image: Image, key: Key) -> Iterator[tuple[Image, sync.Window]]:
    """The whole picture, then, of a size that is enough, the parts of one that it may be."""
    yield image, sync.WHOLE
    small = _shrunk(image, 2 * SIDES[-1])
    for window in sync.search(small, key, _WINDOWS):
        yield small, window


def _shrunk(image: Image, longest: int) -> Image:
    """*image* with sides of at most *longest* pixels."""
    from PIL import Image as Pillow

    shrunk = Pillow.fromarray(image)
    shrunk.thumbnail((longest, longest), Pillow.Resampling.BICUBIC)
    return np.asarray(shrunk)


def _marks(image: Image, canvas: Canvas, key: Key) -> list[tuple[Detection, Canvas]]:
    """The likeliest marks on *canvas*."""
    return [(mark, canvas) for mark in watermark.detect(canvas, image, own_key(key, canvas))[:_ATTEMPTS]]


def _doubt(found: tuple[Detection, Canvas]) -> float:
    return found[0].p_value


def _tried(image: Image, key: Key, found: list[tuple[Detection, Canvas]]) -> tuple[Payload, float] | None:
    """What :func:`_read` returns, from the likeliest of the marks *found*."""
    for mark, canvas in sorted(found, key=_doubt)[:_ATTEMPTS]:
        try:
            return watermark.decode(canvas, image, own_key(key, canvas), [mark])
        except NotFoundError:
            continue
    return None


def _sharpened(image: Image, key: Key, canvas: Canvas) -> tuple[Detection, Canvas]:
    """The window close by whose pilots fit best, one edge after the other, in ever smaller steps."""
    best = _marks(image, canvas, key)[0]
    for reach in _REACHES:
        for edge in range(4):
            for move in (-reach, reach):
                edges = list(best[1].window.edges)
                edges[edge] += move / canvas.side
                moved = replace(canvas, window=sync.Window.between(*edges))
                best = min(best, _marks(image, moved, key)[0], key=_doubt)
    return best
