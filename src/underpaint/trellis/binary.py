"""One layer: the cheapest flips of bits that give them a wanted syndrome.

The parity-check matrix repeats a block of a few columns of 10 bits, one row further down for each bit of the message. A
state says which of the next 9 rows are odd so far; the Viterbi search keeps the cheapest path to each. It looks for the
cheapest word of syndrome zero to add to any word that has the right syndrome, so the trellis is the same for every
message. In very wide blocks equal columns are merged: of their bits only the cheapest can change.

Cost in excess of the bound at height 10: 9–14 % for equal costs, up to 5 % more for costs of very long tail or where
blocks are wider than 20 columns.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from underpaint.errors import CapacityError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Bits

_HEIGHT = 10
_FULL = 1 << _HEIGHT
_HALF = _FULL >> 1
_SEGMENT = 512  # bits of message in a segment, whose ends then cost less than 1 %
_SHORT, _ABREAST = 128, 16  # as many segments may be as short as that, for it takes little longer to search them all
_LANES = 128  # segments searched side by side: their states stay in the second-level cache
_WIDTH = 64  # mean columns per block at most
_HEAD = 6  # how many mean blocks are added to a segment's first one
_TILE = 16  # rows of states charged in one stride: NumPy is slow with short ones

# The search in int16: a bit costs up to _DEAREST, or _NEVER; after every _SPAN columns, at most, no state may be more
# than _WORST worse than the best: _WORST + _SPAN * _NEVER < 2^15. The search in float64 knows no worst.
_DEAREST, _NEVER, _WORST, _SPAN = 127, 511, 16383, 32
_NEVER_EXACT = 1e9
_CEILING = 12.0  # log-odds

# The columns of blocks by their width, the best of some hundred tried, then of all wider ones. Part of the format.
_COLUMNS = {
    1: (565,),
    2: (565, 887),
    3: (667, 847, 953),
    4: (639, 701, 857, 931),
    5: (653, 707, 827, 933, 953),
    6: (583, 629, 699, 881, 957, 971),
    7: (597, 707, 761, 795, 839, 919, 1003),
    8: (635, 695, 703, 739, 797, 889, 969, 999),
}
_WIDER = (
    *(563, 573, 585, 589, 621, 649, 651, 679, 689, 695, 699, 725, 727, 745, 747, 753, 773),
    *(777, 791, 823, 833, 863, 873, 899, 903, 905, 933, 937, 979, 985, 993, 999, 1001, 1007),
)


def code(cover: Bits, costs: NDArray[np.floating[Any]], message: Bits) -> Bits:
    """Return *cover* (n,), changed so that its :func:`syndrome` is *message*, at nearly the least sum of *costs* (n,).

    Costs are 0 to infinity: never to be changed. They are read as log-odds: those above 12 are not told apart.

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


class _Layout(NamedTuple):
    """Where bits lie: bit ``(row * merged + i) * segments + segment`` is one of those merged in a row of a segment."""

    segments: int
    merged: int
    widths: NDArray[np.int64]  # of the blocks, each of which carries a bit of every segment

    @classmethod
    def of(cls, size: int, count: int) -> _Layout:
        """The layout for *count* bits of message, at least one, in *size* bits."""
        segments = max(count // _SEGMENT, min(count // _SHORT, _ABREAST), 1)
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

    @property
    def rows(self) -> int:
        """Rows of a segment: its columns."""
        return int(self.widths.sum())

    def arrange(self, flat: NDArray[Any]) -> NDArray[Any]:
        """A view (rows, merged, segments), without the few that are left over."""
        shape = self.rows, self.merged, self.segments
        return flat[: shape[0] * shape[1] * shape[2]].reshape(shape)


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
    word = np.zeros((layout.rows, segments), np.uint8)
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
        tiled = charges[row : row + width, None].repeat(_TILE, axis=1).reshape(width, -1)
        row += width
        columns = _columns(width).tolist()
        # The first column alone reaches the states whose highest bit is set: nothing to decide.
        _step(now[:_HALF], _partners(columns[0] - _HALF)[:_HALF], tiled[0], now[_HALF:])
        for place, (column, charge) in enumerate(zip(columns[1:-1], tiled[1:-1], strict=True), 1):
            if place % (_SPAN - 2) == 0:
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
    metrics.take(partners, axis=0, out=out, mode="clip")  # "raise" would copy
    strided = out.reshape(-1, tiled.size)
    strided += tiled


def _walk_back(
    widths: list[int], state: NDArray[np.intp], decisions: list[NDArray[np.uint8]]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The word (rows, segments) that led to the final *state*, and where it began in state zero; eats *decisions*."""
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
