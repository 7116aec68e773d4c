"""One shape for all result files: what is written is read back, byte by byte."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab_support.results import CITATION, SOURCE
from underpaint.errors import UsageError
from underpaint_lab.benchmarks.core.result_file import PAPER, ResultFile, from_json, read_result, to_json


@dataclass(frozen=True)
class Inner:
    mean: float
    low: float | None = None


@dataclass(frozen=True)
class Row:
    name: str
    count: int
    shares: tuple[float, ...] = ()
    inner: Inner | None = None

    def derived(self) -> dict[str, Any]:
        return {"double": 2 * self.count, "missing": None}


@dataclass(frozen=True)
class Note:
    text: str


ROW = Row("one", 3, (0.25, 1 / 3), Inner(0.5))


def test_nested_and_derived_fields_are_flat_and_missing_values_are_left_out() -> None:
    assert to_json(ROW) == {"name": "one", "count": 3, "shares": (0.25, 1 / 3), "inner_mean": 0.5, "double": 6}
    assert to_json(Row("two", 0)) == {"name": "two", "count": 0, "shares": (), "double": 0}


def test_rows_are_read_without_what_is_derived() -> None:
    found = json.loads(json.dumps(to_json(ROW)))
    assert from_json(found, Row) == ROW
    assert from_json({"name": "two", "count": 0}, Row) == Row("two", 0)
    with pytest.raises(KeyError, match="count"):
        from_json({"name": "two"}, Row)
    assert from_json({"anything": 1}, dict) == {"anything": 1}


def test_a_file_is_read_as_written(tmp_path: Path) -> None:
    notes = {"quality": (Note("above"),), "skipped": (Note("below"),)}
    result = ResultFile("table", "method", SOURCE, (Row("one", 3, (0.25,)), Row("two", 0)), notes)
    file = result.write(tmp_path)
    assert file == tmp_path / "table" / "method.json"
    assert read_result(file, Row, {"quality": Note, "skipped": Note}) == result
    assert list(json.loads(file.read_text())) == ["table", "method", "source", "quality", "rows", "skipped"]


def test_a_row_is_a_line_with_six_decimals(tmp_path: Path) -> None:
    text = ResultFile("table", "method", SOURCE, (ROW,)).write(tmp_path).read_text()
    assert ' {"name": "one", "count": 3, "shares": [0.25, 0.333333], "inner_mean": 0.5, "double": 6}\n]' in text


def test_a_paper_has_a_citation_and_no_notes(tmp_path: Path) -> None:
    result = ResultFile("table", PAPER, CITATION, (Note("a claim"),))
    assert read_result(result.write(tmp_path), Note, {"quality": Note}) == result


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"table": 1, "method": 2, "source": {}}'])
def test_other_files_are_refused(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "some.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError, match=r"some\.json is no result file"):
        read_result(file, Row, {})
