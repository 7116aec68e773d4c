"""How few bytes pictures take that only machines look at: rows of the table ``coding``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from underpaint_lab.benchmarks.core.result_file import ResultFile, given

if TYPE_CHECKING:
    from underpaint_lab.benchmarks.core.source import Source

#: The table, and the method that it is about.
CODING, JND = "coding", "jnd"
#: PSNR in dB that the JND leaves at least.
PSNR = 20.0
#: What is done to pictures.
PLAIN, PREPARED, LOWER, BOTH = "as they are", "prepared", "lower quality", "both"


@dataclass(frozen=True)
class Coded:
    """All pictures, in one format, by one way."""

    format: str
    quality: int
    way: str
    pictures: int
    size: int
    #: How many pictures keep their label, by classifier.
    kept: dict[str, int]


@dataclass(frozen=True)
class Coding(ResultFile):
    """How few bytes suffice, and for whom."""

    source: Source
    rows: tuple[Coded, ...]

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows."""
        return {"rows": [asdict(row) for row in self.rows]}

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take the rows."""
        return {"rows": tuple(Coded(**given(row, Coded)) for row in lists["rows"])}
