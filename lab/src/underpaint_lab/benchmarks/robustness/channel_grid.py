"""Bit error rate of a bit carrier over a grid of channels, without error correction, on small crops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from underpaint_lab.benchmarks.robustness.crops import BITS, Sweep, sendable
from underpaint_lab.benchmarks.robustness.rows import Quality, Result

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Every channel that is measured, as one would write it.
GRID = (
    *("none", "jpeg:90", "jpeg:75", "jpeg:50", "jpeg:25", "jpeg:10"),
    *("webp:75", "webp:50", "webp:25", "webp:10"),
    *("jpeg2000:10", "jpeg2000:20", "jpeg2000:40"),
    *("avif:60", "avif:50", "avif:30"),
    *("mpeg4:4", "mpeg4:10", "xvid:4", "xvid:10", "h264:23", "h264:30"),
    *("contrast:0.9", "brightness:0.9", "brightness:1.1", "gamma:0.9", "gamma:1.1"),
    *("noise:0.02", "noise:0.04", "blur:0.5", "blur:1", "quantise:5", "quantise:4"),
    *("resize:0.75", "resize:0.5", "rotate:0.5", "crop:0.9", "cropout:0.9", "dropout:0.3"),
    *("jpeg:75 | jpeg:75", "resize:0.75 | jpeg:75"),
)
#: Qualities in dB.
PSNRS = (38.0, 40.0, 42.0)


def channels(
    method: str,
    *,
    images: Path | None = None,
    psnrs: Sequence[float] = PSNRS,
    chains: Sequence[str] = GRID,
    bits: int = BITS,
    seed: int = 0,
    jobs: int | None = None,
) -> Result:
    """Measure how many bits of *method* arrive wrong.

    Args:
        method: key of :func:`carriers`.
        images: folder of pictures, cut into all 128×128 crops that do not overlap; the samples by default.
        psnrs: qualities in dB to hide at.
        chains: what to send the containers through. Channels whose library is missing are reported as skipped.
        bits: random bits per crop.
        seed: of bits, keys and the channels' randomness; each crop and channel has its own stream.
        jobs: processes, one per core by default; the result does not depend on them.

    Raises:
        UsageError: an unknown method, channel or parameter, or no pictures.
    """
    sweep = Sweep(method, images, bits, seed, jobs)
    sent, skipped = sendable(chains)
    hidden = sweep.hide(psnrs)
    rows = [
        row
        for each, counted in zip(hidden, sweep.send(hidden, sent), strict=True)
        for row in counted.rows(each.nominal, bits)
    ]
    return Result(
        table="channels",
        method=method,
        source=sweep.source("channels"),
        quality=tuple(Quality.of(each.nominal, bits, each.quality) for each in hidden),
        rows=tuple(sorted(rows, key=lambda row: sent.index(row.channel))),
        skipped=skipped,
    )
