"""Estimators of LSB replacement tell crops apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from underpaint import media
from underpaint.errors import UsageError
from underpaint.media import samples
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.detectability import lsb_replacement
from underpaint_lab.benchmarks.detectability.measure import CLEAN
from underpaint_lab.benchmarks.detectability.rows import (
    STATISTICS,
)
from underpaint_lab.benchmarks.detectability.table import statistics_table
from underpaint_lab.benchmarks.run import run


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Two pieces of one photograph, one of them upright."""
    (tmp_path / "photographs").mkdir()
    pixels = media.read(samples.path("coffee")).pixels
    for number in range(2):
        piece = pixels[60 * number : 60 * number + 130, 80 * number : 80 * number + 200]
        turned = piece.swapaxes(0, 1).copy() if number == 1 else piece
        media.write(media.Picture(turned), tmp_path / "photographs" / f"{number}.png")
    return tmp_path / "photographs"


def test_estimators_tell_crops_apart(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setattr(lsb_replacement, "SIZES", ((64, 48),))
    monkeypatch.setattr(lsb_replacement, "MIN_PICTURES", 2)
    run(STATISTICS, images=photographs, results=tmp_path, jobs=1)
    assert "sample pairs" in capsys.readouterr().out
    clean, replaced = (report.read(tmp_path / STATISTICS / f"{name}.json") for name in (CLEAN, "replacement"))
    assert [row.detector for row in replaced.rows] == [
        *("primary-sets", "sample-pairs", "chi-square", "rs"),
        *("stegexpose", "stegexpose-compat", "weighted-stego"),
    ]
    assert {(row.pairs, row.asked, row.variant) for row in replaced.rows} == {(2 * 4 + 3 * 2, 0.3, "64×48")}
    assert {row.pairs for row in clean.rows} == {(2 * 4 + 3 * 2) // 2}
    task = lsb_replacement.PictureTask(photographs / "0.png", 0, 0, "replacement")
    assert lsb_replacement.measure(task) == lsb_replacement.measure(task)
    assert not (tmp_path / STATISTICS / "roc.svg").exists()
    shown = statistics_table([clean, replaced])
    assert shown.cells[0] == ["estimator", "clean, 64×48", "replacement, 64×48"]
    assert len(shown.cells) == 8
    with pytest.raises(UsageError, match="look for replacement, not for 'matching'"):
        lsb_replacement.estimate("matching", images=photographs)
    monkeypatch.setattr(lsb_replacement, "SIZES", ((130, 200),))
    with pytest.raises(UsageError, match="no two crops of 130×200"):
        lsb_replacement.estimate(CLEAN, images=photographs, jobs=1)
    monkeypatch.setattr(lsb_replacement, "MIN_PICTURES", 3)
    with pytest.raises(UsageError, match="2 photographs are too few"):
        lsb_replacement.estimate(CLEAN)
