"""Containers that stay exactly as they are, a sealed head in public places and a sealed body: what they share.

::

    head (salt and sealed header)  ──► the lowest bit of 344 values or more at public, evenly spaced places
    sealed body                    ──► wherever the method puts it, in keyed order, but for those places

The head's places are public because the key that could hide them needs the salt in it; what lies there looks like the
lowest bits of any photograph, though not of a picture that is flat or clipped there.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING, Protocol

import numpy as np

from underpaint import embed
from underpaint.errors import CapacityError, NotFoundError, PayloadError, UsageError
from underpaint.secret import frame
from underpaint.secret.keys import Key
from underpaint.types import SMALLEST_SIDE, as_cover

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from underpaint.embed import Mode
    from underpaint.secret.frame import Header
    from underpaint.types import Image, Passage, Payload

#: Bytes of a body that may not be data.
OVERHEAD = frame.BODY_OVERHEAD + frame.LONGEST_NAME

#: Values that are counted at a time.
_STRIP = 1 << 20


class Carrier(Protocol):
    """How a method carries a body beside the head; by it the method has what every method owes."""

    name: str
    #: How the places of the head take their bits.
    mode: Mode
    #: Bytes of its header's details.
    details: int

    def write(self, cover: Image, body: bytes, key: Key) -> tuple[Image, Header]:
        """Return a copy of *cover* that carries *body*, and what has to be known to read it.

        What it does to the :func:`places` of the head is written over. Raises CapacityError if *body* does not fit.
        """
        ...

    def read(self, container: Image, header: Header, key: Key) -> bytes:
        """Return the body, whatever it is by now. Raises DamagedError if no such *header* is written."""
        ...

    def hide(
        self, cover: Image, payload: Payload, passphrase: str | None, *, psnr: float | None, survive: Passage | None
    ) -> Image:
        """Return a container of *cover*.

        Raises:
            CapacityError: the payload, compressed, does not fit.
            UsageError: a quality or a channel is asked for, or a side of the cover is below 32 pixels.
            ModelError: the method needs a network that is missing or altered.
        """
        if psnr is not None or survive is not None:
            raise UsageError(
                f"{self.name} has no quality or survival setting",
                hint="the payload's size decides the quality, and only an unaltered container survives; try stdm",
            )
        cover = as_cover(cover)
        salt = frame.new_salt()
        key = Key.derive(passphrase, salt)
        container, header = self.write(cover, frame.seal_body(payload, key), key)
        bits = np.unpackbits(np.frombuffer(frame.seal_head(header, key, salt, self.name), np.uint8))
        coins = np.unpackbits(key.stream("head coins", bits.size // 8))
        at = places(cover, self.details)
        container.reshape(-1)[at] = embed.place(cover.reshape(-1)[at], bits, np.ones_like(bits), coins, self.mode)
        return container

    def holds(self, image: Image, passphrase: str | None) -> bool:
        """Return whether *image* has a head of this method."""
        try:
            _open_head(self, image, passphrase)
        except PayloadError as error:
            return not isinstance(error, NotFoundError)
        return True

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        """Return exactly what was hidden.

        Raises:
            NotFoundError: no payload, or another passphrase.
            DamagedError: the payload was altered.
            ModelError: the method needs a network that is missing or altered.
        """
        header, key = _open_head(self, container, passphrase)
        return frame.open_body(self.read(container, header, key), key)


def places(image: Image, details: int = 0) -> NDArray[np.intp]:
    """Where a head with so many bytes of *details* lies among the values of *image*; the details half way between.

    All heads have their salt in the same places: to ask for each of them, a key is derived once.
    """
    count = 8 * frame.HEAD_SIZE
    head = np.arange(count, dtype=np.int64) * image.size // count
    return np.concatenate([head, head[: 8 * details] + image.size // (2 * count)])


def tally(values: NDArray[np.uint8], details: int = 0) -> NDArray[np.int64]:
    """How many *values*, of the shape of an image, are 0 … 255, ``(256,)``, the :func:`places` of a head left out."""
    flat = values.reshape(-1)
    counts = -np.bincount(flat[places(values, details)], minlength=256)
    for start in range(0, flat.size, _STRIP):
        counts += np.bincount(flat[start : start + _STRIP], minlength=256)
    return counts


def expected_psnr(change: float, values: int) -> float:
    """PSNR in dB to expect where a body adds *change* to the sum of squared changes of so many *values*."""
    head = 8 * frame.HEAD_SIZE * embed.squared_change(1)
    return 10 * math.log10(255**2 * values / (change + head))


def largest(longest: int, expected: Callable[[int], float], psnr: float) -> int:
    """The largest payload in bytes at *psnr* dB, where bodies of up to *longest* bytes are *expected* at such."""
    bodies = range(longest + 1)
    return max(bisect_right(bodies, -psnr, key=lambda length: -expected(length)) - 1 - OVERHEAD, 0)


def too_long(length: int, free: int) -> CapacityError:
    """The error of a body of *length* bytes where *free* have room."""
    return CapacityError(
        f"the payload takes {length} bytes once compressed and sealed; this picture holds {free}",
        hint=f"take a picture of {math.ceil(100 * length / max(free, 1)) / 100:g} times the area",
    )


def _open_head(carrier: Carrier, image: Image, passphrase: str | None) -> tuple[Header, Key]:
    if min(image.shape[:2]) < SMALLEST_SIDE:
        raise frame.not_found()
    head = np.packbits(image.reshape(-1)[places(image, carrier.details)] & 1).tobytes()
    return frame.open_head(head, passphrase, carrier.name)
