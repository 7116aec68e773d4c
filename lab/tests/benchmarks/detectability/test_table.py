"""Methods stand beside the paper; ROC curves are plotted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lab_support.results import CITATION, RESULTS, SOURCE
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.core.result_file import PAPER, ResultFile
from underpaint_lab.benchmarks.detectability.measure import OTHER
from underpaint_lab.benchmarks.detectability.rows import (
    ANALYST,
    DetectorRow,
    PublishedDetector,
)
from underpaint_lab.benchmarks.detectability.table import analyst_table, plot_roc

PUBLISHED = ResultFile(
    ANALYST,
    PAPER,
    CITATION,
    (
        PublishedDetector("Min-LSM-1", "srm", 0.7, 0.36, 0.3),
        PublishedDetector("Min-LSM-1", "stegexpose-compat", 0.53, 0.47),
    ),
)


def test_methods_stand_beside_the_paper(tmp_path: Path) -> None:
    def row(detector: str, asked: float | None, strategy: str | None = None, trained: str | None = None) -> DetectorRow:
        scores = np.arange(20.0)
        return DetectorRow.of(
            scores, scores + 1, 0, detector=detector, asked=asked, payload=0.3, variant=strategy, trained=trained
        )

    ours = [
        ResultFile(ANALYST, "basn", SOURCE, (row("srmq1", 0.3, trained="basn"), row("srmq1", 0.3, trained=OTHER))),
        ResultFile(ANALYST, OTHER, SOURCE, (row("weighted-stego", 0.3), row("srmq1", 0.3, trained=OTHER))),
        ResultFile(ANALYST, "published", SOURCE, (row("stegexpose-compat", None, "Min-LSM-1"),)),
    ]
    cells = analyst_table([*ours, PUBLISHED]).cells
    assert cells[0] == [
        *("method", "payload", "per value", "mean, as StegExpose", "weighted stego", "SRM, q = 1"),
        f"SRM, q = 1, trained on {OTHER}",
    ]
    assert [line[:3] for line in cells[1:]] == [
        ["paper, Min-LSM-1", "0.30 bpp", "0.10"],
        ["paper, Min-LSM-1", "full", "–"],
        ["published, Min-LSM-1", "0.30 bpp", "0.10"],
        ["basn", "0.30 bpp", "0.10"],
        [OTHER, "0.30 bpp", "0.10"],
    ]
    assert cells[1][3:] == ["–", "–", "0.700 · 0.360", "–"]
    assert cells[2][3:] == ["0.530 · 0.470", "–", "–", "–"]
    assert cells[4][5].startswith("0.549 (")
    assert cells[4][6] == cells[4][5]
    assert cells[5][6] == "–", "who knows the method is not surprised by it"
    assert [line[0] for line in analyst_table([PUBLISHED, *ours[:1]]).cells[1:]] == ["paper, Min-LSM-1"] * 2 + ["basn"]
    for name in ("plot", "again"):
        plot_roc(ours, tmp_path / f"{name}.svg")
    assert (tmp_path / "plot.svg").read_text() == (tmp_path / "again.svg").read_text()
    assert all(name in (tmp_path / "plot.svg").read_text() for name in ("basn", OTHER, "weighted stego", "SRM, q = 1"))


def test_published_figures_are_the_papers() -> None:
    paper = report.read(RESULTS / ANALYST / "paper.json")
    found = {(row.strategy, row.detector, row.asked): (row.auc, row.p_e) for row in paper.rows}
    assert len(found) == 4 * (4 + 4 + 1)
    assert found["Mean-LSM-1", "srm", 0.3] == (0.834, 0.241)
    assert found["Min-LSM-2", "spam", 1.2] == (0.55, 0.451)
    assert found["Mean-LSM-1", "stegexpose-compat", None] == (0.596, 0.409)
