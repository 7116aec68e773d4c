"""Rendering of the tables ``basn`` and ``trellis``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from underpaint.models import classifiers
from underpaint_lab.benchmarks.core.table import Rendered, citation, measured_in, paper_in, percent, provenance
from underpaint_lab.benchmarks.lossless.measure import CROP, DESIGNS, PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from underpaint_lab.benchmarks.core.result_file import ResultFile
    from underpaint_lab.benchmarks.lossless.rows import PublishedStrategy, StcRow, StrategyRow

_HEADER = (
    *("strategy", "design", "payload", "BSER", "wrong bits", "exact", "PSNR", "SSIM"),
    *("features, training", "features, other", "labels kept"),
)
_CAPTION = (
    f"Strategies in the middle {CROP}×{CROP} of each picture, every design with as many bytes as published attention "
    "yields there; payloads of given bits per pixel in whole pictures. BSER, in %, is the paper's figure: difference "
    "of the capacities that sender and receiver compute, per bit. Wrong bits, in %, are those of the message, without "
    "error correction; exact are messages without one. Features: relative change of classifier features, in %, median "
    f"over pictures, for classifiers of the training of attention and for others ({', '.join(classifiers.HELD_OUT)})."
)
_TRELLIS_CAPTION = (
    "Two layers, at 2 bits per value three. The cost is the sum of squared changes, each times its value's cost; the "
    "bound is that of the best possible code. Speed is that of embedding with all cores, without the computation of "
    "costs: the median of three runs."
)


def basn_table(results: Sequence[ResultFile[Any]]) -> Rendered:
    """Render ``basn``: a block per strategy, in it a line for the paper and one for each design."""
    paper, ours = paper_in(results), measured_in(results, [PUBLISHED, *DESIGNS])
    cells = [list(_HEADER)]
    published = paper.rows if paper else ()
    blocks = [("crops", row.strategy) for row in published]
    blocks += [(row.covers, row.strategy) for each in ours for row in each.rows]
    for covers, strategy in dict.fromkeys(blocks):
        label = strategy if covers == "crops" else f"{strategy}, whole pictures"
        lines = [_published(row) for row in published if row.strategy == strategy]
        lines += [
            [each.method, *_measured(row)]
            for each in ours
            for row in each.rows
            if (row.covers, row.strategy) == (covers, strategy)
        ]
        cells += [[label if i == 0 else "", *line] for i, line in enumerate(lines)]
    return Rendered(cells, " ".join([*provenance(ours), *citation(paper), _CAPTION]))


def trellis_table(results: Sequence[ResultFile[StcRow]]) -> Rendered:
    """Render ``trellis``: a line per kind of costs and rate."""
    header = ["costs", "bits per value", "cost above the bound", "values per second"]
    cells = [
        [row.costs, f"{row.rate:.1f}", f"{100 * row.excess:.1f} %", f"{row.speed / 1e6:.2f} million"]
        for result in results
        for row in result.rows
    ]
    return Rendered([header, *cells], " ".join([*provenance(results), _TRELLIS_CAPTION]))


def card_numbers(result: ResultFile[StrategyRow]) -> dict[str, float]:
    """Return the BSER of every strategy for a model card."""
    strategies = ((row.strategy.lower().replace("-", "_"), row.bser) for row in result.rows)
    return {f"bser_{strategy}": bser for strategy, bser in strategies if bser is not None}


def _published(row: PublishedStrategy) -> list[str]:
    return ["paper", f"{row.payload:.2f} bpp", percent(row.bser), *["–"] * (len(_HEADER) - 4)]


def _measured(row: StrategyRow) -> Iterable[str]:
    if row.payload is None:
        return ["does not fit", *["–"] * (len(_HEADER) - 3)]
    shares = (percent(share) if share is not None else "–" for share in (row.bser, row.ber))
    return [
        f"{row.payload:.2f} bpp",
        *shares,
        f"{row.exact} of {row.pictures}" + f" ({row.refused} refused)" * bool(row.refused),
        f"{row.psnr:.1f} dB",
        f"{row.ssim:.4f}",
        *(percent(change) if change is not None else "–" for change in (row.seen, row.unseen)),
        f"{row.kept} of {row.judged}" if row.judged else "–",
    ]
