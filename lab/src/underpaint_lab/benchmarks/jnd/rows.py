"""Whether classifiers still answer as they did, by what was done to pictures: rows of the table ``dmvjnd``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from underpaint_lab.benchmarks.core.result_file import ResultFile, given, valued
from underpaint_lab.benchmarks.core.source import Citation, Source
from underpaint_lab.metrics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The table.
DMVJND = "dmvjnd"
#: Classifiers that the change is made against, in the paper's order, and those that only judge.
PANEL, UNSEEN = ("alexnet", "vgg", "resnet", "densenet"), ("mobile", "mixer", "plain")

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Agreement:
    """How many pictures each classifier still takes for what it took them for, after one kind of change."""

    split: Split
    #: What was done: ``change``, or something made of it.
    change: str
    #: That was asked for, in dB; None where the way has a strength of its own.
    level: float | None
    pictures: int
    #: How many, by classifier.
    kept: dict[str, int]
    #: Of the mean squared error after clamping and rounding to 8 bits, in dB.
    psnr: float
    #: Without either; None where there is nothing before it.
    psnr_free: float | None = None

    def rca(self, classifiers: Iterable[str]) -> float | None:
        """The mean share over those of *classifiers* that were asked; None if none was."""
        found = [self.kept[name] for name in classifiers if name in self.kept]
        return sum(found) / len(found) / self.pictures if found else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % Wilson interval of the panel's mean share."""
        found = [self.kept[name] for name in PANEL if name in self.kept]
        return wilson(sum(found), len(found) * self.pictures) if found else None

    def numbers(self) -> dict[str, Any]:
        """Every field that has a value, and what follows from them."""
        derived = {"rca": self.rca(PANEL), "rca_interval": self.interval, "rca_unseen": self.rca(UNSEEN)}
        return valued(asdict(self) | derived)


@dataclass(frozen=True)
class Agreements(ResultFile):
    """What becomes of labels by one way of changing pictures."""

    source: Source
    rows: tuple[Agreement, ...]

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows, with what follows from their counts."""
        return {"rows": [row.numbers() for row in self.rows]}

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take the counts, leave what follows from them."""
        return {"rows": tuple(Agreement(**({"level": None} | given(row, Agreement))) for row in lists["rows"])}


@dataclass(frozen=True)
class Stated:
    """What the paper says of one kind of change: shares, and the PSNR in dB where it says so."""

    split: Split
    change: str
    rca: float
    psnr: float | None = None
    #: By classifier, in the order of :data:`PANEL`.
    each: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Statements(ResultFile):
    """The paper's figures."""

    origin: ClassVar[type[Source | Citation]] = Citation

    source: Citation
    rows: tuple[Stated, ...]

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows."""
        return {"rows": [valued(asdict(row)) for row in self.rows]}

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take the rows."""
        rows = [row | ({"each": tuple(row["each"])} if "each" in row else {}) for row in lists["rows"]]
        return {"rows": tuple(Stated(**row) for row in rows)}
