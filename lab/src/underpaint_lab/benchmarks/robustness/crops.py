"""Bits embedded in crops of pictures and counted behind channels: the base of all tables of bit error rates."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from underpaint import media
from underpaint.channels import Codec, parse
from underpaint.coding.keys import SALT_SIZE, Key
from underpaint.errors import MissingExtraError, UsageError
from underpaint.methods import METHODS, BitCarrier
from underpaint.metrics import psnr as psnr_of
from underpaint.metrics import ssim as ssim_of
from underpaint_lab.benchmarks.robustness.rows import ChannelRow, Skip
from underpaint_lab.data.pictures import crops, pictures_in, spread
from underpaint_lab.provenance import Source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from underpaint.types import Bits, Image

#: Side of a crop in pixels and bits hidden in it: the setting of the papers on robust hiding.
CROP = 128
BITS = 30


@dataclass(frozen=True)
class CropBits:
    """Random bits and a key for one crop."""

    method: str
    crop: int  #: number of the crop
    count: int  #: bits
    seed: int

    @property
    def bits(self) -> Bits:
        """The bits, ``(count,)``."""
        return np.random.default_rng([self.seed, self.crop]).integers(0, 2, self.count, dtype=np.uint8)

    @property
    def key(self) -> Key:
        """A key for this crop."""
        return Key.derive(None, hashlib.blake2b(f"{self.seed} {self.crop}".encode(), digest_size=SALT_SIZE).digest())


@dataclass(frozen=True)
class Containers:
    """Containers of one nominal PSNR, in dB."""

    nominal: float
    bits: tuple[CropBits, ...]
    images: tuple[Image, ...]
    quality: NDArray[np.float64]  #: PSNR and SSIM, ``(containers, 2)``


@dataclass(frozen=True)
class BitErrors:
    """Wrong bits of containers behind channels."""

    chains: tuple[str, ...]
    errors: NDArray[np.int64]  #: wrong bits, ``(containers, chains)``
    bpp: NDArray[np.float64]  #: bits per pixel of the codec's file, same shape; NaN where the chain is not one codec

    def rows(self, psnr: float, bits: int) -> list[ChannelRow]:
        """Return one row per chain, for containers that were asked for at *psnr* dB with *bits* bits each."""
        sent, exact, errors = len(self.errors), (self.errors == 0).sum(axis=0), self.errors.sum(axis=0)
        sizes = [None if np.isnan(mean) else round(float(mean), 6) for mean in self.bpp.mean(axis=0)]
        return [
            ChannelRow(chain, psnr, bits, sent, int(exact[c]), errors=int(errors[c]), bpp=sizes[c])
            for c, chain in enumerate(self.chains)
        ]


class CropSweep:
    """All 128×128 crops of a folder of pictures that do not overlap.

    Args:
        method: key of :func:`carriers`.
        images: folder of pictures; the samples by default.
        bits: random bits per crop.
        seed: seed of bits, keys and the channels' randomness; each crop and chain has its own stream.
        jobs: processes, one per core by default; results do not depend on them.

    Raises:
        UsageError: the method carries no bits, or there are no pictures of that size.
    """

    def __init__(self, method: str, images: Path | None, bits: int, seed: int, jobs: int | None) -> None:
        if method not in carriers():
            raise UsageError(f"'{method}' carries no bits", hint=f"these do: {', '.join(carriers())}")
        self.method, self.images, self.bits, self.seed, self.jobs = method, images, bits, seed, jobs
        self.pictures = pictures_in(images)
        self.crops = [crop for picture in self.pictures for crop in crops(media.read(picture).pixels, CROP)]
        if not self.crops:
            raise UsageError(f"no picture is large enough for a crop of {CROP}×{CROP}")

    def embed(self, nominals: Sequence[float], *, every: int = 1) -> list[Containers]:
        """Embed bits in each crop, or every *every*-th, at each of *nominals*, the PSNRs in dB that are asked for."""
        secrets = tuple(CropBits(self.method, crop, self.bits, self.seed) for crop in range(0, len(self.crops), every))
        tasks = [(secret, self.crops[secret.crop], nominal) for nominal in nominals for secret in secrets]
        made = spread(_embed, tasks, self.jobs)
        groups = [made[start : start + len(secrets)] for start in range(0, len(made), len(secrets))]
        return [
            Containers(nominal, secrets, tuple(each[0] for each in group), np.array([each[1:] for each in group]))
            for nominal, group in zip(nominals, groups, strict=True)
        ]

    def send(self, containers: Sequence[Containers], chains: Sequence[str]) -> list[BitErrors]:
        """Send all containers through each of *chains* and count wrong bits."""
        through = tuple(chains)
        tasks = [
            (secret, image, each.nominal, through)
            for each in containers
            for secret, image in zip(each.bits, each.images, strict=True)
        ]
        found = iter(spread(_send, tasks, self.jobs))
        shapes = [(len(each.bits), len(through), 2) for each in containers]
        groups = [np.array([next(found) for _ in range(shape[0])]).reshape(shape) for shape in shapes]
        return [BitErrors(through, group[..., 0].astype(np.int64), group[..., 1]) for group in groups]

    def source(self, table: str) -> Source:
        """Return the provenance of the numbers of *table*."""
        return Source.of_bench(table, self.method, self.images, self.pictures, self.seed)


def carriers() -> dict[str, BitCarrier]:
    """Return the methods that carry bits."""
    return {name: cast("BitCarrier", method) for name, method in METHODS.items() if hasattr(method, "embed_bits")}


def sendable(chains: Sequence[str]) -> tuple[tuple[str, ...], tuple[Skip, ...]]:
    """Split *chains* into those whose libraries are installed, and the others with the missing library.

    Raises:
        UsageError: an unknown channel or parameter.
    """
    skipped = tuple(Skip(chain, reason) for chain in chains if (reason := _missing(chain)))
    lacking = {skip.channel for skip in skipped}
    return tuple(chain for chain in chains if chain not in lacking), skipped


def _embed(task: tuple[CropBits, Image, float]) -> tuple[Image, float, float]:
    """Return the container, its PSNR and its SSIM."""
    secret, crop, nominal = task
    container = carriers()[secret.method].embed_bits(crop, secret.bits, secret.key, psnr=nominal)
    return container, psnr_of(crop, container), ssim_of(crop, container)


def _send(task: tuple[CropBits, Image, float, tuple[str, ...]]) -> list[tuple[int, float]]:
    """Return wrong bits and bits per pixel of the file, for each chain."""
    secret, container, nominal, chains = task
    carrier, bits, key = carriers()[secret.method], secret.bits, secret.key
    found = []
    for chain in chains:
        # One stream per channel: a longer grid leaves the numbers of the other channels unchanged.
        rng = np.random.default_rng([secret.seed, secret.crop, zlib.crc32(chain.encode())])
        received, bpp = _transmitted(container, chain, rng)
        soft = carrier.extract_bits(received, secret.count, key, psnr=nominal)
        found.append((int(((soft > 0) != bits).sum()), bpp))
    return found


def _transmitted(container: Image, chain: str, rng: np.random.Generator) -> tuple[Image, float]:
    """Return *container* behind *chain*, and bits per pixel of its file; NaN if the chain is not one codec."""
    channel, *more = parse(chain).channels
    if isinstance(channel, Codec) and not more:
        return channel.transmit(container)
    return parse(chain)(container, rng), float("nan")


def _missing(chain: str) -> str | None:
    """Return the library that *chain* lacks, found by trying it."""
    try:
        parse(chain)(np.zeros((CROP, CROP, 3), np.uint8))
    except MissingExtraError as error:
        return str(error)
    return None
