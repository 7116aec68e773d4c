"""Bit error rates at equal PSNR: the tables of the paper on robust hiding, for each of our methods.

What a method calls 40 dB is not quite what its containers have. Here each is asked for whatever brings the mean PSNR of
all crops, after rounding to 8 bits, to the one that is wanted, so that methods differ by nothing else.

The paper is C. Zhang, A. Karjauv, P. Benz and I. S. Kweon, "Towards Robust Data Hiding Against (JPEG) Compression: A
Pseudo-Differentiable Deep Learning Approach" (arXiv:2101.00973), which states no PSNR; its numbers lie beside ours as
``results/<table>/paper.json``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import UnderpaintError
from underpaint_lab.benchmarks.robustness.channel_grid import PSNRS
from underpaint_lab.benchmarks.robustness.crops import BITS, Sweep, sendable
from underpaint_lab.benchmarks.robustness.rows import Quality, Result

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from underpaint_lab.benchmarks.robustness.crops import Hidden

#: Nominal PSNRs in dB that are only drawn, at whatever mean PSNR they have; and in how many crops, about.
BEYOND = (34.0, 36.0, 44.0, 46.0)
_DRAWN = 144
#: How exactly the mean PSNR is met, and how often a miss is corrected: with few crops it is no smooth function.
TOLERANCE = 0.02
_ROUNDS = 6
#: Where a method stays this far from what it is asked for, the comparison would not be one.
_HOPELESS = 0.5


@dataclass(frozen=True)
class Grid:
    """The channels of one table."""

    #: Which table of the paper.
    place: str
    chains: tuple[str, ...]
    #: Those drawn over PSNR, below and above the table's PSNRs as well.
    plotted: tuple[str, ...]


#: The paper's tables. Of JPEG 2000 it quotes OpenCV's parameter, a thousandth of the raw size: 100 is 10:1.
GRIDS = {
    "robust-jpeg": Grid(
        "table 1", ("jpeg:90", "jpeg:75", "jpeg:50", "jpeg:25", "jpeg:10"), ("jpeg:50", "jpeg:25", "jpeg:10")
    ),
    "robust-jpeg2000": Grid(
        "table 2",
        tuple(f"jpeg2000:{1000 / x1000}".removesuffix(".0") for x1000 in (900, 750, 500, 250, 100)),
        ("jpeg2000:4", "jpeg2000:10"),
    ),
    "robust-webp": Grid(
        "table 3",
        ("webp:90", "webp:75", "webp:50", "webp:25", "webp:10", "avif:50", "avif:30"),
        ("webp:50", "webp:25", "webp:10", "avif:30"),
    ),
    "robust-video": Grid(
        "table 4",
        ("mpeg4:4", "mpeg4:10", "xvid:4", "xvid:10", "h264:23", "h264:30"),
        ("mpeg4:10", "xvid:10", "h264:30"),
    ),
}


def at_equal_psnr(
    table: str,
    method: str,
    *,
    images: Path | None = None,
    psnrs: Sequence[float] = PSNRS,
    beyond: Sequence[float] = BEYOND,
    bits: int = BITS,
    seed: int = 0,
    jobs: int | None = None,
) -> Result:
    """Measure how many bits of *method* arrive wrong, at mean PSNRs that are met.

    Args:
        table: key of :data:`GRIDS`.
        method: key of :func:`~underpaint_lab.benchmarks.robustness.crops.carriers`.
        images: folder of pictures, cut into all 128×128 crops that do not overlap; the samples by default.
        psnrs: mean PSNRs in dB at which all channels of the table are measured.
        beyond: nominal PSNRs in dB at which only the plotted channels are, on about 144 of the crops.
        bits: random bits per crop.
        seed: of bits, keys and the channels' randomness.
        jobs: processes, one per core by default; the result does not depend on them.

    Raises:
        UsageError: a method that carries no bits, or no pictures.
        UnderpaintError: the method cannot be brought to one of the PSNRs.
    """
    sweep, grid = Sweep(method, images, bits, seed, jobs), GRIDS[table]
    chains, skipped = sendable(grid.chains)
    plotted = tuple(chain for chain in chains if chain in grid.plotted)
    met, drawn = _met(sweep, psnrs), sweep.hide(beyond, every=max(1, len(sweep.crops) // _DRAWN))
    counted = sweep.send(met, chains) + sweep.send(drawn, plotted)
    found = sorted(zip((*psnrs, *beyond), met + drawn, counted, strict=True), key=lambda level: level[0])
    return Result(
        table=table,
        method=method,
        source=sweep.source(table),
        quality=tuple(
            Quality.of(psnr, bits, hidden.quality, None if psnr in beyond else hidden.nominal)
            for psnr, hidden, _ in found
        ),
        rows=tuple(row for psnr, _, level in found for row in level.rows(psnr, bits)),
        skipped=skipped,
    )


def _met(sweep: Sweep, wanted: Sequence[float]) -> list[Hidden]:
    """Hide in all crops so that they have each mean PSNR that is *wanted*, by asking for what was missing before.

    Raises:
        UnderpaintError: what comes does not follow what is asked for.
    """
    latest = sweep.hide(wanted)
    best = list(latest)
    for _ in range(_ROUNDS):
        off = [i for i, psnr in enumerate(wanted) if abs(psnr - _mean(best[i])) > TOLERANCE]
        asked = [round(latest[i].nominal + wanted[i] - _mean(latest[i]), 3) for i in off]
        if not np.isfinite(asked).all():
            break
        for i, hidden in zip(off, sweep.hide(asked), strict=True):
            latest[i] = hidden
            best[i] = min(best[i], hidden, key=lambda each: abs(wanted[i] - _mean(each)))
    for psnr, hidden in zip(wanted, best, strict=True):
        if not abs(psnr - _mean(hidden)) < _HOPELESS:
            reason = f"{sweep.method} cannot be brought to a mean PSNR of {psnr:g} dB"
            raise UnderpaintError(f"{reason}, {_mean(hidden):.1f} dB is the closest")
    return best


def _mean(hidden: Hidden) -> float:
    return float(hidden.quality[:, 0].mean())
