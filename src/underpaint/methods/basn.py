"""BASN: files in the low bits of textured values, chosen by attention, in a picture that must not change afterwards.

After Yang, "BASN: Learning Steganography with Binary Attention Mechanism", arXiv:1907.04362. A network
(:mod:`underpaint.models.attention`) says how much change each value allows, and the receiver computes the same map from
the container. Header and body are those of :mod:`underpaint.methods.lossless`. A value carries 0–4 bit planes: one more
wherever the squared change that it adds stays below a limit that rises with attention. The limit is as low as the
payload allows, and is stored in the header. No value leaves its bin of 16 levels, so the container has the attention of
the cover.

Deviations from the paper: attention sees the 4 high bits only, in integer arithmetic, so that no bit is lost, where the
paper loses a few in a hundred; the payload is the user's, not what attention yields; a value moves to the nearest
fitting level instead of keeping its other bits; the order of values is keyed; the payload is authenticated.

Limits: any change of the container destroys the payload. From 2 planes on, staying in a bin costs more than ``lsb``
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

#: Attention, above that of the first plane, from which a value carries 1, 2, 3 or 4 planes: 16 for each doubling of
#: 1/2, 5/4, 25/4, 69/2, the squared change that each plane adds. Part of the format, as is all that follows.
PLANE_THRESHOLDS = (0, 21, 58, 98)
#: The largest number of planes of a value.
PLANES = len(PLANE_THRESHOLDS)
#: Offsets added to attention before it is compared: from one plane in the best values only, to three in all.
OFFSETS = range(-255, PLANE_THRESHOLDS[2] + 1)
#: Number of planes of a value, by index of the offset and by attention, ``(offsets, 256)``.
PLANE_TABLE = np.searchsorted(PLANE_THRESHOLDS, np.add.outer(OFFSETS, np.arange(256)), side="right").astype(np.uint8)


@dataclass(frozen=True)
class _Room:
    """Capacity of one picture at each offset."""

    #: How many values carry more than p planes, by index of the offset and by p: ``(offsets, 4)``.
    planes: NDArray[np.int64]
    #: Bytes of the longest body, by index of the offset, ``(offsets,)``, ascending.
    bodies: NDArray[np.int64]
    #: Number of values of the picture.
    values: int

    @classmethod
    def of(cls, attended: NDArray[np.uint8]) -> _Room:
        """Return the capacity of a picture with this attention, without the places of the header."""
        counts = lossless.histogram(attended, BASN.head)
        planes = np.stack([(plane < PLANE_TABLE) @ counts for plane in range(PLANES)], axis=-1)
        bodies = np.minimum(bit_planes.guaranteed_room(planes, attended.size), attended.size // 3)
        return cls(planes, bodies, attended.size)

    @property
    def max_body(self) -> int:
        """Bytes of the longest body of all."""
        return int(self.bodies[-1])

    def offset(self, length: int) -> int:
        """Return the index of the lowest offset at which a body of *length* bytes fits.

        Raises:
            CapacityError: there is none.
        """
        if length > self.max_body:
            raise lossless.too_long(length, self.max_body)
        return int(np.searchsorted(self.bodies, length))

    def psnr(self, length: int) -> float:
        """Return the expected PSNR in dB of a container with a body of *length* bytes."""
        return lossless.expected_psnr(
            bit_planes.total_change(self.planes[self.offset(length)], length, BASN.mode), BASN.head, self.values
        )


class BASN(lossless.LosslessMethod):
    """Bit planes chosen by attention: payloads up to a byte per pixel, for lossless formats only."""

    name = "basn"
    summary = "files up to a byte per pixel, placed by attention, lossless formats only"
    needs_lossless = True
    default_survive = None
    mode: Mode = "confined"
    head = HeaderPlaces()

    def capacity(self, cover: Image) -> Capacity:
        """Return the largest payload, for a file name of any length: about a byte per pixel.

        Raises:
            UsageError: a side of the cover is below 32 pixels.
            ModelError: the network is missing or altered.
        """
        room = _Room.of(attention(cover))
        return Capacity(room.max_body - lossless.OVERHEAD, room.psnr(room.max_body))

    def payload_at(self, cover: Image, psnr: float) -> int:
        """Return the largest payload in bytes whose container is expected to have *psnr* dB; 0 if there is none.

        Raises:
            UsageError: a side of the cover is below 32 pixels.
            ModelError: the network is missing or altered.
        """
        room = _Room.of(attention(cover))
        return lossless.largest_payload(room.max_body, room.psnr, psnr)

    def capacity_map(self, image: Image, payload_bytes: int) -> CapacityMap:
        """Return how many low bits of each value may carry data: the same for a cover and its container.

        Args:
            image: ``uint8 (H, W, 3)``, at least 32×32.
            payload_bytes: size of the payload that the map is for.

        Raises:
            CapacityError: the payload does not fit.
            UsageError: a side of the image is below 32 pixels.
            ModelError: the network is missing or altered.
        """
        attended = attention(image)
        return _map(attended, _Room.of(attended).offset(payload_bytes + lossless.OVERHEAD))

    def write(self, cover: Image, body: bytes, key: Key) -> Embedded:
        """Embed *body* in a copy of *cover*, as :class:`~underpaint.methods.lossless.LosslessMethod` says."""
        attended = attention(cover)
        offset = _Room.of(attended).offset(len(body))
        container = bit_planes.embed(cover, body, _map(attended, offset), key, self.mode)
        return Embedded(container, Header(offset, len(body)))

    def read(self, container: Image, header: Header, key: Key) -> bytes:
        """Return the body, as :class:`~underpaint.methods.lossless.LosslessMethod` says."""
        if header.parameter >= len(OFFSETS):
            raise refusals.newer()
        capacity = _map(attention(container), header.parameter)
        if header.length > bit_planes.room(capacity):
            raise refusals.newer()
        return bit_planes.extract(container, header.length, capacity, key)


def _map(attended: NDArray[np.uint8], offset: int) -> CapacityMap:
    """Return the planes of values with this attention at an offset of that index, none at the places of the header."""
    capacity: CapacityMap = PLANE_TABLE[offset][attended]
    capacity.reshape(-1)[BASN.head.places(capacity.size)] = 0
    return capacity
