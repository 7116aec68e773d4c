"""Rendering of the tables on robustness: bit error rates, whole messages, equal PSNR, ablation, networks of robust."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from underpaint.errors import UsageError
from underpaint.methods import METHODS
from underpaint_lab.benchmarks.core.table import (
    Cells,
    Rendered,
    citation,
    measured_in,
    paper_in,
    percent,
    provenance,
    short_channel,
)
from underpaint_lab.benchmarks.robustness.crops import CROP
from underpaint_lab.benchmarks.robustness.grids import GRIDS
from underpaint_lab.benchmarks.robustness.rows import ALL, changes, qualities, skipped
from underpaint_lab.provenance import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from underpaint_lab.benchmarks.core.result_file import ResultFile
    from underpaint_lab.benchmarks.robustness.rows import ChannelRow, PublishedBer, Quality

#: Column of the paper's own method, where its table has others.
PAPER_COLUMN = "Ours"

_CHANNELS_CAPTION = (
    "Bit error rate in % before error correction; in brackets the 95 % interval, as if bits were independent (those of "
    "one crop are not quite); then the share of crops without a wrong bit."
)
_MESSAGES_CAPTION = (
    "Refused are pictures that `hide` refused, because the message would not have survived or did not fit."
)
_EQUAL_CAPTION = (
    "Every method at the same mean PSNR over all crops, after rounding to 8 bits. Bit error rate in % without error "
    "correction; in brackets the 95 % interval, as if bits were independent; then the share of crops without a wrong "
    "bit. Sizes are of whole files, in bits per pixel (bpp)"
)
_VIDEO_CAPTION = ", here per frame of a clip that shows one crop five times; kbit/s at 30 frames of 128×128 per second"
_ABLATION_CAPTION = (
    "Trained again at a reduced scale; only the attack differs. Each network was measured as trained, and with its "
    "change of the picture scaled to equal mean PSNRs. Bit error rate in %."
)
_NETWORKS_CAPTION = (
    "Bit error rate in %, without error correction; in brackets the 95 % bootstrap interval of its difference from "
    "plain, in percentage points, over the same crops. Every variant has the same mean PSNR."
)
#: Variants of robust in order, and the suffix of those that were refined.
_VARIANTS, _REFINED = ("plain", "writer", "reader", "both"), "-refined"
#: Attacks in training, in the order of the paper's table, with its column. Its JPEG-Drop is quantisation in its code.
_ATTACKS = {
    "none": None,
    "jpeg-drop": "JPEG-Drop",
    "quantise": "JPEG-Drop",
    "jpeg-mask": "JPEG-Mask",
    "drop+mask": "Drop + Mask",
    "quantise+mask": "Drop + Mask",
    "shin-song": "Shin & Song",
    "pseudo-jpeg": PAPER_COLUMN,
    "pseudo-jpeg+surrogate": None,
}
_VIDEO_TABLE = "robust-video"
_FRAMES_PER_SECOND = 30


def channels_table(results: Sequence[ResultFile[ChannelRow]]) -> Rendered:
    """Render ``channels`` of one method: a line per channel, a column per PSNR."""
    (result,) = results
    header = ["channel", *(f"asked for {each.psnr:g} dB" for each in qualities(result))]
    achieved = (f"{q.psnr_mean:.1f} dB, least {q.psnr_min:.1f}; SSIM {q.ssim_mean:.3f}" for q in qualities(result))
    cells = [header, ["(the containers)", *achieved]]
    names = dict.fromkeys(row.channel for row in result.rows)
    cells += [[name, *(_rate(row) for row in result.rows if row.channel == name)] for name in names]
    cells += [[skip.channel, *["skipped"] * len(qualities(result))] for skip in skipped(result)]
    return Rendered(cells, " ".join([*provenance(results), _CHANNELS_CAPTION]))


def messages_table(results: Sequence[ResultFile[ChannelRow]]) -> Rendered:
    """Render ``messages`` of one method: a line per message size, PSNR and channel."""
    (result,) = results
    found = {(each.psnr, each.payload_bits): each for each in qualities(result)}
    cells = [["channel", "message", "PSNR", "mean SSIM", "read exactly", "95 % interval"]]
    for row in result.rows:
        quality, (low, high) = found.get((row.psnr, row.payload_bits)), map(percent, row.exact_interval)
        # Rounded down: a floor that is not reached would be none.
        achieved = (f"≥ {math.floor(10 * quality.psnr_min) / 10:.1f} dB", f"{quality.ssim_mean:.3f}") if quality else ()
        cells.append(
            [
                row.channel,
                f"{row.payload_bits // 8} bytes",
                *(achieved or ("–", "–")),
                f"{row.exact} of {row.sent}" + f" ({row.refused} refused)" * bool(row.refused),
                f"{low}–{high} %",
            ]
        )
    return Rendered(cells, " ".join([*provenance(results), _MESSAGES_CAPTION]))


def equal_psnr_table(results: Sequence[ResultFile[Any]]) -> Rendered:
    """Render a table at equal PSNR: a block per PSNR with a line per channel; a column for the paper and each method.

    The paper's table alone has a line per channel and a column for each of its own.
    """
    paper, ours = paper_in(results), measured_in(results, list(METHODS))
    if not ours:
        return _paper_alone(paper)
    sent = {row.channel for each in ours for row in each.rows}
    chains = [chain for chain in GRIDS[ours[0].table].chains if chain in sent]
    cells = [["channel", "size", "paper", *(each.method for each in ours)]]
    for psnr in sorted({each.psnr for one in ours for each in qualities(one) if each.nominal is not None}):
        achieved = [_achieved(next((q for q in qualities(one) if q.psnr == psnr), None)) for one in ours]
        cells.append([f"at {psnr:g} dB", "", "not stated" if paper else "–", *achieved])
        for chain in chains:
            found = [next((r for r in each.rows if (r.channel, r.psnr) == (chain, psnr)), None) for each in ours]
            ber = published_ber(paper, chain)
            theirs = "–" if ber is None else f"{100 * ber:.2f} %"
            rates = ("–" if row is None else _rate(row) for row in found)
            cells.append([short_channel(chain), _sizes(filter(None, found), ours[0].table), theirs, *rates])
    cells += [[skip.channel, "skipped", *[""] * (1 + len(ours))] for skip in skipped(ours[0])]
    caption = _EQUAL_CAPTION + _VIDEO_CAPTION * (ours[0].table == _VIDEO_TABLE) + "."
    return Rendered(cells, " ".join([*provenance(ours), *citation(paper), caption]))


def ablation_table(results: Sequence[ResultFile[Any]]) -> Rendered:
    """Render ``robust-ablation``: blocks for the paper, as trained, and per PSNR; a line per attack in training.

    Raises:
        UsageError: there is no result.
    """
    paper, columns = paper_in(results), measured_in(results, list(_ATTACKS))
    if not columns:
        raise _nothing()
    chains = list(dict.fromkeys(row.channel for each in columns for row in each.rows))
    cells = [["trained behind", "PSNR, SSIM", *chains]]
    published = {(row.column, row.channel): percent(row.ber) for row in paper.rows} if paper else {}
    for each in columns:
        column = _ATTACKS.get(each.method)
        if paper and column:
            label = f"{each.method}, the paper's {column}"
            cells.append([label, "not stated", *(published.get((column, chain), "–") for chain in chains)])
    for block in range(len(qualities(columns[0]))):
        for each in columns:
            quality = qualities(each)[block]
            rates = {row.channel: percent(row.ber or 0.0) for row in each.rows if row.psnr == quality.psnr}
            label = f"{each.method}, as trained" if block == 0 else each.method
            achieved = f"{quality.psnr_mean:.1f} dB, {quality.ssim_mean:.3f}"
            cells.append([label, achieved, *(rates[chain] for chain in chains)])
    return Rendered(cells, " ".join([_ablation_caption(columns), *citation(paper)]))


def networks_table(results: Sequence[ResultFile[ChannelRow]]) -> Rendered:
    """Render ``robust-networks``: a block unrefined and one refined, a line per channel, a column per variant.

    Raises:
        UsageError: there is no result.
    """
    if not results:
        raise _nothing()
    named = {each.method: each for each in results}
    cells = [["channel", *_VARIANTS]]
    for block, suffix in (("unrefined", ""), ("refined", _REFINED)):
        columns = [named[variant + suffix] for variant in _VARIANTS]
        cells.append([block, *(_achieved(qualities(each)[0]) for each in columns)])
        for i, row in enumerate(columns[0].rows):
            rates = (_with_change(each.rows[i].ber or 0.0, row.channel, each) for each in columns)
            cells.append([short_channel(row.channel), *rates])
        means = (sum(row.ber or 0.0 for row in each.rows) / len(each.rows) for each in columns)
        cells.append([ALL, *(_with_change(ber, ALL, each) for ber, each in zip(means, columns, strict=True))])
    crops = f"{qualities(results[0])[0].containers} crops."
    return Rendered(cells, " ".join([*provenance(results[:1]), crops, _NETWORKS_CAPTION]))


def card_numbers(result: ResultFile[ChannelRow]) -> dict[str, float]:
    """Return bit error rates at the lowest PSNR, with the ends of their intervals, for a model card."""
    lowest = min(quality.psnr for quality in qualities(result))
    numbers: dict[str, float] = {}
    for row in result.rows:
        if row.psnr == lowest and row.ber is not None and row.ber_interval:
            rates = zip(("", "_low", "_high"), (row.ber, *row.ber_interval), strict=True)
            numbers |= {f"ber_{row.channel.replace(':', '_')}{end}": rate for end, rate in rates}
    return numbers


def published_ber(paper: ResultFile[PublishedBer] | None, chain: str) -> float | None:
    """Return the paper's own bit error rate behind *chain*, or behind its codec if the paper gives no parameter."""
    names = (chain, chain.partition(":")[0])
    rows = paper.rows if paper else ()
    return next((row.ber for row in rows if row.channel in names and row.column == PAPER_COLUMN), None)


def _paper_alone(paper: ResultFile[PublishedBer] | None) -> Rendered:
    if paper is None:
        raise _nothing()
    columns = list(dict.fromkeys(row.column for row in paper.rows))
    found = {(row.channel, row.column): f"{100 * row.ber:.2f} %" for row in paper.rows}
    names = dict.fromkeys(row.channel for row in paper.rows)
    cells: Cells = [["channel", *columns]]
    cells += [[short_channel(name), *(found[name, column] for column in columns)] for name in names]
    return Rendered(cells, " ".join(citation(paper)))


def _rate(row: ChannelRow) -> str:
    """Write a bit error rate, its interval, and the share of crops without a wrong bit."""
    low, high = map(percent, row.ber_interval or (0.0, 0.0))
    return f"{percent(row.ber or 0.0)} % ({low}–{high}) · {100 * row.exact // row.sent} %"


def _sizes(rows: Iterable[ChannelRow], table: str) -> str:
    """Write the sizes of the codec's files, each once; of video also the bit rate of a video of crops."""
    found = [row.bpp for row in rows if row.bpp is not None]
    sizes = " / ".join(dict.fromkeys(f"{bpp:.2f}" for bpp in found))
    if table != _VIDEO_TABLE or not found:
        return f"{sizes} bpp"
    rates = " / ".join(dict.fromkeys(f"{bpp * CROP * CROP * _FRAMES_PER_SECOND / 1000:.0f}" for bpp in found))
    return f"{sizes} bpp, {rates} kbit/s"


def _ablation_caption(columns: Sequence[ResultFile[Any]]) -> str:
    first = columns[0]
    assert isinstance(first.source, Source)  # noqa: S101 - only measurements have training
    training = first.notes["training"]
    scales = "; then ".join(str(stage["scale"]) for stage in training)
    minutes = training[0]["minutes"] + sum(each.notes["training"][-1]["minutes"] for each in columns)
    crops = qualities(first)[0].containers
    origin = f"{first.source.pictures} pictures of {first.source.data}, {crops} crops, {first.source.device}."
    spent = f"{scales}. {minutes:.0f} minutes for the start and all columns, on {training[-1]['device']}."
    return f"{origin} {_ABLATION_CAPTION} {spent[:1].upper()}{spent[1:]}"


def _with_change(ber: float, chain: str, result: ResultFile[ChannelRow]) -> str:
    """Write a bit error rate, and the interval of its difference from the variant without networks."""
    found = next((each for each in changes(result) if each.channel == chain), None)
    return percent(ber) + (f" ({100 * found.low:+.2f} to {100 * found.high:+.2f})" if found else "")


def _achieved(quality: Quality | None) -> str:
    if quality is None:
        return "–"
    return f"{quality.psnr_mean:.2f} dB, least {quality.psnr_min:.1f}; SSIM {quality.ssim_mean:.3f}"


def _nothing() -> UsageError:
    return UsageError("there is no result to show", hint="underpaint-lab bench lists what can be measured")
