"""Benchmarks: measurements of what users get (real codecs, 8-bit pictures), one package per question.

::

    pictures ─► measure ─► rows ─► results/<table>/<method>.json ─► table, plot, docs/results/*.md, model cards

=============  =========================================================================
robustness     bit error rates and whole messages behind channels, networks of robust
detectability  detectors on containers, estimators of LSB replacement
lossless       BASN's strategies in unchanged containers, syndrome-trellis codes
jnd            just noticeable difference of machines, coding for machines, machine-safe
pictures       pictures in pictures
faces          MIAIS: recognition in containers, privacy, recovery, steganalysis
speed          time and memory of whole processes
=============  =========================================================================

:data:`TABLES` has one entry per table: its row, measurement, rendering, plot and model-card numbers. Nothing else is
registered anywhere.
"""

from __future__ import annotations

from functools import partial

from underpaint.methods import EXACT
from underpaint_lab.benchmarks.core.table import CardNumbers, Plot, Table
from underpaint_lab.benchmarks.detectability import lsb_replacement
from underpaint_lab.benchmarks.detectability import measure as detectability
from underpaint_lab.benchmarks.detectability.rows import ANALYST, STATISTICS, DetectorRow, PublishedDetector
from underpaint_lab.benchmarks.detectability.table import analyst_table, plot_roc, statistics_table
from underpaint_lab.benchmarks.faces import measure as faces
from underpaint_lab.benchmarks.faces import table as faces_table
from underpaint_lab.benchmarks.faces.rows import (
    ABLATION,
    COVERS,
    MULTITASK,
    PRIVACY,
    RECOVERY,
    STEGANALYSIS,
    RecognitionRow,
    SteganalyserRow,
)
from underpaint_lab.benchmarks.jnd import coding_for_machines, machine_safe
from underpaint_lab.benchmarks.jnd import measure as jnd
from underpaint_lab.benchmarks.jnd import table as jnd_table
from underpaint_lab.benchmarks.jnd.rows import (
    CODING,
    DMVJND,
    MACHINE_SAFE,
    CodingRow,
    LabelChangeRow,
    LabelRow,
    PublishedLabels,
)
from underpaint_lab.benchmarks.lossless import measure as lossless
from underpaint_lab.benchmarks.lossless import stc_bound
from underpaint_lab.benchmarks.lossless import table as lossless_table
from underpaint_lab.benchmarks.lossless.rows import BASN, TRELLIS, PublishedStrategy, StcRow, StrategyRow
from underpaint_lab.benchmarks.pictures import measure as pictures
from underpaint_lab.benchmarks.pictures import table as pictures_table
from underpaint_lab.benchmarks.pictures.rows import PICTURES, SMALL, PictureRow
from underpaint_lab.benchmarks.robustness import plots, rows, table
from underpaint_lab.benchmarks.robustness.channel_grid import channels
from underpaint_lab.benchmarks.robustness.crops import carriers
from underpaint_lab.benchmarks.robustness.equal_psnr import at_equal_psnr
from underpaint_lab.benchmarks.robustness.grids import GRIDS
from underpaint_lab.benchmarks.robustness.messages import messages
from underpaint_lab.benchmarks.robustness.roads import ROADS
from underpaint_lab.benchmarks.speed.measure import speed
from underpaint_lab.benchmarks.speed.rows import Timing
from underpaint_lab.benchmarks.speed.table import speed_table

__all__ = ["TABLES"]


def _way_of(model: str) -> str:
    """Return the name that the changes of the *model* have in the table ``dmvjnd``; that of the model by default."""
    return next((way for way, each in jnd.WAYS.items() if each == model), model)


def _faces_table(name: str, summary: str) -> Table:
    """Return the entry of a table on recognition in containers."""
    return Table(
        summary,
        RecognitionRow,
        faces_table.recognition_table,
        faces.recognise_faces,
        partial(faces.ways, name),
        paper_row=RecognitionRow,
        card=CardNumbers(faces_table.card_numbers) if name == ABLATION else None,
        compares=True,
        needs_data=True,
    )


_CHANNELS = {
    "channels": Table(
        "bit error rates behind forty channels, without error correction",
        rows.ChannelRow,
        table.channels_table,
        channels,
        carriers,
        notes=rows.NOTES,
        plot=Plot(plots.plot_channels),
        card=CardNumbers(table.card_numbers),
    ),
    "messages": Table(
        "whole messages revealed exactly behind channels, by the calls of the command line",
        rows.ChannelRow,
        table.messages_table,
        messages,
        carriers,
        notes=rows.NOTES,
    ),
    **{
        f"messages-{road}": Table(
            f"whole messages on the roads of pictures: {road}",
            rows.ChannelRow,
            table.messages_table,
            partial(messages, cases=cases, table=f"messages-{road}"),
            carriers,
            notes=rows.NOTES,
        )
        for road, cases in ROADS.items()
    },
}
_ROBUSTNESS = {
    **{
        name: Table(
            f"{grid.place} of the paper on robust hiding: bit error rates at equal PSNR",
            rows.ChannelRow,
            table.equal_psnr_table,
            partial(at_equal_psnr, name),
            carriers,
            paper_row=rows.PublishedBer,
            notes=rows.NOTES,
            plot=Plot(plots.plot_over_psnr, "over-psnr"),
            compares=True,
        )
        for name, grid in GRIDS.items()
    },
    rows.ABLATION: Table(
        "table 1 of the paper on robust hiding, trained again (rows: evaluate ablation)",
        rows.ChannelRow,
        table.ablation_table,
        notes=rows.ABLATION_NOTES,
        compares=True,
        needs_data=True,
    ),
    rows.NETWORKS: Table(
        "bit error rates of robust with and without its networks (rows: evaluate network-gain)",
        rows.ChannelRow,
        table.networks_table,
        notes=rows.NETWORK_NOTES,
        compares=True,
        needs_data=True,
    ),
}
_LOSSLESS = {
    BASN: Table(
        "table 1 of the paper on BASN beside our designs at equal payload",
        StrategyRow,
        lossless_table.basn_table,
        lossless.designs,
        lambda: (lossless.PUBLISHED, *lossless.DESIGNS),
        paper_row=PublishedStrategy,
        card=CardNumbers(lossless_table.card_numbers, lambda model: model.removeprefix("basn-")),
        compares=True,
        takes_payload=True,
    ),
    TRELLIS: Table(
        "cost of syndrome-trellis codes above the rate–distortion bound, and their speed",
        StcRow,
        lossless_table.trellis_table,
        stc_bound.stc_bounds,
        lambda: (stc_bound.METHOD,),
    ),
}
_JND = {
    DMVJND: Table(
        "labels that classifiers keep within the just noticeable difference of machines",
        LabelRow,
        jnd_table.dmvjnd_table,
        jnd.labels_kept,
        lambda: jnd.WAYS,
        paper_row=PublishedLabels,
        card=CardNumbers(jnd_table.card_numbers, _way_of),
        compares=True,
        needs_data=True,
    ),
    CODING: Table(
        "coding for machines: bytes of pictures that classifiers label alike",
        CodingRow,
        jnd_table.coding_table,
        coding_for_machines.coding_for_machines,
        lambda: (coding_for_machines.METHOD,),
    ),
    MACHINE_SAFE: Table(
        "labels that hiding changes, with and without --machine-safe",
        LabelChangeRow,
        jnd_table.machine_safe_table,
        machine_safe.label_changes,
        lambda: machine_safe.METHODS_WITH_CHOICE,
    ),
}
_PICTURES = {
    PICTURES: Table(
        "photographs in photographs: quality of containers and revealed pictures",
        PictureRow,
        pictures_table.pictures_table,
        pictures.pictures_in_pictures,
        pictures.ways,
        card=CardNumbers(pictures_table.card_numbers, only_reported=False),
        compares=True,
    ),
    SMALL: Table(
        "pictures of 32×32 in each other, as in the paper on PixInPix",
        PictureRow,
        pictures_table.pictures_table,
        partial(pictures.pictures_in_pictures, small=True),
        partial(pictures.ways, small=True),
        card=CardNumbers(pictures_table.card_numbers, only_reported=False),
        compares=True,
        needs_data=True,
    ),
}
_DETECTABILITY = {
    ANALYST: Table(
        "detectors on containers of every method, beside figures of the paper on BASN",
        DetectorRow,
        analyst_table,
        detectability.detect,
        lambda: detectability.METHODS_TO_DETECT,
        paper_row=PublishedDetector,
        plot=Plot(plot_roc, "roc"),
        compares=True,
        takes_bpp=True,
        at_once=True,
        min_pictures=detectability.MIN_PICTURES,
    ),
    STATISTICS: Table(
        "estimators of LSB replacement in crops of lossless photographs",
        DetectorRow,
        statistics_table,
        lsb_replacement.estimate,
        lambda: (lsb_replacement.REPLACEMENT, detectability.CLEAN),
        compares=True,
        min_pictures=lsb_replacement.MIN_PICTURES,
    ),
}
_FACES = {
    name: _faces_table(name, summary)
    for name, summary in {
        ABLATION: "recognition in containers, table III of the paper on MIAIS: parts of the system",
        COVERS: "recognition in containers, its table IV: pools of covers",
        PRIVACY: "recognition in obfuscated pictures, its table V: visual privacy",
        MULTITASK: "recognition in containers, its table VI: systems that also restore the secret",
        RECOVERY: "recovery attacks on containers of MIAIS (rows: evaluate privacy)",
    }.items()
}
#: Every table by name.
TABLES: dict[str, Table] = {
    **_CHANNELS,
    "speed": Table("time and memory of whole processes", Timing, speed_table, speed, lambda: EXACT),
    **_ROBUSTNESS,
    **_LOSSLESS,
    **_JND,
    **_PICTURES,
    **_DETECTABILITY,
    **_FACES,
    STEGANALYSIS: Table(
        "trained steganalysers on containers, table VII of the paper on MIAIS (rows: evaluate steganalysers)",
        SteganalyserRow,
        faces_table.steganalysis_table,
        paper_row=SteganalyserRow,
        compares=True,
        needs_data=True,
    ),
}
