"""Rows of the tables ``basn`` (payloads in unchanged containers) and ``trellis`` (syndrome-trellis codes)."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from underpaint_lab.metrics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Names of the tables.
BASN, TRELLIS = "basn", "trellis"

Covers = Literal["crops", "whole"]


class SampleResult(NamedTuple):
    """One message in one picture."""

    pixels: int
    bits: int
    wrong: int  #: bits that are wrong or missing
    psnr: float  #: in dB
    ssim: float
    differing: int | None = None  #: difference of the capacities that sender and receiver compute, in bits, if any do
    seen: float | None = None  #: mean relative change of features of classifiers that attention was trained against
    unseen: float | None = None  #: the same of classifiers that it was not trained against
    kept: int = 0  #: classifiers that keep their label
    judged: int = 0  #: classifiers that were asked


@dataclass(frozen=True)
class StrategyRow:
    """One strategy over all pictures. Pictures that refused the payload count in ``refused`` only."""

    strategy: str
    covers: Covers
    pictures: int  #: pictures that took the payload
    refused: int  #: pictures that did not
    pixels: int
    bits: int
    wrong: int  #: bits that are wrong or missing
    exact: int  #: messages without a wrong bit
    kept: int  #: labels that classifiers keep
    judged: int  #: labels asked for
    differing: int | None = None  #: difference of the capacities that sender and receiver compute, in bits
    psnr: float | None = None  #: mean over pictures, in dB
    ssim: float | None = None  #: mean over pictures
    seen: float | None = None  #: median over pictures of the relative feature change, classifiers of the training
    unseen: float | None = None  #: the same, other classifiers

    @classmethod
    def of(cls, strategy: str, covers: Covers, samples: Sequence[SampleResult | None]) -> StrategyRow:
        """Add up *samples*, None where a message did not fit; means and medians are stored with six decimals."""
        found = [sample for sample in samples if sample]

        def total(name: str) -> int:
            return sum(getattr(sample, name) for sample in found)

        def typical(name: str, of: Callable[[list[float]], np.floating[Any]]) -> float | None:
            values = [getattr(sample, name) for sample in found if getattr(sample, name) is not None]
            return round(float(of(values)), 6) if values else None

        return cls(
            strategy,
            covers,
            pictures=len(found),
            refused=len(samples) - len(found),
            pixels=total("pixels"),
            bits=total("bits"),
            wrong=total("wrong"),
            exact=sum(not sample.wrong for sample in found),
            kept=total("kept"),
            judged=total("judged"),
            differing=total("differing") if found and all(each.differing is not None for each in found) else None,
            psnr=typical("psnr", np.mean),
            ssim=typical("ssim", np.mean),
            seen=typical("seen", np.median),
            unseen=typical("unseen", np.median),
        )

    @property
    def payload(self) -> float | None:
        """Bits per pixel of three values."""
        return self.bits / self.pixels if self.pixels else None

    @property
    def ber(self) -> float | None:
        """Share of the bits that are wrong or missing."""
        return self.wrong / self.bits if self.bits else None

    @property
    def bser(self) -> float | None:
        """The paper's BSER, its eq. 17: difference of the capacities per bit hidden."""
        return None if self.differing is None or not self.bits else self.differing / self.bits

    @property
    def exact_interval(self) -> tuple[float, float] | None:
        """95 % Wilson interval of the share of messages without a wrong bit."""
        return wilson(self.exact, self.pictures) if self.pictures else None

    def derived(self) -> dict[str, Any]:
        """Return payload, error rates and interval."""
        return {name: getattr(self, name) for name in ("payload", "ber", "bser", "exact_interval")}


@dataclass(frozen=True)
class PublishedStrategy:
    """The paper's figures of one strategy."""

    strategy: str
    payload: float  #: bits per pixel
    bser: float  #: a share


@dataclass(frozen=True)
class StcRow:
    """A syndrome-trellis code at one rate with costs of one kind."""

    costs: str  #: kind of costs of a change by 1; a change by n costs n² times that
    rate: float  #: bits per value
    layers: int
    values: int
    paid: float  #: sum of the costs of all changes
    bound: float  #: smallest expected sum of any code at this rate: the rate–distortion bound
    runs: tuple[float, ...]  #: seconds of each run, with all cores

    @property
    def excess(self) -> float:
        """Cost in excess of the bound, as a share of the bound."""
        return self.paid / self.bound - 1

    @property
    def speed(self) -> float:
        """Values per second, in the median of the runs."""
        return self.values / median(self.runs)

    def derived(self) -> dict[str, Any]:
        """Return excess and speed."""
        return {"excess": self.excess, "speed": round(self.speed)}
