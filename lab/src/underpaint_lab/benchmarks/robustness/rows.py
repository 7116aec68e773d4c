"""Rows of the tables on robustness: bit error rates and whole messages behind channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from underpaint_lab.metrics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from underpaint_lab.benchmarks.core.result_file import ResultFile

#: Name of the table of networks that were trained for it.
ABLATION = "robust-ablation"
#: Name of the table of the two networks of robust, and of the row of all its channels together.
NETWORKS, ALL = "robust-networks", "all"
_BOOTSTRAP_DRAWS = 10_000


@dataclass(frozen=True)
class Quality:
    """PSNR and SSIM of the containers of one kind, after rounding to 8 bits."""

    psnr: float  #: asked for, in dB; rows name it
    payload_bits: int
    containers: int
    psnr_mean: float  #: measured, in dB
    psnr_min: float
    ssim_mean: float
    #: PSNR in dB that the method was asked for so that the mean is ``psnr``, where methods are compared at equal PSNR.
    nominal: float | None = None

    @classmethod
    def of(cls, psnr: float, payload_bits: int, measured: NDArray[np.float64], nominal: float | None = None) -> Quality:
        """Summarise PSNR and SSIM of each container, ``(containers, 2)``; six decimals are stored."""
        numbers = measured[:, 0].mean(), measured[:, 0].min(), measured[:, 1].mean()
        mean, least, ssim = (round(float(number), 6) for number in numbers)
        return cls(psnr, payload_bits, len(measured), mean, least, ssim, nominal)


@dataclass(frozen=True)
class ChannelRow:
    """Containers behind one channel."""

    channel: str
    psnr: float  #: asked for, in dB
    payload_bits: int
    sent: int  #: containers
    exact: int  #: containers whose message was read without a wrong bit
    refused: int = 0  #: covers that ``hide`` refused
    false: int = 0  #: containers from which something else was read
    errors: int | None = None  #: wrong bits of all containers, where bits are counted
    bpp: float | None = None  #: mean bits per pixel of the codec's files, where the channel is one codec

    @property
    def bits(self) -> int:
        """Bits sent in all."""
        return self.sent * self.payload_bits

    @property
    def exact_interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the share of exact containers."""
        return wilson(self.exact, self.sent)

    @property
    def ber(self) -> float | None:
        """Bit error rate."""
        return None if self.errors is None else self.errors / self.bits

    @property
    def ber_interval(self) -> tuple[float, float] | None:
        """95 % Wilson interval of the bit error rate, as if the bits of a crop were independent."""
        return None if self.errors is None else wilson(self.errors, self.bits)

    def derived(self) -> dict[str, Any]:
        """Return rates and intervals."""
        return {name: getattr(self, name) for name in ("exact_interval", "ber", "ber_interval")}


@dataclass(frozen=True)
class PublishedBer:
    """One bit error rate of the paper."""

    channel: str  #: without parameters where the paper gives none
    column: str  #: column of the paper's table
    payload_bits: int
    ber: float


@dataclass(frozen=True)
class Skip:
    """A channel that was not measured, with the reason."""

    channel: str
    reason: str


@dataclass(frozen=True)
class BerChange:
    """Difference of two bit error rates over the same crops, with its 95 % bootstrap interval."""

    channel: str  #: or :data:`ALL`, the mean of all channels
    ber: float
    low: float
    high: float

    @classmethod
    def of(cls, added: NDArray[np.int64], bits: int, chains: Sequence[str], seed: int) -> tuple[Self, ...]:
        """Return one change per channel and one for all of them.

        Args:
            added: wrong bits more than in the other variant, ``(crops, chains)``.
            bits: bits per crop.
            chains: names of the channels.
            seed: seed of the bootstrap over crops.
        """
        rates = np.column_stack([added, added.mean(axis=1)]) / bits
        shares = np.full(len(rates), 1 / len(rates))
        drawn = np.random.default_rng(seed).multinomial(len(rates), shares, _BOOTSTRAP_DRAWS)
        low, high = np.percentile(drawn @ rates / len(rates), (2.5, 97.5), axis=0)
        numbers = np.stack([rates.mean(axis=0), low, high], axis=1).round(6).tolist()
        return tuple(cls(chain, *three) for chain, three in zip((*chains, ALL), numbers, strict=True))


#: Notes of the tables on robustness, then those of the ablation and of the networks of robust.
NOTES: dict[str, type[Any]] = {"quality": Quality, "skipped": Skip}
ABLATION_NOTES: dict[str, type[Any]] = {"training": dict, **NOTES}
NETWORK_NOTES: dict[str, type[Any]] = {**NOTES, "changes": BerChange}


def qualities(result: ResultFile[ChannelRow]) -> tuple[Quality, ...]:
    """Return the quality of the containers of *result*, one entry per PSNR and payload."""
    return result.notes["quality"]


def skipped(result: ResultFile[ChannelRow]) -> tuple[Skip, ...]:
    """Return the channels that were not measured."""
    return result.notes["skipped"]


def changes(result: ResultFile[ChannelRow]) -> tuple[BerChange, ...]:
    """Return how bit error rates of a variant of robust differ from those without networks."""
    return result.notes["changes"]
