"""Plots of bit error rates: by channel, and over PSNR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from underpaint.methods import METHODS
from underpaint_lab.benchmarks.core.plots import figure, legend
from underpaint_lab.benchmarks.core.table import measured_in, paper_in, short_channel
from underpaint_lab.benchmarks.robustness.grids import GRIDS
from underpaint_lab.benchmarks.robustness.rows import qualities
from underpaint_lab.benchmarks.robustness.table import published_ber

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from underpaint_lab.benchmarks.core.result_file import ResultFile
    from underpaint_lab.benchmarks.robustness.rows import ChannelRow


def plot_channels(results: Sequence[ResultFile[ChannelRow]], target: Path) -> None:
    """Plot the bit error rate of one method by channel with its interval, one colour per PSNR.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    (result,) = results
    names, quality = list(dict.fromkeys(row.channel for row in result.rows)), qualities(result)
    with figure(target, 7, 0.8 + 0.21 * len(names)) as drawing:
        axes = drawing.subplots()
        for index, each in enumerate(quality):
            rows = [row for row in result.rows if row.psnr == each.psnr]
            rates, low, high = _rates(rows)
            # Rounded intervals may miss their centre by a rounding error.
            reach = [
                [max(0.0, rate - bound) for rate, bound in zip(rates, low, strict=True)],
                [max(0.0, bound - rate) for rate, bound in zip(rates, high, strict=True)],
            ]
            places = [names.index(row.channel) + 0.2 * (index - (len(quality) - 1) / 2) for row in rows]
            label = f"{each.psnr:g} dB"
            drawn = axes.errorbar(rates, places, xerr=reach, fmt="o", markersize=3, linewidth=1, label=label)
            drawn.lines[0].set_clip_on(False)  # dots on zero would be cut in half
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xlim(0, 60)
        axes.set_xticks([0, 1, 2, 5, 10, 20, 50], ["0", "1", "2", "5", "10", "20", "50"])
        axes.set_xlabel("bit error rate in %, without error correction")
        axes.set_title(f"{result.method}: {quality[0].payload_bits} bits in {quality[0].containers} crops")
        axes.grid(axis="x", linewidth=0.4)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="lower right")


def plot_over_psnr(results: Sequence[ResultFile[Any]], target: Path) -> None:
    """Plot the bit error rate over mean PSNR with its interval, a panel per channel, one colour per method.

    The paper's rate, whose PSNR is unknown, is a line across the panel. Nothing is plotted without a row.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    ours, paper = measured_in(results, list(METHODS)), paper_in(results)
    sent = {row.channel for result in ours for row in result.rows}
    if not sent:
        return
    names = [name for name in GRIDS[ours[0].table].plotted if name in sent]
    with figure(target, 2.4 * len(names) + 0.4, 3) as drawing:
        panels = drawing.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for axes, name in zip(panels, names, strict=True):
            for result in ours:
                means = {quality.psnr: quality.psnr_mean for quality in qualities(result)}
                rows = [row for row in result.rows if row.channel == name]
                places, (rates, low, high) = [means[row.psnr] for row in rows], _rates(rows)
                (line,) = axes.plot(places, rates, "o-", markersize=3, linewidth=1, label=result.method)
                line.set_clip_on(False)
                axes.fill_between(places, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
            if (rate := published_ber(paper, name)) is not None:
                axes.axhline(100 * rate, color="grey", linestyle="--", linewidth=1, label="paper, at unknown PSNR")
            axes.set_title(short_channel(name))
            axes.set_yscale("symlog", linthresh=0.1)
            axes.set_ylim(0, 60)
            axes.set_yticks([0, 0.1, 1, 10, 50], ["0", "0.1", "1", "10", "50"])
            axes.set_xticks([quality.psnr for quality in qualities(ours[0])][::2])
            axes.set_xlabel("mean PSNR in dB")
            axes.grid(linewidth=0.4)
            axes.spines[["top", "right"]].set_visible(False)
        panels[0].set_ylabel("bit error rate in %")
        legend(drawing, panels)


def _rates(rows: Sequence[ChannelRow]) -> tuple[list[float], list[float], list[float]]:
    """Return bit error rates in percent, and the ends of their intervals."""
    intervals = [row.ber_interval or (0.0, 0.0) for row in rows]
    low, high = ([100 * interval[end] for interval in intervals] for end in (0, 1))
    return [100 * (row.ber or 0.0) for row in rows], low, high
