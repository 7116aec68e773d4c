"""Rows of the table ``speed``."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Timing:
    """Time and memory of one command, run as a process of its own."""

    what: str  #: short name of the command
    pixels: int  #: of the picture; 0 without one
    payload_bytes: int  #: 0 without a payload
    runs: tuple[float, ...]  #: seconds of each run
    peak_mb: float  #: largest memory of any run, in millions of bytes

    @property
    def seconds(self) -> float:
        """Median of the runs."""
        return median(self.runs)

    def derived(self) -> dict[str, Any]:
        """Return the median."""
        return {"seconds": self.seconds}
