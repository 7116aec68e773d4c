"""Robust watermarking: a short message that survives resizing, cropping and lossy compression.

::

    cover ─► sync pattern ─► canvas (128², 256² or 512²) ─► STDM ─► refinement ─► container
    container ─► canvas ─► pilots ─► soft bits ─► message
             └─► search for the sync pattern, if no message is decoded: the picture may be cropped

STDM as :mod:`underpaint.embedding.watermark` describes, on the two lowest frequencies of a square canvas wherever the
message is short enough. These choices were found by training behind real codecs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from underpaint.channels import parse
from underpaint.coding.keys import Key
from underpaint.embedding import blind_detection, lapped, pilot_fit, refinement, sync, sync_search, watermark
from underpaint.embedding.blind_detection import Candidate, likeliest
from underpaint.embedding.canvas import Canvas, headroom, stretched
from underpaint.embedding.placement import Placement, trimmed
from underpaint.embedding.spread_transform import SpreadTransform
from underpaint.embedding.watermark import Embedding
from underpaint.errors import CapacityError
from underpaint.methods.base import shared_key
from underpaint.methods.watermarking import BitLayout, WatermarkMethod
from underpaint.types import SMALLEST_SIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from underpaint.embedding.lapped import Array
    from underpaint.types import Bits, Channel, Image, Payload, Search

#: Sides of the canvases in pixels. The sender takes one, the receiver tries all. Part of the format.
SIDES = (128, 256, 512)
#: PSNRs in dB that are tried in turn unless one is requested.
QUALITIES = (44.0, 42.0, 40.0, 38.0)
#: Channels that bits without a frame are refined for: four harsh ones, which cover milder ones, and a change of gain.
HARSH = tuple(parse(chain) for chain in ("jpeg:10", "jpeg:25", "webp:10", "jpeg2000:20", "brightness:1.1"))
#: Largest ratio of the canvas side to the shorter side of the picture.
_MAX_ENLARGEMENT = 2
#: Root of the area in pixels below which a picture has no synchronisation pattern, unless it has to survive geometry:
#: too few pixels carry it there after compression.
_SMALLEST_PATTERNED = 224

#: Pixels of a picture that capacity is measured in at most.
_LARGEST_SAMPLE = 500_000


@dataclass(frozen=True)
class _Budget:
    """Division of the squared change between the synchronisation pattern, rounding and the message."""

    luma_margin: float = 6.5  # dB by which the PSNR of the pattern's luma is above that of the container
    cr_margin: float = 8.0  # the same for its Cr
    rounding: float = 1 / 12  # squared change by rounding to whole numbers
    min_message_share: float = 0.1  # the least that is left for the message


@dataclass(frozen=True)
class _Search:
    """Settings of the receiver's search for a picture that was moved."""

    fits: int = 3  # fits by the pilots
    fit_trials: float = 1e8  # independent displacements that a fit stands for, estimated from unmarked pictures
    fit_below: float = 30.0  # p-value of the pilots below which they are fitted


_BUDGET, _SEARCH = _Budget(), _Search()


class Robust(WatermarkMethod[Canvas]):
    """The robust watermarking method, default of ``hide -m``.

    Args:
        tolerance: function from a cover to the change that each of its pixels allows, ``float32 (H, W)`` with a mean of
            about 1. It multiplies the allowed change of each block. The receiver need not know it.
    """

    name = "robust"
    summary = "a short message that survives resizing, cropping and strong compression"
    default_survive = "jpeg:50 | resize:0.5"
    qualities = QUALITIES
    min_step = 60.0
    bit_channels = HARSH
    damage_hint = "look for a copy that was recompressed, cropped and rotated less"

    def __init__(self, tolerance: Callable[[Image], NDArray[np.float32]] | None = None) -> None:
        self._tolerance = tolerance

    def sender_domains(self, cover: Image) -> list[Canvas]:
        """Return the canvases whose side is at most twice the shorter side of *cover*."""
        return [Canvas(side) for side in SIDES if side <= _MAX_ENLARGEMENT * min(cover.shape[:2])]

    def receiver_domains(self, image: Image) -> list[Canvas]:  # noqa: ARG002
        """Return all canvases: the size of the cover is not known."""
        return [Canvas(side) for side in SIDES]

    def typical_share(self, cover: Image) -> float:
        """Return the share of the squared change that the pattern leaves for the message."""
        if not _is_patterned(cover):
            return 1.0
        return 1 - 10 ** (-_BUDGET.luma_margin / 10) - 10 ** (-_BUDGET.cr_margin / 10)

    def sample(self, cover: Image) -> tuple[Image, float]:
        """Return a smaller copy of a large picture, which holds no more: compression changes smaller pictures more."""
        scale = math.sqrt(_LARGEST_SAMPLE / (cover.shape[0] * cover.shape[1]))
        if scale >= 1:
            return cover, 1.0
        height, width = (max(round(side * scale), SMALLEST_SIDE) for side in cover.shape[:2])
        return _resized(cover, height, width), 1.0

    def domain_key(self, key: Key, domain: Canvas) -> Key:
        """Return the key of one canvas."""
        return canvas_key(key, domain)

    def oversampling(self, cover: Image, domain: Canvas) -> float:
        """Return the ratio of picture side to canvas side (geometric mean). Compression noise falls by this factor."""
        return math.sqrt(cover.shape[0] * cover.shape[1]) / domain.side

    def prepare(
        self, domain: Canvas, cover: Image, payload: Payload, key: Key, size: int, copies: int, channel: Channel
    ) -> Callable[[float], Embedding]:
        """Seal *payload*; return a function from PSNR in dB to the embedding with a pattern for that PSNR."""
        count, parts = watermark.seal(domain, payload, self.domain_key(key, domain), size, copies)
        tolerance = None if self._tolerance is None else domain.block_means(self._tolerance(cover))

        patterned = channel.moves or _is_patterned(cover)

        def embedding_at(psnr: float) -> Embedding:
            embedding = _PatternedEmbedding(domain, cover, count, parts, psnr if patterned else math.inf)
            if tolerance is not None:
                embedding.weights *= np.repeat(tolerance, embedding.count)
            return embedding

        return embedding_at

    def attempts(
        self, prepared: list[Callable[[float], Embedding]], channel: Channel
    ) -> list[Callable[[float], Embedding]]:
        """Return the ways to embed that are tried in turn; behind codecs the last one is refined for the channel."""

        def refined(psnr: float) -> Embedding:
            embedding = prepared[0](psnr)
            assert isinstance(embedding, _PatternedEmbedding)  # noqa: S101 - for the type checker
            embedding.refined = True
            return embedding

        return super().attempts(prepared, channel) + ([] if channel.moves else [refined])

    def message_share(self, embedding: Embedding, cover: Image, psnr: float) -> float:  # noqa: ARG002
        """Return the share of the squared change that pattern and rounding leave for the message."""
        spent = _BUDGET.rounding + (embedding.pattern_error if isinstance(embedding, _PatternedEmbedding) else 0)
        return max(1 - spent / (255.0**2 / 10 ** (psnr / 10)), _BUDGET.min_message_share)

    def bit_layout(self, image: Image, key: Key, count: int, psnr: float) -> BitLayout[Canvas]:  # noqa: ARG002
        """Return :func:`bit_layout`, which does not depend on the picture."""
        return bit_layout(key, count, psnr)

    def embed_at_step(self, embedding: Embedding, step: float, channels: Sequence[Channel]) -> Image:
        """Return a container at this *step*; bits without a frame are refined for each of *channels*."""
        if isinstance(embedding, _PatternedEmbedding) and not embedding.refined:
            return refinement.corrected(embedding, embedding.targets(step), step, refinement.MESSAGE_ROUNDS)[1]
        return refinement.refine(embedding, step, channels)

    def reveal_by_search(self, container: Image, passphrase: str | None, search: Search) -> Payload:
        """Return the message as :meth:`reveal` does, by a quicker or more thorough search."""
        return self.decode(container, shared_key(passphrase), search)[0]

    def search(self, image: Image, key: Key, effort: Search = "normal") -> Iterator[list[Candidate[Canvas]]]:
        """Yield detections in the whole picture, then where the synchronisation pattern places a marked one."""
        yield self._candidates_in(image, key)
        inner = trimmed(image)
        if inner.shape != image.shape:
            yield self._candidates_in(inner, key)
        if effort == "quick":
            return
        for placement in sync_search.search(image, sync_search.EFFORTS[effort]):
            found = [self._candidates_at(image, placement, side, key) for side in SIDES]
            yield [each for own in found for each in own]
            hopeful = [likeliest(own) for own in found if own and likeliest(own).p_value < _SEARCH.fit_below]
            for candidate in sorted(hopeful, key=lambda each: each.p_value):
                yield from self._fitted(image, candidate, placement, key)

    def _candidates_in(self, image: Image, key: Key) -> list[Candidate[Canvas]]:
        """Return detections in a picture that is not moved, on all canvases."""
        small = _resized(image, SIDES[-1], SIDES[-1])
        return [each for side in SIDES for each in self.candidates(small, Canvas(side), key)]

    def _candidates_at(self, image: Image, placement: Placement, side: int, key: Key) -> list[Candidate[Canvas]]:
        """Return detections on the canvas of this *side* in the picture straightened by *placement*."""
        outline = tuple((float(x), float(y)) for x, y in placement.outline(image))
        return self.candidates(placement.straightened(image, side), Canvas(side, outline), key)

    def _fitted(
        self, image: Image, best: Candidate[Canvas], placement: Placement, key: Key
    ) -> Iterator[list[Candidate[Canvas]]]:
        """Yield detections after the placement has been moved to where the pilots fit best, as long as they improve."""
        canvas, own = best.domain, self.domain_key(key, best.domain)
        for number in range(_SEARCH.fits):
            detections = blind_detection.detect(canvas, best.image, own)
            moved = pilot_fit.displacement(best.image, canvas, own, detections, number)
            placement = Placement(placement.matrix @ moved)
            found = self._candidates_at(image, placement, canvas.side, key)
            if not found or likeliest(found).p_value >= best.p_value:
                return
            best = likeliest(found)
            yield [replace(each, trials=_SEARCH.fit_trials) for each in found]


class _PatternedEmbedding(Embedding):
    """Bits that are to be embedded together with the synchronisation pattern.

    The pattern is that of a container with this PSNR in dB. At infinity there is none.
    """

    #: True if bits are refined for the channel to survive.
    refined = False

    def __init__(
        self, domain: Canvas, cover: Image, count: int, parts: Sequence[tuple[SpreadTransform, Bits]], psnr: float
    ) -> None:
        self._side = SIDES[-1]
        height, width = cover.shape[:2]
        luma, cr = sync.picture_planes(height, width, self._side)
        share = headroom(Canvas(self._side).luma(cover))
        self._luma = luma * share * np.float32(255 / 10 ** ((psnr + _BUDGET.luma_margin) / 20))
        self._cr = cr * share * np.float32(255 / 10 ** ((psnr + _BUDGET.cr_margin) / 20) / sync.CR_ERROR)
        #: Mean squared change of a colour value by the pattern.
        self.pattern_error = float(np.mean(np.square(self._luma)) + sync.CR_ERROR**2 * np.mean(np.square(self._cr)))
        super().__init__(domain, cover, count, parts)
        coefficients = lapped.transform(np.array(stretched(self._luma, domain.side, domain.side)), count)
        self.projections += np.concatenate([spread.project(coefficients) for spread, _ in parts])

    def paint(self, change: Array) -> Image:
        """Return the cover with the pattern and this *change* of its coefficients."""
        assert isinstance(self.domain, Canvas)  # noqa: S101 - for the type checker
        luma = self._luma + stretched(self.domain.plane(change, self.count), self._side, self._side)
        size = self.cover.shape[:2]
        painted = lapped.add(self.cover, stretched(luma, *size), stretched(self._cr, *size))
        return lapped.within(self.limit, self.cover, painted)


def _is_patterned(cover: Image) -> bool:
    """Return True if *cover* is large enough for the synchronisation pattern."""
    return math.sqrt(cover.shape[0] * cover.shape[1]) >= _SMALLEST_PATTERNED


def canvas_key(key: Key, canvas: Canvas) -> Key:
    """Return the key of one canvas: different for each side, and never that of ``stdm``."""
    return Key(key.subkey(f"robust {canvas.side}"))


def bit_layout(key: Key, count: int, psnr: float) -> BitLayout[Canvas]:
    """Return the canvas, its coefficients and the lattice step of *count* bits without pilots.

    Args:
        key: of the sender.
        count: number of bits, at least 1.
        psnr: PSNR in dB that the step is for.

    Raises:
        CapacityError: the largest canvas has not enough coefficients.
    """
    for share in (4, 1):  # coefficients per bit, if there is room for it
        for frequencies in Canvas.counts:
            for side in SIDES:
                canvas = Canvas(side, near=False)
                pool = np.arange(canvas.blocks * frequencies)
                if 0 < share * count <= len(pool):
                    spread = SpreadTransform(key, f"bits {count}", pool, count)
                    return BitLayout(canvas, frequencies, spread, watermark.typical_step(canvas, count, psnr))
    raise CapacityError(f"{count} bits do not fit, the largest canvas has room for {len(pool)}")


def _resized(image: Image, height: int, width: int) -> Image:
    """Return *image* resized to *height* × *width*."""
    from PIL import Image as Pillow

    small = Pillow.fromarray(image).resize((width, height), Pillow.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(small)
