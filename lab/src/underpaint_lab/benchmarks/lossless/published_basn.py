"""BASN as published: bits in the planes that attention allows, and the paper's BSER beside the bit error rate.

::

    attention ─► k = round(8 attention) ─► planes k - 1 … m of each value carry bits, most significant first

The receiver computes k from the stego image. Where it differs from the sender's, bits are missing or superfluous, and
all that follow are shifted. BSER, eq. 17, counts such places and ignores the message; :class:`ErrorRates` has it beside
the bit error rate of the message.

The published code has no header, no checksum and no straddling; the latter is done here as the paper describes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from underpaint.errors import CapacityError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from underpaint.embedding.bit_planes import Randomness
    from underpaint.types import Bits, Image

#: Bits in a colour value.
_BITS = 8


@dataclass(frozen=True)
class Strategy:
    """A row of the paper's table 1."""

    fusion: str  #: key of :data:`FUSIONS`
    masked: int  #: LSM: number of lowest bits that are not used
    payload: float | None = None  #: PS: payload in bits per pixel; None for the whole capacity


#: Eq. 15 and 16: fusion of two attention maps.
FUSIONS: dict[str, Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]] = {
    "min": np.minimum,
    "mean": lambda itc, mfd: (itc + mfd) * np.float32(0.5),
}

STRATEGIES = {
    "Min-LSM-1": Strategy("min", 1),
    "Min-LSM-2": Strategy("min", 2),
    "Mean-LSM-1": Strategy("mean", 1),
    "Mean-LSM-2": Strategy("mean", 2),
    # The preprint's table says 0.80 in this row; its source and the journal say 0.60.
    "Min-LSM-1-PS-0.6": Strategy("min", 1, 0.6),
    "Min-LSM-1-PS-0.8": Strategy("min", 1, 0.8),
    "Mean-LSM-1-PS-1.2": Strategy("mean", 1, 1.2),
    "Mean-LSM-2-PS-1.2": Strategy("mean", 2, 1.2),
}


def allowed(attention: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return k, the number of low bits that *attention*, ``(H, W, 3)`` in [0, 1], allows: 8 A, rounded half to even."""
    return np.asarray(np.rint(_BITS * attention), np.uint8)


def room(k: NDArray[np.uint8], masked: int) -> int:
    """Return the capacity in bytes; the published code does not use the last byte, complete or not."""
    return max(0, -(-_carried(k, masked) // 8) - 1)


def embed(cover: Image, k: NDArray[np.uint8], masked: int, bits: Bits, straddled: Randomness | None = None) -> Image:
    """Return *cover* with *bits*, most significant planes of a value first; values by channel, row and column.

    Args:
        cover: ``(H, W, 3)``.
        k: of the same shape.
        masked: m, as for :class:`Strategy`.
        bits: at most as many as there are places; what is left over stays the cover's.
        straddled: draws the places that are used, by a permutation; without it they are the first.

    Raises:
        CapacityError: there are more bits than places.
    """
    values, planes = _places(k, masked, len(bits), straddled)
    flat = cover.transpose(2, 0, 1).flatten()
    cleared, written = np.zeros_like(flat), np.zeros_like(flat)
    np.bitwise_or.at(cleared, values, np.left_shift(1, planes, dtype=np.uint8))
    np.bitwise_or.at(written, values, bits << planes)
    return ((flat & ~cleared) | written).reshape(3, *cover.shape[:2]).transpose(1, 2, 0)


def extract(
    stego: Image, k: NDArray[np.uint8], masked: int, count: int | None = None, straddled: Randomness | None = None
) -> Bits:
    """Extract the bits of *stego* by *k* as the receiver computes it.

    Args:
        stego: ``(H, W, 3)``.
        k: of the same shape.
        masked: m, as for :class:`Strategy`.
        count: bits to read, or as many of them as there are; None for all that :func:`room` says, as the code reads.
        straddled: as for :func:`embed`.
    """
    count = 8 * room(k, masked) if count is None else min(count, _carried(k, masked))
    values, planes = _places(k, masked, count, straddled)
    return np.asarray(stego.transpose(2, 0, 1).flatten()[values] >> planes & 1, np.uint8)


def _carried(k: NDArray[np.uint8], masked: int) -> int:
    return int(np.maximum(k.astype(np.int64) - masked, 0).sum())


def _places(
    k: NDArray[np.uint8], masked: int, count: int, straddled: Randomness | None
) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
    """Return value and plane of each of *count* bits.

    Raises:
        CapacityError: there are not as many.
    """
    flat = k.transpose(2, 0, 1).flatten()
    each = np.maximum(flat.astype(np.intp) - masked, 0)
    places = int(each.sum())
    if count > places:
        raise CapacityError(f"{count} bits do not fit into {places}", hint="send fewer, or mask fewer bits")
    values = np.repeat(np.arange(flat.size), each)
    before = np.cumsum(each) - each
    planes = (flat[values] - 1 - (np.arange(places) - before[values])).astype(np.uint8)
    used = slice(count) if straddled is None else np.sort(straddled.permutation("straddling", places)[:count])
    return values[used], planes[used]


class ErrorRates(NamedTuple):
    """Errors of one message."""

    bits: int  #: embedded
    bser: float  #: eq. 17 as the code computes it: sum of the capacity differences of all values, per bit embedded
    ber: float  #: share of the bits that are wrong or missing


def error_rates(
    sent: Bits, received: Bits, before: NDArray[np.uint8], after: NDArray[np.uint8], masked: int
) -> ErrorRates:
    """Compare bits *sent* and *received*, and the k of cover and stego image, *before* and *after*."""
    capacities = [np.maximum(k.astype(np.int64) - masked, 0) for k in (before, after)]
    differing = int(np.abs(capacities[0] - capacities[1]).sum())
    both = min(len(sent), len(received))
    wrong = int((sent[:both] != received[:both]).sum()) + len(sent) - both
    hidden = max(len(sent), 1)
    return ErrorRates(len(sent), differing / hidden, wrong / hidden)
