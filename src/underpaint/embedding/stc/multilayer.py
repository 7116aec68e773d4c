"""Values in which each low bit is a layer of its own, and how a message is divided among parts and layers.

In k layers a value goes to the nearest one that ends in k wanted bits. The cheapest way to say m bits is the Gibbs
distribution p ~ exp(-λ cost) of entropy m; by the chain rule each layer carries the entropy of its bit given the higher
ones, and by the flipping lemma the log-odds of that bit are what it costs to have it the other way. After each layer λ
is set anew for what is left.
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

_PART = 1 << 18
_SAMPLE = 1 << 14  # how many values the shares of the layers are found on
_FEW = 1 << 12  # how many of a part its λ is found on
_WORKERS = min(os.cpu_count() or 1, 4)  # each takes some 150 MB


def embed(
    values: NDArray[np.uint8], bits: Bits, weights: NDArray[np.float32], layers: int, source: Randomness
) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """Return *values* (n,) changed to carry *bits* at the least cost, and how many bits each layer took, highest first.

    A change costs its square times the value's weight, of *weights* (n,), 0 to infinity: never. With as many *layers*,
    2–7, a value goes up or down by 2^(layers - 1) at most, or twice that close to 0 and 255. The result does not depend
    on the number of threads.

    Raises:
        CapacityError: the bits do not fit. Where no weight is infinite that happens close to *layers* bits per value.
        UsageError: these are no such arrays, a weight is negative or no number, or there are not as many layers.
    """
    _check(values, weights, layers)
    bits = as_bits(bits)
    parts = _Parts(values.size, source)
    counts = _shares(parts, values, weights, layers, bits.size)
    divided = np.split(bits, np.cumsum(counts)[:-1])
    carrying = values.copy()

    def fill(part: int) -> None:
        order = parts.order(part)
        messages = [layer[parts.share(part, layer.size)] for layer in divided]
        coins = np.unpackbits(source.stream(f"trellis coins {part}", -(-order.size // 8)))[: order.size]
        carrying[order] = _place(values[order], weights[order], messages, coins)

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(fill, range(parts.count)))
    return carrying, counts


def extract(values: NDArray[np.uint8], counts: tuple[int, ...], source: Randomness) -> Bits:
    """Return the bits that :func:`embed` put into *values* (n,) with the same *counts* per layer and source.

    Raises:
        CapacityError: so many bits cannot be in so few values.
        UsageError: the counts are none.
    """
    if not counts or min(counts) < 0:
        raise UsageError(f"expected a number of bits for each layer, not {counts}")
    if max(counts) > values.size:
        raise CapacityError(f"{max(counts)} bits cannot be in one layer of {values.size} values")
    parts = _Parts(values.size, source)
    layers = [np.zeros(count, np.uint8) for count in counts]

    def read(part: int) -> None:
        shown = values[parts.order(part)]
        for level, layer in zip(range(len(layers))[::-1], layers, strict=True):
            share = parts.share(part, layer.size)
            layer[share] = syndrome((shown >> level & 1).astype(np.uint8), share.stop - share.start)

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(read, range(parts.count)))
    return np.concatenate(layers)


def bound(values: NDArray[np.uint8], weights: NDArray[np.float32], layers: int, count: int) -> float:
    """Return the least expected total cost at which any code can carry *count* bits: the rate–distortion bound.

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
    chances = gibbs.probabilities(costs, gibbs.multiplier(costs, count / values.size))
    return float((chances * np.where(chances > 0, costs, 0)).sum())


@cache
def squares(layers: int) -> NDArray[np.float32]:
    """The squared change of each value, 0 … 255, to the nearest that ends in each *layers* bits: (2^layers, 256)."""
    ends, values = np.mgrid[: 1 << layers, :256].astype(np.uint8)
    placed = place(values, ends, np.full_like(values, layers), np.zeros_like(values))
    change: NDArray[np.float32] = placed.astype(np.float32) - values
    return change * change


class _Parts:
    """How *size* values are dealt out: of as many neighbours as there are parts, each gets one, by the key."""

    def __init__(self, size: int, source: Randomness) -> None:
        self._size, self._source = size, source
        self.count = -(-size // _PART)
        groups = -(-size // max(self.count, 1))
        turns = source.stream("trellis turns", 2 * groups).view("<u2").astype(np.int64)
        self._turns = turns * self.count >> 16

    def _members(self, part: int) -> NDArray[np.int64]:
        groups = np.arange(self._turns.size)
        places = groups * self.count + (part + self._turns) % self.count
        return places[places < self._size]

    def order(self, part: int) -> NDArray[np.int64]:
        """The indices of a part's values, in keyed order."""
        members = self._members(part)
        return members[self._source.permutation(f"trellis order {part}", members.size)]

    def sample(self, count: int) -> NDArray[np.int64]:
        """The indices of *count* values or a few more, from everywhere."""
        members = self._members(0)
        return members[:: max(members.size // count, 1)]

    def share(self, part: int, count: int) -> slice:
        """A part's share of *count* bits."""
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
    """What it costs each value to end in each bits, (2^layers, n)."""
    costs = squares(layers).take(values, axis=1)  # an index would lay them out the other way round
    with np.errstate(invalid="ignore"):
        costs *= weights
    costs[values & (1 << layers) - 1, np.arange(values.size)] = 0  # also where a change costs infinitely much
    return costs


def _shares(
    parts: _Parts, values: NDArray[np.uint8], weights: NDArray[np.float32], layers: int, count: int
) -> tuple[int, ...]:
    """How many of *count* bits each layer takes, judged by a sample of the values."""
    if not count:
        return (0,) * layers
    if count > layers * values.size:
        raise _too_many(count, values.size)
    sample = parts.sample(_SAMPLE)
    costs = _costs(values[sample], weights[sample], layers)
    chances = gibbs.probabilities(costs, gibbs.multiplier(costs, count / values.size))
    # Entropy of the highest bit, the highest two …
    known = [gibbs.entropy(chances.reshape(2**taken, -1, sample.size).sum(1)) for taken in range(1, layers + 1)]
    ends = [0, *(round(count * part / known[-1]) for part in known[:-1]), count]
    return tuple(end - begin for begin, end in pairwise(ends))


def _place(
    values: NDArray[np.uint8], weights: NDArray[np.float32], messages: list[Bits], coins: Bits
) -> NDArray[np.uint8]:
    """Return *values* changed so that each layer, from the highest, has its message as syndrome."""
    layers = len(messages)
    costs = _costs(values, weights, layers)
    ends = np.zeros_like(values)
    left = sum(message.size for message in messages)
    for message in messages:
        multiplier = gibbs.multiplier(costs[:, :_FEW], left / values.size)
        zero, one = np.split(costs, 2)
        odds = gibbs.free_energy(one, multiplier) - gibbs.free_energy(zero, multiplier)
        chosen = code((odds < 0).astype(np.uint8), np.abs(odds), message)
        costs = np.where(chosen, one, zero)
        ends = (ends << 1 | chosen).astype(np.uint8)
        left -= message.size
    return place(values, ends, np.full_like(values, layers), coins)
