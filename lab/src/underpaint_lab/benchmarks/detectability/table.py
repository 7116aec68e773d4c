"""Rendering and plot of the tables ``analyst`` and ``statistics``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from underpaint.steganalysis.detectors import DETECTORS
from underpaint.steganalysis.stegexpose import STEGEXPOSE
from underpaint_lab.benchmarks.core.plots import figure, legend
from underpaint_lab.benchmarks.core.table import Rendered, citation, measured_in, paper_in, percent, provenance
from underpaint_lab.benchmarks.detectability.measure import COMPATIBLE, CROP, FEATURES, METHODS_TO_DETECT, OTHER
from underpaint_lab.benchmarks.detectability.rows import FALSE_POSITIVE_RATES, VALUES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from underpaint_lab.benchmarks.core.result_file import ResultFile
    from underpaint_lab.benchmarks.detectability.rows import DetectorRow, PublishedDetector

#: Detectors that are shown; the estimators of StegExpose by themselves are in the files only.
SHOWN = (COMPATIBLE, *(name for name in DETECTORS if name not in STEGEXPOSE), *FEATURES)
#: Titles of detectors.
NAMES = {
    "primary-sets": "primary sets",
    "sample-pairs": "sample pairs",
    "rs": "RS",
    "stegexpose": "mean of the four",
    COMPATIBLE: "mean, as StegExpose",
    "weighted-stego": "weighted stego",
    "spam": "SPAM",
    "srmq1": "SRM, q = 1",
    "srm": "SRM",
}
_STATISTICS_CAPTION = (
    "AUC, in brackets its 95 % interval by bootstrap over photographs. Replacement embeds 0.1 random bits per value by "
    "LSB replacement at random places; clean compares crops at the black fields of a chess board with the white ones."
)
_ANALYST_CAPTION = (
    f"The middle {CROP}×{CROP} of each picture; bits per pixel of {VALUES} values. AUC, ours with its 95 % interval by "
    "bootstrap over pairs; then P_E, the least mean of false-positive rate and miss rate; then, for ours, the "
    "detection rate in % at 1 % false positives. The estimators of StegExpose (their mean, the threshold swept) and "
    "weighted stego classify all pairs. Ensembles are trained on half of the pictures and classify the others: on the "
    f"same method and payload or, in the columns that say so, on {OTHER} of that payload. An AUC below 0.5 means that "
    "the detector ranks most containers below covers: with the opposite sign it detects them."
)


def analyst_table(results: Sequence[ResultFile[Any]]) -> Rendered:
    """Render ``analyst``: a block per method and strategy; the paper's lines stand before ours of the same strategy."""
    paper, ours = paper_in(results), measured_in(results, METHODS_TO_DETECT)
    rows = [(each.method, row) for each in ours for row in each.rows]
    columns = _columns([row for _, row in rows])
    cells = [["method", "payload", "per value", *(_header(*column) for column in columns)]]
    blocks = dict.fromkeys((method, row.variant) for method, row in rows)
    published = paper.rows if paper else ()
    measured = {strategy for _, strategy in blocks}
    for name in dict.fromkeys(row.strategy for row in published if row.strategy not in measured):
        cells += _published([row for row in published if row.strategy == name], columns)
    for method, strategy in blocks:
        cells += _published([row for row in published if row.strategy == strategy], columns)
        found = [row for name, row in rows if (name, row.variant) == (method, strategy)]
        for asked in dict.fromkeys(row.asked for row in found):
            line = {(row.detector, row.trained == OTHER != method): row for row in found if row.asked == asked}
            first = next(iter(line.values()))
            label = f"{method}, {strategy}" if strategy else method
            shown = (_measured(line[column]) if column in line else "–" for column in columns)
            cells.append([label, f"{first.payload:.2f} bpp", f"{first.per_value:.2f}", *shown])
    return Rendered(cells, " ".join([*provenance(ours), *citation(paper), _ANALYST_CAPTION]))


def statistics_table(results: Sequence[ResultFile[DetectorRow]]) -> Rendered:
    """Render ``statistics``: a line per estimator, a column per method and size of crops."""
    columns = [(each.method, variant) for each in results for variant in dict.fromkeys(r.variant for r in each.rows)]
    found = {(each.method, row.variant, row.detector): row for each in results for row in each.rows}
    cells = [["estimator", *(f"{method}, {variant}" for method, variant in columns)]]
    for detector in dict.fromkeys(row.detector for each in results for row in each.rows):
        rows = [found[method, variant, detector] for method, variant in columns]
        areas = (f"{row.auc:.3f} ({row.auc_interval[0]:.3f}–{row.auc_interval[1]:.3f})" for row in rows)
        cells.append([NAMES.get(detector, detector), *areas])
    return Rendered(cells, " ".join([*provenance(results), _STATISTICS_CAPTION]))


def plot_roc(results: Sequence[ResultFile[DetectorRow]], target: Path) -> None:
    """Plot ROC curves at the smallest payload, a panel per detector, one colour per method and strategy.

    Trained detectors are those that were trained on the method itself.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    least = min((row.asked for result in results for row in result.rows if row.asked), default=None)
    drawn = [
        (f"{result.method}, {row.variant}" if row.variant else result.method, row)
        for result in results
        for row in result.rows
        if row.asked == least and row.trained in (None, result.method)
    ]
    names = [name for name in SHOWN if name in {row.detector for _, row in drawn}]
    colours = {label: f"C{number}" for number, label in enumerate(dict.fromkeys(label for label, _ in drawn))}
    with figure(target, 2.6 * len(names) + 0.4, 3.8) as drawing:
        panels = drawing.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for axes, name in zip(panels, names, strict=True):
            for label, row in drawn:
                if row.detector == name:
                    shares = [0, *row.curve, 1]
                    axes.plot([0, *FALSE_POSITIVE_RATES, 1], shares, linewidth=1, label=label, color=colours[label])
            axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=0.6)
            axes.set_title(NAMES.get(name, name))
            axes.set_xlabel("false-positive rate")
            axes.set_aspect("equal")
            axes.grid(linewidth=0.4)
            axes.spines[["top", "right"]].set_visible(False)
        panels[0].set_ylabel("detection rate")
        legend(drawing, panels, 4)


def _columns(rows: Sequence[DetectorRow]) -> list[tuple[str, bool]]:
    """Return detectors with a result, each with a flag: trained on another method."""
    wanted = [(name, False) for name in SHOWN] + [(name, True) for name in FEATURES]
    there = {(row.detector, other) for row in rows for other in (False, row.trained == OTHER)}
    return [column for column in wanted if column in there] or wanted


def _header(detector: str, other: bool) -> str:
    return NAMES.get(detector, detector) + f", trained on {OTHER}" * other


def _published(rows: Sequence[PublishedDetector], columns: Sequence[tuple[str, bool]]) -> list[list[str]]:
    """Write the paper's lines of one strategy; its SRM stands in the column of ours, with q = 1 or all q."""
    lines = []
    for asked in dict.fromkeys(row.asked for row in rows):
        here = {row.detector: f"{row.auc:.3f} · {row.p_e:.3f}" for row in rows if row.asked == asked}
        shown = ["–" if other else here.get(name.removesuffix("q1"), "–") for name, other in columns]
        payload = ("full", "–") if asked is None else (f"{asked:.2f} bpp", f"{asked / VALUES:.2f}")
        lines.append([f"paper, {rows[0].strategy}", *payload, *shown])
    return lines


def _measured(row: DetectorRow) -> str:
    low, high = row.auc_interval
    return f"{row.auc:.3f} ({low:.3f}–{high:.3f}) · {row.p_e:.3f} · {percent(row.tpr)}"
