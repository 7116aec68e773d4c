"""Blind detection of a watermark by its pilots, and decoding of its message.

The cover, the frame size and the lattice step are not known to the receiver: sizes and steps are tried, and the pilots
tell which one fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from underpaint.coding import convolutional, frame
from underpaint.coding.refusals import not_found
from underpaint.embedding import watermark
from underpaint.errors import NotFoundError
from underpaint.types import MIN_PSNR

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from underpaint.coding.keys import Key
    from underpaint.embedding.spread_transform import SpreadTransform
    from underpaint.embedding.watermark import EmbeddingDomain, Projections
    from underpaint.types import Image, Payload

#: A watermark is reported as present if its p-value is below this.
MAX_FALSE_POSITIVE_RATE = 1e-6
#: A p-value below this ends a search: it stays below the former after correction for all methods.
CERTAIN = 1e-9

Domain = TypeVar("Domain", bound=watermark.EmbeddingDomain)


@dataclass(frozen=True)
class _Search:
    """Settings of blind detection."""

    finest_step: float = 8.0  # smallest lattice step tried, in units of a coefficient
    step_ratio: float = 0.008  # relative distance of neighbouring steps tried
    psnr_margin: float = 3.0  # dB; the largest step tried is that of the lowest PSNR less this
    candidates: int = 6  # frame sizes whose step is refined
    decoded: int = 3  # candidates that are decoded at most
    max_p_value: float = 0.5  # candidates with a larger p-value are not decoded


_SEARCH = _Search()


@dataclass(frozen=True)
class Detection:
    """A candidate for a watermark: a frame size and lattice step that the pilots of a picture agree with."""

    #: Frame size in bytes.
    size: int
    #: Number of times that the coded message is embedded.
    copies: int
    #: Lattice step, in units of a coefficient.
    step: float
    #: Upper bound on the probability that a picture without a watermark of this key scores as high, corrected for the
    #: number of sizes and steps tried. Above 1 it says nothing.
    p_value: float


@dataclass(frozen=True)
class Candidate(Generic[Domain]):
    """A detection in an embedding domain of an image, to be decoded."""

    detection: Detection
    domain: Domain
    #: The image that was searched, ``uint8 (H, W, 3)``.
    image: Image
    #: Number of ways in which the image was moved to find this detection, by which its p-value is multiplied.
    trials: float = 1.0

    @property
    def p_value(self) -> float:
        """Bound on the false-positive probability of the detection."""
        return self.detection.p_value * self.trials


def likeliest(candidates: Iterable[Candidate[Domain]]) -> Candidate[Domain]:
    """Return the candidate with the smallest p-value."""
    return min(candidates, key=lambda each: each.p_value)


def detect(domain: EmbeddingDomain, image: Image, key: Key) -> list[Detection]:
    """Detect watermarks by their pilots, without decoding: the step that fits best, for the likeliest frame sizes.

    With the right key the dither makes the residues of a picture without a watermark uniform. The sum of n cosines then
    exceeds t with a probability below exp(-t² / n) (Hoeffding's lemma; the variance proxy of such a cosine is 1/2). The
    p-value is this bound times the number of sizes and steps tried. Pilots that were not received are not counted.

    Args:
        domain: coefficients to search.
        image: ``uint8 (H, W, 3)``.
        key: the sender's key.

    Returns:
        Candidates by rising p-value; none if the picture is too small.
    """
    if domain.blocks * domain.counts[0] < watermark.pilot_pool(domain):
        return []
    variants = [each for each in product(watermark.SIZES, domain.copies) if watermark.fits(domain, *each)]
    if not variants:
        return []
    spread = watermark.pilots(domain, key)
    projections = spread.project(domain.analyse(image, domain.counts[0]))
    received = np.isfinite(projections)
    if not received.any():
        return []
    patterns = np.stack([1 - 2.0 * watermark.pilot(domain, key, *each) for each in variants], axis=1)
    patterns *= received[:, None]  # (pilots, variants)
    projections[~received] = 0.0
    fewest = domain.pilots + watermark.channel_bits(variants[0][0])
    largest = watermark.typical_step(domain, fewest, MIN_PSNR - _SEARCH.psnr_margin)
    finest, ratio = _SEARCH.finest_step, _SEARCH.step_ratio
    steps = np.geomspace(finest, largest, int(np.log(largest / finest) / ratio) + 2)
    scores = _pilot_scores(spread, projections, steps, patterns)  # (steps, variants)
    detections = []
    for column in np.argsort(-scores.max(axis=0), kind="stable")[: _SEARCH.candidates]:
        near = steps[scores[:, column].argmax()] * (1 + ratio * np.linspace(-1, 1, 21))
        refined = _pilot_scores(spread, projections, near, patterns[:, column])
        trials = scores.size * len(near)
        p_value = trials * float(np.exp(-(max(refined.max(), 0.0) ** 2) / received.sum()))
        size, copies = variants[column]
        detections.append(Detection(size, copies, float(near[refined.argmax()]), p_value))
    return sorted(detections, key=lambda detection: detection.p_value)


def decode(domain: EmbeddingDomain, image: Image, key: Key, detections: Sequence[Detection]) -> tuple[Payload, float]:
    """Decode the message of the first of *detections* whose tag is right.

    Args:
        domain: coefficients to read.
        image: ``uint8 (H, W, 3)``.
        key: the sender's key.
        detections: what :func:`detect` returned.

    Returns:
        The payload and the raw bit error rate: the share of channel bits that the code corrected, of those received in
        at least one copy, copies taken together.

    Raises:
        NotFoundError: none of them has a valid frame.
    """
    for detection in detections[: _SEARCH.decoded]:
        if detection.p_value > _SEARCH.max_p_value:
            break
        count, _, message = watermark.layout(domain, key, detection.size, detection.copies)
        projections = message.project(domain.analyse(image, count))
        soft = message.soft_bits(projections, detection.step).reshape(detection.copies, -1).sum(axis=0)
        bits = convolutional.decode(soft)
        try:
            payload = frame.open_compact(np.packbits(bits).tobytes(), key)
        except NotFoundError:
            continue
        received = np.isfinite(projections).reshape(detection.copies, -1).any(axis=0)
        wrong = convolutional.encode(bits) != (soft > 0)
        return payload, float(np.mean(wrong[received]))
    raise not_found()


def _pilot_scores(
    spread: SpreadTransform, projections: Projections, steps: Projections, patterns: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the agreement of the projections with ±1 *patterns* at each of *steps*: minus to plus their number."""
    return np.asarray(np.cos(2 * np.pi * spread.residues(projections, steps)) @ patterns)
