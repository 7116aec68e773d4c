"""Runs of benchmarks: one table, or all of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from underpaint.errors import UsageError
from underpaint_lab.benchmarks import TABLES
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.core.result_file import RESULTS, ResultFile
from underpaint_lab.data.pictures import pictures_in

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(
    name: str,
    *methods: str,
    images: Path | None = None,
    payload: Path | None = None,
    payloads: Sequence[float] = (),
    results: Path = RESULTS,
    seed: int = 0,
    jobs: int | None = None,
) -> None:
    """Measure a table, show it, and write its result files.

    Args:
        name: key of :data:`TABLES`.
        methods: methods of the table; without one all, if the table compares methods or has only one. A table without
            a measurement shows the stored results.
        images: folder of pictures; the samples by default.
        payload: file to hide, where the table takes one; random bytes by default.
        payloads: payloads in bits per pixel, where the table takes them; its own by default.
        results: folder to write to; the paper's numbers in it are shown too.
        seed: seed of everything random.
        jobs: processes, one per core by default; results do not depend on them.

    Raises:
        UsageError: no such table, no method where one is needed, or a reason of the measurement.
    """
    from rich.console import Console

    if name not in TABLES:
        raise UsageError(f"no table is called '{name}'", hint=f"the tables are {', '.join(TABLES)}")
    table = TABLES[name]
    chosen = methods or tuple(table.methods())
    if not methods and not table.compares and len(chosen) > 1:
        raise UsageError(f"{name} is measured for one method", hint=f"name one of {', '.join(chosen)}")
    if payload is not None and not table.takes_payload:
        raise UsageError(f"{name} takes no payload", hint="leave --payload out")
    if payloads and not table.takes_bpp:
        raise UsageError(f"{name} has payloads of its own", hint="leave --bpp out")
    if methods and table.measure is None:
        raise UsageError(f"{name} has no measurement of its own", hint=f"underpaint-lab bench {name} shows its results")
    if table.measure is None and (images is not None or seed):
        option = "--seed" if images is None else "--images"
        raise UsageError(f"{name} shows stored results only", hint=f"leave {option} out")
    given = {"payload": payload, "payloads": payloads}
    options = {"images": images, "seed": seed, "jobs": jobs} | {key: each for key, each in given.items() if each}
    console = Console()
    for each in [chosen] if table.at_once else chosen:
        found = table.measure(each, **options) if table.measure else []
        for result in [found] if isinstance(found, ResultFile) else found:
            report.publish(result, results, console)
    if table.compares:
        report.publish_all(name, results, console)


def run_all(images: Path | None = None, *, tables_only: bool = False) -> None:
    """Measure every table that *images* suit, and rewrite the pages and cards of the checkout in the current folder.

    Args:
        images: folder of pictures; the samples by default.
        tables_only: measure nothing.

    Raises:
        UsageError: as :func:`run`.
    """
    for name, table in () if tables_only else TABLES.items():
        if table.needs_data:
            print(f"left out {name}, which needs data of its own")
            continue
        if len(pictures_in(images)) < table.min_pictures:
            print(f"left out {name}, which needs {table.min_pictures} pictures")
            continue
        for methods in ((),) if table.compares else ((method,) for method in table.methods()):
            run(name, *methods, images=images)
    for file in report.fill_checkout(Path(), RESULTS):
        print(f"filled in {file}")
