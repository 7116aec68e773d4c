"""Tables that put results side by side: at equal PSNR beside a paper's, by the attack in training, by networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from underpaint.errors import UsageError
from underpaint.methods import METHODS
from underpaint_lab.benchmarks.core.table import Shown, channel, cited, measured, number, origins, rate, single
from underpaint_lab.benchmarks.detectability.rows import ANALYST, STATISTICS, Detections, Figures
from underpaint_lab.benchmarks.detectability.table import by_estimator, by_method
from underpaint_lab.benchmarks.faces.rows import TABLES, Recognitions
from underpaint_lab.benchmarks.faces.steganalysis_rows import STEGANALYSIS, Unmaskings
from underpaint_lab.benchmarks.faces.table import by_hider, by_system
from underpaint_lab.benchmarks.jnd.rows import DMVJND, Agreements, Statements
from underpaint_lab.benchmarks.jnd.table import by_change
from underpaint_lab.benchmarks.lossless.rows import BASN, Placements, Published
from underpaint_lab.benchmarks.lossless.table import by_strategy
from underpaint_lab.benchmarks.pictures.rows import PICTURES, SMALL, Revealed
from underpaint_lab.benchmarks.pictures.table import by_pictures
from underpaint_lab.benchmarks.robustness.crops import CROP
from underpaint_lab.benchmarks.robustness.equal_psnr import GRIDS
from underpaint_lab.benchmarks.robustness.rows import ABLATION, ALL, NETWORKS, Ablation, Gain, Paper, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from underpaint_lab.benchmarks.core.result_file import ResultFile
    from underpaint_lab.benchmarks.robustness.rows import Quality, Row

#: The paper's own column, where its table has others.
OURS = "Ours"

_EQUAL = (
    "Every method at the same mean PSNR over all crops, after rounding to 8 bits. Wrong bits without error correction; "
    "in brackets the 95 % interval, as if bits were independent; then the share of crops without a wrong bit. Sizes "
    "are of whole files, in bits per pixel (bpp)"
)
_CLIP = ", here per frame of a clip that shows one crop five times; kbit/s are at 30 frames of 128×128 per second"
_REDUCED = (
    "Trained again at a reduced scale, all alike but for the attack. Each was measured as it came out of training, and "
    "with its change of the picture scaled to equal mean PSNRs. Wrong bits in %."
)
_GAIN = (
    "Wrong bits in %, without error correction; in brackets by how much that differs from plain, in percentage points, "
    "as the 95 % bootstrap interval over crops, which are the same for all. Every variant at the same mean PSNR."
)
#: Variants of a method, in order, and what follows the names of those that were refined.
_VARIANTS, _REFINED = ("plain", "writer", "reader", "both"), "-refined"
#: Attacks in training, in the order of the paper's table, and its column if it has one. What it calls JPEG-Drop is, by
#: its code, quantisation.
_ATTACKS = {
    "none": None,
    "jpeg-drop": "JPEG-Drop",
    "quantise": "JPEG-Drop",
    "jpeg-mask": "JPEG-Mask",
    "drop+mask": "Drop + Mask",
    "quantise+mask": "Drop + Mask",
    "shin-song": "Shin & Song",
    "pseudo-jpeg": OURS,
    "pseudo-jpeg+surrogate": None,
}
_VIDEO = "robust-video"
_FRAMES_PER_SECOND = 30


def side_by_side(results: Sequence[ResultFile]) -> Shown:
    """Return the table of all *results* of one table; a paper's alone while there are no others.

    Raises:
        UsageError: that is none of those that are made for it, or there is nothing.
    """
    if any(isinstance(each, Placements | Published) for each in results):
        published = next((each for each in results if isinstance(each, Published)), None)
        return by_strategy(published, [each for each in results if isinstance(each, Placements)])
    if any(isinstance(each, Agreements | Statements) for each in results):
        stated = next((each for each in results if isinstance(each, Statements)), None)
        return by_change(stated, [each for each in results if isinstance(each, Agreements)])
    if any(isinstance(each, Detections | Figures) for each in results):
        figures = next((each for each in results if isinstance(each, Figures)), None)
        judged = [each for each in results if isinstance(each, Detections)]
        alone = judged and judged[0].table == STATISTICS
        return by_estimator(judged) if alone else by_method(figures, judged)
    if inside := [each for each in results if isinstance(each, Revealed)]:
        return by_pictures(inside)
    if systems := [each for each in results if isinstance(each, Recognitions)]:
        return by_system(systems)
    if found := [each for each in results if isinstance(each, Unmaskings)]:
        return by_hider(found)
    ours, paper = in_order(results), next((each for each in results if isinstance(each, Paper)), None)
    if ours and isinstance(ours[0], Ablation):
        return _ablation(paper, [each for each in ours if isinstance(each, Ablation)])
    if gains := [each for each in ours if isinstance(each, Gain)]:
        return _gain(gains)
    if ours and ours[0].table in GRIDS:
        return _equal(paper, ours)
    if paper and not ours:
        return single(paper)
    named = (*GRIDS, ABLATION, NETWORKS, BASN, DMVJND, ANALYST, STATISTICS, PICTURES, SMALL, *TABLES, STEGANALYSIS)
    names = ", ".join(named)
    raise UsageError("these results cannot be put side by side", hint=f"there have to be some, of one of {names}")


def in_order(results: Iterable[ResultFile]) -> list[Result]:
    """Return those that were counted, in the order of our methods."""
    order = list(METHODS)
    ours = [each for each in results if isinstance(each, Result)]
    return sorted(ours, key=lambda each: order.index(each.method) if each.method in order else len(order))


def reported(paper: Paper | None, chain: str) -> float | None:
    """The paper's own bit error rate behind *chain*, or behind its codec where the paper gives no parameter."""
    names = (chain, chain.partition(":")[0])
    return next((row.ber for row in paper.rows if row.channel in names and row.column == OURS), None) if paper else None


def _equal(paper: Paper | None, ours: Sequence[Result]) -> Shown:
    """A block per PSNR, in it one line per channel, in that one column for the paper and for each method."""
    sent = {row.channel for each in ours for row in each.rows}
    chains = [chain for chain in GRIDS[ours[0].table].chains if chain in sent]
    cells = [["channel", "size", "paper", *(each.method for each in ours)]]
    for psnr in sorted({quality.psnr for each in ours for quality in each.quality if quality.nominal is not None}):
        achieved = [_achieved(next((q for q in each.quality if q.psnr == psnr), None)) for each in ours]
        cells.append([f"at {psnr:g} dB", "", "not stated" if paper else "–", *achieved])
        for chain in chains:
            found = [next((r for r in each.rows if (r.channel, r.psnr) == (chain, psnr)), None) for each in ours]
            rated = reported(paper, chain)
            theirs = "–" if rated is None else f"{100 * rated:.2f} %"
            rates = ("–" if row is None else rate(row) for row in found)
            cells.append([channel(chain), _sizes(filter(None, found), ours[0].table), theirs, *rates])
    cells += [[skip.channel, "skipped", *[""] * (1 + len(ours))] for skip in ours[0].skipped]
    sources = origins(each.source for each in ours) + ([f"Paper: {cited(paper.source)}"] if paper else [])
    return Shown(cells, " ".join([*sources, _EQUAL + _CLIP * (ours[0].table == _VIDEO) + "."]))


def _sizes(rows: Iterable[Row], table: str) -> str:
    """What the files of each method weigh, once if they weigh the same; of video also what a film of crops would."""
    found = [row.bpp for row in rows if row.bpp is not None]
    sizes = " / ".join(dict.fromkeys(f"{bpp:.2f}" for bpp in found))
    if table != _VIDEO or not found:
        return f"{sizes} bpp"
    film = " / ".join(dict.fromkeys(f"{bpp * CROP * CROP * _FRAMES_PER_SECOND / 1000:.0f}" for bpp in found))
    return f"{sizes} bpp, {film} kbit/s"


def _ablation(paper: Paper | None, ours: Sequence[Ablation]) -> Shown:
    """A block for the paper, one as trained, one per PSNR; in each one line per attack, and one column per channel."""
    order = list(_ATTACKS)
    columns = sorted(ours, key=lambda each: order.index(each.method) if each.method in order else len(order))
    chains = list(dict.fromkeys(row.channel for each in columns for row in each.rows))
    cells = [["trained behind", "PSNR, SSIM", *chains]]
    rated = {(row.column, row.channel): number(row.ber) for row in paper.rows} if paper else {}
    for each in columns:
        column = _ATTACKS.get(each.method)
        if paper and column:
            label = f"{each.method}, the paper's {column}"
            cells.append([label, "not stated", *(rated.get((column, chain), "–") for chain in chains)])
    for block in range(len(columns[0].quality)):
        for each in columns:
            quality = each.quality[block]
            rates = {row.channel: number(row.ber or 0.0) for row in each.rows if row.psnr == quality.psnr}
            label = f"{each.method}, as trained" if block == 0 else each.method
            cells.append(
                [label, f"{quality.psnr_mean:.1f} dB, {quality.ssim_mean:.3f}", *(rates[chain] for chain in chains)]
            )
    source, training = columns[0].source, columns[0].training
    scales = "; then ".join(str(stage["scale"]) for stage in training)
    minutes = training[0]["minutes"] + sum(each.training[-1]["minutes"] for each in columns)
    origin = f"{source.pictures} pictures of {source.data}, {columns[0].quality[0].containers} crops, {source.device}."
    spent = f"{scales}. {minutes:.0f} minutes for the start and all columns, on {training[-1]['device']}."
    published = f" Paper: {cited(paper.source)}" if paper else ""
    return Shown(cells, f"{origin} {_REDUCED} {spent[:1].upper()}{spent[1:]}{published}")


def _gain(ours: Sequence[Gain]) -> Shown:
    """A block as laid and one refined, in it one line per channel and one for all, in that one column per variant."""
    named = {each.method: each for each in ours}
    cells = [["channel", *_VARIANTS]]
    for block, suffix in (("as laid", ""), ("refined", _REFINED)):
        columns = [named[variant + suffix] for variant in _VARIANTS]
        cells.append([block, *(_achieved(each.quality[0]) for each in columns)])
        cells += [
            [channel(row.channel), *(_changed(each.rows[i].ber or 0.0, row.channel, each) for each in columns)]
            for i, row in enumerate(columns[0].rows)
        ]
        together = (sum(row.ber or 0.0 for row in each.rows) / len(each.rows) for each in columns)
        cells.append([ALL, *(_changed(ber, ALL, each) for ber, each in zip(together, columns, strict=True))])
    crops = f"{ours[0].quality[0].containers} crops."
    return Shown(cells, f"{measured(ours[0].source)} {crops} {_GAIN}")


def _changed(ber: float, chain: str, result: Gain) -> str:
    """Write a bit error rate, and the interval of its change."""
    intervals = (
        f" ({100 * each.low:+.2f} to {100 * each.high:+.2f})" for each in result.changes if each.channel == chain
    )
    return number(ber) + next(intervals, "")


def _achieved(quality: Quality | None) -> str:
    if quality is None:
        return "–"
    return f"{quality.psnr_mean:.2f} dB, least {quality.psnr_min:.1f}; SSIM {quality.ssim_mean:.3f}"
