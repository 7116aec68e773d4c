"""Plots, as SVG: of bit error rates by channel and over PSNR, of what detectors find. Same numbers, same file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from underpaint.errors import MissingExtraError
from underpaint_lab.benchmarks.core.table import channel
from underpaint_lab.benchmarks.detectability.rows import FALSE_ALARMS
from underpaint_lab.benchmarks.detectability.table import NAMES, SHOWN
from underpaint_lab.benchmarks.robustness.equal_psnr import GRIDS
from underpaint_lab.benchmarks.robustness.rows import Paper
from underpaint_lab.benchmarks.robustness.table import in_order, reported

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from underpaint_lab.benchmarks.core.result_file import ResultFile
    from underpaint_lab.benchmarks.detectability.rows import Detections
    from underpaint_lab.benchmarks.robustness.rows import Result, Row


def plot(result: Result, target: Path) -> None:
    """Draw bit error rate by channel with its interval, one colour per quality, as SVG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    names = list(dict.fromkeys(row.channel for row in result.rows))
    with _figure(target, 7, 0.8 + 0.21 * len(names)) as figure:
        axes = figure.subplots()
        for index, quality in enumerate(result.quality):
            rows = [row for row in result.rows if row.psnr == quality.psnr]
            rates, low, high = _rates(rows)
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


def plot_over_psnr(results: Sequence[ResultFile], target: Path) -> None:
    """Draw bit error rate over mean PSNR with its interval, a panel per channel, one colour per method, as SVG.

    The paper's own rate, of which nobody knows the PSNR, is a line across the panel.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    ours = in_order(results)
    paper = next((result for result in results if isinstance(result, Paper)), None)
    sent = {row.channel for result in ours for row in result.rows}
    names = [name for name in GRIDS[ours[0].table].plotted if name in sent]
    with _figure(target, 2.4 * len(names) + 0.4, 3) as figure:
        panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for axes, name in zip(panels, names, strict=True):
            for result in ours:
                means = {quality.psnr: quality.psnr_mean for quality in result.quality}
                rows = [row for row in result.rows if row.channel == name]
                places, (rates, low, high) = [means[row.psnr] for row in rows], _rates(rows)
                (line,) = axes.plot(places, rates, "o-", markersize=3, linewidth=1, label=result.method)
                line.set_clip_on(False)
                axes.fill_between(places, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
            if (rate := reported(paper, name)) is not None:
                axes.axhline(100 * rate, color="grey", linestyle="--", linewidth=1, label="paper, at unknown PSNR")
            axes.set_title(channel(name))
            axes.set_yscale("symlog", linthresh=0.1)
            axes.set_ylim(0, 60)
            axes.set_yticks([0, 0.1, 1, 10, 50], ["0", "0.1", "1", "10", "50"])
            axes.set_xticks([quality.psnr for quality in ours[0].quality][::2])
            axes.set_xlabel("mean PSNR in dB")
            axes.grid(linewidth=0.4)
            axes.spines[["top", "right"]].set_visible(False)
        panels[0].set_ylabel("wrong bits in %")
        _legend(figure, panels)


def plot_curves(results: Sequence[Detections], target: Path) -> None:
    """Draw containers found over false alarms, a panel per detector, one colour per method and strategy, as SVG.

    At the least payload; detectors that are trained are those trained on what they judge. Where scores are alike, such
    as those of covers that an estimator finds nothing in, a curve is flat.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    least = min((row.asked for result in results for row in result.rows if row.asked), default=None)
    drawn = [
        (f"{result.method}, {row.variant}" if row.variant else result.method, row)
        for result in results
        for row in result.rows
        if row.asked == least and row.trained in (None, result.method)
    ]
    names = [name for name in SHOWN if name in {row.detector for _, row in drawn}]
    colours = {label: f"C{number}" for number, label in enumerate(dict.fromkeys(label for label, _ in drawn))}
    with _figure(target, 2.6 * len(names) + 0.4, 3.8) as figure:
        panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for axes, name in zip(panels, names, strict=True):
            for label, row in drawn:
                if row.detector == name:
                    shares = [0, *row.curve, 1]
                    axes.plot([0, *FALSE_ALARMS, 1], shares, linewidth=1, label=label, color=colours[label])
            axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=0.6)
            axes.set_title(NAMES.get(name, name))
            axes.set_xlabel("false alarms")
            axes.set_aspect("equal")
            axes.grid(linewidth=0.4)
            axes.spines[["top", "right"]].set_visible(False)
        panels[0].set_ylabel("containers found")
        _legend(figure, panels, 4)


def plot_places(panels: Mapping[str, NDArray[np.floating]], labels: NDArray[np.int64], target: Path) -> None:
    """Draw where pictures lie, ``(n, 2)`` by the name of each panel, a colour for each of their *labels*, as SVG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    with _figure(target, 2.1 * len(panels), 2.3) as figure:
        for axes, (name, places) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
            axes.scatter(*places.T, c=labels, s=6, cmap="tab10", linewidths=0)
            axes.set(title=name, xticks=[], yticks=[])


def _legend(figure: Any, panels: Iterable[Any], columns: int | None = None) -> None:
    """One legend for all *panels*, above them; in one row unless there are so many *columns*."""
    shown = (zip(*axes.get_legend_handles_labels(), strict=True) for axes in panels)
    legend = {label: handle for pairs in shown for handle, label in pairs}
    place = "outside upper center"
    figure.legend(legend.values(), legend.keys(), frameon=False, loc=place, ncols=columns or len(legend))


@contextmanager
def _figure(target: Path, width: float, height: float) -> Iterator[Any]:
    """Give a figure of so many inches, and write it to *target* when it is drawn."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        hint = "from a checkout of the project: pip install '.[plot]'"
        raise MissingExtraError("plots need matplotlib", hint=hint) from None

    # Hash salt and no date: the same numbers draw the same file.
    with mpl.rc_context({"svg.hashsalt": "underpaint", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})


def _rates(rows: Sequence[Row]) -> tuple[list[float], list[float], list[float]]:
    """Bit error rates in percent, and the ends of their intervals."""
    intervals = [row.ber_interval or (0.0, 0.0) for row in rows]
    return (
        [100 * (row.ber or 0.0) for row in rows],
        [100 * low for low, _ in intervals],
        [100 * h for _, h in intervals],
    )
