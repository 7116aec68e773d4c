"""Rendering of the tables ``dmvjnd``, ``coding`` and ``machine-safe``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from underpaint.models.jnd_networks import MODEL, PANELS
from underpaint_lab.benchmarks.core.table import Rendered, citation, measured_in, paper_in, percent, provenance
from underpaint_lab.benchmarks.jnd.coding_for_machines import PLAIN, PSNR
from underpaint_lab.benchmarks.jnd.rows import HELD_OUT, PANEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from underpaint_lab.benchmarks.core.result_file import ResultFile
    from underpaint_lab.benchmarks.jnd.rows import CodingRow, LabelChangeRow, LabelRow, PublishedLabels

#: Classifiers of the search, those of the training of the JND of photographs.
_SEARCH = ", ".join(name.removeprefix("classifier-") for name in PANELS[MODEL])
_HEADER = ("pictures", "change", "way", "PSNR", "RCA", *PANEL, "held out", *HELD_OUT)
_CAPTION = (
    "RCA: share of pictures, in %, whose label a classifier keeps, right or wrong; mean over the panel, in brackets "
    "the 95 % interval, as if classifiers were independent (they are not quite). PSNR is that of the mean squared "
    "error of pictures clamped and rounded to 8 bits, in brackets without clamping and rounding. Held out are "
    "classifiers that took no part in training."
)
_CODING_CAPTION = (
    f"Bytes of all files. Prepared: pictures within their JND of {PSNR:g} dB, at the same quality. Lower quality: the "
    "lowest at which the classifiers of the search keep every label that they keep at the quality named. Both: the "
    f"output of `jnd --compress`. The search asks {_SEARCH}; the other classifiers only measure. Labels kept, in %, "
    "are those before compression."
)
_MACHINE_SAFE_CAPTION = (
    "Containers, in %, to which a classifier gives another label than to their covers. The search asks "
    f"{_SEARCH}; the other classifiers only measure. Refused are pictures that `hide` refused."
)
#: Ways as they are shown; result files have older names.
_WAYS = {"by what machines tolerate": "weighted by the JND", "judges in the loop": "classifiers in the loop"}


def dmvjnd_table(results: Sequence[ResultFile[Any]]) -> Rendered:
    """Render ``dmvjnd``: a block per split and kind of change, in it the paper and each level of each way."""
    paper, ours = paper_in(results), measured_in(results)
    published = paper.rows if paper else ()
    blocks = [(row.split, row.change) for row in published]
    blocks += [(row.split, row.change) for each in ours for row in each.rows]
    cells = [list(_HEADER)]
    for split, change in dict.fromkeys(blocks):
        lines = [_published(row) for row in published if (row.split, row.change) == (split, change)]
        lines += [
            _measured(each.method, row)
            for each in ours
            for row in each.rows
            if (row.split, row.change) == (split, change)
        ]
        cells += [[*([split, change] if i == 0 else ["", ""]), *line] for i, line in enumerate(lines)]
    return Rendered(cells, " ".join([*provenance(ours), *citation(paper), _CAPTION]))


def coding_table(results: Sequence[ResultFile[CodingRow]]) -> Rendered:
    """Render ``coding``: a line for each format, quality and way."""
    (result,) = results
    names = list(result.rows[0].kept)
    cells = [["format", "pictures", "bytes", "less", *names]]
    for row in result.rows:
        plain = next(r.size for r in result.rows if (r.format, r.quality, r.way) == (row.format, row.quality, PLAIN))
        label = row.format if row.format == "png" else f"{row.format} {row.quality}"
        kept = (percent(row.kept[name] / row.pictures) for name in names)
        first, less = (label, "–") if row.way == PLAIN else ("", f"{100 * (1 - row.size / plain):.1f} %")
        cells.append([first, row.way, f"{row.size:,}", less, *kept])
    return Rendered(cells, " ".join([*provenance(results), _CODING_CAPTION]))


def machine_safe_table(results: Sequence[ResultFile[LabelChangeRow]]) -> Rendered:
    """Render ``machine-safe`` of one method: a line for each way."""
    (result,) = results
    names = list(result.rows[0].flips)
    cells = [[result.method, "containers", "refused", "PSNR", *names]]
    for row in result.rows:
        shares = (percent(row.flips[name] / max(row.pictures, 1)) for name in names)
        way = _WAYS.get(row.way, row.way)
        cells.append([way, str(row.pictures), str(row.refused), f"{row.psnr:.1f} dB", *shares])
    return Rendered(cells, " ".join([*provenance(results), _MACHINE_SAFE_CAPTION]))


def card_numbers(result: ResultFile[LabelRow]) -> dict[str, float]:
    """Return the labels kept at the lowest PSNR by split, and that PSNR, for a model card."""
    lowest = min(row.psnr for row in result.rows if row.change == "change")
    rows = [row for row in result.rows if row.change == "change" and row.psnr < lowest + 1]
    kept = {f"rca_{row.split}": row.rca(PANEL) for row in rows}
    return {name: share for name, share in kept.items() if share is not None} | {"psnr": lowest}


def _published(row: PublishedLabels) -> list[str]:
    psnr = "–" if row.psnr is None else f"{row.psnr:.2f} dB"
    each = map(percent, row.each) if row.each else ["–"] * len(PANEL)
    return ["paper", psnr, percent(row.rca), *each, *["–"] * (1 + len(HELD_OUT))]


def _measured(way: str, row: LabelRow) -> list[str]:
    def share(names: Iterable[str]) -> str:
        found = row.rca(names)
        return "–" if found is None else percent(found)

    free = "" if row.psnr_free is None else f" ({row.psnr_free:.2f})"
    low, high = map(percent, row.interval or (0.0, 0.0))
    mean = f"{share(PANEL)} ({low}–{high})" if row.interval else "–"
    names = [share((name,)) for name in PANEL], [share((name,)) for name in HELD_OUT]
    return [way, f"{row.psnr:.2f} dB{free}", mean, *names[0], share(HELD_OUT), *names[1]]
