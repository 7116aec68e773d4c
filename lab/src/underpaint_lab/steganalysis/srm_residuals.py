"""The residuals of SRM and how submodels combine them (Fridrich and Kodovský 2012, section II and figure 2).

A direction is a digit, as it lies on a keypad around 5::

    7 8 9
    4 5 6
    1 2 3

A *part* is a string of directions: the least residual of these, or the only one. A *group* says of which parts
sequences are counted along rows, and of which along columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KEYPAD = {digit: (1 - place // 3, place % 3 - 1) for place, digit in enumerate("123456789")}  # rows down, columns

Parts = tuple[str, ...]
Group = tuple[Parts, Parts]


@dataclass(frozen=True)
class Submodel:
    """One way to look at a family's residuals: a co-occurrence for each group."""

    name: str
    groups: tuple[Group, ...]

    @property
    def linear(self) -> bool:
        """Whether residuals are taken as they are, not the least and the largest of several."""
        return len(self.groups[0][0][0]) == 1


@dataclass(frozen=True)
class Family:
    """Residuals of one kind: kernels ``(2·margin + 1,)²`` by direction, the step c, its multiples q, submodels."""

    name: str
    step: int
    qs: tuple[float, ...]
    kernels: dict[str, NDArray[np.int16]]
    submodels: tuple[Submodel, ...]

    def with_steps(self, *qs: float) -> Family:
        """The same with other multiples."""
        return replace(self, qs=qs)

    @property
    def names(self) -> str:
        """The directions, in the order of :meth:`residuals`."""
        return "".join(self.kernels)

    @property
    def margin(self) -> int:
        """How many pixels on each side have no residual."""
        return len(self.kernels[self.names[0]]) // 2

    @property
    def parts(self) -> Parts:
        """Every part that any submodel counts."""
        groups = [group for model in self.submodels for group in model.groups]
        return tuple(dict.fromkeys(part for group in groups for parts in group for part in parts))

    def residuals(self, rows: NDArray[np.uint8]) -> NDArray[np.int16]:
        """Residuals of *rows* ``(H, W)`` by direction, ``(directions, H - 2·margin, W - 2·margin)``."""
        values = rows.astype(np.int16)
        height, width = (side - 2 * self.margin for side in rows.shape)
        found = np.zeros((len(self.kernels), height, width), np.int16)
        for residual, kernel in zip(found, self.kernels.values(), strict=True):
            for y, x in np.argwhere(kernel):
                residual += kernel[y, x] * values[y : y + height, x : x + width]
        return found


def _line(direction: str, weights: dict[int, int]) -> NDArray[np.int16]:
    """The kernel with these *weights* so many steps in a *direction*."""
    margin = max(weights)
    kernel = np.zeros((2 * margin + 1, 2 * margin + 1), np.int16)
    down, right = _KEYPAD[direction]
    for steps, weight in weights.items():
        kernel[margin + steps * down, margin + steps * right] = weight
    return kernel


def _edges(square: list[list[int]]) -> dict[str, NDArray[np.int16]]:
    """A square kernel, and its half with the middle towards each side."""
    kernel = np.array(square, np.int16)
    upper = kernel.copy()
    upper[len(square) // 2 + 1 :] = 0
    return {"5": kernel, **{side: np.rot90(upper, turns) for turns, side in enumerate("8426")}}


def _two_ways(name: str, along: Parts, across: Parts) -> tuple[Submodel, Submodel]:
    """Two submodels: as given, and with rows and columns exchanged."""
    return Submodel(f"{name}h", ((along, across),)), Submodel(f"{name}v", ((across, along),))


def _one_way(name: str, *parts: str) -> Submodel:
    return Submodel(name, ((parts, parts),))


def _linear(name: str, along: Parts, across: Parts) -> Submodel:
    """Both ways as two groups of one submodel."""
    return Submodel(name, ((along, across), (across, along)))


# First and third order look in eight directions.
_STAR = (
    *_two_ways("minmax22", ("64",), ("82",)),
    _one_way("minmax24", "68", "62", "48", "42"),
    *_two_ways("minmax34", ("486", "624"), ("862", "248")),
    _one_way("minmax41", "6482"),
    _one_way("minmax34", "689", "623", "487", "421"),
    *_two_ways("minmax48", ("6897", "4213", "6231", "4879"), ("6239", "4871", "6893", "4217")),
    _one_way("minmax54", "68973", "42137", "62391", "48719"),
    _linear("spam14hv", ("6",), ("8",)),
)
# Second order is the same both ways: 6 and 8 are a row and a column, 9 and 3 the diagonals.
_LINES = (
    _one_way("minmax21", "68"),
    _one_way("minmax41", "6839"),
    _one_way("minmax32", "689", "683"),
    *_two_ways("minmax24", ("96", "36"), ("98", "38")),
    _linear("spam12hv", ("6",), ("8",)),
)
_EDGES = (
    _one_way("minmax24", "84", "26", "86", "24"),
    *_two_ways("minmax22", ("82",), ("64",)),
    _one_way("minmax41", "8426"),
    _linear("spam14hv", ("8", "2"), ("4", "6")),
    _one_way("spam11", "5"),
)

#: Steps of the first order are 1 and 2, of the others c, 1.5 c and 2 c.
FAMILIES = (
    Family("s1", 1, (1, 2), {to: _line(to, {0: -1, 1: 1}) for to in "64829731"}, _STAR),
    Family("s2", 2, (1, 1.5, 2), {to: _line(to, {-1: 1, 0: -2, 1: 1}) for to in "6893"}, _LINES),
    Family("s3", 3, (1, 1.5, 2), {to: _line(to, {-1: 1, 0: -3, 1: 3, 2: -1}) for to in "64829731"}, _STAR),
    Family("s3x3", 4, (1, 1.5, 2), _edges([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]]), _EDGES),
    Family(
        "s5x5",
        12,
        (1, 1.5, 2),
        _edges([[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]]),
        _EDGES,
    ),
)
