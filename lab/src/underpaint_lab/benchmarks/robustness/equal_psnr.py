"""Bit error rates at equal PSNR: the tables of the paper on robust hiding, for each of our methods.

A method that is asked for 40 dB returns containers of about 40 dB. Here each method is asked for the PSNR that brings
the mean over all crops, after rounding to 8 bits, to the wanted one, so that methods differ by nothing else.

The paper is C. Zhang, A. Karjauv, P. Benz and I. S. Kweon, "Towards Robust Data Hiding Against (JPEG) Compression: A
Pseudo-Differentiable Deep Learning Approach" (arXiv:2101.00973), which states no PSNR; its numbers lie beside ours as
``results/<table>/paper.json``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import UnderpaintError
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.robustness.crops import BITS, CropSweep, sendable
from underpaint_lab.benchmarks.robustness.grids import GRIDS, PSNRS
from underpaint_lab.benchmarks.robustness.rows import Quality

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from underpaint_lab.benchmarks.robustness.crops import Containers
    from underpaint_lab.benchmarks.robustness.rows import ChannelRow

#: Nominal PSNRs in dB that are only plotted, at the mean PSNR that they give, and about how many crops they take.
BEYOND = (34.0, 36.0, 44.0, 46.0)
_PLOTTED_CROPS = 144
#: Largest deviation in dB from the wanted mean PSNR, and the number of corrections: with few crops the mean PSNR is no
#: smooth function of the requested one.
TOLERANCE = 0.02
_ROUNDS = 6
#: Deviation in dB at which the comparison is refused.
_REFUSED = 0.5


def at_equal_psnr(
    table: str,
    method: str,
    *,
    images: Path | None = None,
    psnrs: Sequence[float] = PSNRS,
    beyond: Sequence[float] = BEYOND,
    seed: int = 0,
    jobs: int | None = None,
) -> ResultFile[ChannelRow]:
    """Measure the bit error rate of *method* behind the channels of a table, at given mean PSNRs.

    Args:
        table: key of :data:`GRIDS`.
        method: key of :func:`~underpaint_lab.benchmarks.robustness.crops.carriers`.
        images: folder of pictures, cut into all 128×128 crops that do not overlap; the samples by default.
        psnrs: mean PSNRs in dB at which all channels of the table are measured.
        beyond: nominal PSNRs in dB at which only the plotted channels are, on about 144 of the crops.
        seed: seed of bits, keys and the channels' randomness.
        jobs: processes, one per core by default; the result does not depend on them.

    Raises:
        UsageError: a method that carries no bits, or no pictures.
        UnderpaintError: the method cannot be brought to one of the PSNRs.
    """
    sweep, grid = CropSweep(method, images, BITS, seed, jobs), GRIDS[table]
    chains, skipped = sendable(grid.chains)
    plotted = tuple(chain for chain in chains if chain in grid.plotted)
    equal, extra = _at_mean_psnr(sweep, psnrs), sweep.embed(beyond, every=max(1, len(sweep.crops) // _PLOTTED_CROPS))
    errors = sweep.send(equal, chains) + sweep.send(extra, plotted)
    found = sorted(zip((*psnrs, *beyond), equal + extra, errors, strict=True), key=lambda level: level[0])
    quality = tuple(
        Quality.of(psnr, BITS, made.quality, None if psnr in beyond else made.nominal) for psnr, made, _ in found
    )
    rows = tuple(row for psnr, _, level in found for row in level.rows(psnr, BITS))
    return ResultFile(table, method, sweep.source(table), rows, {"quality": quality, "skipped": skipped})


def _at_mean_psnr(sweep: CropSweep, wanted: Sequence[float]) -> list[Containers]:
    """Embed in all crops at each *wanted* mean PSNR: each round corrects the requested PSNR by the last error.

    Raises:
        UnderpaintError: the mean PSNR does not follow the requested one.
    """
    latest = sweep.embed(wanted)
    best = list(latest)
    for _ in range(_ROUNDS):
        off = [i for i, psnr in enumerate(wanted) if abs(psnr - _mean(best[i])) > TOLERANCE]
        asked = [round(latest[i].nominal + wanted[i] - _mean(latest[i]), 3) for i in off]
        if not np.isfinite(asked).all():
            break
        for i, made in zip(off, sweep.embed(asked), strict=True):
            latest[i] = made
            best[i] = min(best[i], made, key=lambda each: abs(wanted[i] - _mean(each)))
    for psnr, made in zip(wanted, best, strict=True):
        if not abs(psnr - _mean(made)) < _REFUSED:
            reason = f"{sweep.method} cannot be brought to a mean PSNR of {psnr:g} dB"
            raise UnderpaintError(f"{reason}, {_mean(made):.1f} dB is the closest")
    return best


def _mean(containers: Containers) -> float:
    return float(containers.quality[:, 0].mean())
