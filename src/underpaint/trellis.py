"""Syndrome-trellis codes: bits carried by the cheapest changes, wherever the sender finds them cheap.

Filler, Judas and Fridrich, *Minimizing additive distortion in steganography using syndrome-trellis codes*, IEEE TIFS
6(3), 2011. The receiver knows neither what a change costs nor where changes are: the message is a syndrome of the
values' low bits in keyed order.

::

    values ─► parts of at most 262,144, each a keyed sample of the whole, in keyed order
    part   ─► layers: one low bit of every value each, the highest first
    layer  ─► segments of 512 bits of message or more: independent trellises, searched side by side

*Layers.* A value may change by -d … d. The cheapest way to say m bits is the Gibbs distribution p ~ exp(-λ cost) of
entropy m; by the chain rule each layer carries the entropy of its bit given the higher ones, and by the flipping lemma
the log-odds of that bit are what it costs to have it the other way. After each layer λ is set anew for what is left.

*Trellis.* The parity-check matrix repeats a block of a few columns of 10 bits, one row further down for each bit of the
message. A state says which of the next 9 rows are odd so far; the Viterbi search keeps the cheapest path to each. It
looks for the cheapest word of syndrome zero to add to any word that has the right syndrome, so the trellis is the same
for every message. In very wide blocks equal columns are merged: of their bits only the cheapest can change.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from underpaint.errors import CapacityError, UsageError
from underpaint.types import as_bits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from underpaint.embed import Randomness
    from underpaint.types import Bits

_PART = 1 << 18
_SAMPLE = 1 << 14  # how many values λ is found on
_WORKERS = min(os.cpu_count() or 1, 4)  # each takes some 40 MB

_HEIGHT = 10
_FULL = 1 << _HEIGHT
_HALF = _FULL >> 1
_SEGMENT = 512  # shorter ones lose more than 1 % at their ends
_LANES = 64  # segments searched side by side: their states stay in the second-level cache
_WIDTH = 64  # mean columns per block at most
_HEAD = 6  # how many mean blocks are added to a segment's first one
_TILE = 16  # rows of states charged in one stride: NumPy is slow with short ones

# The search in int16: a bit costs up to _DEAREST, or _NEVER; after every _SPAN columns at most, a state is at most _WORST
# worse than the best: _WORST + _SPAN * _NEVER < 2^15. The search in float64 knows no worst.
_DEAREST, _NEVER, _WORST, _SPAN = 127, 511, 16383, 32
_NEVER_EXACT = 1e9
_CEILING = 12.0  # log-odds: as good as never

# The columns of blocks by their width, the best of some hundred tried, then of all wider ones. Part of the format.
_COLUMNS = {
    1: (565,),
    2: (565, 887),
    3: (667, 847, 953),
    4: (701, 743, 901, 931),
    5: (653, 707, 827, 933, 953),
    6: (583, 629, 699, 881, 957, 971),
    7: (583, 629, 699, 799, 881, 957, 971),
    8: (635, 695, 703, 739, 797, 889, 969, 999),
}
_WIDER = (
    *(563, 573, 585, 589, 621, 649, 651, 679, 689, 695, 699, 725, 727, 745, 747, 753, 773),
    *(777, 791, 823, 833, 863, 873, 899, 903, 905, 933, 937, 979, 985, 993, 999, 1001, 1007),
)


def embed(
    values: NDArray[np.uint8], bits: Bits, costs: NDArray[np.float32], source: Randomness
) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """Return *values* (n,) changed to carry *bits* at the least cost, and how many bits each layer took.

    The columns of *costs* (n, 2d) say what a change of each value by -d … -1, 1 … d costs, from 0 to infinity: never.
    To keep a value costs nothing. Nothing leaves 0 … 255. There are 2 layers for d = 1, 3 for d = 2 and 3, highest first.
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
    """
    parts = _Parts(values.size, source)
    layers = [np.zeros(count, np.uint8) for count in counts]
    if not parts.count and sum(counts):
        raise CapacityError(f"{sum(counts)} bits cannot be in no values")

    def read(part: int) -> None:
        shown = values[parts.order(part)]
        for level, layer in zip(range(len(layers))[::-1], layers, strict=True):
            share = parts.share(part, layer.size)
            layer[share] = syndrome(shown >> level & 1, share.stop - share.start)

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
    return float(np.where(chances > 0, chances * options, 0).sum(where=chances > 0))


def code(cover: Bits, costs: NDArray[np.floating[Any]], message: Bits) -> Bits:
    """Return *cover* (n,), changed so that its :func:`syndrome` is *message*, at nearly the least sum of *costs* (n,).

    Costs are 0 to infinity, never to be changed; they are read on the scale of log-odds, where 16 is as good as never.

    Raises:
        CapacityError: the message does not fit in the bits that may change.
    """
    if not message.size:
        return cover.copy()
    layout = _Layout.of(cover.size, message.size)
    stego = cover.copy()
    bits, prices = layout.arrange(stego), layout.arrange(costs)
    cheapest = prices.argmin(1)[:, None]  # of each set of merged columns
    parity = np.bitwise_xor.reduce(bits, axis=1)
    price = np.take_along_axis(prices, cheapest, 1)[:, 0]
    wrong = _any_word(layout, message) ^ parity

    never = np.isinf(price)
    top = max(min(float(price.max(initial=0, where=~never)), _CEILING), 1e-6)
    scaled = np.where(never, _NEVER, np.rint(np.minimum(price, top) * (_DEAREST / top))).astype(np.int16)
    widths = layout.widths.tolist()
    flips, reached = _search(widths, scaled, wrong)
    failed = np.flatnonzero(~reached | (never & (flips > 0)).any(0))
    if failed.size:  # in small numbers it may look as if what must not be were cheaper
        exact = np.where(never, _NEVER_EXACT, np.minimum(price, _NEVER_EXACT / 1e6)).astype(np.float64)
        flips[:, failed], _ = _search(widths, exact[:, failed], wrong[:, failed])
        if (never & (flips > 0)).any():
            raise CapacityError(f"{message.size} bits do not fit in the values that may change")
    np.put_along_axis(bits, cheapest, np.take_along_axis(bits, cheapest, 1) ^ flips[:, None], 1)
    return stego


def syndrome(bits: Bits, count: int) -> Bits:
    """Return the message of *count* bits that *bits* (n,) carry.

    Raises:
        CapacityError: so many cannot be in so few.
    """
    if not count:
        return np.zeros(0, np.uint8)
    layout = _Layout.of(bits.size, count)
    parity = np.bitwise_xor.reduce(layout.arrange(bits), axis=1)
    columns = np.concatenate([_columns(width) for width in layout.widths.tolist()])
    begins = np.cumsum(layout.widths) - layout.widths
    sums = np.bitwise_xor.reduceat(parity * columns[:, None], begins, axis=0)
    rows = np.zeros_like(sums)
    for down in range(min(_HEIGHT, len(sums))):
        rows[down:] ^= sums[: len(sums) - down] >> down
    return (rows & 1).astype(np.uint8).reshape(-1)[:count]


class _Parts:
    """The cutting of *size* values into parts: of each group of as many neighbours as there are parts, each gets one."""

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


class _Layout(NamedTuple):
    """Where bits lie: bit ``(row * merged + i) * segments + segment`` is one of those merged in a row of a segment."""

    segments: int
    merged: int
    widths: NDArray[np.int64]  # of the blocks, each of which carries a bit of every segment

    @classmethod
    def of(cls, size: int, count: int) -> _Layout:
        """The layout for *count* bits of message, at least one, in *size* bits."""
        segments = max(count // _SEGMENT, 1)
        blocks = -(-count // segments)
        merged = max(-(-size // (segments * blocks * _WIDTH)), 1)
        rows = size // (segments * merged)
        if rows < blocks:
            raise CapacityError(f"{count} bits do not fit in {size}")
        # Only the first block reaches the first row, and few rows are reached by the last columns: a wide block first,
        # narrow ones last. A block has at least one column.
        first = min(_HEAD * rows // blocks, rows - blocks)
        block = np.arange(blocks + 1)
        places = 2 * block - np.maximum(block - blocks + _HEIGHT, 0)
        places -= places[0]
        edges = block + (rows - first - blocks) * places // places[-1]
        edges[1:] += first
        return cls(segments, merged, np.diff(edges))

    def arrange(self, flat: NDArray[Any]) -> NDArray[Any]:
        """A view (rows, merged, segments), without the few that are left over."""
        shape = int(self.widths.sum()), self.merged, self.segments
        return flat[: shape[0] * shape[1] * shape[2]].reshape(shape)


# --- layers


def _as_costs(values: NDArray[np.uint8], costs: NDArray[np.float32]) -> NDArray[np.float32]:
    if values.dtype != np.uint8 or values.ndim != 1:
        raise UsageError(f"expected values as uint8 (n,), not {values.dtype} {values.shape}")
    if costs.ndim != 2 or len(costs) != values.size or costs.shape[1] % 2 or not 2 <= costs.shape[1] <= 14:
        raise UsageError(f"expected costs as float32 ({values.size}, 2d) for changes of up to d = 1–7, not {costs.shape}")
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


def _gibbs(options: NDArray[Any], multiplier: float) -> NDArray[Any]:
    """The chances of each option, (k, n), in proportion to exp(-λ cost)."""
    weights = np.exp(multiplier * (options.min(0) - options))
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
    levels = costs.shape[1].bit_length()
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
        odds = multiplier * (_free_energy(options, ones, multiplier) - _free_energy(options, ~ones, multiplier))
        chosen = code((odds < 0).astype(np.uint8), np.abs(odds), message)
        options[ones != chosen] = np.inf
        left -= message.size
    return (values + reach[options.argmin(0), 0]).astype(np.uint8)


def _free_energy(options: NDArray[np.float32], among: NDArray[np.bool_], multiplier: float) -> NDArray[np.float32]:
    """-log(sum of exp(-λ cost)) / λ over the options that are *among* these, infinite where none is allowed."""
    costs = np.where(among, options, np.float32(np.inf))
    least = costs.min(0)
    base = np.where(np.isinf(least), np.float32(0), least)
    return least - np.log(np.maximum(np.exp(multiplier * (base - costs)).sum(0), 1)) / multiplier


# --- trellis


@lru_cache(maxsize=_FULL)
def _columns(width: int) -> NDArray[np.int16]:
    """The columns of a block."""
    return np.resize(np.array(_COLUMNS.get(width, _WIDER), np.int16), width)


@lru_cache(maxsize=_FULL)
def _partners(column: int) -> NDArray[np.intp]:
    """Where each state comes from if a column is added."""
    return np.arange(_FULL) ^ column


def _any_word(layout: _Layout, message: Bits) -> NDArray[np.uint8]:
    """Some word (rows, segments) whose syndrome is *message*: the last column of each block puts its bit right."""
    blocks, segments = layout.widths.size, layout.segments
    wanted = np.zeros(blocks * segments, np.int16)
    wanted[: message.size] = message
    word = np.zeros((int(layout.widths.sum()), segments), np.uint8)
    state = np.zeros(segments, np.int16)
    row = -1
    for width, bit in zip(layout.widths.tolist(), wanted.reshape(blocks, segments), strict=True):
        row += width
        wrong = (state ^ bit) & 1
        word[row] = wrong
        state = (state ^ wrong * _columns(width)[-1]) >> 1
    return word


def _search(
    widths: list[int], costs: NDArray[Any], wrong: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The cheapest flips, (rows, segments), by which *wrong* words become words of syndrome zero.

    Also tells for which segments that is so: small costs may hide that no path led somewhere. Float64 costs do not.
    """
    # For a word e of syndrome zero, flips are wrong ^ e: where wrong has a 1, it is e = 0 that costs.
    charges = np.where(wrong == 1, -costs, costs)
    batches = np.array_split(charges, -(-charges.shape[1] // _LANES), axis=1)
    words, reached = zip(*(_walk_back(widths, *_walk(widths, batch)) for batch in batches), strict=True)
    return np.concatenate(words, axis=1) ^ wrong, np.concatenate(reached)


def _walk(widths: list[int], charges: NDArray[Any]) -> tuple[NDArray[np.intp], list[NDArray[np.uint8]]]:
    """Walk the trellis (Viterbi): the best final state of each segment, and the decisions in packed bits.

    The metrics are (states, segments), so whatever is done to one state is done to all segments at once.
    """
    segments = charges.shape[1]
    worst = _WORST if charges.dtype == np.int16 else np.inf
    now, after, other = (np.full((_FULL, segments), worst, charges.dtype) for _ in range(3))
    won = np.empty(now.shape, bool)
    now[0] = 0
    decisions = []
    row, grown = 0, 0
    for width in widths:
        grown += width
        if grown > _SPAN:
            _settle(now[:_HALF], worst)
            grown = width
        tiled = np.tile(charges[row : row + width], (1, _TILE))
        row += width
        columns = _columns(width).tolist()
        # The first column alone reaches the states whose highest bit is set: nothing to decide.
        _step(now[:_HALF], _partners(columns[0] - _HALF)[:_HALF], tiled[0], now[_HALF:])
        for place, (column, charge) in enumerate(zip(columns[1:-1], tiled[1:-1], strict=True), 3):
            if place % _SPAN == 0:
                _settle(now, worst)
            _step(now, _partners(column), charge, other)
            np.less(other, now, out=won)
            decisions.append(np.packbits(won, axis=None, bitorder="little"))
            np.minimum(other, now, out=now)
        # Of the last column's states only those with an even row go on, and their lowest bit drops out.
        even = now[::2]
        if width > 1:
            _step(now, _partners(columns[-1])[::2], tiled[-1], other[:_HALF])
            np.less(other[:_HALF], even, out=won[:_HALF])
            decisions.append(np.packbits(won[:_HALF], axis=None, bitorder="little"))
            np.minimum(other[:_HALF], even, out=after[:_HALF])
        else:
            after[:_HALF] = even
        now, after = after, now
    return now[:_HALF].argmin(0), decisions


def _settle(metrics: NDArray[Any], worst: float) -> None:
    """Count from the best state of each segment again."""
    metrics -= metrics.min(0)
    np.minimum(metrics, worst, out=metrics)


def _step(metrics: NDArray[Any], partners: NDArray[np.intp], tiled: NDArray[Any], out: NDArray[Any]) -> None:
    """Write into *out* what it takes to come to each state by adding a column."""
    np.take(metrics, partners, axis=0, out=out, mode="clip")  # "raise" would copy
    strided = out.reshape(-1, tiled.size)
    strided += tiled


def _walk_back(
    widths: list[int], state: NDArray[np.intp], decisions: list[NDArray[np.uint8]]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The word (rows, segments) that led to the final *state*, and where it began in state zero. Empties *decisions*."""
    lanes = np.arange(state.size)
    row = sum(widths)
    word = np.empty((row, state.size), np.uint8)
    for width in reversed(widths):
        decided, state = state, state << 1
        for place in range(width)[::-1]:
            row -= 1
            if place:
                spot = decided * lanes.size + lanes
                taken = decisions.pop()[spot >> 3] >> (spot & 7) & 1
            else:
                taken = state >> _HEIGHT - 1
            word[row] = taken
            decided = state = state ^ taken * int(_columns(width)[place])
    return word, state == 0
