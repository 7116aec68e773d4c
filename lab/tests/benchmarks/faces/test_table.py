"""Tables on MIAIS: the paper's rows stand above ours of the same name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab_support.results import RESULTS, SOURCE
from underpaint.errors import UsageError
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.faces.rows import (
    ABLATION,
    COVERS,
    MULTITASK,
    PRIVACY,
    STEGANALYSIS,
    FaceQuality,
    RecognitionRow,
    SteganalyserRow,
)
from underpaint_lab.benchmarks.faces.table import recognition_table, steganalysis_table
from underpaint_lab.benchmarks.run import run

#: Tables that the paper has.
TABLES = (ABLATION, COVERS, PRIVACY, MULTITASK)
COVER = FaceQuality(0.004, 24.0, 24.5, 0.98)
ROW = RecognitionRow("baseline", "faces", 0.81, "textures", "2 steps", 3, plain=0.83, cover=COVER)


def paper(table: str) -> ResultFile[RecognitionRow]:
    return report.read(RESULTS / table / "paper.json")


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    result = ResultFile(
        ABLATION, "faces-baseline", SOURCE, (ROW, replace(ROW, cover=None, secret=FaceQuality(ssim=0.5)))
    )
    assert report.read(result.write(tmp_path)) == result
    steganalysis = ResultFile(STEGANALYSIS, "here", SOURCE, (SteganalyserRow("ye", 2, "MIAIS", 0.75, 300, 1000),))
    assert report.read(steganalysis.write(tmp_path)) == steganalysis


def test_ours_stand_below_the_papers_of_the_same_name() -> None:
    ours = ResultFile(ABLATION, "x", SOURCE, (replace(ROW, name="other"), ROW))
    cells = recognition_table([ours, paper(ABLATION)]).cells
    header, first, second = cells[:3]
    assert first[:3] == ["baseline", "paper", "faces"]
    assert second[:3] == ["baseline", "here", "faces"]
    assert second[header.index("gap")] == "2.00"
    assert second[header.index("cover PSNR")] == "24.00 / 24.50"
    assert [line[0] for line in cells if line[2] == "faces"][-1] == "other"
    assert "wrong key" not in header, "no row has one"


def test_small_numbers_are_not_rounded_to_zero() -> None:
    row = replace(ROW, cover=FaceQuality(mse=0.00003, pooled_psnr=45.0), detected=0.0)
    cells = recognition_table([ResultFile(ABLATION, "x", SOURCE, (row,))]).cells
    assert cells[1][cells[0].index("cover MSE")] == "3e-05"
    assert cells[1][cells[0].index("detected")] == "0.000 / – / –"


def test_published_numbers_are_consistent() -> None:
    full = paper(ABLATION).rows[3]
    assert full.cover == FaceQuality(mse=0.0052, pooled_psnr=22.85, ms_ssim_as_coded=0.9799)
    assert full.gap == pytest.approx(0.28)
    assert {name: len(paper(name).rows) for name in TABLES} == dict(zip(TABLES, (8, 6, 11, 5), strict=True))
    for row in (row for name in TABLES for row in paper(name).rows):
        for quality in (row.cover, row.secret):
            if quality and quality.mse and quality.pooled_psnr:
                assert 10 ** (-quality.pooled_psnr / 10) == pytest.approx(quality.mse, abs=1.1e-4)


def test_steganalysers_stand_by_case() -> None:
    theirs: ResultFile[SteganalyserRow] = report.read(RESULTS / STEGANALYSIS / "paper.json")
    ours = ResultFile(STEGANALYSIS, "here", SOURCE, (SteganalyserRow("ye", 2, "ours", 0.75, 300, 1000, "90 steps"),))
    shown = steganalysis_table([ours, theirs])
    assert [line[:3] for line in shown.cells[1:4]] == [["ye", "1", "paper"], ["ye", "2", "paper"], ["ye", "2", "here"]]
    assert shown.cells[3][3:] == ["1,000, 300", "–", "–", "–", "–", "–", "0.750"]
    assert "90 steps" in shown.caption


def test_stored_rows_are_shown_without_a_measurement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paper(COVERS).write(tmp_path)
    run(COVERS, results=tmp_path)
    assert "Accuracy on faces" in capsys.readouterr().out
    with pytest.raises(UsageError, match="cannot be measured"):
        run(COVERS, "hips", results=tmp_path)
