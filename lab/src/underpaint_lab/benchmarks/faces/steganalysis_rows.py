"""Whether steganalysers that learn tell containers from covers: table VII of the paper on MIAIS, beside ours."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from underpaint_lab.benchmarks.core.result_file import ResultFile, given, valued
from underpaint_lab.benchmarks.core.source import Citation, Source

#: The table.
STEGANALYSIS = "miais-steganalysis"


@dataclass(frozen=True)
class Unmasking:
    """What one steganalyser makes of one system."""

    #: ``ye`` or ``yedroudj``.
    analyser: str
    #: 1: trained on the same system; 2: on all others.
    case: Literal[1, 2]
    hider: str
    #: Of pictures told rightly, 0–1.
    accuracy: float
    #: Pairs of cover and container: to judge by, and to learn from.
    pairs: int
    trained_pairs: int
    #: Steps and time of its training.
    scale: str | None = None


@dataclass(frozen=True)
class Unmaskings(ResultFile):
    """Some cells of the table."""

    rows: tuple[Unmasking, ...]

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows."""
        return {"rows": [valued(asdict(row)) for row in self.rows]}

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take the rows."""
        return {"rows": tuple(Unmasking(**given(row, Unmasking)) for row in lists["rows"])}


@dataclass(frozen=True)
class PublishedUnmaskings(Unmaskings):
    """The paper's cells."""

    origin: ClassVar[type[Source | Citation]] = Citation
