"""``make bench``: every table that any pictures serve for, then those of README and docs, and the cards."""

from __future__ import annotations

import argparse
from pathlib import Path

from underpaint_lab import benchmarks
from underpaint_lab.benchmarks.core import report
from underpaint_lab.data.pictures import pictures_in


def main() -> None:
    """Measure what any pictures serve for, write the results, and fill in the tables of the checkout one is in."""
    parser = argparse.ArgumentParser(prog="make bench", description=main.__doc__)
    parser.add_argument("--images", type=Path, help="folder of pictures; the samples by default")
    parser.add_argument("--tables-only", action="store_true", help="measure nothing, only fill in the tables")
    options = parser.parse_args()
    for name, table in () if options.tables_only else benchmarks.TABLES.items():
        if table.own:
            print(f"left out {name}, which takes pictures of a kind of its own")
            continue
        if len(pictures_in(options.images)) < table.fewest:
            print(f"left out {name}, which takes {table.fewest} pictures or more")
            continue
        for methods in ((),) if table.together else ((method,) for method in table.methods()):
            benchmarks.run(name, *methods, images=options.images)
    pages = dict.fromkeys(report.pages(Path()), report.sync) | dict.fromkeys(report.cards(Path()), report.measured)
    for page, fill in pages.items():
        text = page.read_text(encoding="utf-8")
        if (filled := fill(text, benchmarks.RESULTS)) != text:
            page.write_text(filled, encoding="utf-8")
            print(f"filled in {page}")


if __name__ == "__main__":
    main()
