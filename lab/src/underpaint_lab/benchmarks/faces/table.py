"""The tables of secrets that are recognised without being restored, and of steganalysers that learn to find them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from underpaint_lab.benchmarks.core.source import Citation, Source
from underpaint_lab.benchmarks.core.table import Shown, cited, origins
from underpaint_lab.benchmarks.faces.rows import Alike, Claims, Recognition, Recognitions
from underpaint_lab.benchmarks.faces.steganalysis_rows import PublishedUnmaskings, Unmaskings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


#: How the columns are to be read.
_READ_AS = (
    "PSNR is of the mean error over all pictures, as in the paper, then the mean of the PSNR of each; MS-SSIM is as in "
    "the paper's code, then as it was published (of fewer scales where pictures are small). Detected is the share of "
    "containers that StegExpose takes for such at its threshold of 0.2, then that of covers it takes for containers, "
    "then the area under its curve. Accuracy is, of faces, that of pairs of people nobody learned from, half of which "
    "show one person, by ten folds, ± its standard deviation over them: a guess is right half of the time; of objects "
    "it is that of the first guess. The gap, in points, is to plain secrets; AUC, equal error rate (EER), acceptance "
    "at 0.1 % of false ones (TAR) and rank one are of faces, and so is what a wrong key leaves of accuracy. Data and "
    "scale are not the paper's: gaps compare, accuracy does not."
)
#: How shares of steganalysers are.
_TOLD_AS = (
    "The share of pictures, half of them covers and half containers, that a steganalyser tells rightly: a guess is "
    "right half of the time. In case 1 it was trained on containers of the same system, in case 2 on those of all "
    "others. No cover is in both training and test."
)


def by_system(results: Sequence[Recognitions]) -> Shown:
    """A line for each row, the paper's above ours of the same name; without columns in which nobody has anything."""
    papers = [each for each in results if isinstance(each, Claims)]
    ours = [each for each in results if not isinstance(each, Claims)]
    rows = [(row, by) for by, group in (("paper", papers), ("here", ours)) for each in group for row in each.rows]
    ranks = [list(dict.fromkeys(getattr(row, key) for row, _ in rows)) for key in ("secrets", "name", "pool")]
    rows.sort(key=lambda each: [rank.index(value) for rank, value in zip(ranks, _key(each[0]), strict=True)])
    cells = [[title, *(write(row) for row, _ in rows)] for title, write in _COLUMNS.items()]
    cells.insert(1, ["by", *(by for _, by in rows)])
    kept = [column for column in cells if any(cell not in ("", "–") for cell in column[1:])]
    sources = origins(each.source for each in ours if isinstance(each.source, Source))
    sources += [f"Paper: {cited(each.source)}" for each in papers if isinstance(each.source, Citation)]
    return Shown([list(line) for line in zip(*kept, strict=True)], " ".join([*sources, _READ_AS]))


def _key(row: Recognition) -> tuple[str, str, str | None]:
    return row.secrets, row.name, row.pool


def _likeness(what: Literal["cover", "secret"]) -> dict[str, Callable[[Recognition], str]]:
    """Columns of *what*."""

    def of(*names: str, digits: int) -> Callable[[Recognition], str]:
        def write(row: Recognition) -> str:
            found: Alike = getattr(row, what) or Alike()
            return _pair(*(getattr(found, name) for name in names), digits=digits)

        return write

    return {
        f"{what} MSE": of("mse", digits=4),
        f"{what} PSNR": of("pooled_psnr", "psnr", digits=2),
        f"{what} MS-SSIM": of("ms_ssim_as_coded", "ms_ssim", digits=4),
        f"{what} SSIM": of("ssim", digits=4),
    }


def _pair(*values: float | None, digits: int) -> str:
    """Write *values*, a dash for those that are not known; one dash for none."""
    known = any(value is not None for value in values)
    return " / ".join("–" if value is None else _number(value, digits) for value in values) if known else "–"


def _number(value: float, digits: int) -> str:
    """Write *value*; what would be 0 but is not, as a power of ten."""
    written = f"{value:.{digits}f}"
    return f"{value:.0e}" if value and not float(written) else written


def _accuracy(row: Recognition) -> str:
    return f"{row.accuracy:.4f}" + ("" if row.spread is None else f" ± {row.spread:.4f}")


_COLUMNS: dict[str, Callable[[Recognition], str]] = {
    "system": lambda row: row.name,
    "secrets": lambda row: row.secrets,
    "covers": lambda row: row.pool or "–",
    "pictures": lambda row: "–" if row.count is None else f"{row.count:,}",
    **_likeness("cover"),
    **_likeness("secret"),
    "detected": lambda row: _pair(row.detected, row.false_alarms, row.detected_auc, digits=3),
    "accuracy": _accuracy,
    "gap": lambda row: _pair(row.gap, digits=2),
    "AUC": lambda row: _pair(row.auc, digits=4),
    "EER": lambda row: _pair(row.eer, digits=4),
    "TAR": lambda row: _pair(row.tar, digits=4),
    "rank one": lambda row: _pair(row.rank_one, digits=4),
    "wrong key": lambda row: _pair(row.wrong_key, digits=4),
    "trained": lambda row: row.scale or "–",
}


def by_hider(results: Sequence[Unmaskings]) -> Shown:
    """A line for each steganalyser and case, the paper's above ours; a column for each system."""
    papers = [each for each in results if isinstance(each, PublishedUnmaskings)]
    ours = [each for each in results if not isinstance(each, PublishedUnmaskings)]
    found = {
        (row.analyser, row.case, by, row.hider): row
        for by, group in (("paper", papers), ("here", ours))
        for each in group
        for row in each.rows
    }
    hiders = list(dict.fromkeys(hider for *_, hider in found))
    cells = [["steganalyser", "case", "by", "pairs learned from, judged", *hiders]]
    # What papers have comes first, so this order has ours below each of theirs.
    for analyser, case in sorted({key[:2] for key in found}):
        for by in ("paper", "here"):
            line = [found.get((analyser, case, by, hider)) for hider in hiders]
            if known := [row for row in line if row is not None]:
                pairs = " / ".join(dict.fromkeys(f"{row.trained_pairs:,}, {row.pairs:,}" for row in known))
                accuracies = ["–" if row is None else f"{row.accuracy:.3f}" for row in line]
                cells.append([analyser, str(case), by, pairs, *accuracies])
    sources = origins(each.source for each in ours if isinstance(each.source, Source))
    scales = dict.fromkeys(row.scale for each in ours for row in each.rows if row.scale)
    sources += [f"Trained: {'; '.join(scales)}."] if scales else []
    sources += [f"Paper: {cited(each.source)}" for each in papers if isinstance(each.source, Citation)]
    return Shown(cells, " ".join([*sources, _TOLD_AS]))
