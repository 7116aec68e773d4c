"""Tables of secrets that are recognised: the paper's rows above ours, and what both say of themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from underpaint.errors import UsageError
from underpaint_lab import benchmarks
from underpaint_lab.provenance import Source
from underpaint_lab.benchmarks.faces.rows import ABLATION, COVERS, TABLES, Alike, Claims, Recognition, Recognitions
from underpaint_lab.benchmarks.faces.steganalysis_rows import STEGANALYSIS, PublishedUnmaskings, Unmasking, Unmaskings
from underpaint_lab.benchmarks.robustness.rows import read
from underpaint_lab.benchmarks.robustness.table import side_by_side

RESULTS = Path(__file__).parents[4] / "results"
SOURCE = Source("judge", "0" * 12, 0, "faces", 3, "0" * 64, {}, "machine")
ROW = Recognition("baseline", "faces", 0.81, "textures", "2 steps", 3, plain=0.83, cover=Alike(0.004, 24.0, 24.5, 0.98))


def paper(table: str) -> Claims:
    found = read(RESULTS / table / "paper.json")
    assert isinstance(found, Claims)
    return found


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    result = Recognitions(ABLATION, "faces-baseline", SOURCE, (ROW, replace(ROW, cover=None, secret=Alike(ssim=0.5))))
    found = read(result.write(tmp_path))
    assert found == result
    unmasked = Unmaskings(STEGANALYSIS, "here", SOURCE, (Unmasking("ye", 2, "MIAIS", 0.75, 300, 1000),))
    assert read(unmasked.write(tmp_path)) == unmasked


def test_ours_stand_below_the_papers_of_the_same_name() -> None:
    ours = Recognitions(ABLATION, "x", SOURCE, (replace(ROW, name="other"), ROW))
    cells = side_by_side([ours, paper(ABLATION)]).cells
    header, first, second = cells[:3]
    assert first[:3] == ["baseline", "paper", "faces"]
    assert second[:3] == ["baseline", "here", "faces"]
    assert second[header.index("gap")] == "2.00"
    assert second[header.index("cover PSNR")] == "24.00 / 24.50"
    assert [line[0] for line in cells if line[2] == "faces"][-1] == "other"
    assert "wrong key" not in header, "nobody has one"


def test_what_is_small_is_not_nothing() -> None:
    row = replace(ROW, cover=Alike(mse=0.00003, pooled_psnr=45.0), detected=0.0)
    cells = side_by_side([Recognitions(ABLATION, "x", SOURCE, (row,))]).cells
    assert cells[1][cells[0].index("cover MSE")] == "3e-05"
    assert cells[1][cells[0].index("detected")] == "0.000 / – / –"


def test_the_papers_figures() -> None:
    full = paper(ABLATION).rows[3]
    assert full.cover == Alike(mse=0.0052, pooled_psnr=22.85, ms_ssim_as_coded=0.9799)
    assert full.gap == pytest.approx(0.28)
    assert {name: len(paper(name).rows) for name in TABLES[:4]} == dict(zip(TABLES, (8, 6, 11, 5), strict=False))
    for row in (row for name in TABLES[:4] for row in paper(name).rows):
        for alike in (row.cover, row.secret):
            if alike and alike.mse and alike.pooled_psnr:
                assert 10 ** (-alike.pooled_psnr / 10) == pytest.approx(alike.mse, abs=1.1e-4)


def test_steganalysers_stand_by_case() -> None:
    theirs = read(RESULTS / STEGANALYSIS / "paper.json")
    assert isinstance(theirs, PublishedUnmaskings)
    ours = Unmaskings(STEGANALYSIS, "here", SOURCE, (Unmasking("ye", 2, "ours", 0.75, 300, 1000, "90 steps"),))
    shown = side_by_side([ours, theirs])
    assert [line[:3] for line in shown.cells[1:4]] == [["ye", "1", "paper"], ["ye", "2", "paper"], ["ye", "2", "here"]]
    assert shown.cells[3][3:] == ["1,000, 300", "–", "–", "–", "–", "–", "0.750"]
    assert "90 steps" in shown.caption


def test_the_bench_shows_what_it_does_not_judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paper(COVERS).write(tmp_path)
    benchmarks.run(COVERS, results=tmp_path)
    assert "Accuracy is, of" in capsys.readouterr().out
    with pytest.raises(UsageError, match="cannot be measured"):
        benchmarks.run(COVERS, "hips", results=tmp_path)
