"""What becomes of messages in pictures that stay as they are, and of the pictures: rows of the table ``basn``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np

from underpaint_lab.benchmarks.core.result_file import ResultFile, given, valued
from underpaint_lab.benchmarks.core.source import Citation, Source
from underpaint_lab.metrics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: The table.
BASN = "basn"

Covers = Literal["crops", "whole"]


class Fate(NamedTuple):
    """What became of one message, and of the picture that it was hidden in."""

    pixels: int
    bits: int
    #: Bits that arrived as others, or not at all.
    wrong: int
    psnr: float
    ssim: float
    #: How far the capacities that sender and receiver compute differ, in bits; None where nobody computes any twice.
    differing: int | None = None
    #: Mean relative change of features by classifiers that attention was trained against, and by those it was not.
    seen: float | None = None
    unseen: float | None = None
    #: How many classifiers keep their label, of how many.
    kept: int = 0
    judged: int = 0


@dataclass(frozen=True)
class Placed:
    """One strategy, over all pictures in which it found room."""

    strategy: str
    covers: Covers
    #: How many have room, and how many have none. Of the latter nothing is counted below.
    pictures: int
    refused: int
    pixels: int
    bits: int
    wrong: int
    #: Messages without a wrong bit.
    exact: int
    kept: int
    judged: int
    differing: int | None = None
    #: Means over pictures.
    psnr: float | None = None
    ssim: float | None = None
    #: Medians over pictures.
    seen: float | None = None
    unseen: float | None = None

    @classmethod
    def of(cls, strategy: str, covers: Covers, fates: Sequence[Fate | None]) -> Placed:
        """Add up *fates*, None where a message did not fit; means and medians to six decimals, as they are stored."""
        found = [fate for fate in fates if fate]

        def total(name: str) -> int:
            return sum(getattr(fate, name) for fate in found)

        def typical(name: str, of: Callable[[list[float]], np.floating[Any]]) -> float | None:
            values = [getattr(fate, name) for fate in found if getattr(fate, name) is not None]
            return round(float(of(values)), 6) if values else None

        return cls(
            strategy,
            covers,
            pictures=len(found),
            refused=len(fates) - len(found),
            pixels=total("pixels"),
            bits=total("bits"),
            wrong=total("wrong"),
            exact=sum(not fate.wrong for fate in found),
            kept=total("kept"),
            judged=total("judged"),
            differing=total("differing") if found and all(fate.differing is not None for fate in found) else None,
            psnr=typical("psnr", np.mean),
            ssim=typical("ssim", np.mean),
            seen=typical("seen", np.median),
            unseen=typical("unseen", np.median),
        )

    @property
    def payload(self) -> float | None:
        """Bits per pixel, of three values each."""
        return self.bits / self.pixels if self.pixels else None

    @property
    def ber(self) -> float | None:
        """Share of the bits that are wrong or missing."""
        return self.wrong / self.bits if self.bits else None

    @property
    def bser(self) -> float | None:
        """What the paper reports, its eq. 17: how far capacities differ, to the bits hidden."""
        return None if self.differing is None or not self.bits else self.differing / self.bits

    @property
    def exact_interval(self) -> tuple[float, float] | None:
        """The 95 % Wilson interval of the share of messages without a wrong bit."""
        return wilson(self.exact, self.pictures) if self.pictures else None

    def numbers(self) -> dict[str, Any]:
        """Every field that has a value, and what follows from them."""
        derived = {name: getattr(self, name) for name in ("payload", "ber", "bser", "exact_interval")}
        return valued(asdict(self) | derived)


@dataclass(frozen=True)
class Claim:
    """What the paper says of one strategy."""

    strategy: str
    #: In bits per pixel.
    payload: float
    #: A share.
    bser: float


@dataclass(frozen=True)
class Placements(ResultFile):
    """What one design does with every strategy."""

    source: Source
    rows: tuple[Placed, ...]

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows, with what follows from their counts."""
        return {"rows": [row.numbers() for row in self.rows]}

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take the counts and means, leave what follows from them."""
        return {"rows": tuple(Placed(**given(row, Placed)) for row in lists["rows"])}


@dataclass(frozen=True)
class Published(ResultFile):
    """The paper's table."""

    origin: ClassVar[type[Source | Citation]] = Citation

    source: Citation
    rows: tuple[Claim, ...]

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows."""
        return {"rows": [asdict(row) for row in self.rows]}

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take the rows."""
        return {"rows": tuple(Claim(**row) for row in lists["rows"])}
