"""Detectors of ``inspect``: scores, thresholds, and the sizes of pictures that they need."""

from __future__ import annotations

from support.lsb_replacement import PHOTOGRAPHS, replaced
from underpaint.steganalysis.detectors import DETECTORS, scores


def test_every_detector_has_a_score_and_a_threshold() -> None:
    small = scores(PHOTOGRAPHS["chelsea"][:128, :128])
    assert small.keys() == DETECTORS.keys()
    assert [name for name, score in small.items() if score is None] == ["chi-square"]
    assert None not in scores(PHOTOGRAPHS["chelsea"][:256, :256]).values()
    assert scores(PHOTOGRAPHS["chelsea"][:127, :128]) == dict.fromkeys(DETECTORS)
    for detector in DETECTORS.values():
        assert 0 < detector.threshold < 1
        assert 0 < detector.false_alarms < 0.05


def test_sample_covers_pass_and_their_containers_are_suspicious() -> None:
    """Without chi-square, which flags one cover and detects no scattered payload, and without the network."""
    for cover in PHOTOGRAPHS.values():
        clean, stego = scores(cover), scores(replaced(cover, 0.4))
        for name in DETECTORS.keys() - {"chi-square", "network"}:
            assert (clean[name] or 0) <= DETECTORS[name].threshold < (stego[name] or 0)
