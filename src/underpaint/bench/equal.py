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

from underpaint.bench.carrier import BITS, PSNRS, Sweep, sendable
from underpaint.bench.result import Quality, Result
from underpaint.errors import UnderpaintError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

#: Mean PSNRs in dB that are only drawn.
BEYOND = (34.0, 36.0, 44.0, 46.0)
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
        method: key of :func:`~underpaint.bench.carrier.carriers`.
        images: folder of pictures, cut into all 128×128 crops that do not overlap; the samples by default.
        psnrs: mean PSNRs in dB at which all channels of the table are measured.
        beyond: those at which only the plotted channels are.
        bits: random bits per crop.
        seed: of bits, keys and the channels' randomness.
        jobs: processes, one per core by default; the result does not depend on them.

    Raises:
        UsageError: a method that carries no bits, or no pictures.
        UnderpaintError: the method cannot be brought to one of the PSNRs.
    """
    sweep, grid, wanted = Sweep(method, images, bits, seed, jobs), GRIDS[table], (*psnrs, *beyond)
    chains, skipped = sendable(grid.chains)
    plotted = tuple(chain for chain in chains if chain in grid.plotted)
    nominals = _nominals(sweep, wanted)
    levels = sweep.run(nominals[: len(psnrs)], chains) + sweep.run(nominals[len(psnrs) :], plotted)
    through = [chains] * len(psnrs) + [plotted] * len(beyond)
    found = sorted(zip(wanted, nominals, levels, through, strict=True), key=lambda level: level[0])
    return Result(
        table=table,
        method=method,
        source=sweep.source(table),
        quality=tuple(Quality.of(psnr, bits, level.quality, nominal) for psnr, nominal, level, _ in found),
        rows=tuple(row for psnr, _, level, sent in found for row in level.rows(sent, psnr, bits)),
        skipped=skipped,
    )


def _nominals(sweep: Sweep, wanted: Sequence[float]) -> list[float]:
    """What to ask the method for, so that all crops together have each mean PSNR that is *wanted*.

    It is read off a parabola through three PSNRs, and corrected by what is missing; the closest counts.

    Raises:
        UnderpaintError: what comes does not follow what is asked for.
    """
    asked = np.linspace(min(wanted) - 1, max(wanted) + 1, 3)
    means = _means(sweep, asked)
    if not np.isfinite(means).all() or (np.diff(means) <= 0).any():
        raise UnderpaintError(f"{sweep.method} has {_listed(means)} dB where {_listed(asked)} were asked for")
    guesses = np.polynomial.Polynomial.fit(means, asked, 2)(np.array(wanted)).round(3)
    best, least = guesses.copy(), np.full(len(wanted), np.inf)
    for _ in range(_ROUNDS):
        off = least > TOLERANCE
        if not off.any():
            break
        missing = np.array(wanted)[off] - _means(sweep, guesses[off])
        closer = np.abs(missing) < least[off]
        best[off] = np.where(closer, guesses[off], best[off])
        least[off] = np.where(closer, np.abs(missing), least[off])
        guesses[off] = (guesses[off] + missing).round(3)
    if least.max() > _HOPELESS:
        worst = wanted[int(least.argmax())]
        raise UnderpaintError(f"{sweep.method} stays {least.max():.1f} dB from a mean PSNR of {worst:g} dB")
    return [float(nominal) for nominal in best]


def _means(sweep: Sweep, psnrs: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([level.quality[:, 0].mean() for level in sweep.run(psnrs.tolist(), ())])


def _listed(psnrs: NDArray[np.float64]) -> str:
    return ", ".join(f"{psnr:.1f}" for psnr in psnrs)
