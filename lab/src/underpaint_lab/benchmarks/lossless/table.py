"""The table of :mod:`underpaint_lab.benchmarks.lossless.measure`: by strategy, what the paper says and what each design comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from underpaint.models import classifiers
from underpaint_lab.benchmarks.core.table import Shown, cited, number, origins
from underpaint_lab.benchmarks.lossless.measure import CROP, DESIGNS, PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from underpaint_lab.benchmarks.lossless.rows import Claim, Placed, Placements, Published

_HEADER = (
    *("strategy", "design", "payload", "BSER", "wrong bits", "exact", "PSNR", "SSIM"),
    *("features, seen", "features, unseen", "labels kept"),
)
_READ_AS = (
    f"Strategies in the middle {CROP}×{CROP} of each picture, every design with as many bytes as published "
    "attention yields there; payloads of given bits per pixel in whole pictures. BSER, in %, is what the paper "
    "reports: how far the capacities that sender and receiver compute differ. Wrong bits, in %, are those of the "
    "message, without error correction; exact are messages without one. Features are by how much those of classifiers "
    "change, in %, the median over pictures: seen are those that attention was trained against, unseen "
    f"({', '.join(classifiers.HELD_OUT)}) are not."
)


def by_strategy(paper: Published | None, ours: Sequence[Placements]) -> Shown:
    """A block per strategy, in it one line for the *paper* and one for each of our designs, as far as there are any."""
    order = [PUBLISHED, *DESIGNS]
    columns = sorted(ours, key=lambda each: order.index(each.method) if each.method in order else len(order))
    cells = [list(_HEADER)]
    claims = paper.rows if paper else ()
    blocks = [("crops", claim.strategy) for claim in claims]
    blocks += [(row.covers, row.strategy) for each in columns for row in each.rows]
    for covers, strategy in dict.fromkeys(blocks):
        label = strategy if covers == "crops" else f"{strategy}, whole pictures"
        lines = [_claimed(claim) for claim in claims if claim.strategy == strategy]
        lines += [
            [each.method, *_measured(row)]
            for each in columns
            for row in each.rows
            if (row.covers, row.strategy) == (covers, strategy)
        ]
        cells += [[label if i == 0 else "", *line] for i, line in enumerate(lines)]
    sources = origins(each.source for each in columns) + ([f"Paper: {cited(paper.source)}"] if paper else [])
    return Shown(cells, " ".join([*sources, _READ_AS]))


def _claimed(claim: Claim) -> list[str]:
    return ["paper", f"{claim.payload:.2f} bpp", number(claim.bser), *["–"] * (len(_HEADER) - 4)]


def _measured(row: Placed) -> Iterable[str]:
    if row.payload is None:
        return ["does not fit", *["–"] * (len(_HEADER) - 3)]
    shares = (number(share) if share is not None else "–" for share in (row.bser, row.ber))
    return [
        f"{row.payload:.2f} bpp",
        *shares,
        f"{row.exact} of {row.pictures}" + f" ({row.refused} refused)" * bool(row.refused),
        f"{row.psnr:.1f} dB",
        f"{row.ssim:.4f}",
        *(number(change) if change is not None else "–" for change in (row.seen, row.unseen)),
        f"{row.kept} of {row.judged}" if row.judged else "–",
    ]
