"""Table ``channels``: bit error rate of a method behind many channels, without error correction, on small crops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.robustness.crops import BITS, CropSweep, sendable
from underpaint_lab.benchmarks.robustness.grids import GRID, PSNRS
from underpaint_lab.benchmarks.robustness.rows import Quality

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from underpaint_lab.benchmarks.robustness.rows import ChannelRow


def channels(
    method: str,
    *,
    images: Path | None = None,
    psnrs: Sequence[float] = PSNRS,
    chains: Sequence[str] = GRID,
    seed: int = 0,
    jobs: int | None = None,
) -> ResultFile[ChannelRow]:
    """Measure the bit error rate of *method* behind channels.

    Args:
        method: key of :func:`carriers`.
        images: folder of pictures, cut into all 128×128 crops that do not overlap; the samples by default.
        psnrs: PSNRs in dB to embed at.
        chains: channels for the containers. Those whose library is missing are noted as skipped.
        seed: seed of bits, keys and the channels' randomness; each crop and channel has its own stream.
        jobs: processes, one per core by default; the result does not depend on them.

    Raises:
        UsageError: an unknown method, channel or parameter, or no pictures.
    """
    sweep = CropSweep(method, images, BITS, seed, jobs)
    sent, skipped = sendable(chains)
    made = sweep.embed(psnrs)
    rows = [
        row
        for each, counted in zip(made, sweep.send(made, sent), strict=True)
        for row in counted.rows(each.nominal, BITS)
    ]
    quality = tuple(Quality.of(each.nominal, BITS, each.quality) for each in made)
    return ResultFile(
        "channels",
        method,
        sweep.source("channels"),
        tuple(sorted(rows, key=lambda row: sent.index(row.channel))),
        {"quality": quality, "skipped": skipped},
    )
