"""Files where neither eye nor machine looks, in a picture that stays exactly as it is.

After Yang, BASN: Learning Steganography with Binary Attention Mechanism, arXiv:1907.04362: attention says how many low
bits of each value carry data, and who reveals works it out anew (:mod:`underpaint.models.attention`). Head and body are those
of :mod:`underpaint.methods.lossless`. A value takes a plane, 0–4 in all, where what that adds to its squared change stays below a
limit that rises with its attention. The limit is as low as the payload allows, and stands in the head. No value leaves
its bin of 16 levels, so the attention of the container is that of the cover.

Deviations from the paper: attention sees the high 4 bits only, in whole numbers, so that no bit is lost where the paper
loses up to a few in a hundred; the payload is what is asked for, not what attention yields; values go to the nearest
fitting one instead of keeping their other bits; their order is keyed; the payload is authenticated.

Limits: any change to the container destroys the payload. From 2 planes on, staying in a bin costs more than ``lsb``
pays, and trained detectors find planes well below half a bit per value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint.coding import refusals
from underpaint.coding.frame import Header
from underpaint.embedding import bit_planes
from underpaint.methods import lossless
from underpaint.methods.lossless import Embedded, HeaderPlaces
from underpaint.models.attention import attention
from underpaint.types import Capacity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.coding.keys import Key
    from underpaint.embedding.bit_planes import Mode
    from underpaint.types import CapacityMap, Image

#: From which attention on, counted from that of a first plane, a value takes 1, 2, 3, 4 planes: half an octave for each
#: doubling of 1/2, 5/4, 25/4, 69/2, which is what each adds to the squared change. Part of the format, as what follows.
_STEPS = (0, 21, 58, 98)
#: The most planes a value takes.
PLANES = len(_STEPS)
#: What is added to attention before that: from one plane in the best values only, to three in all.
_OFFSETS = range(-255, _STEPS[2] + 1)
#: How many planes a value takes, by place in _OFFSETS and by attention, ``(offsets, 256)``.
_PLANES = np.searchsorted(_STEPS, np.add.outer(_OFFSETS, np.arange(256)), side="right").astype(np.uint8)


@dataclass(frozen=True)
class _Room:
    """What one picture takes."""

    #: How many values take more than p planes, by place in _OFFSETS and by p: ``(offsets, 4)``.
    planes: NDArray[np.int64]
    #: Bytes of the longest body, by place in _OFFSETS, ``(offsets,)``, ascending.
    bodies: NDArray[np.int64]
    #: Values of the picture.
    values: int

    @classmethod
    def of(cls, attended: NDArray[np.uint8]) -> _Room:
        """What a picture of that attention takes, its head's places left out."""
        counts = lossless.tally(attended, BASN.head)
        planes = np.stack([(plane < _PLANES) @ counts for plane in range(PLANES)], axis=-1)
        bodies = np.minimum(bit_planes.guaranteed_room(planes, attended.size), attended.size // 3)
        return cls(planes, bodies, attended.size)

    @property
    def longest(self) -> int:
        """Bytes of the longest body of all."""
        return int(self.bodies[-1])

    def row(self, length: int) -> int:
        """The lowest place in _OFFSETS at which a body of *length* bytes fits.

        Raises:
            CapacityError: none.
        """
        if length > self.longest:
            raise lossless.too_long(length, self.longest)
        return int(np.searchsorted(self.bodies, length))

    def psnr(self, length: int) -> float:
        """PSNR in dB to expect of a container with a body of *length* bytes."""
        return lossless.expected_psnr(
            bit_planes.total_change(self.planes[self.row(length)], length, BASN.mode), BASN.head, self.values
        )


class BASN(lossless.LosslessMethod):
    """Planes by attention: payloads up to a byte per pixel, for lossless formats only."""

    name = "basn"
    summary = "files up to a byte per pixel, placed by attention, lossless formats only"
    needs_lossless = True
    default_survive = None
    mode: Mode = "confined"
    head = HeaderPlaces()

    def capacity(self, cover: Image) -> Capacity:
        """What fits, whatever the file's name; about a byte per pixel.

        Raises:
            UsageError: a side of the cover is below 32 pixels.
            ModelError: the network is missing or altered.
        """
        room = _Room.of(attention(cover))
        return Capacity(room.longest - lossless.OVERHEAD, room.psnr(room.longest))

    def payload_at(self, cover: Image, psnr: float) -> int:
        """The largest payload in bytes of which a container of *psnr* dB is to be expected; 0 if there is none.

        Raises:
            UsageError, ModelError: as for :meth:`capacity`.
        """
        room = _Room.of(attention(cover))
        return lossless.largest(room.longest, room.psnr, psnr)

    def capacity_map(self, image: Image, payload_bytes: int) -> CapacityMap:
        """How many low bits of each value may carry data of so many bytes: the same for a cover and its container.

        Raises:
            CapacityError: they do not fit.
            UsageError, ModelError: as for :meth:`capacity`.
        """
        attended = attention(image)
        return _map(attended, _Room.of(attended).row(payload_bytes + lossless.OVERHEAD))

    def write(self, cover: Image, body: bytes, key: Key) -> Embedded:
        """Put *body* into a copy of *cover*; as :class:`sealed.Carrier` says."""
        attended = attention(cover)
        row = _Room.of(attended).row(len(body))
        container = bit_planes.embed(cover, body, _map(attended, row), key, self.mode)
        return Embedded(container, Header(row, len(body)))

    def read(self, container: Image, header: Header, key: Key) -> bytes:
        """Return the body; as :class:`sealed.Carrier` says."""
        if header.parameter >= len(_OFFSETS):
            raise refusals.newer()
        capacity = _map(attention(container), header.parameter)
        if header.length > bit_planes.room(capacity):
            raise refusals.newer()
        return bit_planes.extract(container, header.length, capacity, key)


def _map(attended: NDArray[np.uint8], row: int) -> CapacityMap:
    """The planes that values of that attention take at a place in _OFFSETS, none where the head lies."""
    capacity: CapacityMap = _PLANES[row][attended]
    capacity.reshape(-1)[BASN.head.places(capacity.size)] = 0
    return capacity
