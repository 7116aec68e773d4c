"""Result files of the repository: each is read, follows from its counts, and is shown on a page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from underpaint.channels import parse
from underpaint_lab.benchmarks import TABLES
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.core.result_file import PAPER, RESULTS, ResultFile
from underpaint_lab.benchmarks.detectability.rows import DetectorRow
from underpaint_lab.benchmarks.faces.rows import RecognitionRow, SteganalyserRow
from underpaint_lab.benchmarks.jnd.rows import CodingRow, LabelChangeRow, LabelRow
from underpaint_lab.benchmarks.lossless.measure import PUBLISHED
from underpaint_lab.benchmarks.lossless.rows import StcRow, StrategyRow
from underpaint_lab.benchmarks.pictures.rows import PictureRow
from underpaint_lab.benchmarks.robustness.equal_psnr import TOLERANCE
from underpaint_lab.benchmarks.robustness.grids import GRIDS, PSNRS
from underpaint_lab.benchmarks.robustness.rows import ChannelRow, PublishedBer, qualities
from underpaint_lab.benchmarks.speed.measure import RUNS
from underpaint_lab.benchmarks.speed.rows import Timing
from underpaint_lab.provenance import Source

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / RESULTS).rglob("*.json"))
PAGES = [*report.pages(ROOT), *report.cards(ROOT)]


def plausible(row: Any, method: str) -> bool:
    """Tell whether the numbers of a measured row are possible."""
    match row:
        case ChannelRow():
            # Something else than what was hidden is never revealed.
            return str(parse(row.channel)) == row.channel and row.exact + row.refused <= row.sent and row.false == 0
        case StrategyRow():
            return row.exact <= row.pictures and (method == PUBLISHED or not row.wrong)
        case Timing():
            return len(row.runs) == RUNS and min(row.runs) > 0 and row.peak_mb > 0
        case StcRow():
            return row.excess > 0 and min(row.runs) > 0
        case DetectorRow():
            return row.auc_interval[0] <= row.auc <= row.auc_interval[1] and 0 <= row.p_e <= 0.5
        case LabelRow() | CodingRow():
            return max(row.kept.values()) <= row.pictures
        case LabelChangeRow():
            return max(row.flips.values()) <= row.pictures
        case PictureRow():
            known = [quality for quality in (row.cover, row.secret) if quality]
            return all(quality.psnr > 10 for quality in known) and (row.secret is None) == (row.bits is not None)
        case RecognitionRow():
            return 0 <= row.accuracy <= 1 and bool(row.count)
        case SteganalyserRow():
            return 0 <= row.accuracy <= 1
    raise AssertionError(f"no check for {type(row).__name__}")


def names(file: Path) -> str:
    return f"{file.parent.name}/{file.stem}"


@pytest.mark.parametrize("file", FILES, ids=names)
def test_a_file_is_read_and_written_back_byte_by_byte(file: Path, tmp_path: Path) -> None:
    result = report.read(file)
    assert (result.table, result.method) == (file.parent.name, file.stem)
    assert result.rows
    assert result.write(tmp_path).read_bytes() == file.read_bytes(), "derived numbers follow from counts"


@pytest.mark.parametrize("file", [file for file in FILES if file.stem != PAPER], ids=names)
def test_measured_numbers_are_plausible_and_have_a_source(file: Path) -> None:
    result: ResultFile[Any] = report.read(file)
    assert isinstance(result.source, Source)
    assert re.fullmatch(r"[0-9a-f]{12}", result.source.commit), "measured on committed code"
    assert re.fullmatch(r"[0-9a-f]{64}", result.source.sha256)
    assert all(plausible(row, result.method) for row in result.rows)
    if result.table in GRIDS:
        met = [quality for quality in qualities(result) if quality.nominal is not None]
        assert [quality.psnr for quality in met] == list(PSNRS)
        assert all(abs(quality.psnr_mean - quality.psnr) <= TOLERANCE for quality in met), "compared at equal PSNR"


def test_published_bit_error_rates_are_of_channels_that_are_measured() -> None:
    for table, grid in GRIDS.items():
        rows: tuple[PublishedBer, ...] = report.read(ROOT / RESULTS / table / "paper.json").rows
        ours = {name for chain in grid.chains for name in (chain, chain.partition(":")[0])}
        assert {row.channel for row in rows} <= ours
        assert all(0 < row.ber < 0.5 for row in rows)


def test_every_file_belongs_to_a_table() -> None:
    assert {file.parent.name for file in FILES} <= set(TABLES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_and_cards_show_the_results(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    fill = report.fill_card if page.name == "card.md" else report.fill_page
    assert fill(text, ROOT / RESULTS) == text, "make bench, or: underpaint-lab bench all --tables-only"


def test_every_result_is_shown_on_a_page() -> None:
    marks = (mark for page in PAGES for mark in re.findall(r"<!-- results: (.+) -->", page.read_text(encoding="utf-8")))
    shown = {name for mark in marks for name in mark.split()}
    assert not [file for file in FILES if not {names(file), file.parent.name} & shown]
