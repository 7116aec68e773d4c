"""Measurements of what users get: same hide and reveal, real codecs, 8-bit pictures.

::

    pictures ─► channels │ messages ─► Result ─┬► results/<table>/<method>.json ─► screen, plot, tables in Markdown
             └► speed ───────────────► Speed  ─┘

``channels`` counts wrong bits of a bit carrier, without error correction, on small crops. ``messages`` counts whole
messages that came back exactly, by the path of the command line, on whole pictures. ``speed`` times whole processes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from underpaint.bench.carrier import GRID, carriers, channels
from underpaint.bench.path import CASES, Case, messages
from underpaint.bench.process import speed
from underpaint.bench.result import Result, Speed
from underpaint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CASES", "GRID", "TABLES", "Case", "Result", "Speed", "carriers", "channels", "messages", "run", "speed"]

#: Every table that can be measured.
TABLES: dict[str, Callable[..., Result | Speed]] = {"channels": channels, "messages": messages, "speed": speed}
#: Where results lie, seen from the root of a checkout.
RESULTS = Path("results")


def run(
    table: str,
    method: str,
    *,
    images: Path | None = None,
    results: Path = RESULTS,
    seed: int = 0,
    jobs: int | None = None,
) -> Result | Speed:
    """Measure one of :data:`TABLES`, show it, write it below *results*, and return it: ``underpaint bench``.

    Args:
        table: key of :data:`TABLES`.
        method: key of :data:`~underpaint.methods.METHODS`.
        images: folder of pictures; the samples by default.
        results: folder to write to.
        seed: of everything random.
        jobs: processes, one per core by default; the result does not depend on them.

    Raises:
        UsageError: no such table, or the table's own reasons.
    """
    from rich.console import Console

    from underpaint.bench.report import publish

    if table not in TABLES:
        raise UsageError(f"no table is called '{table}'", hint=f"the tables are {', '.join(TABLES)}")
    result = TABLES[table](method, images=images, seed=seed, jobs=jobs)
    publish(result, results, Console())
    return result
