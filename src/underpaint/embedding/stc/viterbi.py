"""The Viterbi search: the cheapest words of syndrome zero, in many trellises at once.

A state says which of the next rows are odd so far, the lowest bit first. Metrics are (states, segments), so whatever is
done to one state is done to all segments alike. To add a column is to exchange states; in a basis made for the next few
columns these are halves, quarters, eighths of the array, and NumPy goes through them in long strides. No decisions are
noted down: the metrics are kept once every few columns, and the way back tries all choices in between.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Columns = tuple[int, ...]

_LANES = 256  # segments searched side by side: their states stay in the second-level cache
_MEMORY = 96 << 20  # bytes of metrics that are kept at a time
_TILE = 64  # rows of states charged in one stride
_CHOICES = 6  # how many columns' choices are tried at a time on the way back
_BLOCKS = 10  # of so many blocks at most
_WORST = 16383  # in int16 no state is more than this worse than the best; as much is left for what is added


def search(
    blocks: Sequence[Columns], height: int, charges: NDArray[Any]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The cheapest words (rows, segments) of syndrome zero, and in which segments that is true.

    *charges* (rows, segments), int16 or float64, are what a 1 costs. The columns of *blocks* have bit 0 set and
    bit *height* - 1. Where small integers do not tell a state that cannot be reached from one that is dear, a word may
    come out wrong; not so in float64.
    """
    stages = list(_stages(blocks, height))
    kept = sum(stage.kept for stage in stages)
    lanes = min(_LANES, max(_MEMORY // (kept * charges.itemsize), 1))
    found = []
    for batch in np.array_split(charges, -(-charges.shape[1] // lanes), axis=1):
        store = np.empty((kept, batch.shape[1]), charges.dtype)
        last = _forth(stages, batch, store)
        found.append(_back(stages, batch, store, last))
    words, reached = zip(*found, strict=True)
    return np.concatenate(words, axis=1), np.concatenate(reached)


class _Step(NamedTuple):
    """Columns of one block that are gone through in one basis.

    Its first axis is the highest bit of a state, the second the lowest; each column changes both. Before a block the
    highest bit is clear.
    """

    #: Whether they are the first of a block, whether they are the last.
    begins: bool
    ends: bool
    #: The state at each place in this basis, ``(states,)``; the place of each state.
    states: NDArray[np.intp]
    places: NDArray[np.intp]
    #: The shape that has the axes which columns exchange, and for each column which these are.
    shape: tuple[int, ...]
    flips: list[tuple[slice, ...]]


class _Stage(NamedTuple):
    """Steps before which metrics are kept, and the way back through them.

    The way is linear: what follows from the state at the end, exclusive-or what follows from the columns chosen. The
    first column of a block is no choice, for it clears the highest bit.
    """

    steps: list[_Step]
    #: Rows of metrics kept.
    kept: int
    #: The state at the beginning, and which columns were taken: by the state, ``(states,)`` and ``(states, columns)``.
    came: NDArray[np.intp]
    taken: NDArray[np.uint8]
    #: The same by the choice, ``(choices,)`` and ``(choices, columns)``; to multiply by, for floats are the fastest.
    spans: NDArray[np.intp]
    chosen: NDArray[np.float64]


def _stages(blocks: Sequence[Columns], height: int) -> Iterator[_Stage]:
    """Narrow blocks share stages, wide ones are cut."""
    shared: list[Columns] = []
    for block in blocks:
        if shared and (sum(map(len, shared)) + len(block) - len(shared) - 1 > _CHOICES or len(shared) == _BLOCKS):
            yield _stage(tuple(shared), height)
            shared = []
        if len(block) - 1 <= _CHOICES:
            shared.append(block)
            continue
        cuts = [0, *range(1 + _CHOICES, len(block), _CHOICES), len(block)]
        for begin, end in pairwise(cuts):
            yield _stage((block[begin:end],), height, begins=begin == 0, ends=end == len(block))
    if shared:
        yield _stage(tuple(shared), height)


@lru_cache(maxsize=1024)
def _stage(parts: tuple[Columns, ...], height: int, *, begins: bool = True, ends: bool = True) -> _Stage:
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

    last, all_ = np.arange(full >> ends), np.arange(1 << free)
    came, taken = back(last, np.zeros_like(last))
    spans, chosen = back(np.zeros_like(all_), all_)
    return _Stage(steps, full >> begins, came, taken, spans, chosen.astype(np.float64))


@lru_cache(maxsize=1024)
def _step(columns: Columns, height: int, *, begins: bool, ends: bool) -> _Step:
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
    """Add *vector* to *basis* if it is no sum of what is there."""
    sums = [0]
    for known in basis:
        sums += [each ^ known for each in sums]
    if vector not in sums:
        basis.append(vector)


def _forth(stages: list[_Stage], charges: NDArray[Any], store: NDArray[Any]) -> NDArray[Any]:
    """Fill *store* (rows, segments) with the metrics before each stage, and return those after the last."""
    full, segments = stages[0].steps[0].states.size, charges.shape[1]
    worst, most = (_WORST, 32767 - _WORST) if charges.dtype == np.int16 else (np.inf, np.inf)
    span = most / max(float(np.abs(charges).max()), 1.0)  # so many columns may be added before metrics overflow
    now, paid, between = (np.empty((full, segments), charges.dtype) for _ in range(3))
    rows = min(_TILE, full // 4)
    quarters = (2, 2, -1, rows * segments)
    now[: full // 2] = worst
    now[0] = 0
    left = np.arange(full // 2)
    row, at, grown = 0, 0, 0
    for stage in stages:
        for number, step in enumerate(stage.steps):
            size = len(step.flips)
            order = left[step.states[: full // 2 if step.begins else full]]
            before = store[at : at + stage.kept] if number == 0 else between[: order.size]
            now.take(order, axis=0, out=before, mode="clip")  # "raise" would copy
            grown += size
            if grown > span:  # count from the best state of each segment again
                before -= before.min(0)
                np.minimum(before, worst, out=before)
                grown = size
            tiled = charges[row : row + size, None].repeat(rows, axis=1).reshape(size, -1)
            row += size
            for place, (flip, charge) in enumerate(zip(step.flips, tiled, strict=True)):
                if step.begins and place == 0:  # the only way to set the highest bit
                    clear, set_ = now.reshape(quarters)
                    clear[:] = before.reshape(clear.shape)
                    np.add(clear[::-1], charge, out=set_)
                else:  # after the last of a block only states go on whose lowest bit is clear
                    ending = step.ends and place == size - 1
                    on, gone = (np.s_[:, :1], np.s_[:, 1:]) if ending else (np.s_[:], np.s_[:])
                    np.add(before.reshape(quarters)[gone], charge, out=paid.reshape(quarters)[gone])
                    shown, there, here = (each.reshape(step.shape) for each in (before, paid, now))
                    np.minimum(shown[on], there[flip][on], out=here[on])
                before = now
            left = step.places[::2] if step.ends else step.places
        at += stage.kept
    return now.take(left, axis=0)


def _back(
    stages: list[_Stage], charges: NDArray[Any], store: NDArray[Any], last: NDArray[Any]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The words (rows, segments) that led to the best of the *last* states, and which of them began in state zero."""
    lanes = np.arange(charges.shape[1])
    words = np.empty(charges.shape, np.uint8)
    exact = charges.T.astype(np.float64)
    row, at = len(charges), len(store)
    state = last.argmin(0)
    for stage in reversed(stages):
        end, row = row, row - stage.taken.shape[1]
        at -= stage.kept
        came, taken = stage.came[state][:, None] ^ stage.spans, stage.taken[state]
        spots = stage.steps[0].places[came] * lanes.size + lanes[:, None]
        # To choose a column that the state has taken is to leave it out.
        prices = np.where(taken, -1, 1) * exact[:, row:end] @ stage.chosen.T
        best = (store[at : at + stage.kept].reshape(-1).take(spots) + prices).argmin(1)
        words[row:end] = (taken != stage.chosen[best]).T
        state = came[lanes, best]
    return words, state == 0
