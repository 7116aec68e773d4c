"""How well detectors tell containers from covers: rows of the tables ``analyst`` and ``statistics``, and a paper's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from underpaint_lab.benchmarks.core.result_file import ResultFile, given, valued
from underpaint_lab.benchmarks.core.source import Citation, Source
from underpaint_lab.metrics.detection import auc, p_e, roc, tpr_at
from underpaint_lab.metrics.intervals import bootstrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The tables.
ANALYST, STATISTICS = "analyst", "statistics"
#: Values in a pixel.
VALUES = 3
#: Shares of the covers, at which a curve has its points.
FALSE_ALARMS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Detected:
    """What one detector makes of one method's containers."""

    detector: str
    #: Bits per pixel asked for; None for as many as there was room for.
    asked: float | None
    #: Mean bits per pixel that were hidden.
    payload: float
    #: Covers, and as many containers if they are their own.
    pairs: int
    auc: float
    #: The 95 % bootstrap interval over pairs, or over photographs.
    auc_interval: tuple[float, float]
    p_e: float
    #: Share of the containers found with false alarms in at most 1 % of the covers.
    tpr: float
    #: The same for each of :data:`FALSE_ALARMS`.
    curve: tuple[float, ...]
    #: The strategy of a published design, or the size of crops.
    variant: str | None = None
    #: The method that the detector was trained on; None if it was on none.
    trained: str | None = None

    @classmethod
    def of(
        cls,
        covers: NDArray[np.float64],
        containers: NDArray[np.float64],
        seed: int,
        *,
        detector: str,
        asked: float | None,
        payload: float,
        variant: str | None = None,
        trained: str | None = None,
        pictures: tuple[NDArray[np.intp], NDArray[np.intp]] | None = None,
    ) -> Detected:
        """Judge a detector by its scores of *covers* and *containers*, ``(n,)``; six decimals are stored.

        *pictures* says of each which photograph it is of, if there are several of one.
        """
        _, false_alarms, detections = roc(covers, containers)
        curve = [detections[false_alarms <= share].max() for share in FALSE_ALARMS]
        low, high = _interval(covers, containers, pictures, seed)
        return cls(
            detector,
            asked,
            round(payload, 6),
            covers.size,
            round(auc(covers, containers), 6),
            (round(low, 6), round(high, 6)),
            round(p_e(covers, containers), 6),
            round(tpr_at(covers, containers), 6),
            tuple(round(float(share), 6) for share in curve),
            variant,
            trained,
        )

    @property
    def per_value(self) -> float:
        """Mean bits per colour value that were hidden."""
        return self.payload / VALUES

    def numbers(self) -> dict[str, Any]:
        """Every field that has a value, and what follows from them."""
        return valued(asdict(self) | {"per_value": self.per_value})


def _interval(
    covers: NDArray[np.float64],
    containers: NDArray[np.float64],
    pictures: tuple[NDArray[np.intp], NDArray[np.intp]] | None,
    seed: int,
) -> tuple[float, float]:
    if pictures is None:
        return bootstrap(auc, covers, containers, seed=seed)
    numbers = np.unique(pictures[0])
    members = [[np.flatnonzero(each == number) for number in numbers] for each in pictures]

    def area(drawn: NDArray[np.float64], _: NDArray[np.float64]) -> float:
        chosen = (np.concatenate([of[int(i)] for i in drawn]) for of in members)
        return auc(*(scores[each] for scores, each in zip((covers, containers), chosen, strict=True)))

    places = np.arange(numbers.size)
    return bootstrap(area, places, places, seed=seed)


@dataclass(frozen=True)
class Detections(ResultFile):
    """What every detector makes of one method."""

    source: Source
    rows: tuple[Detected, ...]

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows, with what follows from them."""
        return {"rows": [row.numbers() for row in self.rows]}

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take what was measured, leave what follows."""

        def row(found: dict[str, Any]) -> Detected:
            pairs = {name: tuple(found[name]) for name in ("auc_interval", "curve")}
            return Detected(**{"asked": None} | given(found, Detected) | pairs)

        return {"rows": tuple(row(found) for found in lists["rows"])}


@dataclass(frozen=True)
class Area:
    """What the paper's figures say of one strategy and detector."""

    strategy: str
    detector: str
    auc: float
    p_e: float
    #: Bits per pixel; None for as many as there was room for.
    asked: float | None = None


@dataclass(frozen=True)
class Figures(ResultFile):
    """The paper's figures."""

    origin: ClassVar[type[Source | Citation]] = Citation

    source: Citation
    rows: tuple[Area, ...]

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows."""
        return {"rows": [valued(asdict(row)) for row in self.rows]}

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take the rows."""
        return {"rows": tuple(Area(**row) for row in lists["rows"])}
