"""Rows of the tables ``dmvjnd``, ``coding`` and ``machine-safe``: labels that classifiers keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from underpaint_lab.metrics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Names of the tables.
DMVJND, CODING, MACHINE_SAFE = "dmvjnd", "coding", "machine-safe"
#: Classifiers that the generator is trained against, in the paper's order, and held-out classifiers.
PANEL, HELD_OUT = ("alexnet", "vgg", "resnet", "densenet"), ("mobile", "mixer", "plain")

Split = Literal["train", "test"]


@dataclass(frozen=True, kw_only=True)
class LabelRow:
    """Labels that classifiers keep when pictures are changed in one way."""

    split: Split
    change: str  #: ``change``, or a variant of it
    level: float | None = None  #: PSNR in dB that was asked for; None where the model has a strength of its own
    pictures: int
    kept: dict[str, int]  #: pictures whose label is kept, by classifier
    psnr: float  #: in dB, of the mean squared error after clamping and rounding to 8 bits
    psnr_free: float | None = None  #: without clamping and rounding; None where that is not defined

    def rca(self, classifiers: Iterable[str]) -> float | None:
        """Return the share of labels kept, the mean over those of *classifiers* that were asked; None if none was."""
        found = [self.kept[name] for name in classifiers if name in self.kept]
        return sum(found) / len(found) / self.pictures if found else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % Wilson interval of the share of labels that the panel keeps."""
        found = [self.kept[name] for name in PANEL if name in self.kept]
        return wilson(sum(found), len(found) * self.pictures) if found else None

    def derived(self) -> dict[str, Any]:
        """Return shares and interval."""
        return {"rca": self.rca(PANEL), "rca_interval": self.interval, "rca_unseen": self.rca(HELD_OUT)}


@dataclass(frozen=True)
class PublishedLabels:
    """The paper's figures of one kind of change."""

    split: Split
    change: str
    rca: float  #: share of labels kept
    psnr: float | None = None  #: in dB
    each: tuple[float, ...] | None = None  #: share by classifier, in the order of :data:`PANEL`


@dataclass(frozen=True)
class CodingRow:
    """All pictures compressed to one format in one way."""

    format: str
    quality: int
    way: str
    pictures: int
    size: int  #: bytes of all files
    kept: dict[str, int]  #: pictures whose label is kept, by classifier


@dataclass(frozen=True)
class LabelChangeRow:
    """Containers of one method that hides in one way."""

    way: str
    pictures: int  #: containers
    refused: int  #: covers that ``hide`` refused
    psnr: float  #: mean over the containers, in dB
    flips: dict[str, int]  #: containers whose label differs from the cover's, by classifier
