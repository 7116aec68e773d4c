"""Files of megabytes in the lowest bits of a picture that stays exactly as it is.

Head and body are those of :mod:`underpaint.sealed`. The body fills up to 4 low bits of all values but the head's, in
keyed order, by LSB matching, plane by plane: a payload of up to a bit per value changes no value by more than 1.

Limits: any change to the container destroys the payload. LSB matching shows in no pair of values, but trained detectors
(SPAM, SRM) find it well below half a bit per value, and 3 or 4 planes can show in flat areas to the eye.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint import embed, sealed
from underpaint.sealed import Head, Written
from underpaint.secret import frame
from underpaint.secret.frame import Header
from underpaint.types import Capacity, as_cover

if TYPE_CHECKING:
    from underpaint.embed import Mode
    from underpaint.secret.keys import Key
    from underpaint.types import CapacityMap, Image

_PLANES = 4


class LSB(sealed.Carrier):
    """Low bits in keyed order: the largest payloads, for lossless formats only."""

    name = "lsb"
    summary = "files up to 1.5 bytes per pixel, lossless formats only"
    needs_lossless = True
    default_survive = None
    mode: Mode = "matching"
    head = Head()

    def capacity(self, cover: Image) -> Capacity:
        """What fits, whatever the file's name; about 1.5 bytes per pixel.

        Raises:
            UsageError: a side of the cover is below 32 pixels.
        """
        free = embed.room(self.capacity_map(as_cover(cover)))
        return Capacity(free - sealed.OVERHEAD, embed.expected_psnr(_PLANES))

    def payload_at(self, cover: Image, psnr: float) -> int:
        """The largest payload in bytes of which a container of *psnr* dB is to be expected; 0 if there is none.

        Raises:
            UsageError: a side of the cover is below 32 pixels.
        """
        planes = np.full(_PLANES, cover.size - len(self.head.places(as_cover(cover).size)), np.int64)

        def expected(length: int) -> float:
            return sealed.expected_psnr(embed.total_change(planes, length, self.mode), self.head, cover.size)

        return sealed.largest(int(embed.surely(planes, cover.size)), expected, psnr)

    def capacity_map(self, image: Image) -> CapacityMap:
        """How many low bits of each value a body may take: the same for a cover and for its container."""
        capacity = np.full(image.shape, _PLANES, np.uint8)
        capacity.reshape(-1)[self.head.places(capacity.size)] = 0
        return capacity

    def write(self, cover: Image, body: bytes, key: Key) -> Written:
        """Put *body* into a copy of *cover*; as :class:`sealed.Carrier` says."""
        capacity = self.capacity_map(cover)
        free = embed.room(capacity)
        if len(body) > free:
            raise sealed.too_long(len(body), free)
        return Written(embed.embed(cover, body, capacity, key, self.mode), Header(0, len(body)))

    def read(self, container: Image, header: Header, key: Key) -> bytes:
        """Return the body; as :class:`sealed.Carrier` says."""
        capacity = self.capacity_map(container)
        if header.parameter or header.length > embed.room(capacity):
            raise frame.newer()
        return embed.extract(container, header.length, capacity, key)
