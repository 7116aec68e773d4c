"""The residuals of SRM and how submodels combine them (Fridrich and Kodovský 2012, section II and figure 2).

A direction is written as a digit, by its place on a numeric keypad around the pixel 5: "6" is the residual towards the
right neighbour, "8" towards the upper one, "9" towards the upper right one::

    7 8 9
    4 5 6
    1 2 3

A *part* is a string of directions, the residual of which is the minimum over these directions: "68" is the minimum of
the residuals to the right and up, "6" the residual to the right alone. A *group* is a pair of tuples of parts: those
whose co-occurrences are counted along rows, and those along columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KEYPAD = {
    digit: (1 - place // 3, place % 3 - 1) for place, digit in enumerate("123456789")
}  # direction: (rows down, columns right)

Parts = tuple[str, ...]
Group = tuple[Parts, Parts]


@dataclass(frozen=True)
class Submodel:
    """A submodel: one co-occurrence matrix for each group."""

    name: str
    groups: tuple[Group, ...]

    @property
    def linear(self) -> bool:
        """True if a residual is taken alone (spam), False for minimum and maximum over directions (minmax)."""
        return len(self.groups[0][0][0]) == 1


@dataclass(frozen=True)
class Family:
    """Residuals of one kind: kernels ``(2·margin + 1,)²`` by direction, quantisation step c, multiples q, submodels."""

    name: str
    step: int
    qs: tuple[float, ...]
    kernels: dict[str, NDArray[np.int16]]
    submodels: tuple[Submodel, ...]

    def with_steps(self, *qs: float) -> Family:
        """Return a copy with other multiples q."""
        return replace(self, qs=qs)

    @property
    def names(self) -> str:
        """All directions, in the order of :meth:`residuals`."""
        return "".join(self.kernels)

    @property
    def margin(self) -> int:
        """Pixels on each side without a residual."""
        return len(self.kernels[self.names[0]]) // 2

    @property
    def parts(self) -> Parts:
        """All parts of all submodels, each once."""
        groups = [group for model in self.submodels for group in model.groups]
        return tuple(dict.fromkeys(part for group in groups for parts in group for part in parts))

    def residuals(self, rows: NDArray[np.uint8]) -> NDArray[np.int16]:
        """Compute the residuals of *rows* ``uint8 (H, W)``: ``int16 (directions, H - 2·margin, W - 2·margin)``."""
        values = rows.astype(np.int16)
        height, width = (side - 2 * self.margin for side in rows.shape)
        found = np.zeros((len(self.kernels), height, width), np.int16)
        for residual, kernel in zip(found, self.kernels.values(), strict=True):
            for y, x in np.argwhere(kernel):
                residual += kernel[y, x] * values[y : y + height, x : x + width]
        return found


def _line(direction: str, weights: dict[int, int]) -> NDArray[np.int16]:
    """Return the kernel along a *direction*: weights by their distance from the pixel."""
    margin = max(weights)
    kernel = np.zeros((2 * margin + 1, 2 * margin + 1), np.int16)
    down, right = _KEYPAD[direction]
    for steps, weight in weights.items():
        kernel[margin + steps * down, margin + steps * right] = weight
    return kernel


def _edges(square: list[list[int]]) -> dict[str, NDArray[np.int16]]:
    """Return a square kernel as "5", and its halves towards each side as "8", "4", "2" and "6"."""
    kernel = np.array(square, np.int16)
    upper = kernel.copy()
    upper[len(square) // 2 + 1 :] = 0
    return {"5": kernel, **{side: np.rot90(upper, turns) for turns, side in enumerate("8426")}}


def _two_ways(name: str, along: Parts, across: Parts) -> tuple[Submodel, Submodel]:
    """Return two submodels: as given (h), and with rows and columns exchanged (v)."""
    return Submodel(f"{name}h", ((along, across),)), Submodel(f"{name}v", ((across, along),))


def _one_way(name: str, *parts: str) -> Submodel:
    return Submodel(name, ((parts, parts),))


def _linear(name: str, along: Parts, across: Parts) -> Submodel:
    """Return one submodel with both orientations as two groups."""
    return Submodel(name, ((along, across), (across, along)))


# First and third order: eight directions.
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
# Second order is symmetric, four directions: 6 along rows, 8 along columns, 9 and 3 along diagonals.
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

#: Quantisation steps are c and 2 c for the first order, c, 1.5 c and 2 c for the others.
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
