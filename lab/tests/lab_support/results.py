"""Provenance for result files that tests make up."""

from __future__ import annotations

from pathlib import Path

from underpaint_lab.provenance import Citation, Source

#: Result files of the repository.
RESULTS = Path(__file__).parents[3] / "results"
SOURCE = Source("underpaint-lab bench x", "0" * 12, 0, "pictures", 2, "0" * 64, {}, "a machine")
CITATION = Citation("A. Uthor", "table 7", "ten thousand pictures", "PSNR is not stated.")
