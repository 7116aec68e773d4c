"""Crops of pictures that bits are hidden in and that are then sent: what tables of bit error rates are made of."""

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
from underpaint_lab.benchmarks.core.source import Source
from underpaint_lab.benchmarks.robustness.rows import Row, Skip
from underpaint_lab.data.pictures import crops, pictures_in, spread

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from underpaint.types import Bits, Image

#: Side of a crop in pixels and bits hidden in it: the setting of the papers on robust hiding.
CROP = 128
BITS = 30


@dataclass(frozen=True)
class Secret:
    """What is hidden in the crop of that number, by whom."""

    method: str
    crop: int
    count: int
    seed: int

    @property
    def bits(self) -> Bits:
        """The bits, at random."""
        return np.random.default_rng([self.seed, self.crop]).integers(0, 2, self.count, dtype=np.uint8)

    @property
    def key(self) -> Key:
        """A key of their own."""
        return Key.derive(None, hashlib.blake2b(f"{self.seed} {self.crop}".encode(), digest_size=SALT_SIZE).digest())


@dataclass(frozen=True)
class Hidden:
    """Containers of one nominal PSNR."""

    nominal: float
    secrets: tuple[Secret, ...]
    containers: tuple[Image, ...]
    #: PSNR and SSIM, ``(containers, 2)``.
    quality: NDArray[np.float64]


@dataclass(frozen=True)
class Counted:
    """What became of containers behind channels."""

    chains: tuple[str, ...]
    #: Wrong bits, ``(containers, chains)``.
    errors: NDArray[np.int64]
    #: Bits per pixel of the codec's file, ``(containers, chains)``; not a number where the chain is not one codec.
    bpp: NDArray[np.float64]

    def rows(self, psnr: float, bits: int) -> list[Row]:
        """One row per chain; *psnr* is what it is to be called."""
        sent, exact, errors = len(self.errors), (self.errors == 0).sum(axis=0), self.errors.sum(axis=0)
        sizes = [None if np.isnan(mean) else round(float(mean), 6) for mean in self.bpp.mean(axis=0)]
        return [
            Row(chain, psnr, bits, sent, int(exact[c]), errors=int(errors[c]), bpp=sizes[c])
            for c, chain in enumerate(self.chains)
        ]


class Sweep:
    """All crops of some pictures.

    Args:
        method: key of :func:`carriers`.
        images: folder of pictures, cut into all 128×128 crops that do not overlap; the samples by default.
        bits: random bits per crop.
        seed: of bits, keys and the channels' randomness; each crop and chain has its own stream.
        jobs: processes, one per core by default; nothing depends on them.

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

    def hide(self, nominals: Sequence[float], *, every: int = 1) -> list[Hidden]:
        """Hide bits in each crop, or in *every* so-manieth, at each of *nominals*: PSNRs as the method has them."""
        chosen = range(0, len(self.crops), every)
        secrets = tuple(Secret(self.method, crop, self.bits, self.seed) for crop in chosen)
        tasks = [(secret, self.crops[secret.crop], nominal) for nominal in nominals for secret in secrets]
        made = spread(_hide, tasks, self.jobs)
        groups = [made[start : start + len(secrets)] for start in range(0, len(made), len(secrets))]
        return [
            Hidden(nominal, secrets, tuple(each[0] for each in group), np.array([each[1:] for each in group]))
            for nominal, group in zip(nominals, groups, strict=True)
        ]

    def send(self, hidden: Sequence[Hidden], chains: Sequence[str]) -> list[Counted]:
        """Send all containers through each of *chains*, and count wrong bits."""
        through = tuple(chains)
        tasks = [
            (secret, container, each.nominal, through)
            for each in hidden
            for secret, container in zip(each.secrets, each.containers, strict=True)
        ]
        found = iter(spread(_send, tasks, self.jobs))
        shapes = [(len(each.secrets), len(through), 2) for each in hidden]
        groups = [np.array([next(found) for _ in range(shape[0])]).reshape(shape) for shape in shapes]
        return [Counted(through, group[..., 0].astype(np.int64), group[..., 1]) for group in groups]

    def source(self, table: str) -> Source:
        """Where the numbers of *table* come from."""
        return Source.of(table, self.method, self.images, self.pictures, self.seed)


def carriers() -> dict[str, BitCarrier]:
    """Return the methods that carry bits."""
    return {name: cast("BitCarrier", method) for name, method in METHODS.items() if hasattr(method, "embed_bits")}


def sendable(chains: Sequence[str]) -> tuple[tuple[str, ...], tuple[Skip, ...]]:
    """Return those of *chains* whose libraries are installed, and the others with what they lack.

    Raises:
        UsageError: an unknown channel or parameter.
    """
    skipped = tuple(Skip(chain, reason) for chain in chains if (reason := _missing(chain)))
    lacking = {skip.channel for skip in skipped}
    return tuple(chain for chain in chains if chain not in lacking), skipped


def _hide(task: tuple[Secret, Image, float]) -> tuple[Image, float, float]:
    """The container, its PSNR and SSIM."""
    secret, crop, nominal = task
    container = carriers()[secret.method].embed_bits(crop, secret.bits, secret.key, psnr=nominal)
    return container, psnr_of(crop, container), ssim_of(crop, container)


def _send(task: tuple[Secret, Image, float, tuple[str, ...]]) -> list[tuple[int, float]]:
    """For each chain how many bits arrive wrong, and the bits per pixel of the file they were in."""
    secret, container, nominal, chains = task
    carrier, bits, key = carriers()[secret.method], secret.bits, secret.key
    found = []
    for chain in chains:
        # Of its own for each channel, so that a longer grid leaves the numbers of the others as they were.
        rng = np.random.default_rng([secret.seed, secret.crop, zlib.crc32(chain.encode())])
        arrived, bpp = _transmitted(container, chain, rng)
        soft = carrier.extract_bits(arrived, secret.count, key, psnr=nominal)
        found.append((int(((soft > 0) != bits).sum()), bpp))
    return found


def _transmitted(container: Image, chain: str, rng: np.random.Generator) -> tuple[Image, float]:
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
