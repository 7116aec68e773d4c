"""Rendering of the table ``speed``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from underpaint_lab.benchmarks.core.table import Rendered, provenance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint_lab.benchmarks.core.result_file import ResultFile
    from underpaint_lab.benchmarks.speed.rows import Timing

_CAPTION = "Whole processes, one at a time, with a passphrase: median time of three runs, largest memory of any."


def speed_table(results: Sequence[ResultFile[Timing]]) -> Rendered:
    """Render ``speed`` of one method: a line per command."""
    (result,) = results
    header = ["command", "picture", "payload", "time", "memory"]
    cells = [
        [
            row.what,
            f"{row.pixels / 1e6:.1f} Mpx" if row.pixels else "–",
            f"{row.payload_bytes:,} bytes" if row.payload_bytes else "–",
            f"{row.seconds:.2f} s",
            f"{row.peak_mb:.0f} MB",
        ]
        for row in result.rows
    ]
    return Rendered([header, *cells], " ".join([*provenance(results), _CAPTION]))
