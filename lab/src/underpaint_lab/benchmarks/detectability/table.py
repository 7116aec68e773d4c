"""What detectors make of containers, as tables: by method and payload, and of :mod:`underpaint_lab.benchmarks.detectability.lsb_replacement`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from underpaint.steganalysis.detectors import DETECTORS
from underpaint.steganalysis.stegexpose import STEGEXPOSE
from underpaint_lab.benchmarks.core.table import Shown, cited, number, origins
from underpaint_lab.benchmarks.detectability.measure import COMPATIBLE, CROP, FEATURES, JUDGED, OTHER
from underpaint_lab.benchmarks.detectability.rows import VALUES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint_lab.benchmarks.detectability.rows import Area, Detected, Detections, Figures

#: The detectors that are shown; those of StegExpose by themselves are in the files.
SHOWN = (COMPATIBLE, *(name for name in DETECTORS if name not in STEGEXPOSE), *FEATURES)
#: What they are called there.
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
_ESTIMATED = (
    "AUC, in brackets its 95 % interval by bootstrap over photographs. Replacement puts 0.1 random bits per value in "
    "place of lowest ones, in random places; clean are crops like the black fields of a chess board against the white."
)
_READ_AS = (
    f"The middle {CROP}×{CROP} of each picture; bits per pixel of {VALUES} values. AUC, of ours with its 95 % "
    "interval by bootstrap over pairs; then P_E, the least mean of false alarms and misses; then, of ours, the share "
    "in % that is found at 1 % false alarms. The estimators of StegExpose, in the mean, its threshold swept, and "
    "weighted stego judge all pairs. Ensembles are trained on half of the pictures and judge the others: on the method "
    f"and payload that they judge, or, in the columns that say so, on {OTHER} of that payload. With an AUC below 0.5 a "
    "detector errs the same way each time: who knows that turns it round."
)


def by_method(paper: Figures | None, ours: Sequence[Detections]) -> Shown:
    """A block per method and strategy; the *paper* has its lines before those of the same strategy."""
    methods = sorted(ours, key=lambda each: JUDGED.index(each.method) if each.method in JUDGED else len(JUDGED))
    rows = [(each.method, row) for each in methods for row in each.rows]
    columns = _columns([row for _, row in rows])
    cells = [["method", "payload", "per value", *(_header(*column) for column in columns)]]
    blocks = dict.fromkeys((method, row.variant) for method, row in rows)
    claims = paper.rows if paper else ()
    told = {strategy for _, strategy in blocks}
    alone = [area for area in claims if area.strategy not in told]
    for name in dict.fromkeys(area.strategy for area in alone):
        cells += _claimed([area for area in alone if area.strategy == name], columns)
    for method, strategy in blocks:
        cells += _claimed([area for area in claims if area.strategy == strategy], columns)
        found = [row for name, row in rows if (name, row.variant) == (method, strategy)]
        for asked in dict.fromkeys(row.asked for row in found):
            line = {(row.detector, row.trained == OTHER != method): row for row in found if row.asked == asked}
            first = next(iter(line.values()))
            label = f"{method}, {strategy}" if strategy else method
            shown = (_measured(line[column]) if column in line else "–" for column in columns)
            cells.append([label, f"{first.payload:.2f} bpp", f"{first.per_value:.2f}", *shown])
    sources = origins(each.source for each in methods) + ([f"Paper: {cited(paper.source)}"] if paper else [])
    return Shown(cells, " ".join([*sources, _READ_AS]))


def by_estimator(ours: Sequence[Detections]) -> Shown:
    """A line per estimator, a column per method and size of crops."""
    columns = [(each.method, variant) for each in ours for variant in dict.fromkeys(row.variant for row in each.rows)]
    found = {(each.method, row.variant, row.detector): row for each in ours for row in each.rows}
    cells = [["estimator", *(f"{method}, {variant}" for method, variant in columns)]]
    for detector in dict.fromkeys(row.detector for each in ours for row in each.rows):
        rows = [found[method, variant, detector] for method, variant in columns]
        areas = (f"{row.auc:.3f} ({row.auc_interval[0]:.3f}–{row.auc_interval[1]:.3f})" for row in rows)
        cells.append([NAMES.get(detector, detector), *areas])
    return Shown(cells, " ".join([*origins(each.source for each in ours), _ESTIMATED]))


def _columns(rows: Sequence[Detected]) -> list[tuple[str, bool]]:
    """Detectors that there is something to say of, and whether they were trained on another method."""
    wanted = [(name, False) for name in SHOWN] + [(name, True) for name in FEATURES]
    there = {(row.detector, other) for row in rows for other in (False, row.trained == OTHER)}
    return [column for column in wanted if column in there] or wanted


def _header(detector: str, other: bool) -> str:
    return NAMES.get(detector, detector) + f", trained on {OTHER}" * other


def _claimed(areas: Sequence[Area], columns: Sequence[tuple[str, bool]]) -> list[list[str]]:
    """The paper's lines of one strategy; its SRM stands where ours does, with one step or all."""
    lines = []
    for asked in dict.fromkeys(area.asked for area in areas):
        here = {area.detector: f"{area.auc:.3f} · {area.p_e:.3f}" for area in areas if area.asked == asked}
        shown = ["–" if other else here.get(name.removesuffix("q1"), "–") for name, other in columns]
        payload = ("full", "–") if asked is None else (f"{asked:.2f} bpp", f"{asked / VALUES:.2f}")
        lines.append([f"paper, {areas[0].strategy}", *payload, *shown])
    return lines


def _measured(row: Detected) -> str:
    low, high = row.auc_interval
    return f"{row.auc:.3f} ({low:.3f}–{high:.3f}) · {row.p_e:.3f} · {number(row.tpr)}"
