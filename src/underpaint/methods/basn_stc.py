"""BASN with syndrome-trellis codes: files in the cheapest changes, in a picture that must not change afterwards.

Header and body are those of :mod:`underpaint.methods.lossless`. The cost of a squared change falls with the attention
of ``basn``, here of all 8 bits, since only the sender needs it. :mod:`underpaint.embedding.stc` finds the cheapest
changes that carry the body. The longer the body, the more low bits of each value take part: 2, 3 or 4 layers. The
receiver needs the key and the number of bits in each layer, which the header stores.

Limits: any change of the container destroys the payload. Hiding takes longer than with ``basn``.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from underpaint.coding import refusals
from underpaint.coding.frame import Header
from underpaint.embedding import stc
from underpaint.embedding.stc import gibbs
from underpaint.errors import CapacityError
from underpaint.methods import lossless
from underpaint.methods.lossless import Embedded, HeaderPlaces
from underpaint.models.attention import STEPS_PER_OCTAVE, attention
from underpaint.types import Capacity

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from underpaint.coding.keys import Key
    from underpaint.embedding.bit_planes import Mode
    from underpaint.types import Image

#: Cost of a squared change of 1, by attention, ``(256,)``.
WEIGHTS = np.exp2(-2 * np.arange(256) / STEPS_PER_OCTAVE).astype(np.float32)
#: Layers: low bits of each value that take part.
_LAYERS = (2, 3, 4)
_MAX_LAYERS = max(_LAYERS)
#: Details of the header: bits in each layer but the lowest, from the highest of four; 0 in unused ones.
_HIGHER_LAYERS = struct.Struct(">3I")
#: A value nearer than this to 0 or 255 cannot reach the nearest level with any wanted low bits.
_MARGIN = 1 << _MAX_LAYERS - 1


@dataclass(frozen=True)
class _Code:
    """Measured efficiency of the syndrome-trellis code."""

    max_rate: float = 3.2  # bits per value that are promised; nearer to 4 full layers leave no choice
    min_saving: float = 0.03  # share of the cost that one more layer must save, since each layer loses some
    #: Squared change relative to the rate-distortion bound, at these rates in bits per value.
    rates: tuple[float, ...] = (0.005, 0.02, 0.05, 0.2, 0.4, 0.8, 1.3, 1.6, 2.5, 2.7)
    losses: tuple[float, ...] = (1.40, 1.285, 1.20, 1.165, 1.125, 1.097, 1.08, 1.10, 1.10, 1.12)


_CODE = _Code()


class _Bound(NamedTuple):
    """The rate-distortion bound for one body."""

    layers: int
    #: Expected cost of the changes.
    cost: float
    #: Expected sum of squared changes.
    change: float


@dataclass(frozen=True)
class _Room:
    """Capacity and rate-distortion bound of one picture, without the places of the header."""

    #: Classes of values: attention and distance to 0 or 255, whichever is nearer, ``(n,)``.
    attention: NDArray[np.int64]
    margin: NDArray[np.int64]
    #: Number of values of each class, ``(n,)``.
    counts: NDArray[np.int64]
    #: Number of values of the picture, with those of the header.
    values: int

    @classmethod
    def of(cls, cover: Image, attended: NDArray[np.uint8]) -> _Room:
        """Count the classes of values of *cover*."""
        free = BASNSTC.head.free(cover.size)
        values, attended = cover.reshape(-1)[free], attended.reshape(-1)[free]
        counts = np.zeros(256 * (_MARGIN + 1), np.int64)
        for start in range(0, values.size, lossless.STRIP):
            strip = values[start : start + lossless.STRIP]
            margin = np.minimum(np.minimum(strip, 255 - strip), _MARGIN)
            classes = attended[start : start + lossless.STRIP] * np.intp(_MARGIN + 1) + margin
            counts += np.bincount(classes, minlength=counts.size)
        classes = np.flatnonzero(counts)
        return cls(*np.divmod(classes, _MARGIN + 1), counts[classes], cover.size)

    @cached_property
    def max_body(self) -> int:
        """Bytes of the longest body."""
        return int(_CODE.max_rate * self.counts.sum() / 8)

    def best(self, length: int) -> _Bound:
        """Return the bound for a body of *length* bytes in as few layers as cost hardly more than the most."""
        best = self._bound(_MAX_LAYERS, length)
        bounds = (self._bound(layers, length) for layers in _LAYERS)
        return next(each for each in bounds if each.cost <= (1 + _CODE.min_saving) * best.cost)

    def _bound(self, layers: int, length: int) -> _Bound:
        rate = 8 * length / int(self.counts.sum())
        if rate > layers:
            return _Bound(layers, math.inf, math.inf)
        squares = stc.squares(layers)[:, self.margin].astype(np.float64)
        weights = WEIGHTS[self.attention]
        chances = gibbs.probabilities(weights * squares, gibbs.multiplier(weights * squares, rate, self.counts))
        changes = self.counts * (chances * squares).sum(0)
        return _Bound(layers, float(weights @ changes), float(changes.sum()))

    def psnr(self, length: int) -> float:
        """Return the expected PSNR in dB of a container with a body of *length* bytes: the bound, less the loss."""
        loss = float(np.interp(8 * length / self.values, _CODE.rates, _CODE.losses))
        return lossless.expected_psnr(loss * self.best(length).change, BASNSTC.head, self.values)


class BASNSTC(lossless.LosslessMethod):
    """Syndrome-trellis codes with costs by attention: the least change, for lossless formats only.

    Args:
        tolerance: function from a cover to the change that each of its pixels allows, ``float32 (H, W)`` with a mean of
            about 1. It divides the costs. The receiver need not know it.
    """

    name = "basn-stc"
    summary = "files up to a byte per pixel in the least change, lossless formats only"
    needs_lossless = True
    default_survive = None
    mode: Mode = "matching"
    head = HeaderPlaces(syndrome=True, details=_HIGHER_LAYERS.size)

    def __init__(self, tolerance: Callable[[Image], NDArray[np.float32]] | None = None) -> None:
        self._tolerance = tolerance

    def capacity(self, cover: Image) -> Capacity:
        """Return the largest payload, for a file name of any length: 1.2 bytes per pixel, less the header.

        Raises:
            UsageError: a side of the cover is below 32 pixels.
            ModelError: the network is missing or altered.
        """
        room = _Room.of(cover, attention(cover, whole=True))
        return Capacity(max(room.max_body - lossless.OVERHEAD, 0), room.psnr(room.max_body))

    def payload_at(self, cover: Image, psnr: float) -> int:
        """Return the largest payload in bytes whose container is expected to have *psnr* dB; 0 if there is none.

        Raises:
            UsageError: a side of the cover is below 32 pixels.
            ModelError: the network is missing or altered.
        """
        room = _Room.of(cover, attention(cover, whole=True))
        return lossless.largest_payload(room.max_body, room.psnr, psnr)

    def write(self, cover: Image, body: bytes, key: Key) -> Embedded:
        """Embed *body* in a copy of *cover*, as :class:`~underpaint.methods.lossless.LosslessMethod` says."""
        attended = attention(cover, whole=True)
        room = _Room.of(cover, attended)
        if len(body) > room.max_body:
            raise lossless.too_long(len(body), room.max_body)
        layers = room.best(len(body)).layers
        free = self.head.free(cover.size)
        tolerance = None if self._tolerance is None else np.repeat(self._tolerance(cover), 3)

        def costs(places: NDArray[Any]) -> NDArray[np.float32]:
            weights: NDArray[np.float32] = WEIGHTS[attended.reshape(-1)[places]]
            return weights if tolerance is None else weights / tolerance[places]

        bits = np.unpackbits(np.frombuffer(body, np.uint8))
        try:
            carrying, counts = stc.embed(cover.reshape(-1)[free], bits, costs(free), layers, key)
        except CapacityError:
            hint = "hide less, take a larger picture, or hide it by basn"
            raise CapacityError(f"no trellis of {len(body)} bytes was found in this picture", hint=hint) from None
        container = cover.copy()
        container.reshape(-1)[free] = carrying
        higher = (0,) * (_MAX_LAYERS - layers) + counts[:-1]
        header = Header(layers, len(body), _HIGHER_LAYERS.pack(*higher))
        return Embedded(container, header, costs(self.head.places(cover.size)))

    def read(self, container: Image, header: Header, key: Key) -> bytes:
        """Return the body, as :class:`~underpaint.methods.lossless.LosslessMethod` says."""
        higher, layers = _HIGHER_LAYERS.unpack(header.details), header.parameter
        lowest = 8 * header.length - sum(higher)
        if layers not in _LAYERS or any(higher[: _MAX_LAYERS - layers]) or lowest < 0:
            raise refusals.newer()
        counts = (*higher[_MAX_LAYERS - layers :], lowest)
        try:
            bits = stc.extract(container.reshape(-1)[self.head.free(container.size)], counts, key)
        except CapacityError:
            raise refusals.newer() from None
        return np.packbits(bits).tobytes()
