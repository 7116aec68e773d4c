"""One layer: the cheapest flips of bits that give them a wanted syndrome.

The parity-check matrix repeats a block of a few columns of 10 bits, one row further down for each bit of the message.
:mod:`underpaint.embedding.stc.viterbi` looks for the cheapest word of syndrome zero to add to any word that has the right
syndrome, so the trellis is the same for every message. In very wide blocks equal columns are merged: of their bits only
the cheapest can change.

Cost in excess of the bound at height 10: 9–14 % for equal costs, up to 5 % more for costs of very long tail or where
blocks are wider than 20 columns.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from underpaint.embedding.stc.viterbi import search
from underpaint.errors import CapacityError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Bits

_HEIGHT = 10
_SEGMENT = 512  # bits of message in a segment, whose ends then cost less than 1 %
_SHORT, _ABREAST = 128, 16  # as many segments may be as short as that, for it takes little longer to search them all
_WIDTH = 64  # mean columns per block at most
_HEAD = 6  # how many mean blocks are added to a segment's first one

# The search in int16: a bit costs up to _DEAREST, or _NEVER. That in float64 knows what is infinite.
_DEAREST, _NEVER = 127, 511
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
    cheapest = prices.argmin(1, keepdims=True) if layout.merged > 1 else np.zeros((1, 1, 1), np.intp)
    price = np.take_along_axis(prices, cheapest, 1)[:, 0]
    wrong = _any_word(layout, message) ^ _parity(bits)

    never = np.isinf(price)
    top = max(min(float(price.max(initial=0, where=~never)), _CEILING), 1e-6)
    scaled = np.where(never, _NEVER, np.rint(np.minimum(price, top) * (_DEAREST / top))).astype(np.int16)
    blocks = [_columns(width) for width in layout.widths.tolist()]
    word, reached = search(blocks, _HEIGHT, np.where(wrong == 1, -scaled, scaled))
    flips = wrong ^ word  # where a wrong bit is in the word, it stays
    failed = np.flatnonzero(~reached | (never & (flips > 0)).any(0))
    if failed.size:  # in small numbers it may look as if what must not be were cheaper
        exact = np.where(never, _NEVER_EXACT, np.minimum(price, _NEVER_EXACT / 1e6)).astype(np.float64)[:, failed]
        word, _ = search(blocks, _HEIGHT, np.where(wrong[:, failed] == 1, -exact, exact))
        flips[:, failed] = wrong[:, failed] ^ word
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
    parity = _parity(layout.arrange(bits))
    columns = np.concatenate([np.array(_columns(width), np.int16) for width in layout.widths.tolist()])
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


@lru_cache(maxsize=1024)
def _columns(width: int) -> tuple[int, ...]:
    """The columns of a block."""
    return tuple(islice(cycle(_COLUMNS.get(width, _WIDER)), width))


def _parity(bits: Bits) -> Bits:
    """The exclusive-or of merged bits (rows, merged, segments)."""
    parity: Bits = np.bitwise_xor.reduce(bits, axis=1) if bits.shape[1] > 1 else bits[:, 0]
    return parity


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
