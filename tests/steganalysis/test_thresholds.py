"""Thresholds of the detectors: higher for small pictures, where estimates vary more."""

from __future__ import annotations

import pytest

from underpaint.steganalysis.detectors import DETECTORS, Detector

DETECTOR = Detector(0.2, 0.01, "any property")


@pytest.mark.parametrize("side", [256, 257, 4000])
def test_a_large_picture_has_the_plain_threshold(side: int) -> None:
    assert DETECTOR.threshold_at(side**2) == 0.2


@pytest.mark.parametrize(("side", "threshold"), [(128, 0.4), (64, 0.8), (32, 0.99)])
def test_the_threshold_grows_as_the_side_shrinks_up_to_a_limit(side: int, threshold: float) -> None:
    assert DETECTOR.threshold_at(side**2) == pytest.approx(threshold)


@pytest.mark.parametrize("name", DETECTORS)
def test_every_threshold_can_be_exceeded(name: str) -> None:
    assert all(0 < DETECTORS[name].threshold_at(side**2) < 1 for side in (1, 128, 256, 5000))
