"""Viterbi search of a syndrome-trellis code: the cheapest words of syndrome zero, in many trellises at once.

A state says which of the next rows of the syndrome are odd so far, the lowest bit first. Metrics are arrays (states,
segments), so all segments are searched in parallel. Taking a column exchanges states by exclusive-or. In a basis chosen
for the next few columns these exchanges are between halves, quarters and eighths of the array, which NumPy does in long
strides. Decisions are not stored: metrics are kept once every few columns (a stage), and on the way back all choices
within a stage are tried again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Columns = tuple[int, ...]


@dataclass(frozen=True)
class _Limits:
    """Sizes that decide speed and memory, not the result."""

    parallel: int = 256  # segments searched at once: their states stay in the second-level cache
    metric_bytes: int = 96 << 20  # metrics that are kept at a time
    tile: int = 64  # rows of states whose charges are added in one stride
    choices: int = 6  # columns of a stage whose choices are tried on the way back
    blocks: int = 10  # blocks of a stage at most
    max_int16: int = 16383  # metrics above the best in int16; as much is left for what is added


_LIMITS = _Limits()


def search(
    blocks: Sequence[Columns], height: int, charges: NDArray[Any]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Search the cheapest word of syndrome zero in each segment.

    Args:
        blocks: columns of each block, as integers with bit 0 and bit *height* - 1 set.
        height: constraint height: bits of a column.
        charges: cost of a 1 in each place, (rows, segments), int16 or float64; negative costs are allowed.

    Returns:
        The words, (rows, segments), and for each segment whether its syndrome is zero. In int16 a state that cannot be
        reached may be taken for an expensive one, so a word may be wrong; not so in float64.
    """
    stages = list(_stages(blocks, height))
    kept = sum(stage.kept for stage in stages)
    parallel = min(_LIMITS.parallel, max(_LIMITS.metric_bytes // (kept * charges.itemsize), 1))
    found = []
    for batch in np.array_split(charges, -(-charges.shape[1] // parallel), axis=1):
        store = np.empty((kept, batch.shape[1]), charges.dtype)
        last = _forward(stages, batch, store)
        found.append(_backward(stages, batch, store, last))
    words, reached = zip(*found, strict=True)
    return np.concatenate(words, axis=1), np.concatenate(reached)


class _Step(NamedTuple):
    """Columns of one block that are taken in one basis of the states.

    The first axis of the basis is the highest bit of a state, the second the lowest; each column changes both. Before a
    block the highest bit is clear.
    """

    #: True if they are the first columns of a block; True if they are the last.
    begins: bool
    ends: bool
    #: State at each place in this basis, ``(states,)``, and place of each state.
    states: NDArray[np.intp]
    places: NDArray[np.intp]
    #: Shape whose axes the columns exchange, and for each column an index that exchanges them.
    shape: tuple[int, ...]
    flips: list[tuple[slice, ...]]


class _Stage(NamedTuple):
    """Steps before which metrics are kept, and tables for the way back through them.

    The way back is linear: the effect of the last state, exclusive-or the effect of the chosen columns. The first
    column of a block is no choice: it is taken if the highest bit is set.
    """

    steps: list[_Step]
    #: Number of states before the stage, whose metrics are kept.
    kept: int
    #: First state and taken columns for each last state, no column chosen: ``(states,)``, ``(states, columns)``.
    first_states: NDArray[np.intp]
    taken: NDArray[np.uint8]
    #: The same for each choice of columns: ``(choices,)``, ``(choices, columns)``; float, because it is multiplied by.
    choice_states: NDArray[np.intp]
    choice_columns: NDArray[np.float64]


def _stages(blocks: Sequence[Columns], height: int) -> Iterator[_Stage]:
    """Divide blocks into stages: narrow blocks share one, wide blocks are cut."""
    shared: list[Columns] = []
    for block in blocks:
        if shared and (
            sum(map(len, shared)) + len(block) - len(shared) - 1 > _LIMITS.choices or len(shared) == _LIMITS.blocks
        ):
            yield _stage(tuple(shared), height)
            shared = []
        if len(block) - 1 <= _LIMITS.choices:
            shared.append(block)
            continue
        cuts = [0, *range(1 + _LIMITS.choices, len(block), _LIMITS.choices), len(block)]
        for begin, end in pairwise(cuts):
            yield _stage((block[begin:end],), height, begins=begin == 0, ends=end == len(block))
    if shared:
        yield _stage(tuple(shared), height)


@lru_cache(maxsize=1024)
def _stage(parts: tuple[Columns, ...], height: int, *, begins: bool = True, ends: bool = True) -> _Stage:
    """Return the stage of the columns *parts*, one part for each block."""
    steps = [_step(part, height, begins=begins, ends=ends) for part in parts]
    full = 1 << height
    free = sum(len(part) - begins for part in parts)

    def back(state: NDArray[np.intp], choice: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
        taken = []
        for part in reversed(parts):
            state = state << ends
            for place, column in reversed([*enumerate(part)]):
                if begins and place == 0:
                    bit = state >> height - 1
                else:
                    bit, choice = choice & 1, choice >> 1
                state = state ^ bit * column
                taken.append(bit.astype(np.uint8))
        return state, np.stack(taken[::-1], axis=1)

    last, choices = np.arange(full >> ends), np.arange(1 << free)
    first_states, taken = back(last, np.zeros_like(last))
    choice_states, choice_columns = back(np.zeros_like(choices), choices)
    return _Stage(steps, full >> begins, first_states, taken, choice_states, choice_columns.astype(np.float64))


@lru_cache(maxsize=1024)
def _step(columns: Columns, height: int, *, begins: bool, ends: bool) -> _Step:
    """Return the step of some columns of a block."""
    basis: list[int] = []
    for vector in [columns[0] ^ 1, 1, *(columns[0] ^ column for column in columns[1:])]:
        _extend(basis, vector)
    axes = len(basis)
    for bit in range(1, height - 1):
        _extend(basis, 1 << bit)
    states = np.zeros(1, np.intp)
    for vector in reversed(basis):
        states = np.concatenate([states, states ^ vector])
    places = np.argsort(states)
    ways = slice(None), slice(None, None, -1)
    flips = [tuple(ways[places[column] >> height - 1 - axis & 1] for axis in range(axes)) for column in columns]
    return _Step(begins, ends, states, places, (2,) * axes + (-1,), flips)


def _extend(basis: list[int], vector: int) -> None:
    """Add *vector* to *basis* if it is linearly independent of it."""
    sums = [0]
    for known in basis:
        sums += [each ^ known for each in sums]
    if vector not in sums:
        basis.append(vector)


def _forward(stages: list[_Stage], charges: NDArray[Any], store: NDArray[Any]) -> NDArray[Any]:
    """Fill *store* (rows, segments) with the metrics before each stage; return the metrics after the last."""
    full, segments = stages[0].steps[0].states.size, charges.shape[1]
    largest = _LIMITS.max_int16
    worst, most = (largest, 32767 - largest) if charges.dtype == np.int16 else (np.inf, np.inf)
    span = most / max(float(np.abs(charges).max()), 1.0)  # columns that may be added before metrics overflow
    now, charged, between = (np.empty((full, segments), charges.dtype) for _ in range(3))
    rows = min(_LIMITS.tile, full // 4)
    quarters = (2, 2, -1, rows * segments)
    now[: full // 2] = worst
    now[0] = 0
    places = np.arange(full // 2)
    row, at, added = 0, 0, 0
    for stage in stages:
        for number, step in enumerate(stage.steps):
            size = len(step.flips)
            order = places[step.states[: full // 2 if step.begins else full]]
            before = store[at : at + stage.kept] if number == 0 else between[: order.size]
            now.take(order, axis=0, out=before, mode="clip")  # "raise" would copy
            added += size
            if added > span:  # subtract the best metric of each segment
                before -= before.min(0)
                np.minimum(before, worst, out=before)
                added = size
            tiled = charges[row : row + size, None].repeat(rows, axis=1).reshape(size, -1)
            row += size
            for place, (flip, charge) in enumerate(zip(step.flips, tiled, strict=True)):
                if step.begins and place == 0:  # only this column sets the highest bit
                    clear, set_ = now.reshape(quarters)
                    clear[:] = before.reshape(clear.shape)
                    np.add(clear[::-1], charge, out=set_)
                else:  # after the last column of a block only states whose lowest bit is clear remain
                    ending = step.ends and place == size - 1
                    even, odd = (np.s_[:, :1], np.s_[:, 1:]) if ending else (np.s_[:], np.s_[:])
                    np.add(before.reshape(quarters)[odd], charge, out=charged.reshape(quarters)[odd])
                    skipped, taken, best = (each.reshape(step.shape) for each in (before, charged, now))
                    np.minimum(skipped[even], taken[flip][even], out=best[even])
                before = now
            places = step.places[::2] if step.ends else step.places
        at += stage.kept
    return now.take(places, axis=0)


def _backward(
    stages: list[_Stage], charges: NDArray[Any], store: NDArray[Any], last: NDArray[Any]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the words (rows, segments) that lead to the best *last* state, and which of them begin in state zero."""
    segments = np.arange(charges.shape[1])
    words = np.empty(charges.shape, np.uint8)
    exact = charges.T.astype(np.float64)
    row, at = len(charges), len(store)
    state = last.argmin(0)
    for stage in reversed(stages):
        end, row = row, row - stage.taken.shape[1]
        at -= stage.kept
        first, taken = stage.first_states[state][:, None] ^ stage.choice_states, stage.taken[state]
        spots = stage.steps[0].places[first] * segments.size + segments[:, None]
        # Choosing a column that the state takes anyway leaves it out.
        prices = np.where(taken, -1, 1) * exact[:, row:end] @ stage.choice_columns.T
        best = (store[at : at + stage.kept].reshape(-1).take(spots) + prices).argmin(1)
        words[row:end] = (taken != stage.choice_columns[best]).T
        state = first[segments, best]
    return words, state == 0
