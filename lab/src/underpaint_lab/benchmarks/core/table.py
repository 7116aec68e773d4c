"""The registry entry of a table, the table as text, and helpers that write provenance and numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from underpaint_lab.benchmarks.core.result_file import PAPER, ResultFile
from underpaint_lab.provenance import Citation, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

Cells = list[list[str]]


@dataclass(frozen=True)
class Rendered:
    """A table as text."""

    cells: Cells  #: lines of cells, the header first
    caption: str  #: provenance, and how the columns are read


@dataclass(frozen=True)
class Plot:
    """A plot of a table, an SVG file beside its result files."""

    draw: Callable[[Sequence[ResultFile[Any]], Path], None]
    name: str | None = None  #: name of the file without its suffix; None for that of the method


@dataclass(frozen=True)
class CardNumbers:
    """The numbers of a table that a model card repeats under ``[measured]``."""

    numbers: Callable[[ResultFile[Any]], Mapping[str, float]]
    #: Method whose result file belongs to a model, by the model's method.
    method: Callable[[str], str] = str
    #: Only numbers that the card also has under ``[reported]``.
    only_reported: bool = True


@dataclass(frozen=True)
class Table:
    """Everything about one table: how it is measured, stored, rendered and plotted."""

    summary: str  #: one line for help
    row: type[Any]  #: dataclass of a row
    #: Renders result files of the table; all of them if it compares methods, one otherwise.
    render: Callable[[Sequence[ResultFile[Any]]], Rendered]
    #: Measures one method, or all that are asked for if :attr:`at_once`. None: ``evaluate`` writes the result files.
    measure: Callable[..., ResultFile[Any] | Sequence[ResultFile[Any]]] | None = None
    methods: Callable[[], Iterable[str]] = tuple  #: names that can be measured
    paper_row: type[Any] | None = None  #: dataclass of a row that the paper published
    notes: Mapping[str, type[Any]] = field(default_factory=dict)  #: dataclass of each list of notes, by name
    plot: Plot | None = None
    card: CardNumbers | None = None
    compares: bool = False  #: methods stand side by side; without a name, all are measured
    takes_payload: bool = False  #: ``--payload`` names the file to hide
    takes_bpp: bool = False  #: ``--bpp`` gives payloads in bits per pixel
    at_once: bool = False  #: methods share work on the same covers, so all are measured in one go
    min_pictures: int = 1
    needs_data: bool = False  #: needs pictures of its own kind, named after ``--images``


def paper_in(results: Iterable[ResultFile[Any]]) -> ResultFile[Any] | None:
    """Return the result file with the numbers of the paper; None if *results* have none."""
    return next((each for each in results if each.method == PAPER), None)


def measured_in(results: Iterable[ResultFile[Any]], order: Sequence[str] = ()) -> list[ResultFile[Any]]:
    """Return *results* without the paper's, sorted by the place of their method in *order*; other methods come last."""
    ours = [each for each in results if each.method != PAPER]
    return sorted(ours, key=lambda each: order.index(each.method) if each.method in order else len(order))


def provenance(results: Iterable[ResultFile[Any]]) -> list[str]:
    """Return one sentence for each measurement among *results*, one for those that differ by the command only."""
    sources = [each.source for each in results if isinstance(each.source, Source)]
    return [_sentence(list(alike)) for _, alike in groupby(sources, key=lambda source: replace(source, command=""))]


def citation(paper: ResultFile[Any] | None) -> list[str]:
    """Return one sentence with the source of *paper*, none without a paper."""
    if paper is None or not isinstance(paper.source, Citation):
        return []
    source = paper.source
    return [f"Paper: {source.paper}, {source.place}; {source.data}. {source.note}"]


def percent(share: float) -> str:
    """Return a share in percent, without the sign: two decimals below 1, one above, none at 0 and 100."""
    value = 100 * share
    if value < 0.005 or value > 99.95:
        return f"{value:.0f}"
    return f"{value:.2f}" if value < 0.995 else f"{value:.1f}"


def short_channel(chain: str) -> str:
    """Return a channel chain with its parameters rounded to two decimals."""
    return re.sub(r"\d+\.\d{3,}", lambda match: f"{float(match.group()):.2f}", chain)


def _sentence(sources: list[Source]) -> str:
    commands = " and ".join(dict.fromkeys(f"`{each.command}`" for each in sources))
    first = sources[0]
    pictures = f"{first.pictures} picture{'s' * (first.pictures != 1)} of {first.data}"
    return f"{commands} on {pictures}, commit {first.commit}, {first.device}."
