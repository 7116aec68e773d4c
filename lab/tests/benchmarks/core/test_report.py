"""Pages and model cards are filled in from result files; results are shown, written and plotted."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from lab_support.results import CITATION, SOURCE
from underpaint.errors import UsageError
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.core.result_file import PAPER, ResultFile
from underpaint_lab.benchmarks.lossless.rows import BASN, SampleResult, StrategyRow
from underpaint_lab.benchmarks.robustness.rows import ChannelRow, PublishedBer, Quality

QUALITY = (Quality(40, 30, 18, 70.1, 68.94, 0.9999), Quality(42, 30, 18, 70.1, 68.94, 0.9999))
ROWS = tuple(
    ChannelRow(channel, psnr, 30, 18, 18 * (not errors), errors=errors)
    for channel, errors in (("none", 0), ("noise:0.04", 270))
    for psnr in (40, 42)
)
CHANNELS = ResultFile("channels", "low", SOURCE, ROWS, {"quality": QUALITY, "skipped": ()})
EQUAL = replace(CHANNELS, table="robust-jpeg", rows=(), notes={"quality": (), "skipped": ()})
PUBLISHED = ResultFile("robust-jpeg", PAPER, CITATION, (PublishedBer("jpeg:10", "Ours", 30, 0.3122),))


def test_tables_of_a_page_are_filled_in(tmp_path: Path) -> None:
    CHANNELS.write(tmp_path)
    text = "before\n<!-- results: channels/low -->\nstale\n<!-- end of results -->\nafter\n"
    filled = report.fill_page(text, tmp_path)
    assert "stale" not in filled
    assert "| none | 0 % (0–0.71) · 100 % | 0 % (0–0.71) · 100 % |" in filled
    assert filled.startswith("before\n<!-- results: channels/low -->\n")
    assert filled.endswith("\n<!-- end of results -->\nafter\n")
    assert report.fill_page(filled, tmp_path) == filled
    assert report.fill_page("nothing to fill", tmp_path) == "nothing to fill"
    with pytest.raises(UsageError, match="missing"):
        report.fill_page(text.replace("low", "missing"), tmp_path)
    with pytest.raises(UsageError, match="no result to show"):
        report.fill_page(text.replace("channels/low", "nothing"), tmp_path)


def test_a_paper_may_be_shown_alone(tmp_path: Path) -> None:
    PUBLISHED.write(tmp_path)
    text = "<!-- results: robust-jpeg/paper -->\n<!-- end of results -->"
    assert "| jpeg:10 | 31.22 % |" in report.fill_page(text, tmp_path)


def test_methods_of_a_table_that_shows_one_are_not_mixed() -> None:
    with pytest.raises(UsageError, match="channels shows one method"):
        report.render([CHANNELS, replace(CHANNELS, method="high")])


def test_unknown_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(UsageError, match=r"x\.json is no result file"):
        report.read(tmp_path / "x.json")


def test_a_card_repeats_measured_numbers_that_it_also_reports(tmp_path: Path) -> None:
    CHANNELS.write(tmp_path)
    card = '+++\nmethod = "low"\n[reported]\n"ber_none" = 0.1\n\n[measured]\nstale = 1\n+++\n\ntext [measured]\n'
    filled = report.fill_card(card, tmp_path)
    assert '[measured]\n"ber_none" = 0.000000\n"ber_none_low" = 0.000000\n"ber_none_high" = 0.007' in filled
    assert "stale" not in filled
    assert "noise" not in filled
    assert filled.endswith("\n+++\n\ntext [measured]\n")
    assert report.fill_card(filled, tmp_path) == filled
    other = card.replace("low", "other")
    assert report.fill_card(other, tmp_path) == other


def test_a_card_may_have_another_name_than_the_method(tmp_path: Path) -> None:
    samples = [SampleResult(100, 50, 5, 40.0, 0.9, 10)]
    rows = tuple(StrategyRow.of(name, "crops", samples) for name in ("Min-LSM-1", "Min-LSM-2"))
    ResultFile(BASN, "published", SOURCE, rows).write(tmp_path)
    card = '+++\nmethod = "basn-published"\n[reported]\n"bser_min_lsm_1" = 0.0106\n\n[measured]\n+++\n\ntext\n'
    filled = report.fill_card(card, tmp_path)
    assert filled == card.replace("[measured]\n", '[measured]\n"bser_min_lsm_1" = 0.200000\n')


def test_a_method_is_shown_written_and_plotted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = []
    for name in ("one", "two"):
        report.publish(CHANNELS, tmp_path / name, Console(width=100))
        drawn.append((tmp_path / name / "channels" / "low.svg").read_bytes())
    assert drawn[0] == drawn[1], "the same numbers give the same file"
    assert b"noise:0.04" in drawn[0]
    assert "noise:0.04" in capsys.readouterr().out


def test_without_matplotlib_there_is_no_plot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    report.publish(CHANNELS, tmp_path, Console(width=100))
    assert [file.name for file in (tmp_path / "channels").iterdir()] == ["low.json"]
    assert "pip install" in capsys.readouterr().out


def test_a_method_that_is_compared_is_only_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report.publish(EQUAL, tmp_path, Console(width=100))
    assert capsys.readouterr().out.split() == ["wrote", str(tmp_path / "robust-jpeg" / "low.json")]


def test_methods_without_rows_are_shown_but_not_plotted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    EQUAL.write(tmp_path)
    report.publish_all("robust-jpeg", tmp_path, Console(width=100))
    assert "channel" in capsys.readouterr().out
    assert [file.name for file in (tmp_path / "robust-jpeg").iterdir()] == ["low.json"]
