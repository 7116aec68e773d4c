"""Binary syndrome-trellis code: the cheapest flips of bits that give them a wanted syndrome.

The parity-check matrix repeats a block of a few columns of 10 bits, one row further down for each message bit.
:mod:`underpaint.embedding.stc.viterbi` searches the cheapest word of syndrome zero to add to any word of the right
syndrome, so the trellis is the same for every message. In very wide blocks equal columns are merged: of their bits only
the cheapest can be flipped.

Cost above the rate-distortion bound at height 10: 9–14 % for equal costs, up to 5 % more for costs with a very long
tail or where blocks are wider than 20 columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from underpaint.embedding.stc.viterbi import search
from underpaint.errors import CapacityError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Bits


@dataclass(frozen=True)
class Segmentation:
    """Cutting of a layer into segments and blocks. Part of the format."""

    height: int = 10  # constraint height: bits of a column
    segment: int = 512  # message bits of a segment; its ends then cost less than 1 %
    shortest_segment: int = 128  # message bits of a segment in a short message
    parallel: int = 16  # so many short segments are searched in little more time than one
    max_mean_width: int = 64  # mean columns per block; beyond it columns are merged
    first_block: int = 6  # widths of a mean block that are added to a segment's first one


SEGMENTATION = Segmentation()


@dataclass(frozen=True)
class _Costs:
    """Costs as the search takes them."""

    max_log_odds: float = 12.0  # larger costs are not told apart
    max_int16: int = 127  # the largest cost in the fast search, in int16
    forbidden_int16: int = 511  # stands for infinity there
    forbidden_exact: float = 1e9  # stands for infinity in the exact search, in float64
    max_exact: float = 1e3  # the largest cost there


_COSTS = _Costs()

#: Columns of blocks by their width, the best of some hundred tried. Part of the format.
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
#: Columns of all wider blocks, repeated as often as necessary. Part of the format.
_WIDE_COLUMNS = (
    *(563, 573, 585, 589, 621, 649, 651, 679, 689, 695, 699, 725, 727, 745, 747, 753, 773),
    *(777, 791, 823, 833, 863, 873, 899, 903, 905, 933, 937, 979, 985, 993, 999, 1001, 1007),
)


def code(cover: Bits, costs: NDArray[np.floating[Any]], message: Bits) -> Bits:
    """Embed *message* as the :func:`syndrome` of bits, at nearly the least sum of costs.

    Args:
        cover: bits, ``(n,)``.
        costs: of flipping each bit, ``(n,)``, 0 to infinity: never flipped. They are read as log-odds of a Gibbs
            distribution: those above 12 are not told apart.
        message: bits, ``(m,)``.

    Returns:
        The changed bits, ``(n,)``.

    Raises:
        CapacityError: the message does not fit in the bits that may be flipped.
    """
    if not message.size:
        return cover.copy()
    layout = Layout.of(cover.size, message.size)
    stego = cover.copy()
    bits, prices = layout.arrange(stego), layout.arrange(costs)
    cheapest = prices.argmin(1, keepdims=True) if layout.merged > 1 else np.zeros((1, 1, 1), np.intp)
    price = np.take_along_axis(prices, cheapest, 1)[:, 0]
    wrong = _any_word(layout, message) ^ _parity(bits)

    forbidden = np.isinf(price)
    top = max(min(float(price.max(initial=0, where=~forbidden)), _COSTS.max_log_odds), 1e-6)
    scaled = np.rint(np.minimum(price, top) * (_COSTS.max_int16 / top))
    scaled = np.where(forbidden, _COSTS.forbidden_int16, scaled).astype(np.int16)
    blocks = [block_columns(width) for width in layout.widths.tolist()]
    word, reached = search(blocks, SEGMENTATION.height, np.where(wrong == 1, -scaled, scaled))
    flips = wrong ^ word  # a wrong bit that is in the word stays as it is
    failed = np.flatnonzero(~reached | (forbidden & (flips > 0)).any(0))
    if failed.size:  # small integers cannot always tell forbidden flips from expensive ones
        exact = np.where(forbidden, _COSTS.forbidden_exact, np.minimum(price, _COSTS.max_exact))
        exact = exact.astype(np.float64)[:, failed]
        word, _ = search(blocks, SEGMENTATION.height, np.where(wrong[:, failed] == 1, -exact, exact))
        flips[:, failed] = wrong[:, failed] ^ word
        if (forbidden & (flips > 0)).any():
            raise CapacityError(f"{message.size} bits do not fit in the values that may change")
    np.put_along_axis(bits, cheapest, np.take_along_axis(bits, cheapest, 1) ^ flips[:, None], 1)
    return stego


def syndrome(bits: Bits, count: int) -> Bits:
    """Return the message of *count* bits that *bits*, ``(n,)``, carry.

    Raises:
        CapacityError: n bits cannot carry so many.
    """
    if not count:
        return np.zeros(0, np.uint8)
    layout = Layout.of(bits.size, count)
    parity = _parity(layout.arrange(bits))
    columns = np.concatenate([np.array(block_columns(width), np.int16) for width in layout.widths.tolist()])
    begins = np.cumsum(layout.widths) - layout.widths
    sums = np.bitwise_xor.reduceat(parity * columns[:, None], begins, axis=0)
    rows = np.zeros_like(sums)
    for down in range(min(SEGMENTATION.height, len(sums))):
        rows[down:] ^= sums[: len(sums) - down] >> down
    return (rows & 1).astype(np.uint8).reshape(-1)[:count]


class Layout(NamedTuple):
    """Order of bits: bit ``(row * merged + i) * segments + segment`` is one of those merged in a row of a segment."""

    #: Number of segments.
    segments: int
    #: Bits that share a column.
    merged: int
    #: Columns of each block, ``(blocks,)``. A block carries a message bit of every segment.
    widths: NDArray[np.int64]

    @classmethod
    def of(cls, size: int, count: int) -> Layout:
        """Return the layout of *size* bits that carry *count* message bits, at least one.

        Raises:
            CapacityError: there are too few bits.
        """
        cut = SEGMENTATION
        segments = max(count // cut.segment, min(count // cut.shortest_segment, cut.parallel), 1)
        blocks = -(-count // segments)
        merged = max(-(-size // (segments * blocks * cut.max_mean_width)), 1)
        rows = size // (segments * merged)
        if rows < blocks:
            raise CapacityError(f"{count} bits do not fit in {size}")
        # Only the first block reaches the first row, so it is wide. The last columns reach few rows, so the last blocks
        # are narrow. A block has at least one column.
        first = min(cut.first_block * rows // blocks, rows - blocks)
        block = np.arange(blocks + 1)
        places = 2 * block - np.maximum(block - blocks + cut.height, 0)
        places -= places[0]
        edges = block + (rows - first - blocks) * places // places[-1]
        edges[1:] += first
        return cls(segments, merged, np.diff(edges))

    @property
    def rows(self) -> int:
        """Columns of the parity-check matrix of a segment."""
        return int(self.widths.sum())

    def arrange(self, flat: NDArray[Any]) -> NDArray[Any]:
        """Return a view (rows, merged, segments) of *flat*, ``(size,)``, without the few values that are left over."""
        shape = self.rows, self.merged, self.segments
        return flat[: shape[0] * shape[1] * shape[2]].reshape(shape)


@lru_cache(maxsize=1024)
def block_columns(width: int) -> tuple[int, ...]:
    """Return the columns of a block of so many, each an integer whose lowest bit is its first row."""
    return tuple(islice(cycle(_COLUMNS.get(width, _WIDE_COLUMNS)), width))


def _parity(bits: Bits) -> Bits:
    """Return the exclusive-or of merged bits, (rows, merged, segments)."""
    parity: Bits = np.bitwise_xor.reduce(bits, axis=1) if bits.shape[1] > 1 else bits[:, 0]
    return parity


def _any_word(layout: Layout, message: Bits) -> NDArray[np.uint8]:
    """Return some word (rows, segments) whose syndrome is *message*: the last column of each block sets its bit."""
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
        state = (state ^ wrong * block_columns(width)[-1]) >> 1
    return word
