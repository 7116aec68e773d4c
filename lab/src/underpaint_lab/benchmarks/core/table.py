"""Tables for people, as text: what stands in them, whatever they are drawn with; one measurement in each.

:mod:`underpaint_lab.benchmarks.robustness.table` puts several side by side.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from underpaint.errors import UsageError
from underpaint.models.jnd_networks import MODEL, PANELS
from underpaint_lab.benchmarks.jnd.coded import CODING, PLAIN, PSNR, Coding
from underpaint_lab.benchmarks.jnd.flipped import MACHINE_SAFE, Flips
from underpaint_lab.benchmarks.lossless.stc_bound import TRELLIS, Searches
from underpaint_lab.benchmarks.robustness.rows import Paper, Result, Speed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from underpaint_lab.benchmarks.core.result_file import ResultFile
    from underpaint_lab.benchmarks.core.source import Citation, Source
    from underpaint_lab.benchmarks.robustness.rows import Quality, Row

Cells = list[list[str]]

#: Classifiers that the JND of photographs is taught by.
PANEL = [name.removeprefix("classifier-") for name in PANELS[MODEL]]

#: How the columns are to be read.
_READ_AS = {
    "channels": "Wrong bits before error correction; in brackets the 95 % interval, as if bits were independent (those "
    "of one crop are not quite); then the share of crops without a wrong bit.",
    "messages": "Refused are pictures that hide declined, for the message would not have survived or not have fitted.",
    TRELLIS: "In two layers, at 2 bits per value in three. What is paid is the sum of squared changes, each times its "
    "value's cost; the bound is what the best of all codes pays. Speed is that of embedding with all cores, everything "
    "included but the costs: the median of three runs.",
    CODING: f"All bytes of all files. Prepared are pictures within their JND of {PSNR:g} dB, at the same quality; "
    "lower quality is the lowest at which no judge in the loop minds what it did not mind at the quality named; both "
    f"is what `jnd --compress` writes. In the loop are {', '.join(PANEL)}; the others only judge. Labels kept, "
    "in %, are those before compression.",
    MACHINE_SAFE: "Containers, in %, that a classifier takes for something else than their covers. In the loop are "
    f"{', '.join(PANEL)}; the others are asked only here. Refused are pictures that hide declined.",
    "speed": "Whole processes, one at a time, with a passphrase: median time of three runs, most memory of any.",
}


@dataclass(frozen=True)
class Shown:
    """A table: its cells, the first line of them the header, and a line below on their source and how to read them."""

    cells: Cells
    caption: str


def single(result: ResultFile) -> Shown:
    """Return the table of one measurement, or one published table.

    Raises:
        UsageError: it is only shown beside others.
    """
    if isinstance(result, Paper):
        return Shown(_paper(result), cited(result.source))
    if isinstance(result, Speed):
        cells = _speed(result)
    elif isinstance(result, Coding):
        cells = _coding(result)
    elif isinstance(result, Flips):
        cells = _flips(result)
    elif isinstance(result, Searches):
        cells = _searches(result)
    elif isinstance(result, Result):
        cells = (_messages if result.table == "messages" else _channels)(result)
    else:
        raise UsageError(f"results of {result.table} are shown together", hint="name the folder alone")
    return Shown(cells, f"{measured(result.source)} {_READ_AS[result.table]}")


def measured(source: Source, *others: Source) -> str:
    """Say where measured numbers come from; *others* differ at most by their commands."""
    commands = " and ".join(dict.fromkeys(f"`{each.command}`" for each in (source, *others)))
    pictures = f"{source.pictures} picture{'s' * (source.pictures != 1)} of {source.data}"
    return f"{commands} on {pictures}, commit {source.commit}, {source.device}."


def origins(sources: Iterable[Source]) -> list[str]:
    """Say where the numbers of each of *sources* come from, once for what was measured in one go."""
    return [measured(*alike) for _, alike in groupby(sources, key=lambda source: replace(source, command=""))]


def cited(source: Citation) -> str:
    """Say where published numbers come from."""
    return f"{source.paper}, {source.place}; {source.data}. {source.note}"


def rate(row: Row) -> str:
    """Write a bit error rate with its interval, and the share of crops without a wrong bit."""
    low, high = map(number, row.ber_interval or (0.0, 0.0))
    return f"{number(row.ber or 0.0)} % ({low}–{high}) · {100 * row.exact // row.sent} %"


def number(share: float) -> str:
    """Write a share in percent, with as many decimals as tell something."""
    percent = 100 * share
    if percent < 0.005 or percent > 99.95:
        return f"{percent:.0f}"
    return f"{percent:.2f}" if percent < 0.995 else f"{percent:.1f}"


def channel(chain: str) -> str:
    """Write a chain with no more decimals than tell something."""
    return re.sub(r"\d+\.\d{3,}", lambda match: f"{float(match.group()):.2f}", chain)


def _channels(result: Result) -> Cells:
    """One line per channel; per quality the share of wrong bits and of crops without one."""
    header = ["channel", *(f"asked for {q.psnr:g} dB" for q in result.quality)]
    lines = [[name, *map(rate, rows)] for name, rows in _grouped(result.rows, lambda row: row.channel)]
    achieved = [f"{q.psnr_mean:.1f} dB, least {q.psnr_min:.1f}; SSIM {q.ssim_mean:.3f}" for q in result.quality]
    lines.insert(0, ["(the containers)", *achieved])
    return [header, *lines, *([skip.channel, *["skipped"] * len(result.quality)] for skip in result.skipped)]


def _messages(result: Result) -> Cells:
    """One line per message size, quality and channel."""
    quality = {(q.psnr, q.payload_bits): q for q in result.quality}
    lines = [
        [
            row.channel,
            f"{row.payload_bits // 8} bytes",
            *_achieved(quality.get((row.psnr, row.payload_bits))),
            f"{row.exact} of {row.sent}" + f" ({row.refused} refused)" * bool(row.refused),
            _percent(row.exact_interval),
        ]
        for row in result.rows
    ]
    return [["channel", "message", "PSNR", "mean SSIM", "read exactly", "95 % interval"], *lines]


def _paper(paper: Paper) -> Cells:
    """One line per channel, one column per column of the paper."""
    columns = list(dict.fromkeys(row.column for row in paper.rows))
    found = {(row.channel, row.column): f"{100 * row.ber:.2f} %" for row in paper.rows}
    names = dict.fromkeys(row.channel for row in paper.rows)
    return [["channel", *columns], *([channel(name), *(found[name, column] for column in columns)] for name in names)]


def _speed(result: Speed) -> Cells:
    """One line per command."""
    lines = [
        [
            row.what,
            f"{row.pixels / 1e6:.1f} Mpx" if row.pixels else "–",
            f"{row.payload_bytes:,} bytes" if row.payload_bytes else "–",
            f"{row.seconds:.2f} s",
            f"{row.peak_mb:.0f} MB",
        ]
        for row in result.rows
    ]
    return [["command", "picture", "payload", "time", "memory"], *lines]


def _searches(result: Searches) -> Cells:
    """One line per kind of costs and rate."""
    lines = [
        [row.costs, f"{row.rate:.1f}", f"{100 * row.excess:.1f} %", f"{row.speed / 1e6:.2f} million"]
        for row in result.rows
    ]
    return [["costs", "bits per value", "paid above the bound", "values per second"], *lines]


def _coding(result: Coding) -> Cells:
    """A line for each format, quality and way."""
    names = list(result.rows[0].kept)
    cells = [["format", "pictures", "bytes", "less", *names]]
    for row in result.rows:
        plain = next(r.size for r in result.rows if (r.format, r.quality, r.way) == (row.format, row.quality, PLAIN))
        label = row.format if row.format == "png" else f"{row.format} {row.quality}"
        kept = (number(row.kept[name] / row.pictures) for name in names)
        first, less = (label, "–") if row.way == PLAIN else ("", f"{100 * (1 - row.size / plain):.1f} %")
        cells.append([first, row.way, f"{row.size:,}", less, *kept])
    return cells


def _flips(result: Flips) -> Cells:
    """A line for each way."""
    names = list(result.rows[0].flips)
    lines = [
        [row.way, str(row.pictures), str(row.refused), f"{row.psnr:.1f} dB"]
        + [number(row.flips[name] / max(row.pictures, 1)) for name in names]
        for row in result.rows
    ]
    return [[result.method, "containers", "refused", "PSNR", *names], *lines]


def _grouped(rows: Iterable[Row], name: Callable[[Row], str]) -> list[tuple[str, list[Row]]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(name(row), []).append(row)
    return list(groups.items())


def _achieved(quality: Quality | None) -> tuple[str, str]:
    if quality is None:
        return "–", "–"
    # Rounded down: a floor that is not reached would be none.
    return f"≥ {math.floor(10 * quality.psnr_min) / 10:.1f} dB", f"{quality.ssim_mean:.3f}"


def _percent(interval: tuple[float, float]) -> str:
    low, high = map(number, interval)
    return f"{low}–{high} %"
