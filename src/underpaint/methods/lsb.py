"""Files of megabytes in the lowest bits of a picture that stays exactly as it is.

::

    head (salt and sealed header)  ──► the lowest bit of 344 values at public, evenly spaced places
    sealed body                    ──► up to 4 low bits of all other values, in keyed order, by LSB matching

The head's places are public because the key that could hide them needs the salt in it; what lies there looks like the
lowest bits of any photograph, though not of a picture that is flat or clipped there. The body fills plane by plane: a
payload of up to a bit per value changes no value by more than 1.

Limits: any change to the container destroys the payload. LSB matching shows in no pair of values, but trained detectors
(SPAM, SRM) find it well below half a bit per value, and 3 or 4 planes can show in flat areas to the eye.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from underpaint import embed
from underpaint.errors import CapacityError, NotFoundError, PayloadError, UsageError
from underpaint.secret import frame
from underpaint.secret.keys import Key
from underpaint.types import SMALLEST_SIDE, Capacity, as_cover

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import CapacityMap, Image, Passage, Payload

_PLANES = 4
_HEAD_BITS = 8 * frame.HEAD_SIZE


class LSB:
    """Low bits in keyed order: the largest payloads, for lossless formats only."""

    name = "lsb"
    summary = "files up to 1.5 bytes per pixel, lossless formats only"
    needs_lossless = True
    default_survive = None

    def capacity(self, cover: Image) -> Capacity:
        """What fits, whatever the file's name; about 1.5 bytes per pixel.

        Raises:
            UsageError: a side of the cover is below 32 pixels.
        """
        cover = as_cover(cover)
        overhead = frame.BODY_OVERHEAD + frame.LONGEST_NAME
        return Capacity(embed.room(self.capacity_map(cover)) - overhead, embed.expected_psnr(_PLANES))

    def capacity_map(self, image: Image) -> CapacityMap:
        """How many low bits of each value a body may take: the same for a cover and for its container."""
        capacity = np.full(image.shape, _PLANES, np.uint8)
        capacity.reshape(-1)[_head_places(image)] = 0
        return capacity

    def hide(
        self, cover: Image, payload: Payload, passphrase: str | None, *, psnr: float | None, survive: Passage | None
    ) -> Image:
        """Return the container.

        Raises:
            CapacityError: the payload, compressed, does not fit.
            UsageError: a quality or a channel is asked for, or a side of the cover is below 32 pixels.
        """
        if psnr is not None or survive is not None:
            raise UsageError(
                "lsb has no quality or survival setting",
                hint="the payload's size decides the quality, and only an unaltered container survives; try stdm",
            )
        cover = as_cover(cover)
        salt = frame.new_salt()
        key = Key.derive(passphrase, salt)
        body = frame.seal_body(payload, key)
        capacity = self.capacity_map(cover)
        free = embed.room(capacity)
        if len(body) > free:
            raise CapacityError(
                f"the payload takes {len(body)} bytes once compressed and sealed; this picture holds {free}",
                hint=f"take a picture of {math.ceil(100 * len(body) / free) / 100:g} times the area",
            )
        container = embed.embed(cover, body, capacity, key)
        head = frame.seal_head(frame.Header(0, len(body)), key, salt, self.name)
        bits = np.unpackbits(np.frombuffer(head, np.uint8))
        coins = np.unpackbits(key.stream("head coins", frame.HEAD_SIZE))
        places = _head_places(cover)
        flat = container.reshape(-1)
        flat[places] = embed.place(flat[places], bits, np.ones_like(bits), coins)
        return container

    def holds(self, image: Image, passphrase: str | None) -> bool:
        """Return whether *image* has a payload."""
        try:
            self.reveal(image, passphrase)
        except PayloadError as error:
            return not isinstance(error, NotFoundError)
        return True

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        """Return exactly what was hidden.

        Raises:
            NotFoundError: no payload, or another passphrase.
            DamagedError: the payload was altered.
        """
        if min(container.shape[:2]) < SMALLEST_SIDE:
            raise frame.not_found()
        head = np.packbits(container.reshape(-1)[_head_places(container)] & 1).tobytes()
        header, key = frame.open_head(head, passphrase, self.name)
        capacity = self.capacity_map(container)
        if header.parameter or header.length > embed.room(capacity):
            raise frame.newer()
        return frame.open_body(embed.extract(container, header.length, capacity, key), key)


def _head_places(image: Image) -> NDArray[np.intp]:
    return np.arange(_HEAD_BITS, dtype=np.int64) * image.size // _HEAD_BITS
