"""Rendering of the tables on MIAIS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from underpaint_lab.benchmarks.core.result_file import PAPER
from underpaint_lab.benchmarks.core.table import Rendered, citation, measured_in, paper_in, provenance
from underpaint_lab.benchmarks.faces.rows import FaceQuality, RecognitionRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from underpaint_lab.benchmarks.core.result_file import ResultFile
    from underpaint_lab.benchmarks.faces.rows import SteganalyserRow

_RECOGNITION_CAPTION = (
    "PSNR of the mean error over all pictures, as in the paper, then the mean of the PSNR of each; MS-SSIM as in the "
    "paper's code, then as published (fewer scales for small pictures). Detected: share of containers above "
    "StegExpose's threshold of 0.2, then that of covers, then its AUC. Accuracy on faces is that of pairs of people "
    "outside the training, half of which show one person, over ten folds, ± its standard deviation: chance is 0.5; on "
    "objects it is top-1. The gap, in percentage points, is to plain secrets. AUC, equal error rate (EER), "
    "true-accept rate at 0.1 % false accepts (TAR) and rank one are of faces, and so is the accuracy with a wrong "
    "key. Data and scale differ from the paper's: gaps are comparable, accuracy is not."
)
_STEGANALYSIS_CAPTION = (
    "Share of pictures, half of them covers and half containers, that a steganalyser classifies correctly: chance is "
    "0.5. In case 1 it was trained on containers of the same system, in case 2 on those of all others. No cover is in "
    "both training and test."
)


def recognition_table(results: Sequence[ResultFile[RecognitionRow]]) -> Rendered:
    """Render a table on recognition: a line per row, the paper's above ours of the same name; no empty columns."""
    paper, ours = paper_in(results), measured_in(results)
    rows = [(row, "paper") for row in paper.rows] if paper else []
    rows += [(row, "here") for each in ours for row in each.rows]
    ranks = [list(dict.fromkeys(getattr(row, key) for row, _ in rows)) for key in ("secrets", "name", "pool")]
    rows.sort(key=lambda each: [rank.index(value) for rank, value in zip(ranks, _key(each[0]), strict=True)])
    cells = [[title, *(write(row) for row, _ in rows)] for title, write in _COLUMNS.items()]
    cells.insert(1, ["by", *(by for _, by in rows)])
    kept = [column for column in cells if any(cell not in ("", "–") for cell in column[1:])]
    caption = " ".join([*provenance(ours), *citation(paper), _RECOGNITION_CAPTION])
    return Rendered([list(line) for line in zip(*kept, strict=True)], caption)


def steganalysis_table(results: Sequence[ResultFile[SteganalyserRow]]) -> Rendered:
    """Render ``miais-steganalysis``: a line per steganalyser and case, the paper's above ours; a column per system."""
    paper, ours = paper_in(results), measured_in(results)
    found = {
        (row.analyser, row.case, "paper" if each.method == PAPER else "here", row.hider): row
        for each in ([paper] if paper else []) + ours
        for row in each.rows
    }
    systems = list(dict.fromkeys(system for *_, system in found))
    cells = [["steganalyser", "case", "by", "pairs: trained, tested", *systems]]
    for analyser, case in sorted({key[:2] for key in found}):
        for by in ("paper", "here"):
            line = [found.get((analyser, case, by, system)) for system in systems]
            if known := [row for row in line if row is not None]:
                pairs = " / ".join(dict.fromkeys(f"{row.trained_pairs:,}, {row.pairs:,}" for row in known))
                accuracies = ["–" if row is None else f"{row.accuracy:.3f}" for row in line]
                cells.append([analyser, str(case), by, pairs, *accuracies])
    scales = dict.fromkeys(row.scale for each in ours for row in each.rows if row.scale)
    trained = [f"Trained: {'; '.join(scales)}."] if scales else []
    return Rendered(cells, " ".join([*provenance(ours), *trained, *citation(paper), _STEGANALYSIS_CAPTION]))


def card_numbers(result: ResultFile[RecognitionRow]) -> dict[str, float]:
    """Return accuracy in containers and on plain secrets, and the quality of containers, for a model card."""
    (row,) = result.rows
    quality = (row.cover.pooled_psnr, row.cover.ms_ssim_as_coded) if row.cover else (None, None)
    names = ("accuracy", "accuracy_plain", "cover_psnr", "cover_ms_ssim")
    shares = zip(names, (row.accuracy, row.plain, *quality), strict=True)
    return {name: share for name, share in shares if share is not None}


def _key(row: RecognitionRow) -> tuple[str, str, str | None]:
    return row.secrets, row.name, row.pool


def _quality_columns(what: Literal["cover", "secret"]) -> dict[str, Callable[[RecognitionRow], str]]:
    """Return columns of the quality of *what*: title and a function that writes a cell."""

    def of(*names: str, digits: int) -> Callable[[RecognitionRow], str]:
        def write(row: RecognitionRow) -> str:
            found: FaceQuality = getattr(row, what) or FaceQuality()
            return _values(*(getattr(found, name) for name in names), digits=digits)

        return write

    return {
        f"{what} MSE": of("mse", digits=4),
        f"{what} PSNR": of("pooled_psnr", "psnr", digits=2),
        f"{what} MS-SSIM": of("ms_ssim_as_coded", "ms_ssim", digits=4),
        f"{what} SSIM": of("ssim", digits=4),
    }


def _values(*values: float | None, digits: int) -> str:
    """Write *values*, a dash for those that are unknown; one dash if all are."""
    known = any(value is not None for value in values)
    return " / ".join("–" if value is None else _number(value, digits) for value in values) if known else "–"


def _number(value: float, digits: int) -> str:
    """Write *value*; as a power of ten if it would be rounded to 0."""
    written = f"{value:.{digits}f}"
    return f"{value:.0e}" if value and not float(written) else written


def _accuracy(row: RecognitionRow) -> str:
    return f"{row.accuracy:.4f}" + ("" if row.spread is None else f" ± {row.spread:.4f}")


_COLUMNS: dict[str, Callable[[RecognitionRow], str]] = {
    "system": lambda row: row.name,
    "secrets": lambda row: row.secrets,
    "covers": lambda row: row.pool or "–",
    "pictures": lambda row: "–" if row.count is None else f"{row.count:,}",
    **_quality_columns("cover"),
    **_quality_columns("secret"),
    "detected": lambda row: _values(row.detected, row.false_alarms, row.detected_auc, digits=3),
    "accuracy": _accuracy,
    "gap": lambda row: _values(row.gap, digits=2),
    "AUC": lambda row: _values(row.auc, digits=4),
    "EER": lambda row: _values(row.eer, digits=4),
    "TAR": lambda row: _values(row.tar, digits=4),
    "rank one": lambda row: _values(row.rank_one, digits=4),
    "wrong key": lambda row: _values(row.wrong_key, digits=4),
    "trained": lambda row: row.scale or "–",
}
