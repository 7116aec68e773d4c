"""The table of :mod:`underpaint_lab.benchmarks.jnd.measure`: by kind of change, what the paper says and what each way comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from underpaint_lab.benchmarks.core.table import Shown, cited, number, origins
from underpaint_lab.benchmarks.jnd.rows import PANEL, UNSEEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from underpaint_lab.benchmarks.jnd.rows import Agreement, Agreements, Stated, Statements

_HEADER = ("pictures", "change", "way", "PSNR", "RCA", *PANEL, "unseen", *UNSEEN)
_READ_AS = (
    "RCA is the share of pictures, in %, that a classifier takes for what it took them for before, right or wrong: in "
    "brackets the 95 % interval of its mean over the panel, as if classifiers were independent (they are not quite). "
    "PSNR is that of the mean squared error of pictures clamped and rounded to 8 bits, in brackets without either. "
    "Unseen are classifiers that nothing was trained against."
)


def by_change(paper: Statements | None, ours: Sequence[Agreements]) -> Shown:
    """A block per split and kind of change, in it a line for the *paper* and one for each level of each of our ways."""
    claims = paper.rows if paper else ()
    blocks = [(claim.split, claim.change) for claim in claims]
    blocks += [(row.split, row.change) for each in ours for row in each.rows]
    cells = [list(_HEADER)]
    for split, change in dict.fromkeys(blocks):
        lines = [_stated(claim) for claim in claims if (claim.split, claim.change) == (split, change)]
        lines += [
            _measured(each.method, row)
            for each in ours
            for row in each.rows
            if (row.split, row.change) == (split, change)
        ]
        cells += [[*([split, change] if i == 0 else ["", ""]), *line] for i, line in enumerate(lines)]
    sources = origins(each.source for each in ours) + ([f"Paper: {cited(paper.source)}"] if paper else [])
    return Shown(cells, " ".join([*sources, _READ_AS]))


def _stated(claim: Stated) -> list[str]:
    psnr = "–" if claim.psnr is None else f"{claim.psnr:.2f} dB"
    each = map(number, claim.each) if claim.each else ["–"] * len(PANEL)
    return ["paper", psnr, number(claim.rca), *each, *["–"] * (1 + len(UNSEEN))]


def _measured(way: str, row: Agreement) -> list[str]:
    def share(names: Iterable[str]) -> str:
        found = row.rca(names)
        return "–" if found is None else number(found)

    free = "" if row.psnr_free is None else f" ({row.psnr_free:.2f})"
    low, high = map(number, row.interval or (0.0, 0.0))
    mean = f"{share(PANEL)} ({low}–{high})" if row.interval else "–"
    names = [share((name,)) for name in PANEL], [share((name,)) for name in UNSEEN]
    return [way, f"{row.psnr:.2f} dB{free}", mean, *names[0], share(UNSEEN), *names[1]]
