"""Files in the least change that carries them, where neither eye nor machine looks.

Head and body are those of :mod:`underpaint.methods.lossless`. Attention is that of ``basn``, but of all bits, as only who hides
looks at it: it says what the square of a change costs. :mod:`underpaint.embedding.stc` finds the cheapest changes that carry
the body.
The larger the body, the more low bits of each value take part: 2, 3 or 4. Who reveals needs the key, and how many bits
lie in each layer, which the head says.

Limits: any change to the container destroys the payload. It takes longer to hide than ``basn``.
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

#: What a squared change of 1 costs, by attention.
WEIGHTS = np.exp2(-2 * np.arange(256) / STEPS_PER_OCTAVE).astype(np.float32)
#: How many low bits of each value may take part.
_LAYERS = (2, 3, 4)
_MOST = max(_LAYERS)
#: Bits in each layer but the lowest, from the highest of four; 0 in those there are not.
_HIGHER = struct.Struct(">3I")
#: Bits per value that are promised: below 4, for layers that are full leave nothing to choose.
_RATE = 3.2
#: A layer more has to save more than this share of the cost, by the best of all codes: ours loses some in each layer.
_WORTH = 0.03
#: How much larger the squared change is than with the best of all codes, by bits per value: as measured.
_RATES = (0.005, 0.02, 0.05, 0.2, 0.4, 0.8, 1.3, 1.6, 2.5, 2.7)
_LOSSES = (1.40, 1.285, 1.20, 1.165, 1.125, 1.097, 1.08, 1.10, 1.10, 1.12)
#: So far from 0 and 255 the nearest value that ends in wanted bits is always there.
_INNER = 1 << _MOST - 1
#: Values that are counted at a time.
_STRIP = 1 << 20


class _Best(NamedTuple):
    """The best of all codes in some layers."""

    layers: int
    #: What its changes cost, and the sum of their squares.
    cost: float
    change: float


@dataclass(frozen=True)
class _Room:
    """What one picture takes, its head's places left out."""

    #: Attention of those values that there are, and their distance from 0 or 255, whichever is nearer, ``(n,)``.
    attention: NDArray[np.int64]
    margin: NDArray[np.int64]
    #: How many values are so, ``(n,)``.
    counts: NDArray[np.int64]
    #: Values of the picture, with those of the head.
    values: int

    @classmethod
    def of(cls, cover: Image, attended: NDArray[np.uint8]) -> _Room:
        """What *cover* takes."""
        free = _free(cover)
        values, attended = cover.reshape(-1)[free], attended.reshape(-1)[free]
        tally = np.zeros(256 * (_INNER + 1), np.int64)
        for start in range(0, values.size, _STRIP):
            shown = values[start : start + _STRIP]
            margin = np.minimum(np.minimum(shown, 255 - shown), _INNER)
            kinds = attended[start : start + _STRIP] * np.intp(_INNER + 1) + margin
            tally += np.bincount(kinds, minlength=tally.size)
        kinds = np.flatnonzero(tally)
        return cls(*np.divmod(kinds, _INNER + 1), tally[kinds], cover.size)

    @cached_property
    def longest(self) -> int:
        """Bytes of the longest body."""
        return int(_RATE * self.counts.sum() / 8)

    def best(self, length: int) -> _Best:
        """The best code for a body of *length* bytes, in as few layers as are worth it."""
        best = self._best(_MOST, length)
        fewer = (self._best(layers, length) for layers in _LAYERS)
        return next(each for each in fewer if each.cost <= (1 + _WORTH) * best.cost)

    def _best(self, layers: int, length: int) -> _Best:
        rate = 8 * length / int(self.counts.sum())
        if rate > layers:
            return _Best(layers, math.inf, math.inf)
        squares = stc.squares(layers)[:, self.margin].astype(np.float64)
        weights = WEIGHTS[self.attention]
        chances = gibbs.probabilities(weights * squares, gibbs.multiplier(weights * squares, rate, self.counts))
        changes = self.counts * (chances * squares).sum(0)
        return _Best(layers, float(weights @ changes), float(changes.sum()))

    def psnr(self, length: int) -> float:
        """PSNR in dB to expect of a container with a body of *length* bytes: that of the best code, less its loss."""
        loss = float(np.interp(8 * length / self.values, _RATES, _LOSSES))
        return lossless.expected_psnr(loss * self.best(length).change, BASNSTC.head, self.values)


def _free(image: Image) -> NDArray[np.bool_]:
    """Which of the values of *image* in reading order are not of the head."""
    free = np.ones(image.size, bool)
    free[BASNSTC.head.places(image.size)] = False
    return free


class BASNSTC(lossless.LosslessMethod):
    """Syndrome-trellis codes by attention: the least change, for lossless formats only.

    Args:
        tolerance: from a cover to how much change each of its pixels takes, ``float32 (H, W)`` with a mean of about 1,
            beside what attention says of that. Who reveals need not know it.
    """

    name = "basn-stc"
    summary = "files up to a byte per pixel in the least change, lossless formats only"
    needs_lossless = True
    default_survive = None
    mode: Mode = "matching"
    head = HeaderPlaces(coded=True, details=_HIGHER.size)

    def __init__(self, tolerance: Callable[[Image], NDArray[np.float32]] | None = None) -> None:
        self._tolerance = tolerance

    def capacity(self, cover: Image) -> Capacity:
        """What fits, whatever the file's name and the picture; 1.2 bytes per pixel, less the head.

        Raises:
            UsageError: a side of the cover is below 32 pixels.
            ModelError: the network is missing or altered.
        """
        room = _Room.of(cover, attention(cover, whole=True))
        return Capacity(max(room.longest - lossless.OVERHEAD, 0), room.psnr(room.longest))

    def payload_at(self, cover: Image, psnr: float) -> int:
        """The largest payload in bytes of which a container of *psnr* dB is to be expected; 0 if there is none.

        Raises:
            UsageError, ModelError: as for :meth:`capacity`.
        """
        room = _Room.of(cover, attention(cover, whole=True))
        return lossless.largest(room.longest, room.psnr, psnr)

    def write(self, cover: Image, body: bytes, key: Key) -> Embedded:
        """Put *body* into a copy of *cover*; as :class:`sealed.Carrier` says."""
        attended = attention(cover, whole=True)
        room = _Room.of(cover, attended)
        if len(body) > room.longest:
            raise lossless.too_long(len(body), room.longest)
        layers = room.best(len(body)).layers
        free, within = _free(cover), self._tolerance and np.repeat(self._tolerance(cover), 3)

        def costs(places: NDArray[Any]) -> NDArray[np.float32]:
            found: NDArray[np.float32] = WEIGHTS[attended.reshape(-1)[places]]
            return found if within is None else found / within[places]

        bits = np.unpackbits(np.frombuffer(body, np.uint8))
        try:
            carrying, counts = stc.embed(cover.reshape(-1)[free], bits, costs(free), layers, key)
        except CapacityError:
            hint = "hide less, take a larger picture, or hide it by basn"
            raise CapacityError(f"no trellis of {len(body)} bytes was found in this picture", hint=hint) from None
        container = cover.copy()
        container.reshape(-1)[free] = carrying
        higher = (0,) * (_MOST - layers) + counts[:-1]
        return Embedded(
            container, Header(layers, len(body), _HIGHER.pack(*higher)), costs(self.head.places(cover.size))
        )

    def read(self, container: Image, header: Header, key: Key) -> bytes:
        """Return the body; as :class:`sealed.Carrier` says."""
        higher, layers = _HIGHER.unpack(header.details), header.parameter
        lowest = 8 * header.length - sum(higher)
        if layers not in _LAYERS or any(higher[: _MOST - layers]) or lowest < 0:
            raise refusals.newer()
        counts = (*higher[_MOST - layers :], lowest)
        try:
            bits = stc.extract(container.reshape(-1)[_free(container)], counts, key)
        except CapacityError:
            raise refusals.newer() from None
        return np.packbits(bits).tobytes()
