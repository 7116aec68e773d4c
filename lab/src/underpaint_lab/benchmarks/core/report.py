"""Result files as tables on the screen, in Markdown pages and in model cards, and as plots.

A page shows a table between two comments; :func:`fill_page` rewrites it::

    <!-- results: messages/stdm -->
    …
    <!-- end of results -->

``TABLE/METHOD`` names one result file, ``TABLE`` all of a table; several names are rendered by the table of the first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from underpaint.errors import MissingExtraError, UsageError
from underpaint_lab.benchmarks import TABLES
from underpaint_lab.benchmarks.core.result_file import PAPER, ResultFile, read_result
from underpaint_lab.benchmarks.core.table import measured_in

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table as ScreenTable

    from underpaint_lab.benchmarks.core.table import Rendered

_MARKED = re.compile(r"(<!-- results: (\S[^\n]*\S) -->\n).*?(<!-- end of results -->)", re.DOTALL)


def read(file: Path) -> ResultFile[Any]:
    """Read a result file; the folder that it lies in is its table.

    Raises:
        UsageError: the file is missing, has another shape, or its table is unknown.
    """
    name = file.parent.name
    if name not in TABLES:
        raise UsageError(f"{file.name} is no result file: no table is called '{name}'", hint="make bench writes it")
    table = TABLES[name]
    row = (table.paper_row or table.row) if file.stem == PAPER else table.row
    return read_result(file, row, table.notes)


def read_all(folder: Path) -> list[ResultFile[Any]]:
    """Read all result files of the table whose *folder* it is, by name.

    Raises:
        UsageError: one is no result file.
    """
    return [read(file) for file in sorted(folder.glob("*.json"))]


def render(results: list[ResultFile[Any]]) -> Rendered:
    """Render *results* by the table of the first.

    Raises:
        UsageError: there are no results, or several of a table that shows one method.
    """
    if not results:
        raise UsageError("there is no result to show", hint="underpaint-lab bench lists what can be measured")
    table = TABLES[results[0].table]
    if not table.compares and len(results) > 1:
        raise UsageError(f"{results[0].table} shows one method", hint="name TABLE/METHOD")
    return table.render(results)


def fill_page(text: str, results: Path) -> str:
    """Return the Markdown *text* with every marked table rendered from the folder *results*.

    Raises:
        UsageError: a result is missing.
    """

    def fill(match: re.Match[str]) -> str:
        start, names, end = match.groups()
        found = [
            result
            for name in names.split()
            for result in ([read(results / f"{name}.json")] if "/" in name else read_all(results / name))
        ]
        return f"{start}{markdown(render(found))}{end}"

    return _MARKED.sub(fill, text)


def fill_card(text: str, results: Path) -> str:
    """Return the *text* of a model card with ``[measured]`` taken from the folder *results*.

    The first table with numbers for cards that has a result file of the card's method is used; without one, the text
    stays as it is.

    Raises:
        UsageError: the result file has another shape.
    """
    method = re.search(r'^method = "(.+)"$', text, re.MULTILINE)
    for name, table in TABLES.items():
        if method is None or table.card is None:
            continue
        file = results / name / f"{table.card.method(method[1])}.json"
        if not file.exists():
            continue
        numbers = table.card.numbers(read(file))
        kept = {
            key: value
            for key, value in numbers.items()
            if not table.card.only_reported or f'"{re.sub("_(low|high)$", "", key)}" = ' in text
        }
        lines = ["[measured]", *(f'"{key}" = {value:.6f}' for key, value in kept.items()), ""]
        return re.sub(r"\[measured\]\n.*?(?=\+\+\+\n)", "\n".join(lines), text, flags=re.DOTALL)
    return text


def pages(root: Path) -> list[Path]:
    """Return the Markdown files of a checkout that may show results."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def cards(root: Path) -> list[Path]:
    """Return the model cards of a checkout."""
    zoos = ("src/underpaint/models/zoo", "lab/src/underpaint_lab/zoo")
    return [card for zoo in zoos for card in sorted((root / zoo).glob("*/card.md"))]


def fill_checkout(root: Path, results: Path) -> list[Path]:
    """Rewrite the tables of all pages and cards of the checkout *root*, and return the files that changed.

    Raises:
        UsageError: a result is missing.
    """
    changed = []
    for file, fill in (dict.fromkeys(pages(root), fill_page) | dict.fromkeys(cards(root), fill_card)).items():
        text = file.read_text(encoding="utf-8")
        if (filled := fill(text, results)) != text:
            file.write_text(filled, encoding="utf-8")
            changed.append(file)
    return changed


def publish(result: ResultFile[Any], results: Path, console: Console) -> None:
    """Write *result* below the folder *results*; show and plot it, unless its table compares methods."""
    written = result.write(results)
    table = TABLES[result.table]
    if not table.compares:
        console.print(_screen(render([result])))
    console.print(f"wrote {written}", markup=False, highlight=False)
    if not table.compares:
        _plot(result.table, [result], results, console)


def publish_all(name: str, results: Path, console: Console) -> None:
    """Show all results of a table below the folder *results*, and plot them.

    Raises:
        UsageError: one is no result file, or there are none.
    """
    found = read_all(results / name)
    console.print(_screen(render(found)))
    if measured_in(found):
        _plot(name, found, results, console)


def markdown(rendered: Rendered) -> str:
    """Return a rendered table as Markdown, the caption below it."""
    header, *body = rendered.cells
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *body]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"\n{table}\n\n{rendered.caption}\n\n"


def _plot(name: str, found: list[ResultFile[Any]], results: Path, console: Console) -> None:
    plot = TABLES[name].plot
    if plot is None:
        return
    target = results / name / f"{plot.name or found[0].method}.svg"
    try:
        plot.draw(found, target)
    except MissingExtraError as error:
        console.print(f"no plot: {error} ({error.hint})", markup=False, highlight=False)
    else:
        if target.exists():
            console.print(f"wrote {target}", markup=False, highlight=False)


def _screen(rendered: Rendered) -> ScreenTable:
    """Return a rendered table for a terminal."""
    from rich import box
    from rich.table import Table as ScreenTable

    header, *body = rendered.cells
    table = ScreenTable(box=box.SIMPLE_HEAD, caption=rendered.caption.replace("`", ""), caption_justify="left")
    for column, title in enumerate(header):
        table.add_column(title, justify="right" if column else "left")
    for line in body:
        table.add_row(*line)
    return table
