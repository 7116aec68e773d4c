"""Bytes in the low bits of values, as many per value as a capacity map allows, in keyed order.

The values are cut into segments of 65,536 in reading order. Each segment takes its share of the bytes, in proportion to
its capacity, so whatever the size of the payload it is spread over the whole picture and memory stays bounded. Inside a
segment a keyed permutation decides who comes first (permutative straddling, Westfeld 2001): the lowest plane fills in
that order, then the next one among the values whose capacity allows it. With n equal values and b bits, b // n planes
lie in all of them and one more in the first b % n.

How a value takes its k bits:

==============  ====================================================================  ==============================
``matching``    the nearest value that ends in them. For k = 1 that is LSB matching,  squared change (4^k + 2) / 12:
                ±1 by a coin; for k > 1 optimal pixel adjustment (Chan and Cheng       51.1, 46.4, 40.7, 34.8 dB
                2004). Ties fall by a keyed coin, and inward at 0 and 255.             for k = 1 … 4
``confined``    the nearest that ends in them and has the same high 4 bits, so that   1/2, 7/4, 8, 85/2:
                whatever is computed from those stays as it was. For k = 4 that is     51.1, 45.7, 39.1, 31.8 dB
                replacement. k is at most 4.
``replacement`` the bits replace its low bits; kept for comparison. Even values only  (4^k - 1) / 6:
                go up, odd ones only down, which is what detectors look for.           51.1, 44.2, 37.9, 31.8 dB
==============  ====================================================================  ==============================
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from underpaint.errors import CapacityError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from underpaint.types import Bits, CapacityMap

Mode = Literal["matching", "confined", "replacement"]

#: How many low bits of a value ``confined`` may touch.
CONFINED_PLANES = 4

_SEGMENT = 1 << 16


class Randomness(Protocol):
    """What is needed of a :class:`underpaint.coding.keys.Key`."""

    def stream(self, label: str, count: int) -> NDArray[np.uint8]:
        """Return *count* random bytes."""
        ...

    def permutation(self, label: str, count: int) -> NDArray[np.intp]:
        """Return 0 … *count* - 1 in random order."""
        ...


def room(capacity: CapacityMap) -> int:
    """How many bytes fit."""
    return int(_segment_rooms(capacity.reshape(-1)).sum())


@cache
def squared_change(planes: int, mode: Mode = "matching") -> float:
    """The mean squared change to expect of a value that takes *planes* random bits, 0–7, far from 0 and 255."""
    values, wanted = (grid.astype(np.uint8) for grid in np.mgrid[64:192, : 1 << planes])
    placed = place(values, wanted, np.full_like(values, planes), np.zeros_like(values), mode)
    return float(np.mean((placed.astype(np.float64) - values) ** 2))


def expected_psnr(planes: int, mode: Mode = "matching") -> float:
    """PSNR in dB to expect where every value carries *planes* random bits, 1–7, far from 0 and 255."""
    return 10 * math.log10(255**2 / squared_change(planes, mode))


def guaranteed_room(planes: NDArray[np.int64], values: int) -> NDArray[np.int64]:
    """How many bytes fit at least, ``(…)``, where ``planes[…, p]`` of so many *values* take more than p bits each."""
    rooms: NDArray[np.int64] = planes.sum(axis=-1) // 8 - -(-values // _SEGMENT)
    return np.maximum(rooms, 0)


def total_change(planes: NDArray[np.int64], count: int, mode: Mode = "matching") -> float:
    """The sum of squared changes to expect of *count* bytes where ``planes[p]`` values take more than p bits, (n,)."""
    filled = np.diff(np.minimum(np.cumsum(planes), 8 * count), prepend=0)
    ending = filled - np.append(filled[1:], 0)  # values that carry just so many
    return sum(float(each) * squared_change(depth, mode) for depth, each in enumerate(ending, 1))


def embed(
    values: NDArray[np.uint8], data: bytes, capacity: CapacityMap, source: Randomness, mode: Mode = "matching"
) -> NDArray[np.uint8]:
    """Return a copy of *values* that carries *data*, by a *capacity* of the same shape.

    Args:
        values: of any shape.
        data: bytes.
        capacity: how many bits each value may take, 0–8, or 0–4 in mode ``confined``.
        source: decides on order and ties.
        mode: how a value takes its bits.

    Raises:
        CapacityError: *data* has more bytes than :func:`room` says.
    """
    carrying = values.copy()
    flat = carrying.reshape(-1)
    content = np.frombuffer(data, np.uint8)
    for name, share, order, allowed in _segments(capacity, content.size, source):
        bits = np.unpackbits(content[share])
        wanted, depth = np.zeros(order.size, np.uint8), np.zeros(order.size, np.uint8)
        for plane, visited, taken in _planes(allowed, bits.size):
            wanted[visited] |= bits[taken] << plane
            depth[visited] = plane + 1
        coins = np.unpackbits(source.stream(f"coins {name}", -(-order.size // 8)))[: order.size]
        flat[order] = place(flat[order], wanted, depth, coins, mode)
    return carrying


def extract(values: NDArray[np.uint8], count: int, capacity: CapacityMap, source: Randomness) -> bytes:
    """Return the *count* bytes that :func:`embed` put there by the same capacity and source, in any mode.

    Raises:
        CapacityError: *count* is more than :func:`room` says.
    """
    flat = values.reshape(-1)
    content = np.empty(count, np.uint8)
    for _, share, order, allowed in _segments(capacity, count, source):
        shown = flat[order]
        bits = np.empty(8 * content[share].size, np.uint8)
        for plane, visited, taken in _planes(allowed, bits.size):
            bits[taken] = shown[visited] >> plane & 1
        content[share] = np.packbits(bits)
    return content.tobytes()


def place(
    values: NDArray[np.uint8], wanted: NDArray[np.uint8], depth: NDArray[np.uint8], coins: Bits, mode: Mode = "matching"
) -> NDArray[np.uint8]:
    """Return *values* changed to end in their *depth* *wanted* low bits; all arguments have one shape.

    *depth* is 0–8, or 0–4 in mode ``confined``.
    """
    modulus: NDArray[np.int16] = np.left_shift(1, depth, dtype=np.int16)
    old = values.astype(np.int16)
    if mode == "replacement":
        return (old - old % modulus + wanted).astype(np.uint8)
    bin_size = 1 << CONFINED_PLANES if mode == "confined" else 256
    lowest = old & -bin_size
    up = (wanted - old) & (modulus - 1)  # the way up to the next fitting value; the way down is modulus - up
    rise = ((2 * up + coins <= modulus) | (old + up < lowest + modulus)) & (old + up < lowest + bin_size)
    return (old + up - np.where(rise, 0, modulus)).astype(np.uint8)


def _segments(
    capacity: CapacityMap, count: int, source: Randomness
) -> Iterator[tuple[int, slice, NDArray[np.intp], NDArray[np.uint8]]]:
    """Each segment's number, its share of the *count* bytes, its values in keyed order and their capacities."""
    allowed = capacity.reshape(-1)
    filled = np.cumsum(_segment_rooms(allowed))
    total = int(filled[-1]) if filled.size else 0
    if count > total:
        raise CapacityError(f"{count} bytes do not fit in {total}")
    ends = count * filled // max(total, 1)
    for name, (begin, end) in enumerate(zip(np.append(0, ends), ends, strict=False)):
        if begin < end:
            start = name * _SEGMENT
            order = start + source.permutation(f"order {name}", min(_SEGMENT, allowed.size - start))
            yield name, slice(begin, end), order, allowed[order]


def _segment_rooms(allowed: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Whole bytes each segment can take, so that shares in proportion, rounded either way, fit."""
    starts = range(0, allowed.size, _SEGMENT)
    return np.array([int(allowed[start : start + _SEGMENT].sum()) // 8 for start in starts], np.int64)


def _planes(allowed: NDArray[np.uint8], count: int) -> Iterator[tuple[int, NDArray[np.intp], slice]]:
    """Where *count* bits go: for each plane, the values that take one more bit, and which bits those are."""
    taken = 0
    for plane in range(8):
        visited = np.flatnonzero(allowed > plane)[: count - taken]
        yield plane, visited, slice(taken, taken + visited.size)
        taken += visited.size
