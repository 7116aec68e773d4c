"""Results for people: a table on the screen, an SVG plot, and tables in Markdown files, all from the same JSON.

A Markdown file takes a table between two comments; :func:`sync` fills it in::

    <!-- results: messages/stdm -->
    …
    <!-- end of results -->
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from underpaint.bench.result import Quality, Result, Row, Speed, read
from underpaint.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

_MARKED = re.compile(r"(<!-- results: (\S+) -->\n).*?(<!-- end of results -->)", re.DOTALL)

#: How the columns are to be read.
_READ_AS = {
    "channels": "Wrong bits before error correction; in brackets the 95 % interval, as if bits were independent (those "
    "of one crop are not quite); then the share of crops without a wrong bit.",
    "messages": "Refused are pictures that hide declined, for the message would not have survived or not have fitted.",
    "speed": "Whole processes, one at a time, with a passphrase: median time of three runs, most memory of any.",
}

Cells = list[list[str]]


def sync(text: str, results: Path) -> str:
    """Return the Markdown *text* with every marked table as *results* has it.

    Raises:
        UsageError: a marked result is missing.
    """

    def fill(match: re.Match[str]) -> str:
        start, name, end = match.groups()
        return f"{start}{markdown(read(results / f'{name}.json'))}{end}"

    return _MARKED.sub(fill, text)


def pages(root: Path) -> list[Path]:
    """Return the files that may show results, in a checkout."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def markdown(result: Result | Speed) -> str:
    """Return the table, and below it one line that says where the numbers come from."""
    header, *body = _cells(result)
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *body]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"\n{table}\n\n{_origin(result)}\n\n"


def screen(result: Result | Speed) -> Table:
    """Return the table for a terminal."""
    from rich import box
    from rich.table import Table

    header, *body = _cells(result)
    table = Table(box=box.SIMPLE_HEAD, caption=_origin(result).replace("`", ""), caption_justify="left")
    for column, title in enumerate(header):
        table.add_column(title, justify="right" if column else "left")
    for line in body:
        table.add_row(*line)
    return table


def publish(result: Result | Speed, results: Path, console: Console) -> None:
    """Show *result*, write its JSON below the folder *results*, and beside it a plot of the bit error rates."""
    console.print(screen(result))
    written = [result.write(results)]
    if isinstance(result, Result) and all(row.errors is not None for row in result.rows):
        try:
            plot(result, written[0].with_suffix(".svg"))
            written.append(written[0].with_suffix(".svg"))
        except MissingExtraError as error:
            console.print(f"no plot: {error} ({error.hint})", markup=False, highlight=False)
    console.print(*(f"wrote {file}" for file in written), sep="\n", markup=False, highlight=False)


def plot(result: Result, target: Path) -> None:
    """Draw bit error rate by channel with its interval, one colour per quality, as SVG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("plots need matplotlib", hint="pip install 'underpaint[plot]'") from None

    names = list(dict.fromkeys(row.channel for row in result.rows))
    # Hash salt and no date: the same numbers draw the same file.
    with mpl.rc_context({"svg.hashsalt": "underpaint", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(7, 0.8 + 0.21 * len(names)), layout="constrained")
        axes = figure.subplots()
        for index, quality in enumerate(result.quality):
            rows = [row for row in result.rows if row.psnr == quality.psnr]
            rates = [100 * (row.ber or 0.0) for row in rows]
            intervals = [row.ber_interval or (0.0, 0.0) for row in rows]
            low, high = ([100 * bound for bound in bounds] for bounds in zip(*intervals, strict=True))
            # Intervals of rounded shares may miss their centre by less than a rounding error.
            reach = [
                [max(0.0, rate - bound) for rate, bound in zip(rates, low, strict=True)],
                [max(0.0, bound - rate) for rate, bound in zip(rates, high, strict=True)],
            ]
            places = [names.index(row.channel) + 0.2 * (index - (len(result.quality) - 1) / 2) for row in rows]
            label = f"{quality.psnr:g} dB"
            drawn = axes.errorbar(rates, places, xerr=reach, fmt="o", markersize=3, linewidth=1, label=label)
            drawn.lines[0].set_clip_on(False)  # dots on zero are cut in half otherwise
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xlim(0, 60)
        axes.set_xticks([0, 1, 2, 5, 10, 20, 50], ["0", "1", "2", "5", "10", "20", "50"])
        axes.set_xlabel("wrong bits in %, without error correction")
        axes.set_title(
            f"{result.method}: {result.quality[0].payload_bits} bits in {result.quality[0].containers} crops"
        )
        axes.grid(axis="x", linewidth=0.4)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower right")
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})


def _cells(result: Result | Speed) -> Cells:
    if isinstance(result, Speed):
        return _speed(result)
    return {"channels": _channels, "messages": _messages}[result.table](result)


def _channels(result: Result) -> Cells:
    """One line per channel; per quality the share of wrong bits and of crops without one."""
    header = ["channel", *(f"asked for {q.psnr:g} dB" for q in result.quality)]
    lines = [[name, *map(_rate, rows)] for name, rows in _grouped(result.rows, lambda row: row.channel)]
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


def _rate(row: Row) -> str:
    low, high = map(_number, row.ber_interval or (0.0, 0.0))
    return f"{_number(row.ber or 0.0)} % ({low}–{high}) · {100 * row.exact // row.sent} %"


def _percent(interval: tuple[float, float]) -> str:
    low, high = map(_number, interval)
    return f"{low}–{high} %"


def _number(share: float) -> str:
    """Write a share in percent, with as many decimals as tell something."""
    percent = 100 * share
    if percent < 0.005 or percent > 99.95:
        return f"{percent:.0f}"
    return f"{percent:.2f}" if percent < 0.995 else f"{percent:.1f}"


def _origin(result: Result | Speed) -> str:
    source = result.source
    pictures = f"{source.pictures} picture{'s' * (source.pictures != 1)} of {source.data}"
    origin = f"`{source.command}` on {pictures}, commit {source.commit}, {source.device}."
    return f"{origin} {_READ_AS[result.table]}"
