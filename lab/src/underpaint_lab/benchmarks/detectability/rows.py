"""Rows of the tables ``analyst`` and ``statistics``: detectors that tell containers from covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from underpaint_lab.metrics.detection import auc, p_e, roc, tpr_at
from underpaint_lab.metrics.intervals import bootstrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Names of the tables.
ANALYST, STATISTICS = "analyst", "statistics"
#: Values in a pixel.
VALUES = 3
#: False-positive rates at which a ROC curve is stored.
FALSE_POSITIVE_RATES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, kw_only=True)
class DetectorRow:
    """One detector on the containers of one method."""

    detector: str
    asked: float | None = None  #: bits per pixel asked for; None for the whole capacity
    payload: float  #: mean bits per pixel that were embedded
    pairs: int  #: covers, and as many containers
    auc: float  #: area under the ROC curve
    auc_interval: tuple[float, float]  #: its 95 % bootstrap interval over pairs, or over photographs
    p_e: float  #: least mean of false-positive rate and miss rate
    tpr: float  #: detection rate at a false-positive rate of at most 1 %
    curve: tuple[float, ...]  #: detection rate at each of :data:`FALSE_POSITIVE_RATES`
    variant: str | None = None  #: strategy of the published design, or size of crops
    trained: str | None = None  #: method that the detector was trained on; None without training

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
    ) -> DetectorRow:
        """Measure a detector by its scores; numbers are stored with six decimals.

        Args:
            covers: scores, ``(n,)``.
            containers: scores, ``(m,)``.
            seed: seed of the bootstrap.
            detector: for the row, like the three that follow.
            asked: bits per pixel.
            payload: bits per pixel.
            variant: strategy or size.
            trained: method.
            pictures: number of the photograph of each score, if there are several of one photograph.
        """
        _, false_positives, detections = roc(covers, containers)
        curve = [detections[false_positives <= share].max() for share in FALSE_POSITIVE_RATES]
        low, high = _interval(covers, containers, pictures, seed)
        return cls(
            detector=detector,
            asked=asked,
            payload=round(payload, 6),
            pairs=covers.size,
            auc=round(auc(covers, containers), 6),
            auc_interval=(round(low, 6), round(high, 6)),
            p_e=round(p_e(covers, containers), 6),
            tpr=round(tpr_at(covers, containers), 6),
            curve=tuple(round(float(share), 6) for share in curve),
            variant=variant,
            trained=trained,
        )

    @property
    def per_value(self) -> float:
        """Mean bits per colour value that were embedded."""
        return self.payload / VALUES

    def derived(self) -> dict[str, Any]:
        """Return bits per value."""
        return {"per_value": self.per_value}


@dataclass(frozen=True)
class PublishedDetector:
    """The paper's figures of one strategy and detector."""

    strategy: str
    detector: str
    auc: float
    p_e: float
    asked: float | None = None  #: bits per pixel; None for the whole capacity


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
