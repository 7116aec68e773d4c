"""LSB matching: files of megabytes in the least significant bits of a picture that must not change afterwards.

Header and body are those of :mod:`underpaint.methods.lossless`. The body fills up to 4 low bits of all values outside
the header, in keyed order, plane by plane: a payload of up to one bit per value changes no value by more than 1.

Limits: any change of the container destroys the payload. LSB matching does not equalise pairs of values, but trained
detectors (SPAM, SRM) find it well below half a bit per value, and 3 or 4 planes can be visible in flat areas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint.coding import refusals
from underpaint.coding.frame import Header
from underpaint.embedding import bit_planes
from underpaint.methods import lossless
from underpaint.methods.lossless import Embedded, HeaderPlaces
from underpaint.types import Capacity, as_cover

if TYPE_CHECKING:
    from underpaint.coding.keys import Key
    from underpaint.embedding.bit_planes import Mode
    from underpaint.types import CapacityMap, Image

#: Low bits of a value that may carry data.
_PLANES = 4


class LSB(lossless.LosslessMethod):
    """LSB matching in keyed order: the largest payloads, for lossless formats only."""

    name = "lsb"
    summary = "files up to 1.5 bytes per pixel, lossless formats only"
    needs_lossless = True
    default_survive = None
    mode: Mode = "matching"
    head = HeaderPlaces()

    def capacity(self, cover: Image) -> Capacity:
        """Return the largest payload, for a file name of any length: about 1.5 bytes per pixel.

        Raises:
            UsageError: a side of the cover is below 32 pixels.
        """
        free = bit_planes.room(self.capacity_map(as_cover(cover)))
        return Capacity(free - lossless.OVERHEAD, bit_planes.expected_psnr(_PLANES))

    def payload_at(self, cover: Image, psnr: float) -> int:
        """Return the largest payload in bytes whose container is expected to have *psnr* dB; 0 if there is none.

        Raises:
            UsageError: a side of the cover is below 32 pixels.
        """
        planes = np.full(_PLANES, cover.size - len(self.head.places(as_cover(cover).size)), np.int64)

        def expected(length: int) -> float:
            return lossless.expected_psnr(bit_planes.total_change(planes, length, self.mode), self.head, cover.size)

        return lossless.largest_payload(int(bit_planes.guaranteed_room(planes, cover.size)), expected, psnr)

    def capacity_map(self, image: Image) -> CapacityMap:
        """Return how many low bits of each value a body may use: the same for a cover and its container."""
        capacity = np.full(image.shape, _PLANES, np.uint8)
        capacity.reshape(-1)[self.head.places(capacity.size)] = 0
        return capacity

    def write(self, cover: Image, body: bytes, key: Key) -> Embedded:
        """Embed *body* in a copy of *cover*, as :class:`~underpaint.methods.lossless.LosslessMethod` says."""
        capacity = self.capacity_map(cover)
        free = bit_planes.room(capacity)
        if len(body) > free:
            raise lossless.too_long(len(body), free)
        return Embedded(bit_planes.embed(cover, body, capacity, key, self.mode), Header(0, len(body)))

    def read(self, container: Image, header: Header, key: Key) -> bytes:
        """Return the body, as :class:`~underpaint.methods.lossless.LosslessMethod` says."""
        capacity = self.capacity_map(container)
        if header.parameter or header.length > bit_planes.room(capacity):
            raise refusals.newer()
        return bit_planes.extract(container, header.length, capacity, key)
