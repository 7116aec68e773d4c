"""Base of the methods ``lsb``, ``basn`` and ``basn-stc``, and the header that ``pixinpix`` shares with them.

Their containers must not change. The payload is encrypted and authenticated::

    header (salt, sealed parameters)  ──► least significant bits at public, evenly spaced places, or their syndrome
    sealed body                       ──► placed by the method, in keyed order, outside these places

The places of the header are public because the key is derived from the salt in it. The header looks like random least
significant bits, as in any photograph, but not in a picture that is flat or clipped there. As a syndrome it needs more
places and fewer changes, where they cost least. In a small picture with a small body, 344 values that change at random
would be what steganalysis finds first.
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
from underpaint.methods.base import random_bits
from underpaint.types import SMALLEST_SIDE, as_cover

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from underpaint.coding.frame import Header
    from underpaint.embedding.bit_planes import Mode
    from underpaint.types import Bits, Channel, Image, Payload

    Weights = NDArray[np.float32] | None

#: Bytes of a body that may not be data.
OVERHEAD = frame.BODY_OVERHEAD + frame.LONGEST_NAME
#: Values of a picture that are counted at a time, to save memory.
STRIP = 1 << 20

#: A syndrome uses one value in so many, but at least and at most so many for each bit of the header.
_SPACING, _MIN_VALUES_PER_BIT, _MAX_VALUES_PER_BIT = 16, 2, 64
#: Squared change per bit of a syndrome, as measured: mostly between 0.16 and 0.25.
_SYNDROME_CHANGE = 0.2
#: Public key of the order of a syndrome's places: the secret key is not known before the salt is read.
_PUBLIC_KEY = Key(bytes(KEY_SIZE))


@dataclass(frozen=True)
class HeaderPlaces:
    """Places of a header in an image."""

    #: True if the header is the syndrome of the least significant bits there, False if it is these bits.
    syndrome: bool = False
    #: Bytes of the method's own details in the header.
    details: int = 0

    @property
    def bits(self) -> int:
        """Number of bits of the header."""
        return 8 * (frame.HEAD_SIZE + self.details)

    @property
    def change(self) -> float:
        """Expected sum of squared changes."""
        return self.bits * (_SYNDROME_CHANGE if self.syndrome else bit_planes.squared_change(1))

    def places(self, size: int) -> NDArray[np.intp]:
        """Return the indices, ``(n,)``, among the *size* values of an image.

        Headers that are no syndrome have their salt at the same indices, so that the key is derived once to try all
        such methods.
        """
        if not self.syndrome:
            first, more = 8 * frame.HEAD_SIZE, 8 * self.details
            at = np.arange(first) * size // first
            between = at[np.arange(more) * first // max(more, 1)] + size // (2 * first)
            return np.concatenate([at, between])
        count = min(max(size // _SPACING, _MIN_VALUES_PER_BIT * self.bits), _MAX_VALUES_PER_BIT * self.bits)
        return _PUBLIC_KEY.permutation("head places", count) * size // count

    def free(self, size: int) -> NDArray[np.bool_]:
        """Return True for those of the *size* values of an image, ``(size,)``, that the header leaves free."""
        free = np.ones(size, bool)
        free[self.places(size)] = False
        return free

    def open(self, image: Image, passphrase: str | None, method: str) -> tuple[Header, Key]:
        """Read and unseal the header of *method*; return it with the key of the body.

        Raises:
            NotFoundError: there is no such header, or the passphrase is another.
            DamagedError: a newer version wrote it.
        """
        if min(image.shape[:2]) < SMALLEST_SIDE:
            raise refusals.not_found()
        low = image.reshape(-1)[self.places(image.size)] & np.uint8(1)
        head = np.packbits(stc.syndrome(low, self.bits) if self.syndrome else low).tobytes()
        return frame.open_head(head, passphrase, method)

    def embed(self, cover: Image, container: Image, head: bytes, key: Key, mode: Mode, weights: Weights = None) -> None:
        """Write a sealed header into *container*.

        Args:
            cover: ``uint8 (H, W, 3)``, whose values at the places of the header are changed.
            container: of that shape; changed in place.
            head: the sealed header.
            key: breaks ties.
            mode: how a value takes its bit.
            weights: cost of a squared change at each place, ``(n,)``, for a syndrome.
        """
        bits = np.unpackbits(np.frombuffer(head, np.uint8))
        at = self.places(cover.size)
        values = cover.reshape(-1)[at]
        if weights is not None:
            bits = _with_syndrome(values, bits, weights)
        tie_breakers = random_bits(key, "head coins", bits.size)  # the label is part of the format
        container.reshape(-1)[at] = bit_planes.place(values, bits, np.ones_like(bits), tie_breakers, mode)


class Embedded(NamedTuple):
    """A body in a container, before the header is written."""

    #: Its values at the places of the header do not matter.
    container: Image
    #: The parameters that the receiver needs.
    header: Header
    #: Cost of a squared change at each place of a header that is a syndrome, ``(n,)``.
    weights: Weights = None


class LosslessMethod(Protocol):
    """Base of methods that embed a body beside the header; a subclass adds :meth:`write` and :meth:`read`."""

    name: str
    #: Places of the header.
    head: HeaderPlaces
    #: How the values there take their bits.
    mode: Mode

    def write(self, cover: Image, body: bytes, key: Key) -> Embedded:
        """Embed *body* in a copy of *cover*.

        Raises:
            CapacityError: it does not fit.
        """
        ...

    def read(self, container: Image, header: Header, key: Key) -> bytes:
        """Return the body, which may be altered.

        Raises:
            DamagedError: this version writes no such *header*.
        """
        ...

    def hide(
        self, cover: Image, payload: Payload, passphrase: str | None, *, psnr: float | None, survive: Channel | None
    ) -> Image:
        """Return a container of *cover* with *payload*.

        Args:
            cover: ``uint8 (H, W, 3)``, at least 32×32.
            payload: any bytes.
            passphrase: needed to reveal; None lets anybody reveal.
            psnr: must be None, since the payload decides the PSNR.
            survive: must be None, since the container must not change.

        Raises:
            CapacityError: the payload, compressed, does not fit.
            UsageError: a PSNR or a channel is requested, or the cover is too small.
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
        self.head.embed(cover, container, frame.seal_head(header, key, salt, self.name), key, self.mode, weights)
        return container

    def holds(self, image: Image, passphrase: str | None) -> bool:
        """Return True if *image* has a header of this method."""
        return has_header(self.head, image, passphrase, self.name)

    def p_value(self, image: Image, passphrase: str | None) -> float:
        """Return the probability that other bits than a header pass for one of this method, or 1 if there is none."""
        return frame.HEAD_FALSE_POSITIVE_RATE if self.holds(image, passphrase) else 1.0

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        """Return the payload exactly as it was hidden.

        Raises:
            NotFoundError: no payload, or another passphrase.
            DamagedError: the payload was altered.
            ModelError: the method needs a network that is missing or altered.
        """
        header, key = self.head.open(container, passphrase, self.name)
        return frame.open_body(self.read(container, header, key), key)


def has_header(places: HeaderPlaces, image: Image, passphrase: str | None, method: str) -> bool:
    """Return True if *image* has a header of *method*, of this version or a newer one."""
    try:
        places.open(image, passphrase, method)
    except PayloadError as error:
        return not isinstance(error, NotFoundError)
    return True


def histogram(values: NDArray[np.uint8], head: HeaderPlaces) -> NDArray[np.int64]:
    """Return how many *values*, of the shape of an image, are 0 … 255, ``(256,)``, without those of the header."""
    flat = values.reshape(-1)
    counts = -np.bincount(flat[head.places(flat.size)], minlength=256)
    for start in range(0, flat.size, STRIP):
        counts += np.bincount(flat[start : start + STRIP], minlength=256)
    return counts


def expected_psnr(change: float, head: HeaderPlaces, values: int) -> float:
    """Return the expected PSNR in dB.

    Args:
        change: sum of squared changes by the body.
        head: places of the header.
        values: number of values of the picture.
    """
    return 10 * math.log10(255**2 * values / (change + head.change))


def largest_payload(max_body: int, expected: Callable[[int], float], psnr: float) -> int:
    """Return the largest payload in bytes whose container has at least *psnr* dB; 0 if there is none.

    Args:
        max_body: bytes of the longest body that fits.
        expected: function from the bytes of a body to the expected PSNR in dB, which falls.
        psnr: in dB.
    """
    bodies = range(max_body + 1)
    return max(bisect_right(bodies, -psnr, key=lambda length: -expected(length)) - 1 - OVERHEAD, 0)


def too_long(length: int, free: int) -> CapacityError:
    """Return the error for a body of *length* bytes where *free* bytes fit."""
    return CapacityError(
        f"the payload takes {length} bytes once compressed and sealed; this picture holds {free}",
        hint=f"take a picture of {math.ceil(100 * length / max(free, 1)) / 100:g} times the area",
    )


def _with_syndrome(values: NDArray[np.uint8], bits: Bits, weights: NDArray[np.float32]) -> Bits:
    """Return the lowest bits of *values*, changed at least cost so that their syndrome is *bits*."""
    costs = np.stack([np.zeros_like(weights), weights])
    log_odds = weights * gibbs.multiplier(costs, bits.size / values.size)
    return stc.code(values & np.uint8(1), log_odds, bits)
