"""Multi-layered syndrome-trellis code: a message divided among the low bit planes of values.

With k layers a value changes to the nearest one that ends in k wanted bits. The cheapest distribution of these bits is
Gibbs': p ~ exp(-λ cost), of an entropy of m bits for a message of m. By the chain rule each layer carries the entropy
of its bit given the higher ones, and by the flipping lemma the log-odds of that bit are the costs of its binary code
(Filler, Judas and Fridrich 2011, section VI). After each layer λ is adapted to the rest of the message.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from underpaint.embedding.bit_planes import place
from underpaint.embedding.stc import gibbs
from underpaint.embedding.stc.binary import code, syndrome
from underpaint.errors import CapacityError, UsageError
from underpaint.types import as_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.embedding.bit_planes import Randomness
    from underpaint.types import Bits

#: Values of a part at most. Part of the format.
PART_SIZE = 1 << 18
#: Threads; each takes some 150 MB.
WORKERS = min(os.cpu_count() or 1, 4)

#: Values that the shares of the layers are estimated on. The shares are stored, so this is no part of the format.
_SHARE_SAMPLE = 1 << 14
#: Values of a part that its λ is estimated on.
_MULTIPLIER_SAMPLE = 1 << 12


def embed(
    values: NDArray[np.uint8], bits: Bits, weights: NDArray[np.float32], layers: int, source: Randomness
) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """Embed *bits* at nearly the least cost. The result does not depend on the number of threads.

    Args:
        values: cover values, ``uint8 (n,)``.
        bits: message, ``uint8 (m,)``.
        weights: cost of a squared change of 1 of each value, ``float32 (n,)``, 0 to infinity: never changed.
        layers: number of low bit planes used, 2–7. A value changes by 2^(layers - 1) at most, or twice that close to 0
            and 255.
        source: decides the order of the values.

    Returns:
        The changed values, and the number of bits in each layer, the highest layer first.

    Raises:
        CapacityError: the bits do not fit. If no weight is infinite, this happens near *layers* bits per value.
        UsageError: an array has another type or shape, a weight is negative or NaN, or *layers* is out of range.
    """
    _check(values, weights, layers)
    bits = as_bits(bits)
    parts = Parts(values.size, source)
    counts = _shares(parts, values, weights, layers, bits.size)
    divided = np.split(bits, np.cumsum(counts)[:-1])
    carrying = values.copy()

    def fill(part: int) -> None:
        order = parts.order(part)
        messages = [layer[parts.share(part, layer.size)] for layer in divided]
        tie_breakers = np.unpackbits(source.stream(f"trellis coins {part}", -(-order.size // 8)))[: order.size]
        carrying[order] = _place(values[order], weights[order], messages, tie_breakers)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(fill, range(parts.count)))
    return carrying, counts


def extract(values: NDArray[np.uint8], counts: tuple[int, ...], source: Randomness) -> Bits:
    """Return the bits that :func:`embed` put into *values*.

    Args:
        values: ``uint8 (n,)``.
        counts: number of bits in each layer, the highest first, as :func:`embed` returned them.
        source: as for :func:`embed`.

    Raises:
        CapacityError: a layer has fewer values than bits.
        UsageError: *counts* is empty or has a negative number.
    """
    if not counts or min(counts) < 0:
        raise UsageError(f"expected a number of bits for each layer, not {counts}")
    if max(counts) > values.size:
        raise CapacityError(f"{max(counts)} bits cannot be in one layer of {values.size} values")
    parts = Parts(values.size, source)
    layers = [np.zeros(count, np.uint8) for count in counts]

    def read(part: int) -> None:
        shown = values[parts.order(part)]
        for level, layer in zip(range(len(layers))[::-1], layers, strict=True):
            share = parts.share(part, layer.size)
            layer[share] = syndrome((shown >> level & 1).astype(np.uint8), share.stop - share.start)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(read, range(parts.count)))
    return np.concatenate(layers)


def bound(values: NDArray[np.uint8], weights: NDArray[np.float32], layers: int, count: int) -> float:
    """Return the least expected total cost at which any code can carry *count* bits: the rate–distortion bound.

    Args:
        values: cover values, ``uint8 (n,)``.
        weights: cost of a squared change of 1 of each value, ``float32 (n,)``.
        layers: number of low bit planes used, 2–7.
        count: message bits.

    Raises:
        CapacityError: *count* is more than there are bits in the layers of all values that may change.
        UsageError: as for :func:`embed`.
    """
    _check(values, weights, layers)
    if count > layers * int(np.isfinite(weights).sum()):
        raise _too_many(count, values.size)
    if not count:
        return 0.0
    costs = _costs(values, weights, layers).astype(np.float64)
    probabilities = gibbs.probabilities(costs, gibbs.multiplier(costs, count / values.size))
    return float((probabilities * np.where(probabilities > 0, costs, 0)).sum())


@cache
def squares(layers: int) -> NDArray[np.float32]:
    """Return the squared change of each value to the nearest that ends in given bits.

    Args:
        layers: number of low bits, 1–7.

    Returns:
        ``float32 (2^layers, 256)``: one row for each ending, one column for each value.
    """
    ends, values = np.mgrid[: 1 << layers, :256].astype(np.uint8)
    placed = place(values, ends, np.full_like(values, layers), np.zeros_like(values))
    change: NDArray[np.float32] = placed.astype(np.float32) - values
    return change * change


class Parts:
    """Division of values into parts: of as many neighbours as there are parts, each part gets one, by the key."""

    def __init__(self, size: int, source: Randomness) -> None:
        """Divide *size* values."""
        self._size, self._source = size, source
        self.count = -(-size // PART_SIZE)
        groups = -(-size // max(self.count, 1))
        shifts = source.stream("trellis turns", 2 * groups).view("<u2").astype(np.int64)
        self._shifts = shifts * self.count >> 16

    def _members(self, part: int) -> NDArray[np.int64]:
        """Return the indices of a part's values in reading order."""
        groups = np.arange(self._shifts.size)
        places = groups * self.count + (part + self._shifts) % self.count
        return places[places < self._size]

    def order(self, part: int) -> NDArray[np.int64]:
        """Return the indices of a part's values, in keyed order."""
        members = self._members(part)
        return members[self._source.permutation(f"trellis order {part}", members.size)]

    def sample(self, count: int) -> NDArray[np.int64]:
        """Return the indices of *count* values or a few more, evenly spread over all values."""
        members = self._members(0)
        return members[:: max(members.size // count, 1)]

    def share(self, part: int, count: int) -> slice:
        """Return the share of *count* bits that a part carries."""
        return slice(count * part // self.count, count * (part + 1) // self.count)


def _too_many(count: int, size: int) -> CapacityError:
    return CapacityError(f"{count} bits do not fit in {size} values")


def _check(values: NDArray[np.uint8], weights: NDArray[np.float32], layers: int) -> None:
    if values.dtype != np.uint8 or values.ndim != 1:
        raise UsageError(f"expected values as uint8 (n,), not {values.dtype} {values.shape}")
    if weights.shape != values.shape:
        raise UsageError(f"expected weights as float32 {values.shape}, not {weights.shape}")
    if not 2 <= layers <= 7:
        raise UsageError(f"expected 2–7 layers, not {layers}")
    if not weights.min(initial=0) >= 0:  # a NaN is not
        raise UsageError("a weight is negative or no number")


def _costs(values: NDArray[np.uint8], weights: NDArray[np.float32], layers: int) -> NDArray[np.float32]:
    """Return the cost of each value to end in given bits, (2^layers, n)."""
    costs = squares(layers).take(values, axis=1)  # an index would give the transposed memory order
    with np.errstate(invalid="ignore"):
        costs *= weights
    costs[values & (1 << layers) - 1, np.arange(values.size)] = 0  # infinite weights times 0 are NaN
    return costs


def _shares(
    parts: Parts, values: NDArray[np.uint8], weights: NDArray[np.float32], layers: int, count: int
) -> tuple[int, ...]:
    """Divide *count* bits among the layers in proportion to their entropies, estimated on a sample of the values."""
    if not count:
        return (0,) * layers
    if count > layers * values.size:
        raise _too_many(count, values.size)
    sample = parts.sample(_SHARE_SAMPLE)
    costs = _costs(values[sample], weights[sample], layers)
    probabilities = gibbs.probabilities(costs, gibbs.multiplier(costs, count / values.size))
    # Entropy of the highest bit, of the highest two, and so on.
    joint = [gibbs.entropy(probabilities.reshape(2**taken, -1, sample.size).sum(1)) for taken in range(1, layers + 1)]
    if not joint[-1]:  # no value may change
        raise _too_many(count, values.size)
    ends = [0, *(round(count * part / joint[-1]) for part in joint[:-1]), count]
    return tuple(end - begin for begin, end in pairwise(ends))


def _place(
    values: NDArray[np.uint8], weights: NDArray[np.float32], messages: list[Bits], tie_breakers: Bits
) -> NDArray[np.uint8]:
    """Return *values* changed so that each layer, from the highest, has its message as syndrome."""
    layers = len(messages)
    costs = _costs(values, weights, layers)
    ends = np.zeros_like(values)
    left = sum(message.size for message in messages)
    for message in messages:
        multiplier = gibbs.multiplier(costs[:, :_MULTIPLIER_SAMPLE], left / values.size)
        zero, one = np.split(costs, 2)
        odds = gibbs.free_energy(one, multiplier) - gibbs.free_energy(zero, multiplier)
        chosen = code((odds < 0).astype(np.uint8), np.abs(odds), message)
        costs = np.where(chosen, one, zero)
        ends = (ends << 1 | chosen).astype(np.uint8)
        left -= message.size
    return place(values, ends, np.full_like(values, layers), tie_breakers)
