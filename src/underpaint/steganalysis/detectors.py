"""The detectors that judge a picture of which nothing else is known: what each looks at, and when it is suspicious.

One entry each in :data:`DETECTORS`, and a score by :func:`scores`. A threshold lets pass at least 99 of 100 pictures of
each of three clean sets; docs/analyst.md says which, and what of a fourth exceeds it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from underpaint.steganalysis.cnn import learned
from underpaint.steganalysis.stegexpose import fused, stegexpose, weighted_stego
from underpaint.types import SMALLEST_SIDE, as_image

if TYPE_CHECKING:
    from underpaint.types import Image

#: The sides of the pictures that thresholds were chosen by.
_SIDE, _SMALL_SIDE = 256, 128
#: No threshold is above it.
_HIGHEST = 0.99


@dataclass(frozen=True)
class Detector:
    """A detector: what is known of it."""

    #: Scores above it, 0–1, are suspicious in pictures of 256×256 pixels and more.
    threshold: float
    #: The share of clean pictures that are so, 0–1, in that of all sets that has most of them.
    false_alarms: float
    #: What it looks at.
    meaning: str
    #: The fewest pixels it can judge.
    smallest: int = _SMALL_SIDE**2

    def threshold_at(self, pixels: int) -> float:
        """The threshold for a picture of so many *pixels*: in small ones an estimate varies as 1 / √pixels."""
        return min(self.threshold * max(1.0, _SIDE / math.sqrt(pixels)), _HIGHEST)


#: What a score says, and what none can.
BLIND = """\
A score is the share of values, 0 to 1, that seem to carry a bit in place of their
lowest. That of the network is none: it says how sure it is that something is hidden.
It alone was shown changes of ±1, as of lsb and basn-stc.
Nothing suspicious does not mean that nothing is hidden."""

DETECTORS: dict[str, Detector] = {
    "primary-sets": Detector(0.26, 0.009, "pairs of neighbours in a row"),
    "sample-pairs": Detector(0.26, 0.009, "all pairs of neighbours"),
    "chi-square": Detector(0.07, 0.01, "how often each value occurs, from the top", smallest=_SIDE**2),
    "rs": Detector(0.16, 0.007, "how rough small squares are"),
    "stegexpose": Detector(0.22, 0.01, "the mean of the four above"),
    "weighted-stego": Detector(0.07, 0.008, "values beside what their neighbours foretell"),
    "network": Detector(0.95, 0.007, "what it was shown of covers and containers"),
}


def scores(image: Image) -> dict[str, float | None]:
    """Return each detector's score of *image*, ``uint8 (H, W, 3)``, by its name; None where it cannot judge.

    Raises:
        UsageError: *image* is no picture.
    """
    pixels = as_image(image).size // 3
    if all(pixels < detector.smallest for detector in DETECTORS.values()):
        return dict.fromkeys(DETECTORS)
    found = stegexpose(image).estimates
    found = {name: estimate if pixels >= DETECTORS[name].smallest else None for name, estimate in found.items()}
    opinion = learned(image) if min(image.shape[:2]) >= SMALLEST_SIDE else None
    return {
        **found,
        "stegexpose": fused(found.values()),
        "weighted-stego": weighted_stego(image),
        "network": opinion,
    }
