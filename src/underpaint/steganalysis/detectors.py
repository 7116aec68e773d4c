"""The detectors that ``inspect`` runs: thresholds, false-positive rates, scores.

:data:`DETECTORS` has one entry for each. At its threshold a detector flags at most 1 of 100 pictures of each of three
sets of clean pictures; docs/results/detectability.md names the sets and the rate on a fourth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from underpaint.models import onnxruntime_installed
from underpaint.steganalysis.cnn import cnn
from underpaint.steganalysis.stegexpose import fuse, stegexpose
from underpaint.steganalysis.ws import ws
from underpaint.types import SMALLEST_SIDE, as_image

if TYPE_CHECKING:
    from underpaint.types import Image

#: Side in pixels of the pictures that thresholds were chosen on.
_REFERENCE_SIDE = 256
#: Side in pixels of the smallest picture with a score.
_MIN_SIDE = 128
#: Upper limit of a threshold.
_MAX_THRESHOLD = 0.99


@dataclass(frozen=True)
class Detector:
    """Threshold and description of a detector."""

    #: Scores above it, 0–1, are suspicious in pictures of at least 256×256 pixels.
    threshold: float
    #: False-positive rate, 0–1: the share of clean pictures above the threshold, in the set where it is largest.
    false_alarms: float
    #: The property of the picture that the score is computed from.
    meaning: str
    #: Fewest pixels for a score.
    min_pixels: int = _MIN_SIDE**2

    def threshold_at(self, pixels: int) -> float:
        """Return the threshold for a picture of this many *pixels*: an estimate's deviation grows as 1 / √pixels."""
        return min(self.threshold * max(1.0, _REFERENCE_SIDE / math.sqrt(pixels)), _MAX_THRESHOLD)


#: Explanation of the scores, printed below them.
BLIND = """\
A score is the estimated share of values, 0 to 1, whose least significant bit carries
payload; that of the network is the probability that the picture is a container. Only
the network detects changes of ±1, such as those of lsb and basn-stc.
Nothing suspicious does not mean that nothing is hidden."""

DETECTORS: dict[str, Detector] = {
    "primary-sets": Detector(0.26, 0.009, "pairs of neighbours in a row"),
    "sample-pairs": Detector(0.26, 0.009, "all pairs of neighbours"),
    "chi-square": Detector(0.07, 0.01, "how often each value occurs, from the top", min_pixels=_REFERENCE_SIDE**2),
    "rs": Detector(0.16, 0.007, "roughness of small squares"),
    "stegexpose": Detector(0.22, 0.01, "the mean of the four above"),
    "weighted-stego": Detector(0.07, 0.008, "values beside their prediction by neighbours"),
    "network": Detector(0.95, 0.007, "a network trained on covers and containers"),
}


def scores(image: Image) -> dict[str, float | None]:
    """Run all detectors.

    Args:
        image: ``uint8 (H, W, 3)``.

    Returns:
        Score by detector, 0–1, with the names of :data:`DETECTORS`; None where the picture is too small for it, and
        for the network without ONNX Runtime.

    Raises:
        UsageError: *image* is no picture.
        ModelError: the network is missing or altered.
    """
    pixels = as_image(image).size // 3
    if all(pixels < detector.min_pixels for detector in DETECTORS.values()):
        return dict.fromkeys(DETECTORS)
    fusion = stegexpose(image).estimates
    estimates = {name: estimate if pixels >= DETECTORS[name].min_pixels else None for name, estimate in fusion.items()}
    probability = cnn(image) if min(image.shape[:2]) >= SMALLEST_SIDE and onnxruntime_installed() else None
    return {
        **estimates,
        "stegexpose": fuse(estimates.values()),
        "weighted-stego": ws(image),
        "network": probability,
    }
