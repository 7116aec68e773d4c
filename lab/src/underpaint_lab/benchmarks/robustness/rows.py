"""What is measured, what papers publish and its origin; partly in ``placed``, ``agreed``, ``detected``, ``trellis``.

::

    Measured ─┬─ Result ─┬─ Ablation    counted behind channels; of a network that was trained for it
              │          └─ Gain        of a method with some of its parts, beside the method without them
              ├─ Speed                  seconds and memory
              ├─ Searches               what the trellis pays and how fast it is
              ├─ Paper                  what somebody else has published
              ├─ Placements, Published  messages in pictures that stay as they are
              ├─ Coding                 bytes of pictures that machines look at
              ├─ Flips                  labels that hiding changes
              ├─ Revealed               pictures in pictures
              ├─ Agreements, Statements labels of pictures that a machine shall not notice the change of
              ├─ Detections, Figures    what detectors make of pictures
              ├─ Recognitions, Claims   secrets that are recognised without being restored
              └─ Unmaskings             what steganalysers that learn make of them
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from underpaint_lab.benchmarks.core.result_file import ResultFile, given, valued
from underpaint_lab.benchmarks.core.source import Citation, Source
from underpaint_lab.benchmarks.detectability.rows import ANALYST, STATISTICS, Detections, Figures
from underpaint_lab.benchmarks.faces import rows as recognised
from underpaint_lab.benchmarks.faces import steganalysis_rows
from underpaint_lab.benchmarks.jnd.coded import CODING, Coding
from underpaint_lab.benchmarks.jnd.flipped import MACHINE_SAFE, Flips
from underpaint_lab.benchmarks.jnd.rows import DMVJND, Agreements, Statements
from underpaint_lab.benchmarks.lossless.rows import BASN, Placements, Published
from underpaint_lab.benchmarks.lossless.stc_bound import TRELLIS, Searches
from underpaint_lab.benchmarks.pictures.rows import PICTURES, SMALL, Revealed
from underpaint_lab.metrics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

#: Method of a result file that holds what a paper published.
PAPER = "paper"
#: Table of networks that were trained for it.
ABLATION = "robust-ablation"
#: Table of what networks add to a method, and all its channels together.
NETWORKS, ALL = "robust-networks", "all"
#: Draws of a bootstrap.
_DRAWS = 10_000


@dataclass(frozen=True)
class Quality:
    """How far containers of one kind lie from their covers, after rounding to 8 bits."""

    #: Asked for, in dB; what one row's ``psnr`` refers to.
    psnr: float
    payload_bits: int
    containers: int
    #: Measured.
    psnr_mean: float
    psnr_min: float
    ssim_mean: float
    #: What the method was asked for so that the mean is ``psnr``, where methods are compared at equal PSNR.
    nominal: float | None = None

    @classmethod
    def of(cls, psnr: float, payload_bits: int, measured: NDArray[np.float64], nominal: float | None = None) -> Quality:
        """Summarise PSNR and SSIM of each container, ``(containers, 2)``, to six decimals, as they are stored."""
        numbers = measured[:, 0].mean(), measured[:, 0].min(), measured[:, 1].mean()
        mean, least, ssim = (round(float(number), 6) for number in numbers)
        return cls(psnr, payload_bits, len(measured), mean, least, ssim, nominal)

    def numbers(self) -> dict[str, Any]:
        """Every field that has a value."""
        return valued(asdict(self))


@dataclass(frozen=True)
class Row:
    """What came out of one channel."""

    channel: str
    #: Asked for, in dB.
    psnr: float
    payload_bits: int
    #: Containers sent, those among them refused by hide, those read without a wrong bit, those read as something else.
    sent: int
    exact: int
    refused: int = 0
    false: int = 0
    #: Wrong bits, where bits were counted one by one.
    errors: int | None = None
    #: Mean bits per pixel of the codec's files, where the channel is one codec.
    bpp: float | None = None

    @property
    def bits(self) -> int:
        """Bits sent in all."""
        return self.sent * self.payload_bits

    @property
    def exact_interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the share of exact containers."""
        return wilson(self.exact, self.sent)

    @property
    def ber(self) -> float | None:
        """Bit error rate."""
        return None if self.errors is None else self.errors / self.bits

    @property
    def ber_interval(self) -> tuple[float, float] | None:
        """The 95 % Wilson interval of the bit error rate, as if bits of one crop were independent."""
        return None if self.errors is None else wilson(self.errors, self.bits)

    def numbers(self) -> dict[str, Any]:
        """Every field that has a value, and what follows from them."""
        derived = {name: getattr(self, name) for name in ("exact_interval", "ber", "ber_interval")}
        return valued(asdict(self) | derived)


@dataclass(frozen=True)
class Reported:
    """One published number."""

    #: A channel, or the name of one where the paper leaves out its parameters.
    channel: str
    #: Of the paper's table.
    column: str
    payload_bits: int
    #: Bit error rate.
    ber: float


@dataclass(frozen=True)
class Skip:
    """A channel that was not measured, and why."""

    channel: str
    reason: str


@dataclass(frozen=True)
class Change:
    """How a bit error rate differs from another over the same crops, and the 95 % bootstrap interval of that."""

    #: Or :data:`ALL`, the mean of all channels.
    channel: str
    ber: float
    low: float
    high: float

    @classmethod
    def of(cls, more: NDArray[np.int64], bits: int, chains: Sequence[str], seed: int) -> tuple[Self, ...]:
        """Say what *more* wrong bits of *bits*, ``(crops, chains)``, mean; crops are drawn anew by *seed*."""
        rates = np.column_stack([more, more.mean(axis=1)]) / bits
        drawn = np.random.default_rng(seed).multinomial(len(rates), np.full(len(rates), 1 / len(rates)), _DRAWS)
        low, high = np.percentile(drawn @ rates / len(rates), (2.5, 97.5), axis=0)
        numbers = np.stack([rates.mean(axis=0), low, high], axis=1).round(6).tolist()
        return tuple(cls(chain, *three) for chain, three in zip((*chains, ALL), numbers, strict=True))


@dataclass(frozen=True)
class Timing:
    """What one command took."""

    what: str
    #: Of the picture, and of the payload; 0 where there is none.
    pixels: int
    payload_bytes: int
    #: Seconds of each run.
    runs: tuple[float, ...]
    #: The most memory that a run held, in units of a million bytes.
    peak_mb: float

    @property
    def seconds(self) -> float:
        """The median of the runs."""
        return median(self.runs)

    def numbers(self) -> dict[str, Any]:
        """Every field, and what follows from them."""
        return asdict(self) | {"seconds": self.seconds}


@dataclass(frozen=True)
class Result(ResultFile):
    """What was counted behind channels."""

    source: Source
    quality: tuple[Quality, ...]
    rows: tuple[Row, ...]
    skipped: tuple[Skip, ...] = ()

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return qualities, rows with what follows from their counts, and skipped channels."""
        return {
            "quality": [quality.numbers() for quality in self.quality],
            "rows": [row.numbers() for row in self.rows],
            "skipped": [asdict(skip) for skip in self.skipped],
        }

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take the counts, leave what follows from them."""
        return {
            "quality": tuple(Quality(**quality) for quality in lists["quality"]),
            "rows": tuple(Row(**given(row, Row)) for row in lists["rows"]),
            "skipped": tuple(Skip(**skip) for skip in lists["skipped"]),
        }


@dataclass(frozen=True)
class Ablation(Result):
    """What a network trained for this table can do: first as it is, then with its change scaled to other PSNRs."""

    #: Each training that led to it, the last its own: scale beside the published one, recipe, data, commit, minutes, …
    training: tuple[dict[str, Any], ...] = ()

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return what every result has, and before it the training."""
        return {"training": list(self.training)} | super().lists()

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take what every result has, and the training."""
        return Result.fields(lists) | {"training": tuple(lists["training"])}


@dataclass(frozen=True)
class Gain(Result):
    """What a method does with some of its parts."""

    #: From the method without them, behind each channel and all; none if it is that.
    changes: tuple[Change, ...] = ()

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return what every result has, and the changes."""
        return super().lists() | {"changes": [asdict(change) for change in self.changes]}

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take what every result has, and the changes."""
        return Result.fields(lists) | {"changes": tuple(Change(**change) for change in lists["changes"])}


@dataclass(frozen=True)
class Paper(ResultFile):
    """A published table."""

    origin: ClassVar[type[Source | Citation]] = Citation

    source: Citation
    rows: tuple[Reported, ...]

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows."""
        return {"rows": [asdict(row) for row in self.rows]}

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take the rows."""
        return {"rows": tuple(Reported(**row) for row in lists["rows"])}


@dataclass(frozen=True)
class Speed(ResultFile):
    """What processes took."""

    source: Source
    rows: tuple[Timing, ...]

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows, each with its median."""
        return {"rows": [row.numbers() for row in self.rows]}

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take the runs, leave their median."""
        return {"rows": tuple(Timing(**given(row, Timing) | {"runs": tuple(row["runs"])}) for row in lists["rows"])}


def read(file: Path) -> ResultFile:
    """Read a result file; its name and the folder it lies in, which is its table, say of which kind it is.

    Raises:
        UsageError: the file is missing or has another shape.
    """
    table = file.parent.name
    if file.stem == PAPER:
        papers: dict[str, type[ResultFile]] = {
            BASN: Published,
            DMVJND: Statements,
            ANALYST: Figures,
            **dict.fromkeys(recognised.TABLES, recognised.Claims),
            steganalysis_rows.STEGANALYSIS: steganalysis_rows.PublishedUnmaskings,
        }
        return papers.get(table, Paper).read(file)
    kinds: dict[str, type[ResultFile]] = {
        ABLATION: Ablation,
        NETWORKS: Gain,
        BASN: Placements,
        DMVJND: Agreements,
        CODING: Coding,
        MACHINE_SAFE: Flips,
        TRELLIS: Searches,
        PICTURES: Revealed,
        SMALL: Revealed,
        ANALYST: Detections,
        STATISTICS: Detections,
        **dict.fromkeys(recognised.TABLES, recognised.Recognitions),
        steganalysis_rows.STEGANALYSIS: steganalysis_rows.Unmaskings,
        "speed": Speed,
    }
    return kinds.get(table, Result).read(file)
