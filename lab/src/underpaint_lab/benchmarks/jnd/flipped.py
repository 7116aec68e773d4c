"""Whose mind hiding changes: rows of the table ``machine-safe``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from underpaint_lab.benchmarks.core.result_file import ResultFile, given

if TYPE_CHECKING:
    from underpaint_lab.benchmarks.core.source import Source

#: The table.
MACHINE_SAFE = "machine-safe"
#: How a method hides.
FREE, SPARED, SAFE = "as it is", "by what machines tolerate", "judges in the loop"


@dataclass(frozen=True)
class Flipped:
    """All containers of one method that hides one way."""

    way: str
    #: Pictures that the payload was hidden in, and those in which it was not.
    pictures: int
    refused: int
    #: Mean over the containers, in dB.
    psnr: float
    #: How many containers lose their cover's label, by classifier.
    flips: dict[str, int]


@dataclass(frozen=True)
class Flips(ResultFile):
    """Labels that hiding changed."""

    source: Source
    rows: tuple[Flipped, ...]

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows."""
        return {"rows": [asdict(row) for row in self.rows]}

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take the rows."""
        return {"rows": tuple(Flipped(**given(row, Flipped)) for row in lists["rows"])}
