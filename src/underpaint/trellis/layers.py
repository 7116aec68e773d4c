"""Values in which each low bit is a layer of its own, and how a message is divided among parts and layers.

A value may change by -d … d. The cheapest way to say m bits is the Gibbs distribution p ~ exp(-λ cost) of entropy m; by
the chain rule each layer carries the entropy of its bit given the higher ones, and by the flipping lemma the log-odds
of that bit are what it costs to have it the other way. After each layer λ is set anew for what is left.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from underpaint.errors import CapacityError, UsageError
from underpaint.trellis.binary import code, syndrome
from underpaint.types import as_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.embed import Randomness
    from underpaint.types import Bits

_PART = 1 << 18
_SAMPLE = 1 << 14  # how many values λ is found on
_WORKERS = min(os.cpu_count() or 1, 4)  # each takes some 60 MB


def embed(
    values: NDArray[np.uint8], bits: Bits, costs: NDArray[np.float32], source: Randomness
) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """Return *values* (n,) changed to carry *bits* at the least cost, and how many bits each layer took.

    The columns of *costs* (n, 2d) say what a change of each value by -d … -1, 1 … d costs, from 0 to infinity: never.
    To keep a value costs nothing; none leaves 0 … 255. There are 2 layers for d = 1, 3 for d = 2 and 3, highest first.
    The result does not depend on the number of threads.

    Raises:
        CapacityError: the bits do not fit. Close to :func:`room` that is a matter of luck.
        UsageError: the costs are no such array, or one is negative or no number.
    """
    costs, bits = _as_costs(values, costs), as_bits(bits)
    parts = _Parts(values.size, source)
    counts = _shares(parts, values, costs, bits.size)
    layers = np.split(bits, np.cumsum(counts)[:-1])
    carrying = values.copy()

    def fill(part: int) -> None:
        order = parts.order(part)
        messages = [layer[parts.share(part, layer.size)] for layer in layers]
        carrying[order] = _place(values[order], costs[order], messages)

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


def room(values: NDArray[np.uint8], costs: NDArray[np.float32]) -> float:
    """How many bits no code can exceed: the logarithms of the numbers of allowed changes."""
    allowed = np.isfinite(_options(values, _as_costs(values, costs)))
    return float(np.log2(allowed.sum(0)).sum())


def bound(values: NDArray[np.uint8], costs: NDArray[np.float32], count: int) -> float:
    """Return the least expected total cost at which any code can carry *count* bits: the rate–distortion bound.

    Raises:
        CapacityError: *count* is more than :func:`room`.
        UsageError: as for :func:`embed`.
    """
    if count > room(values, costs):
        raise CapacityError(f"{count} bits do not fit in {values.size} values of these costs")
    if not count:
        return 0.0
    options = _options(values, _as_costs(values, costs)).astype(np.float64)
    chances = _gibbs(options, _multiplier(options, count / values.size))
    return float((chances * np.where(chances > 0, options, 0)).sum())


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

    def share(self, part: int, count: int) -> slice:
        """A part's share of *count* bits."""
        return slice(count * part // self.count, count * (part + 1) // self.count)


def _as_costs(values: NDArray[np.uint8], costs: NDArray[np.float32]) -> NDArray[np.float32]:
    if values.dtype != np.uint8 or values.ndim != 1:
        raise UsageError(f"expected values as uint8 (n,), not {values.dtype} {values.shape}")
    if costs.ndim != 2 or len(costs) != values.size or costs.shape[1] % 2 or not 2 <= costs.shape[1] <= 14:
        raise UsageError(
            f"expected costs as float32 ({values.size}, 2d) for changes of up to d = 1–7, not {costs.shape}"
        )
    if not (costs >= 0).all():
        raise UsageError("a cost is negative or no number")
    return costs


def _reach(options: int) -> NDArray[np.int16]:
    """The changes -d … d, to be added to values in a column each."""
    return np.arange(-(options // 2), options // 2 + 1, dtype=np.int16)[:, None]


def _options(values: NDArray[np.uint8], costs: NDArray[np.float32]) -> NDArray[np.float32]:
    """What each change from -d to d costs, (2d + 1, n): infinite where it would leave 0 … 255."""
    half = costs.shape[1] // 2
    options = np.concatenate([costs[:, :half].T, np.zeros((1, values.size), np.float32), costs[:, half:].T])
    reached = values + _reach(len(options))
    options[(reached < 0) | (reached > 255)] = np.inf
    return options


@np.errstate(over="ignore")
def _gibbs(options: NDArray[Any], multiplier: float) -> NDArray[Any]:
    """The chances of each option, (k, n), in proportion to exp(-λ cost)."""
    weights: NDArray[Any] = np.exp(multiplier * (options.min(0) - options))
    weights /= weights.sum(0)
    return weights


def _entropy(chances: NDArray[Any]) -> float:
    """Mean bits per value of chances (k, n)."""
    return float(-(chances * np.log2(np.maximum(chances, 1e-30))).sum() / chances.shape[1])


def _multiplier(options: NDArray[Any], rate: float) -> float:
    """The λ at which the options (k, n) have an entropy of *rate* bits per value, or the nearest that is tried."""
    low, high = -40.0, 40.0
    for _ in range(32):
        middle = (low + high) / 2
        low, high = (middle, high) if _entropy(_gibbs(options, 2**middle)) > rate else (low, middle)
    return float(2**low)


def _shares(parts: _Parts, values: NDArray[np.uint8], costs: NDArray[np.float32], count: int) -> tuple[int, ...]:
    """How many of *count* bits each layer takes, judged by a sample of the values."""
    levels: int = costs.shape[1].bit_length()
    if not count:
        return (0,) * levels
    sample = parts.order(0)[: 4 * _SAMPLE] if values.size else np.zeros(0, np.int64)
    options = _options(values[sample], costs[sample])
    rate = count / max(values.size, 1)
    if not values.size or np.log2(np.isfinite(options).sum(0)).mean() < rate:
        raise CapacityError(f"{count} bits do not fit in {values.size} values of these costs")
    residues = (values[sample] + _reach(len(options))) % (1 << levels)
    chances = _gibbs(options, _multiplier(options, rate))
    known = []  # entropy of the highest bit, the highest two …
    for level in range(levels)[::-1]:
        prefixes = residues >> level
        known.append(_entropy(np.stack([(chances * (prefixes == p)).sum(0) for p in range(1 << levels - level)])))
    ends = [0, *(round(count * part / known[-1]) for part in known[:-1]), count]
    return tuple(end - begin for begin, end in pairwise(ends))


def _place(values: NDArray[np.uint8], costs: NDArray[np.float32], messages: list[Bits]) -> NDArray[np.uint8]:
    """Return *values* changed so that each layer, from the highest, has its message as syndrome."""
    options = _options(values, costs)
    reach = _reach(len(options))
    reached = values + reach
    left = sum(message.size for message in messages)
    for level, message in zip(range(len(messages))[::-1], messages, strict=True):
        multiplier = _multiplier(options[:, :_SAMPLE], left / values.size)
        ones = reached >> level & 1 == 1
        odds = _free_energy(options, ones, multiplier) - _free_energy(options, ~ones, multiplier)
        chosen = code((odds < 0).astype(np.uint8), np.abs(odds), message)
        options[ones != chosen] = np.inf
        left -= message.size
    chosen_change: NDArray[np.int16] = reach[options.argmin(0), 0]
    return (values + chosen_change).astype(np.uint8)


@np.errstate(over="ignore")
def _free_energy(options: NDArray[np.float32], among: NDArray[np.bool_], multiplier: float) -> NDArray[np.float32]:
    """-log(sum of exp(-λ cost)) over the options that are *among* these, infinite where none is allowed."""
    exponents = np.where(among, options, np.float32(np.inf)) * multiplier
    least = exponents.min(0)
    base = np.where(np.isinf(least), np.float32(0), least)
    energy: NDArray[np.float32] = least - np.log(np.maximum(np.exp(base - exponents).sum(0), 1))
    return energy
