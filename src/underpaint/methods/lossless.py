"""Containers that stay exactly as they are, a sealed head in public places and a sealed body: what they share.

::

    head (salt and sealed header)  ──► lowest bits at public, evenly spaced places: as they are, or their syndrome
    sealed body                    ──► wherever the method puts it, in keyed order, but for those places

The head's places are public because the key that could hide them needs the salt in it; what lies there looks like the
lowest bits of any photograph, though not of a picture that is flat or clipped there. As a syndrome it takes more places
and fewer changes, where they cost least: in a small picture with a small body, 344 values that anything may happen to
would be what an analyst sees first.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from underpaint.coding import frame, refusals
from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.embedding import bit_planes, stc
from underpaint.embedding.stc import gibbs
from underpaint.errors import CapacityError, NotFoundError, PayloadError, UsageError
from underpaint.types import SMALLEST_SIDE, as_cover

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from underpaint.coding.frame import Header
    from underpaint.embedding.bit_planes import Mode
    from underpaint.types import Bits, Channel, Image, Payload

#: Bytes of a body that may not be data.
OVERHEAD = frame.BODY_OVERHEAD + frame.LONGEST_NAME

#: Values that are counted at a time.
_STRIP = 1 << 20

#: Coded it takes one value in so many, and at least and at most so many for each of its bits.
_EVERY, _LEAST, _MOST = 16, 2, 64
#: What puts its places in order then. Known to all: the secret key is not known before the salt is read.
_PUBLIC = Key(bytes(KEY_SIZE))


@dataclass(frozen=True)
class HeaderPlaces:
    """Where a head lies, and how: in lowest bits as they are, or coded, as their syndrome."""

    coded: bool = False
    #: Bytes of its header's details.
    details: int = 0

    @property
    def bits(self) -> int:
        """How many it has."""
        return 8 * (frame.HEAD_SIZE + self.details)

    @property
    def change(self) -> float:
        """The sum of squared changes to expect: of a coded one as measured, mostly 0.16 to 0.25 for a bit."""
        return self.bits * (0.2 if self.coded else bit_planes.squared_change(1))

    def places(self, size: int) -> NDArray[np.intp]:
        """Where it lies among the *size* values of a picture, ``(n,)``.

        Those as they are all have their salt in the same places: to ask for each of them, a key is derived once.
        """
        if not self.coded:
            first, more = 8 * frame.HEAD_SIZE, 8 * self.details
            at = np.arange(first) * size // first
            between = at[np.arange(more) * first // max(more, 1)] + size // (2 * first)
            return np.concatenate([at, between])
        count = min(max(size // _EVERY, _LEAST * self.bits), _MOST * self.bits)
        return _PUBLIC.permutation("head places", count) * size // count

    def read(self, image: Image) -> bytes:
        """Return what lies there."""
        low = image.reshape(-1)[self.places(image.size)] & np.uint8(1)
        return np.packbits(stc.syndrome(low, self.bits) if self.coded else low).tobytes()


class Embedded(NamedTuple):
    """A body in a picture."""

    #: What it did to the places of the head is written over.
    container: Image
    #: What has to be known to read it.
    header: Header
    #: What the square of a change costs in each of the places of a coded head, ``(n,)``.
    weights: NDArray[np.float32] | None = None


class LosslessMethod(Protocol):
    """How a method carries a body beside the head; by it the method has what every method owes."""

    name: str
    head: HeaderPlaces
    #: How the places of the head take their bits.
    mode: Mode

    def write(self, cover: Image, body: bytes, key: Key) -> Embedded:
        """Put *body* into a copy of *cover*. Raises CapacityError if it does not fit."""
        ...

    def read(self, container: Image, header: Header, key: Key) -> bytes:
        """Return the body, whatever it is by now. Raises DamagedError if no such *header* is written."""
        ...

    def hide(
        self, cover: Image, payload: Payload, passphrase: str | None, *, psnr: float | None, survive: Channel | None
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
        container, header, weights = self.write(cover, frame.seal_body(payload, key), key)
        bits = np.unpackbits(np.frombuffer(frame.seal_head(header, key, salt, self.name), np.uint8))
        at = self.head.places(cover.size)
        values = cover.reshape(-1)[at]
        if weights is not None:
            bits = _coded(values, bits, weights)
        coins = np.unpackbits(key.stream("head coins", -(-bits.size // 8)))[: bits.size]
        container.reshape(-1)[at] = bit_planes.place(values, bits, np.ones_like(bits), coins, self.mode)
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


def tally(values: NDArray[np.uint8], head: HeaderPlaces) -> NDArray[np.int64]:
    """How many *values*, of the shape of an image, are 0 … 255, ``(256,)``, the places of a *head* left out."""
    flat = values.reshape(-1)
    counts = -np.bincount(flat[head.places(flat.size)], minlength=256)
    for start in range(0, flat.size, _STRIP):
        counts += np.bincount(flat[start : start + _STRIP], minlength=256)
    return counts


def expected_psnr(change: float, head: HeaderPlaces, values: int) -> float:
    """PSNR in dB to expect where a body adds *change* to the sum of squared changes of so many *values*."""
    return 10 * math.log10(255**2 * values / (change + head.change))


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


def _open_head(carrier: LosslessMethod, image: Image, passphrase: str | None) -> tuple[Header, Key]:
    if min(image.shape[:2]) < SMALLEST_SIDE:
        raise refusals.not_found()
    return frame.open_head(carrier.head.read(image), passphrase, carrier.name)


def _coded(values: NDArray[np.uint8], bits: Bits, weights: NDArray[np.float32]) -> Bits:
    """The lowest bits of *values*, changed at the least cost so that their syndrome is *bits*."""
    costs = np.stack([np.zeros_like(weights), weights])
    log_odds = weights * gibbs.multiplier(costs, bits.size / values.size)
    return stc.code(values & np.uint8(1), log_odds, bits)
