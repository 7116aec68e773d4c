"""Bit error rate of a bit carrier over a grid of channels, without error correction, on small crops."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from underpaint import image
from underpaint.bench.pictures import crops, pictures_in, spread
from underpaint.bench.result import Quality, Result, Row, Skip, Source
from underpaint.channels import parse
from underpaint.errors import MissingExtraError, UsageError
from underpaint.methods import METHODS, BitCarrier
from underpaint.metrics import psnr as psnr_of
from underpaint.metrics import ssim as ssim_of
from underpaint.secret.keys import SALT_SIZE, Key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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
    """What came of it: per quality PSNR and SSIM, and how many bits were wrong per channel."""

    quality: tuple[tuple[float, float], ...]
    errors: tuple[tuple[int, ...], ...]


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
    if method not in carriers():
        raise UsageError(f"'{method}' carries no bits", hint=f"these do: {', '.join(carriers())}")
    pictures = pictures_in(images)
    skipped = tuple(Skip(chain, reason) for chain in chains if (reason := _missing(chain)))
    sent = tuple(chain for chain in chains if chain not in {skip.channel for skip in skipped})
    cut = [crop for picture in pictures for crop in crops(image.read(picture).pixels, CROP)]
    if not cut:
        raise UsageError(f"no picture is large enough for a crop of {CROP}×{CROP}")
    tasks = [Task(method, crop, index, tuple(psnrs), sent, bits, seed) for index, crop in enumerate(cut)]
    outcomes = spread(measure, tasks, jobs)
    quality = np.array([outcome.quality for outcome in outcomes])  # (crops, psnrs, 2)
    errors = np.array([outcome.errors for outcome in outcomes])  # (crops, psnrs, chains)
    return Result(
        table="channels",
        method=method,
        source=Source.of("channels", method, images, pictures, seed),
        quality=tuple(Quality.of(psnr, bits, quality[:, p]) for p, psnr in enumerate(psnrs)),
        rows=tuple(
            Row(chain, psnr, bits, len(cut), int((wrong == 0).sum()), errors=int(wrong.sum()))
            for c, chain in enumerate(sent)
            for psnr, wrong in zip(psnrs, errors[:, :, c].T, strict=True)
        ),
        skipped=skipped,
    )


def measure(task: Task) -> Outcome:
    """Hide random bits in one crop, send it through every channel, and count."""
    carrier = carriers()[task.method]
    bits = np.random.default_rng([task.seed, task.index]).integers(0, 2, task.bits, dtype=np.uint8)
    name = f"{task.seed} {task.index}".encode()
    key = Key.derive(None, hashlib.blake2b(name, digest_size=SALT_SIZE).digest())
    quality, errors = [], []
    for psnr in task.psnrs:
        container = carrier.embed_bits(task.crop, bits, key, psnr=psnr)
        quality.append((psnr_of(task.crop, container), ssim_of(task.crop, container)))
        wrong = []
        for chain in task.chains:
            # Of its own for each channel, so that a longer grid leaves the numbers of the others as they were.
            rng = np.random.default_rng([task.seed, task.index, zlib.crc32(chain.encode())])
            soft = carrier.extract_bits(parse(chain)(container, rng), task.bits, key, psnr=psnr)
            wrong.append(int(((soft > 0) != bits).sum()))
        errors.append(tuple(wrong))
    return Outcome(tuple(quality), tuple(errors))


def _missing(chain: str) -> str | None:
    """Say which library *chain* lacks, by trying."""
    try:
        parse(chain)(np.zeros((CROP, CROP, 3), np.uint8))
    except MissingExtraError as error:
        return str(error)
    return None
