"""Results for people: tables on the screen and in Markdown files, and SVG plots, all from the same JSON.

A Markdown file takes a table between two comments; :func:`sync` fills it in::

    <!-- results: messages/stdm -->
    …
    <!-- end of results -->

The name of a folder, such as ``robust-jpeg``, puts all its results side by side, with whatever else is named.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from underpaint.errors import MissingExtraError
from underpaint_lab.benchmarks.core.plots import plot, plot_curves, plot_over_psnr
from underpaint_lab.benchmarks.core.table import Shown, single
from underpaint_lab.benchmarks.detectability.rows import ANALYST, Detections
from underpaint_lab.benchmarks.faces.rows import ABLATION, Recognitions
from underpaint_lab.benchmarks.faces.steganalysis_rows import Unmaskings
from underpaint_lab.benchmarks.jnd.measure import WAYS
from underpaint_lab.benchmarks.jnd.rows import DMVJND, PANEL, Agreements
from underpaint_lab.benchmarks.lossless.rows import BASN, Placements
from underpaint_lab.benchmarks.pictures.rows import PICTURES, SMALL, Revealed
from underpaint_lab.benchmarks.robustness.equal_psnr import GRIDS
from underpaint_lab.benchmarks.robustness.rows import Result, read
from underpaint_lab.benchmarks.robustness.table import in_order, side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from underpaint_lab.benchmarks.core.result_file import ResultFile

_MARKED = re.compile(r"(<!-- results: (\S[^\n]*\S) -->\n).*?(<!-- end of results -->)", re.DOTALL)


def sync(text: str, results: Path) -> str:
    """Return the Markdown *text* with every marked table as *results* has it.

    Raises:
        UsageError: a marked result is missing.
    """

    def fill(match: re.Match[str]) -> str:
        start, names, end = match.groups()
        found = [result for name in names.split() for result in _named(name, results)]
        alone = "/" in names and len(found) == 1
        return f"{start}{_markdown(single(found[0]) if alone else side_by_side(found))}{end}"

    return _MARKED.sub(fill, text)


def pages(root: Path) -> list[Path]:
    """Return the files that may show results, in a checkout."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def cards(root: Path) -> list[Path]:
    """Return the cards of the zoo, in a checkout."""
    return sorted((root / "src/underpaint/zoo").glob("*/card.md"))


def measured(card: str, results: Path) -> str:
    """Return the text of a model's *card* whose ``[measured]`` says of what its paper reports what *results* has.

    These are the bit error rates of its method at the lowest PSNR, and the ends of their 95 % intervals; or, of
    attention, how far capacities differ by the strategies; or, of machines' JND, the labels kept and the PSNR of that.
    Of pictures in pictures, of which the paper reports no numbers, it is what container and secret come to; of faces
    that are recognised, the share of pairs told rightly in containers and plain, and what covers lose, as in the paper.
    """
    method = re.search(r'^method = "(.+)"$', card, re.MULTILINE)
    name = method[1] if method else ""
    files = [results / "channels" / f"{name}.json", results / BASN / f"{name.removeprefix('basn-')}.json"]
    files += [results / DMVJND / f"{way}.json" for way, model in WAYS.items() if model == name]
    files += [results / table / f"{name}.json" for table in (PICTURES, SMALL, ABLATION)]
    found = next((read(file) for file in files if file.exists()), None)
    numbers: dict[str, float] = {}
    if isinstance(found, Result):
        lowest = min(quality.psnr for quality in found.quality)
        for row in found.rows:
            if row.psnr == lowest and row.ber is not None and row.ber_interval:
                rates = zip(("", "_low", "_high"), (row.ber, *row.ber_interval), strict=True)
                numbers |= {f"ber_{row.channel.replace(':', '_')}{end}": rate for end, rate in rates}
    elif isinstance(found, Placements):
        strategies = ((row.strategy.lower().replace("-", "_"), row.bser) for row in found.rows)
        numbers = {f"bser_{strategy}": bser for strategy, bser in strategies if bser is not None}
    elif isinstance(found, Agreements):
        lowest = min(row.psnr for row in found.rows if row.change == "change")
        rows = [row for row in found.rows if row.change == "change" and row.psnr < lowest + 1]
        kept = {f"rca_{row.split}": row.rca(PANEL) for row in rows}
        numbers = {name: share for name, share in kept.items() if share is not None} | {"psnr": lowest}
    elif isinstance(found, Recognitions):
        (one,) = found.rows
        like = (one.cover.pooled_psnr, one.cover.ms_ssim_as_coded) if one.cover else (None, None)
        names = ("accuracy", "accuracy_plain", "cover_psnr", "cover_ms_ssim")
        shares = zip(names, (one.accuracy, one.plain, *like), strict=True)
        numbers = {name: share for name, share in shares if share is not None}
    elif isinstance(found, Revealed):
        pairs = found.rows[0]
        likenesses = {"cover": pairs.cover, "secret": pairs.secret}
        numbers = {f"{what}_psnr": likeness.psnr for what, likeness in likenesses.items() if likeness}
    else:
        return card
    unasked = isinstance(found, Revealed)
    reported = [line for line in numbers if unasked or f'"{re.sub("_(low|high)$", "", line)}" = ' in card]
    lines = ["[measured]", *(f'"{line}" = {numbers[line]:.6f}' for line in reported), ""]
    return re.sub(r"\[measured\]\n.*?(?=\+\+\+\n)", "\n".join(lines), card, flags=re.DOTALL)


def read_all(folder: Path) -> list[ResultFile]:
    """Return all results of the table whose *folder* it is, by name.

    Raises:
        UsageError: one is no result file.
    """
    return [read(file) for file in sorted(folder.glob("*.json"))]


def _named(name: str, results: Path) -> list[ResultFile]:
    """Return the result of that *name*, or all of the folder."""
    return [read(results / f"{name}.json")] if "/" in name else read_all(results / name)


def markdown(result: ResultFile) -> str:
    """Return the table of one result, and below it one line that says where the numbers come from."""
    return _markdown(single(result))


def publish(result: ResultFile, results: Path, console: Console) -> None:
    """Show *result*, write its JSON below the folder *results*, and beside it a plot of the bit error rates.

    What is compared with others is only written: :func:`publish_together` shows it beside them.
    """
    written = result.write(results)
    beside_others = Placements | Agreements | Detections | Revealed | Recognitions | Unmaskings
    if result.table not in GRIDS and not isinstance(result, beside_others):
        console.print(_screen(single(result)))
    console.print(f"wrote {written}", markup=False, highlight=False)
    if isinstance(result, Result) and result.table == "channels":
        _draw(lambda target: plot(result, target), written.with_suffix(".svg"), console)


def publish_together(table: str, results: Path, console: Console) -> None:
    """Show all results of *table* below *results* side by side; plot errors over PSNR, or detections.

    Raises:
        UsageError: one is no result file.
    """
    found = read_all(results / table)
    console.print(_screen(side_by_side(found)))
    if any(result.rows for result in in_order(found)):
        _draw(lambda target: plot_over_psnr(found, target), results / table / "over-psnr.svg", console)
    judged = [result for result in found if isinstance(result, Detections)]
    if judged and table == ANALYST:
        _draw(lambda target: plot_curves(judged, target), results / table / "roc.svg", console)


def _draw(draw: Callable[[Path], None], target: Path, console: Console) -> None:
    try:
        draw(target)
    except MissingExtraError as error:
        console.print(f"no plot: {error} ({error.hint})", markup=False, highlight=False)
    else:
        console.print(f"wrote {target}", markup=False, highlight=False)


def _markdown(shown: Shown) -> str:
    header, *body = shown.cells
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *body]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"\n{table}\n\n{shown.caption}\n\n"


def _screen(shown: Shown) -> Table:
    """Return the table for a terminal."""
    from rich import box
    from rich.table import Table

    header, *body = shown.cells
    table = Table(box=box.SIMPLE_HEAD, caption=shown.caption.replace("`", ""), caption_justify="left")
    for column, title in enumerate(header):
        table.add_column(title, justify="right" if column else "left")
    for line in body:
        table.add_row(*line)
    return table
