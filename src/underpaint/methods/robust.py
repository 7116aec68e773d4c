"""Robust watermarking: a short message that survives resizing, cropping and lossy compression.

::

    cover ─► sync pattern ─► canvas (128², 256² or 512²) ─► writer network ─► STDM ─► refinement ─► container
    container ─► canvas ─► pilots ─► reader network ─► soft bits ─► message
             └─► search for the sync pattern, if no message is decoded: the picture may be cropped

STDM as :mod:`underpaint.embedding.watermark` describes, on the two lowest frequencies of a square canvas wherever the
message is short enough. These choices were found by training behind real codecs; docs/methods/robust.md has the
measured gain of the networks.

Refinement sends the container through several channels and moves bits away from the decision boundary. A quantiser
answers such a move irregularly, so each round is kept only if the container gains by it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from underpaint import metrics, models
from underpaint.channels import parse
from underpaint.coding.keys import Key
from underpaint.embedding import sync, watermark
from underpaint.embedding.canvas import Canvas, Networks
from underpaint.embedding.spread_transform import SpreadTransform
from underpaint.embedding.watermark import Embedding
from underpaint.errors import CapacityError
from underpaint.methods.watermarking import BitLayout, Candidate, WatermarkMethod, likeliest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from underpaint.embedding.lapped import Array
    from underpaint.embedding.watermark import Projections
    from underpaint.types import Channel, Image, Payload

#: Sides of the canvases in pixels. The sender takes one, the receiver tries all. Part of the format.
SIDES = (128, 256, 512)
#: PSNRs in dB that are tried in turn unless one is requested.
QUALITIES = (44.0, 42.0, 40.0, 38.0)
#: Channels that bits without a frame are refined for: four harsh ones, which cover milder ones, and a change of gain.
HARSH = tuple(parse(chain) for chain in ("jpeg:10", "jpeg:25", "webp:10", "jpeg2000:20", "brightness:1.1"))
#: Largest ratio of the canvas side to the shorter side of the picture.
_MAX_ENLARGEMENT = 2


@dataclass(frozen=True)
class _Budget:
    """Division of the squared change between the sync pattern, rounding and the message."""

    sync_share: float = 0.35  # the most that the sync pattern takes
    rounding_psnr: float = 58.9  # dB, of rounding to 8 bits alone
    min_message_share: float = 0.1  # the least that is left for the message


@dataclass(frozen=True)
class _Search:
    """Settings of the receiver's search for a cropped picture."""

    windows: int = 6  # windows that are tried
    sharpen_below: float = 3.0  # p-value of the pilots below which a window is sharpened
    reaches: tuple[float, ...] = (1.0, 0.5, 0.25)  # pixels of the canvas that an edge is moved by, in turn


@dataclass(frozen=True)
class _Refinement:
    """Settings of the refinement. Distances from a lattice point are in steps; 0.25 is the decision boundary."""

    correction_rounds: int = 6  # projections back onto the lattice before it, at most
    max_miss: float = 0.05  # these end when every projection is this near to its lattice point
    min_correlation: float = 0.5  # between sent and received projections; below, the channel has moved pixels
    rounds: int = 8  # rounds of the refinement, at most
    refine_beyond: float = 0.14  # bits nearer to their lattice point are left alone
    max_move: float = 0.1  # the most that a bit is moved in a round
    give_up_beyond: float = 0.4  # bits further away cannot be saved
    limit_sent: float = 0.21  # distance that counts as half an error in the container itself
    limit_received: float = 0.235  # the same after a channel
    sharpness: float = 60.0  # slope of that count, per step
    sent_weight: float = 3.0  # extra weight of errors in the container itself


_BUDGET, _SEARCH, _REFINEMENT = _Budget(), _Search(), _Refinement()


def _run(graph: str, inputs: dict[str, Array]) -> dict[str, Array]:
    """Run a network of the model ``robust``, which is loaded at the first call."""
    return models.load("robust").graphs[graph].run(inputs)


#: The networks of the model ``robust``.
NETWORKS = Networks(partial(_run, "writer"), partial(_run, "reader"))


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
        return [_canvas(side) for side in SIDES if side <= _MAX_ENLARGEMENT * min(cover.shape[:2])]

    def receiver_domains(self, image: Image) -> list[Canvas]:  # noqa: ARG002
        """Return all canvases: the size of the cover is not known."""
        return [_canvas(side) for side in SIDES]

    def domain_key(self, key: Key, domain: Canvas) -> Key:
        """Return the key of one canvas."""
        return canvas_key(key, domain)

    def oversampling(self, cover: Image, domain: Canvas) -> float:
        """Return the ratio of picture side to canvas side (geometric mean). Compression noise falls by this factor."""
        return math.sqrt(cover.shape[0] * cover.shape[1]) / domain.side

    def message_share(self, embedding: Embedding, cover: Image, psnr: float) -> float:
        """Return the share of the squared change that sync pattern and rounding leave for the message."""
        pattern = 10 ** ((psnr - metrics.psnr(cover, embedding.cover)) / 10)
        return max(1 - pattern - 10 ** ((psnr - _BUDGET.rounding_psnr) / 10), _BUDGET.min_message_share)

    def prepare(
        self, domain: Canvas, cover: Image, payload: Payload, key: Key, size: int
    ) -> Callable[[float], Embedding]:
        """Seal *payload*; return a function from PSNR in dB to the embedding in a cover with the sync pattern."""
        sealed = watermark.prepare(domain, cover, payload, self.domain_key(key, domain), size)
        tolerance = None if self._tolerance is None else domain.block_means(self._tolerance(cover))

        def embedding_at(psnr: float) -> Embedding:
            patterned = sync.embed(cover, key, _BUDGET.sync_share * 255.0**2 / 10 ** (psnr / 10))
            embedding = Embedding(domain, patterned, sealed.count, sealed.parts)
            if tolerance is not None:
                embedding.weights *= np.repeat(tolerance, embedding.count)
            return embedding

        return embedding_at

    def bit_layout(self, image: Image, key: Key, count: int, psnr: float) -> BitLayout[Canvas]:  # noqa: ARG002
        """Return :func:`bit_layout`, which does not depend on the picture."""
        return bit_layout(key, count, psnr)

    def embed_at_step(self, embedding: Embedding, step: float, channels: Sequence[Channel]) -> Image:
        """Return a container at this *step*, refined for each of *channels*."""
        return refine(embedding, step, channels)

    def search(self, image: Image, key: Key) -> Iterator[list[Candidate[Canvas]]]:
        """Yield detections in the whole picture, in windows that the sync pattern finds, then in sharpened windows."""
        yield from super().search(image, key)
        small = _reduced(image, 2 * SIDES[-1])
        windows = []
        for window in sync.search(small, key, _SEARCH.windows):
            found = [each for side in SIDES for each in self.candidates(small, _canvas(side, window), key)]
            if found:
                windows.append(likeliest(found))
            yield found
        # A window that is half a pixel off loses the message, but hardly the pilots: these locate it more exactly.
        hopeful = (each for each in windows if each.p_value < _SEARCH.sharpen_below)
        for candidate in sorted(hopeful, key=lambda each: each.p_value):
            yield [self._sharpened(candidate, key)]

    def _sharpened(self, candidate: Candidate[Canvas], key: Key) -> Candidate[Canvas]:
        """Move the edges of the window one after the other, in ever smaller steps, to where the pilots fit best."""
        best = self.candidates(candidate.image, candidate.domain, key)[0]
        for reach in _SEARCH.reaches:
            for edge in range(4):
                for move in (-reach, reach):
                    edges = list(best.domain.window.edges)
                    edges[edge] += move / best.domain.side
                    moved = replace(best.domain, window=sync.Window.between(*edges))
                    best = likeliest([best, *self.candidates(best.image, moved, key)[:1]])
        return best


def canvas_key(key: Key, canvas: Canvas) -> Key:
    """Return the key of one canvas: different for each side, and never that of ``stdm``."""
    return Key(key.subkey(f"robust {canvas.side}"))


def bit_layout(key: Key, count: int, psnr: float, networks: Networks = NETWORKS) -> BitLayout[Canvas]:
    """Return the canvas, its coefficients and the lattice step of *count* bits without pilots.

    Args:
        key: of the sender.
        count: number of bits, at least 1.
        psnr: PSNR in dB that the step is for.
        networks: of the canvas.

    Raises:
        CapacityError: the largest canvas has not enough coefficients.
    """
    for share in (4, 1):  # coefficients per bit, if there is room for it
        for frequencies in Canvas.counts:
            for side in SIDES:
                canvas = Canvas(side, near=False, networks=networks)
                pool = np.arange(canvas.blocks * frequencies)
                if 0 < share * count <= len(pool):
                    spread = SpreadTransform(key, f"bits {count}", pool, count)
                    return BitLayout(canvas, frequencies, spread, watermark.typical_step(canvas, count, psnr))
    raise CapacityError(f"{count} bits do not fit, the largest canvas has room for {len(pool)}")


def refine(embedding: Embedding, step: float, channels: Sequence[Channel]) -> Image:
    """Return a container whose bits keep away from the decision boundary, as sent and after each of *channels*.

    Args:
        embedding: bits and cover.
        step: lattice step, in units of a coefficient.
        channels: channels to refine for; one that moves pixels is left out of account.

    Returns:
        ``uint8 (H, W, 3)``.
    """
    targets = embedding.targets(step)
    change, container = _corrected(embedding, targets, step)
    distances = _distances(embedding, targets, step, container, channels)
    limits = np.array([_REFINEMENT.limit_sent] + [_REFINEMENT.limit_received] * (len(distances) - 1))[:, None]
    rng = np.random.default_rng(0)
    for _ in range(_REFINEMENT.rounds):
        if np.all(np.abs(distances) < limits):
            break
        worst = np.take_along_axis(distances, np.abs(distances).argmax(axis=0)[None], axis=0)[0]
        reach = np.clip(np.abs(worst) - _REFINEMENT.refine_beyond, 0, _REFINEMENT.max_move)
        reach = np.where(np.abs(worst) < _REFINEMENT.give_up_beyond, reach, 0)
        moves = np.sign(worst) * reach * rng.uniform(0.5, 1.5, len(worst))
        moved = change - embedding.change(moves * step)
        candidate = embedding.paint(moved)
        reached = _distances(embedding, targets, step, candidate, channels)
        if reached.shape == distances.shape and _errors(reached, limits) < _errors(distances, limits):
            change, container, distances = moved, candidate, reached
    return container


def _corrected(embedding: Embedding, targets: Projections, step: float) -> tuple[Array, Image]:
    """Return a change of coefficients and its container, whose projections are near to *targets*.

    Resampling to the canvas and back, rounding, and clipping each lose a little of a change.
    """
    change = embedding.change(targets - embedding.projections)
    container = embedding.paint(change)
    for _ in range(_REFINEMENT.correction_rounds):
        sent = embedding.project(container)
        if np.abs(targets - sent).max() < _REFINEMENT.max_miss * step:
            break
        change = change + embedding.change(targets - sent)
        container = embedding.paint(change)
    return change, container


def _distances(
    embedding: Embedding, targets: Projections, step: float, container: Image, channels: Sequence[Channel]
) -> Projections:
    """Return distances from *targets* in steps, ``(1 + n, bits)``: as sent, and after channels that move no pixel."""
    sent = embedding.project(container)
    rows = [sent - targets]
    for channel in channels:
        received = embedding.project(channel(container, 0))
        # The receiver undoes a change of gain. A low correlation says that the picture was cropped or rotated.
        gain = float(np.vdot(sent, received)) / max(float(np.vdot(sent, sent)), 1.0)
        if gain > _REFINEMENT.min_correlation:
            rows.append(received / gain - targets)
    return np.array(rows) / step


def _errors(distances: Projections, limits: Projections) -> float:
    """Return a smooth count of bit errors; those in the container itself count more."""
    wrong = 1 / (1 + np.exp(_REFINEMENT.sharpness * (limits - np.abs(distances))))
    return float(wrong.sum() + _REFINEMENT.sent_weight * wrong[0].sum())


def _canvas(side: int, window: sync.Window = sync.WHOLE) -> Canvas:
    return Canvas(side, window, networks=NETWORKS)


def _reduced(image: Image, longest: int) -> Image:
    """Return *image* reduced to sides of at most *longest* pixels."""
    from PIL import Image as Pillow

    small = Pillow.fromarray(image)
    small.thumbnail((longest, longest), Pillow.Resampling.BICUBIC)
    return np.asarray(small)
