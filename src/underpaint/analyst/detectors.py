"""The detectors that judge a picture of which nothing else is known: what each looks at, and when it is suspicious.

One entry each in :data:`DETECTORS`, and a score by :func:`scores`. A threshold lets pass 99 of 100 clean pictures of
one set; how many of another set, on which nothing was tuned, exceed it is said beside. docs/analyst.md describes both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from underpaint.analyst.statistics import stegexpose, weighted_stego
from underpaint.types import as_image

if TYPE_CHECKING:
    from underpaint.types import Image

#: The pixels of the pictures that thresholds were chosen by. Of smaller ones every estimate is less sure.
SMALLEST = 128 * 128


@dataclass(frozen=True)
class Detector:
    """A detector: what is known of it."""

    #: Scores above it, 0–1, are suspicious.
    threshold: float
    #: The share of clean pictures that are so, 0–1, as measured on photographs that no threshold was chosen by.
    false_alarms: float
    #: What it looks at.
    meaning: str


#: What a score says, and what none can.
BLIND = """\
A score is the share of values, 0 to 1, that seem to carry a bit in place of their
lowest. Little else is seen: no changes of ±1, as of basn, basn-stc and lsb, and not
what robust and stdm paint. Nothing suspicious does not mean that nothing is hidden."""

DETECTORS: dict[str, Detector] = {
    "primary-sets": Detector(0.5, 0.01, "pairs of neighbours in a row"),
    "sample-pairs": Detector(0.5, 0.01, "all pairs of neighbours"),
    "chi-square": Detector(0.5, 0.01, "how often each value occurs, from the top"),
    "rs": Detector(0.5, 0.01, "how rough small squares are"),
    "stegexpose": Detector(0.5, 0.01, "the mean of the four above"),
    "weighted-stego": Detector(0.5, 0.01, "values beside what their neighbours foretell"),
}


def scores(image: Image) -> dict[str, float | None]:
    """Return each detector's score of *image*, ``uint8 (H, W, 3)``, by its name; None where it has none.

    None has any below :data:`SMALLEST` pixels.

    Raises:
        UsageError: *image* is no picture.
    """
    if as_image(image).size < 3 * SMALLEST:
        return dict.fromkeys(DETECTORS)
    verdict = stegexpose(image)
    return {**verdict.estimates, "stegexpose": verdict.mean, "weighted-stego": weighted_stego(image)}
