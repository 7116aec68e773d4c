"""Syndrome-trellis codes are compared with the rate–distortion bound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from underpaint.errors import UsageError
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.lossless import stc_bound
from underpaint_lab.benchmarks.lossless.rows import StcRow
from underpaint_lab.benchmarks.run import run


def test_codes_cost_more_than_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stc_bound, "VALUES", 4000)
    monkeypatch.setattr(stc_bound, "RUNS", 1)
    run("trellis", results=tmp_path)
    result: ResultFile[StcRow] = report.read(tmp_path / "trellis" / "basn-stc.json")
    assert {(row.rate, row.layers) for row in result.rows} == set(stc_bound.LAYERS.items())
    assert len(result.rows) == 16
    for row in result.rows:
        assert 0 < row.excess < 1
        assert row.speed == 4000 / np.median(row.runs)
    cells = report.render([result]).cells
    row = result.rows[1]
    assert cells[2] == ["equal", "0.4", f"{100 * row.excess:.1f} %", f"{row.speed / 1e6:.2f} million"]
    assert cells[-1][:2] == ["basn-stc, photographs", "2.0"]


def test_wrong_use_is_refused() -> None:
    with pytest.raises(UsageError, match="trellis is that of basn-stc"):
        stc_bound.stc_bounds("lsb")
    with pytest.raises(UsageError, match="one process at a time"):
        stc_bound.stc_bounds("basn-stc", jobs=2)
