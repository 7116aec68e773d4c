"""Steganalysis of arrays, files and folders."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

import underpaint
from support.run_cli import run
from underpaint import api, media
from underpaint.errors import ImageError, UsageError
from underpaint.media import samples
from underpaint.steganalysis import detectors

if TYPE_CHECKING:
    from pathlib import Path

    from underpaint.types import Image


def chelsea() -> Image:
    return media.read(samples.path("chelsea")).pixels[:128, :160].copy()


def test_a_finding_has_the_error_rate_and_threshold_of_its_detector() -> None:
    found, scores = api.inspect(chelsea()), detectors.scores(chelsea())
    assert list(found) == list(detectors.DETECTORS)
    for name, finding in found.items():
        known = detectors.DETECTORS[name]
        assert (finding.false_alarms, finding.meaning) == (known.false_alarms, known.meaning)
        assert finding.threshold == known.threshold_at(128 * 160)
        assert finding.score == scores[name]
        assert finding.suspicious == ((finding.score or 0) > finding.threshold)


def test_thresholds_are_higher_for_small_pictures() -> None:
    detector = detectors.DETECTORS["rs"]
    assert detector.threshold_at(10**7) == detector.threshold_at(256**2) == detector.threshold
    assert detector.threshold_at(128 * 128) == pytest.approx(2 * detector.threshold)
    assert detectors.DETECTORS["network"].threshold_at(128 * 128) == 0.99


def test_a_score_above_the_threshold_is_suspicious(monkeypatch: pytest.MonkeyPatch) -> None:
    threshold = detectors.DETECTORS["rs"].threshold_at(128 * 160)
    assert threshold
    for score, expected in ((None, False), (threshold, False), (threshold + 1e-9, True)):
        monkeypatch.setattr(detectors, "scores", lambda _, score=score: {"rs": score})
        assert api.inspect(chelsea())["rs"].suspicious is expected


def test_a_file_has_the_findings_of_its_pixels(tmp_path: Path) -> None:
    media.write(media.Picture(chelsea()), tmp_path / "a.png")
    assert underpaint.inspect_file(tmp_path / "a.png").findings == underpaint.inspect(chelsea())
    assert underpaint.inspect_file(tmp_path / "a.png").warnings == ()


def test_a_lossy_file_has_no_scores(tmp_path: Path) -> None:
    media.write(media.Picture(chelsea()), tmp_path / "a.jpg")
    found = api.inspect_file(tmp_path / "a.jpg")
    assert found.warnings == ("jpeg keeps no least significant bits, and the detectors look at nothing else",)
    assert list(found.findings) == list(detectors.DETECTORS)
    assert all(finding.score is None and not finding.suspicious for finding in found.findings.values())


def test_a_folder_stands_for_the_pictures_in_it(tmp_path: Path) -> None:
    for name in ("b.png", "a.PNG", "c.jpg"):
        media.write(media.Picture(chelsea()), tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    found = dict(api.inspect_files([tmp_path, tmp_path / "b.png", tmp_path / "folder.png"]))
    names = ("a.PNG", "b.png", "broken.png", "c.jpg", "folder.png")
    assert list(found) == [str(tmp_path / name) for name in names]
    refused = [isinstance(each, ImageError) for each in found.values()]
    assert refused == [False, False, True, False, True]
    assert "no pictures in" in str(found[str(tmp_path / "folder.png")])


def test_hide_file_with_check_reports_the_findings_for_its_file(tmp_path: Path) -> None:
    media.write(media.Picture(chelsea()), tmp_path / "cover.png")
    report = api.hide_file(tmp_path / "cover.png", tmp_path / "sent.png", b"payload", method="lsb", check=True)
    assert report.findings == api.inspect_file(tmp_path / "sent.png").findings
    unchecked = api.hide_file(tmp_path / "cover.png", tmp_path / "more.png", b"payload", method="lsb")
    assert unchecked.findings is None


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(UsageError):
        api.inspect(np.zeros((8, 8), np.uint8))


def test_a_hundred_malformed_files_are_findings_or_errors(tmp_path: Path) -> None:
    rng, kinds = np.random.default_rng(11), list(media.FORMATS)
    for number in range(100):
        kind = kinds[number % len(kinds)]
        data = bytearray(media.encode(media.Picture(chelsea()[:40, :48]), kind))
        if number % 3 == 0:
            del data[rng.integers(len(data)) :]
        elif number % 3 == 1:
            start = int(rng.integers(len(data)))
            data[start : start + 40] = rng.bytes(40)
        else:
            for place in rng.integers(len(data), size=8):
                data[place] ^= 1 << rng.integers(8)
        (tmp_path / f"{number:02}{media.FORMATS[kind].extensions[0]}").write_bytes(bytes(data))
    outcome = run("inspect", str(tmp_path), "--json")
    said = json.loads(outcome.stdout)
    assert len(said["pictures"]) + len(said["failed"]) == 100
    assert len(said["failed"]) > 30
    assert outcome.status == 1
    assert all(line.startswith("underpaint: ") for line in outcome.stderr.splitlines())
