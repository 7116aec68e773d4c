"""Bit error rate of a bit carrier over a grid of channels, without error correction, on small crops."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from underpaint import image
from underpaint.bench.pictures import crops, pictures_in, spread
from underpaint.bench.result import Quality, Result, Row, Skip
from underpaint.bench.source import Source
from underpaint.channels import Codec, parse
from underpaint.errors import MissingExtraError, UsageError
from underpaint.methods import METHODS, BitCarrier
from underpaint.metrics import psnr as psnr_of
from underpaint.metrics import ssim as ssim_of
from underpaint.secret.keys import SALT_SIZE, Key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from underpaint.types import Image

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
#: Side of a crop in pixels and bits hidden in it: the setting of the papers on robust hiding.
CROP = 128
BITS = 30
PSNRS = (38.0, 40.0, 42.0)


@dataclass(frozen=True)
class Task:
    """One crop, to be sent at every quality through every channel."""

    method: str
    crop: Image
    index: int
    psnrs: tuple[float, ...]
    chains: tuple[str, ...]
    bits: int
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What came of it: per quality PSNR and SSIM; and per channel how many bits were wrong, and bits per pixel."""

    quality: tuple[tuple[float, float], ...]
    errors: tuple[tuple[int, ...], ...]
    bpp: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Level:
    """What came of all crops at one quality. A row per crop, and a column per channel where there is more to say."""

    #: PSNR and SSIM, ``(crops, 2)``.
    quality: NDArray[np.float64]
    #: Wrong bits, ``(crops, channels)``.
    errors: NDArray[np.int64]
    #: Bits per pixel of the codec's file, ``(crops, channels)``; not a number where the channel is not one codec.
    bpp: NDArray[np.float64]

    def rows(self, chains: Sequence[str], psnr: float, bits: int) -> list[Row]:
        """One row per channel."""
        sent, exact, errors = len(self.errors), (self.errors == 0).sum(axis=0), self.errors.sum(axis=0)
        sizes = [None if np.isnan(mean) else float(mean) for mean in self.bpp.mean(axis=0)]
        return [
            Row(chain, psnr, bits, sent, int(exact[c]), errors=int(errors[c]), bpp=sizes[c])
            for c, chain in enumerate(chains)
        ]


class Sweep:
    """All crops of some pictures, ready to be hidden in and sent.

    Args:
        method: key of :func:`carriers`.
        images: folder of pictures, cut into all 128×128 crops that do not overlap; the samples by default.
        bits: random bits per crop.
        seed: of bits, keys and the channels' randomness; each crop and channel has its own stream.
        jobs: processes, one per core by default; the result does not depend on them.

    Raises:
        UsageError: the method carries no bits, or there are no pictures of that size.
    """

    def __init__(self, method: str, images: Path | None, bits: int, seed: int, jobs: int | None) -> None:
        if method not in carriers():
            raise UsageError(f"'{method}' carries no bits", hint=f"these do: {', '.join(carriers())}")
        self.method, self.images, self.bits, self.seed, self.jobs = method, images, bits, seed, jobs
        self.pictures = pictures_in(images)
        self.crops = [crop for picture in self.pictures for crop in crops(image.read(picture).pixels, CROP)]
        if not self.crops:
            raise UsageError(f"no picture is large enough for a crop of {CROP}×{CROP}")

    def run(self, psnrs: Sequence[float], chains: Sequence[str]) -> list[Level]:
        """Hide at each of *psnrs*, as the method understands it, and send through each of *chains*."""
        asked, through = tuple(psnrs), tuple(chains)
        tasks = [Task(self.method, crop, i, asked, through, self.bits, self.seed) for i, crop in enumerate(self.crops)]
        found = spread(measure, tasks, self.jobs)
        quality = np.array([outcome.quality for outcome in found])
        errors = np.array([outcome.errors for outcome in found], np.int64)
        bpp = np.array([outcome.bpp for outcome in found])
        return [Level(quality[:, p], errors[:, p], bpp[:, p]) for p in range(len(asked))]

    def source(self, table: str) -> Source:
        """Where the numbers of *table* come from."""
        return Source.of(table, self.method, self.images, self.pictures, self.seed)


def sendable(chains: Sequence[str]) -> tuple[tuple[str, ...], tuple[Skip, ...]]:
    """Return those of *chains* whose libraries are installed, and the others with what they lack.

    Raises:
        UsageError: an unknown channel or parameter.
    """
    skipped = tuple(Skip(chain, reason) for chain in chains if (reason := _missing(chain)))
    lacking = {skip.channel for skip in skipped}
    return tuple(chain for chain in chains if chain not in lacking), skipped


def carriers() -> dict[str, BitCarrier]:
    """Return the methods that carry bits."""
    return {name: cast("BitCarrier", method) for name, method in METHODS.items() if hasattr(method, "embed_bits")}


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
    levels = list(zip(psnrs, sweep.run(psnrs, sent), strict=True))
    rows = [row for psnr, level in levels for row in level.rows(sent, psnr, bits)]
    return Result(
        table="channels",
        method=method,
        source=sweep.source("channels"),
        quality=tuple(Quality.of(psnr, bits, level.quality) for psnr, level in levels),
        rows=tuple(sorted(rows, key=lambda row: sent.index(row.channel))),
        skipped=skipped,
    )


def measure(task: Task) -> Outcome:
    """Hide random bits in one crop, send it through every channel, and count."""
    carrier = carriers()[task.method]
    bits = np.random.default_rng([task.seed, task.index]).integers(0, 2, task.bits, dtype=np.uint8)
    name = f"{task.seed} {task.index}".encode()
    key = Key.derive(None, hashlib.blake2b(name, digest_size=SALT_SIZE).digest())
    quality, errors, sizes = [], [], []
    for psnr in task.psnrs:
        container = carrier.embed_bits(task.crop, bits, key, psnr=psnr)
        quality.append((psnr_of(task.crop, container), ssim_of(task.crop, container)))
        wrong, bpp = [], []
        for chain in task.chains:
            # Of its own for each channel, so that a longer grid leaves the numbers of the others as they were.
            rng = np.random.default_rng([task.seed, task.index, zlib.crc32(chain.encode())])
            arrived, size = _sent(container, chain, rng)
            soft = carrier.extract_bits(arrived, task.bits, key, psnr=psnr)
            bpp.append(size)
            wrong.append(int(((soft > 0) != bits).sum()))
        errors.append(tuple(wrong))
        sizes.append(tuple(bpp))
    return Outcome(tuple(quality), tuple(errors), tuple(sizes))


def _sent(container: Image, chain: str, rng: np.random.Generator) -> tuple[Image, float]:
    """Return what arrives of *container*, and bits per pixel of its file if the chain is a codec, else not a number."""
    channel, *more = parse(chain).channels
    if isinstance(channel, Codec) and not more:
        return channel.transmit(container)
    return parse(chain)(container, rng), float("nan")


def _missing(chain: str) -> str | None:
    """Say which library *chain* lacks, by trying."""
    try:
        parse(chain)(np.zeros((CROP, CROP, 3), np.uint8))
    except MissingExtraError as error:
        return str(error)
    return None
