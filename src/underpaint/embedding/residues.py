"""Embedding of numbers with different numbers of levels, by mixed-radix residues of pixel values.

::

    192 numbers of a block ─► 16 groups ─► one large number each ─► digits ─► residues of values
                              (mixed radix of the numbers' levels)  (mixed radix of the values' periods)

A value moves to the nearest level whose residue modulo its period is its digit plus a keyed number. Squared change is
smallest if periods are alike, so that within a group they differ by at most 1. The first values of a block carry its
kind, which tells the levels of its numbers. Everything here is part of the container format of ``pixinpix``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.coding.keys import Key

#: Side of a block in pixels.
BLOCK = 8
#: Colour values of a block, and numbers that they carry.
VALUES = 3 * BLOCK * BLOCK
#: Groups that the numbers of a block are divided into.
_GROUPS = 16
#: Values of a block that carry its kind, and their period.
_KIND_VALUES, _KIND_PERIOD = 3, 4
#: Upper bound of a large number, so that all arithmetic fits in 64 bits.
_MAX_SIZE = 1 << 62


def embed(
    values: NDArray[np.uint8],
    numbers: NDArray[np.int64],
    kinds: NDArray[np.int64],
    levels: NDArray[np.int64],
    free: NDArray[np.bool_],
    key: Key,
) -> NDArray[np.uint8]:
    """Return the nearest *values* that carry *numbers* and *kinds*.

    Args:
        values: of the cover's blocks, ``(N, 192)``.
        numbers: ``(N, 192)``, each from 0 to its number of levels - 1.
        kinds: kind of each block, ``(N,)``, 0–63.
        levels: number of levels of each number by kind, ``(K, 192)``, at least 1.
        free: True for values that may change, ``(N, 192)``; in each block at least 128 of them.
        key: makes the residues look random.

    Returns:
        ``uint8 (N, 192)``.

    Raises:
        ModelError: a block has not enough values for so many levels.
    """
    periods, residues = np.ones(values.shape, np.int64), np.zeros(values.shape, np.int64)
    for rows, places, kind in _classes(free, kinds):
        layout = _layout(tuple(levels[kind].tolist()), len(places) - _KIND_VALUES)
        kind_digits = kind // _KIND_PERIOD ** np.arange(_KIND_VALUES) % _KIND_PERIOD
        at = np.ix_(rows, places)
        periods[at] = np.concatenate([np.full(_KIND_VALUES, _KIND_PERIOD), layout.periods])
        digits = layout.digits(numbers[rows])
        residues[at] = np.concatenate([np.broadcast_to(kind_digits, (len(rows), _KIND_VALUES)), digits], axis=1)
    before = values.astype(np.int64)
    up = (residues + _offsets(values.shape, key) - before) % periods
    down = up - periods
    # Ties are broken by the value's own lowest bit, which is as good as a random one.
    rise = (2 * up < periods + before % 2) & (before + up <= 255) | (before + down < 0)
    return np.where(rise | (up == 0), before + up, before + down).astype(np.uint8)


def extract(
    values: NDArray[np.uint8], levels: NDArray[np.int64], free: NDArray[np.bool_], key: Key
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers, ``(N, 192)``, and kinds, ``(N,)``, that *values* carry.

    Args:
        values: of the container's blocks, ``(N, 192)``. Any values give numbers within their levels.
        levels: as for :func:`embed`.
        free: as for :func:`embed`.
        key: as for :func:`embed`.
    """
    shifted = values.astype(np.int64) - _offsets(values.shape, key)
    first = np.argsort(~free, axis=1, kind="stable")[:, :_KIND_VALUES]
    kind_digits = np.take_along_axis(shifted, first, axis=1) % _KIND_PERIOD
    kinds = np.minimum(kind_digits @ _KIND_PERIOD ** np.arange(_KIND_VALUES), len(levels) - 1)
    numbers = np.zeros(values.shape, np.int64)
    for rows, places, kind in _classes(free, kinds):
        layout = _layout(tuple(levels[kind].tolist()), len(places) - _KIND_VALUES)
        numbers[rows] = layout.numbers(shifted[np.ix_(rows, places[_KIND_VALUES:])] % layout.periods)
    return numbers, kinds


@dataclass(frozen=True, eq=False)
class _Layout:
    """The mixed-radix representation of the numbers of one kind of block, and that of its values."""

    #: Of each of the 192 numbers: its group, its weight in the group's large number, and its levels.
    number_groups: NDArray[np.int64]
    number_weights: NDArray[np.int64]
    levels: NDArray[np.int64]
    #: Of each value: its group, the weight of its digit, and its period.
    value_groups: NDArray[np.int64]
    value_weights: NDArray[np.int64]
    periods: NDArray[np.int64]

    def digits(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the digits, ``(N, values)``, of *numbers*, ``(N, 192)``."""
        large = _group_sums(numbers * self.number_weights, self.number_groups)
        return large[:, self.value_groups] // self.value_weights % self.periods

    def numbers(self, digits: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers, ``(N, 192)``, of *digits*, ``(N, values)``."""
        large = _group_sums(digits * self.value_weights, self.value_groups)
        numbers: NDArray[np.int64] = large[:, self.number_groups] // self.number_weights % self.levels
        return numbers


@cache
def _layout(levels: tuple[int, ...], count: int) -> _Layout:
    """Return the layout of numbers with these *levels* in *count* values.

    Raises:
        ModelError: they do not fit.
    """
    number_groups, number_weights = np.zeros(VALUES, np.int64), np.ones(VALUES, np.int64)
    sizes = [1] * _GROUPS
    # The largest first, back and forth over the groups, so that the groups have nearly the same size.
    for place, number in enumerate(np.argsort([-each for each in levels], kind="stable").tolist()):
        lap, step = divmod(place, _GROUPS)
        group = step if lap % 2 == 0 else _GROUPS - 1 - step
        number_groups[number], number_weights[number] = group, min(sizes[group], _MAX_SIZE)
        sizes[group] *= levels[number]
    if max(sizes) >= _MAX_SIZE or count < 2 * _GROUPS:
        raise ModelError("the network wants more levels than a block can take")
    value_groups, value_weights, periods = [], [], []
    for rank, group in enumerate(sorted(range(_GROUPS), key=lambda each: -sizes[each])):
        weight = 1
        for period in _periods(sizes[group], count // _GROUPS + (rank < count % _GROUPS)):
            value_groups.append(group)
            value_weights.append(weight)
            periods.append(period)
            weight *= period
    of_values = (np.array(each, np.int64) for each in (value_groups, value_weights, periods))
    return _Layout(number_groups, number_weights, np.array(levels, np.int64), *of_values)


def _periods(size: int, count: int) -> list[int]:
    """Return *count* periods that differ by at most 1, with the smallest product of at least *size*."""
    period = next(each for each in range(1, 256) if each**count >= size)
    large = next(many for many in range(count + 1) if period**many * (period - 1) ** (count - many) >= size)
    return [period] * large + [period - 1] * (count - large)


def _group_sums(values: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sums of *values*, ``(N, n)``, by group, ``(N, groups)``."""
    return np.stack([values[:, groups == each].sum(axis=1) for each in range(_GROUPS)], axis=1)


def _classes(free: NDArray[np.bool_], kinds: NDArray[np.int64]) -> list[tuple[NDArray[np.intp], NDArray[np.intp], int]]:
    """Return the blocks with the same free values and kind: their rows, those values, that kind."""
    found: dict[tuple[bytes, int], list[int]] = {}
    for row, (mask, kind) in enumerate(zip(np.packbits(free, axis=1), kinds.tolist(), strict=True)):
        found.setdefault((mask.tobytes(), kind), []).append(row)
    return [(np.array(rows), np.flatnonzero(free[rows[0]]), kind) for (_, kind), rows in found.items()]


def _offsets(shape: tuple[int, ...], key: Key) -> NDArray[np.int64]:
    """Return keyed numbers to add to residues: 32 bits, so that all residues are nearly equally likely."""
    return key.words("residues", int(np.prod(shape))).reshape(shape).astype(np.int64)
