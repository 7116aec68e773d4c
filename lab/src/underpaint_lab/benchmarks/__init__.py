"""Measurements of what users get: same hide and reveal, real codecs, 8-bit pictures.

::

    pictures ─► channels │ messages │ at_equal_psnr ─► Result ─┬► results/<table>/<method>.json ─► report
             ├► placements ─────────────────────► Placements ─┤
             ├► detections ─────────────────────► Detections ─┤
             ├► speed ───────────────────────────────► Speed  ─┤
             ├► searches ──────────────────────────► Searches ─┤
             ├► agreements ──────────────────────► Agreements ─┤
             ├► savings ─────────────────────────────► Coding ─┤
             ├► revealed ──────────────────────────► Revealed ─┤
             └► flips ────────────────────────────────► Flips ─┤
                         Paper, Published, Figures, Statements ─┘

``channels`` counts wrong bits of a bit carrier, without error correction, on small crops; ``at_equal_psnr`` does so at
PSNRs that are the same for every method, for tables that put methods beside a paper. ``messages`` counts whole messages
that came back exactly, by the path of the command line, on whole pictures. ``placements`` does so for payloads of up to
a byte per pixel, in pictures that stay as they are, and says what classifiers notice, ``detections`` what an analyst
does. ``speed`` times whole processes, ``searches`` the trellis alone, and holds what it pays against the bound.
``agreements`` counts labels that stay when a picture changes as far as machines are said to let it, ``savings`` what
such room is worth in bytes, ``flips`` labels that hiding changes, ``revealed`` what pictures in pictures lose.
``report`` shows all of it: on the screen, as plots, in Markdown.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from underpaint.errors import UsageError
from underpaint.methods import EXACT
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.detectability.lsb_replacement import FEWEST as PHOTOGRAPHS
from underpaint_lab.benchmarks.detectability.lsb_replacement import REPLACEMENT, estimated
from underpaint_lab.benchmarks.detectability.measure import CLEAN, FEWEST, JUDGED, detections
from underpaint_lab.benchmarks.detectability.rows import ANALYST, STATISTICS, Detections
from underpaint_lab.benchmarks.faces.measure import recognised
from underpaint_lab.benchmarks.faces.measure import ways as recognisable
from underpaint_lab.benchmarks.faces.rows import ABLATION, COVERS, MULTITASK, PRIVACY, RECOVERY, Recognitions
from underpaint_lab.benchmarks.faces.steganalysis_rows import STEGANALYSIS, Unmaskings
from underpaint_lab.benchmarks.jnd.coded import CODING, JND, Coding
from underpaint_lab.benchmarks.jnd.coding_for_machines import savings
from underpaint_lab.benchmarks.jnd.flipped import MACHINE_SAFE, Flips
from underpaint_lab.benchmarks.jnd.machine_safe import CHOOSING, flips
from underpaint_lab.benchmarks.jnd.measure import WAYS, agreements
from underpaint_lab.benchmarks.jnd.rows import DMVJND, Agreements
from underpaint_lab.benchmarks.lossless.measure import DESIGNS, PUBLISHED, placements
from underpaint_lab.benchmarks.lossless.rows import BASN, Placements
from underpaint_lab.benchmarks.lossless.stc_bound import METHOD, TRELLIS, Searches, searches
from underpaint_lab.benchmarks.pictures.measure import revealed, ways
from underpaint_lab.benchmarks.pictures.rows import PICTURES, SMALL, Revealed
from underpaint_lab.benchmarks.robustness.channel_grid import GRID, channels
from underpaint_lab.benchmarks.robustness.crops import carriers
from underpaint_lab.benchmarks.robustness.equal_psnr import GRIDS, at_equal_psnr
from underpaint_lab.benchmarks.robustness.messages import CASES, Case, messages
from underpaint_lab.benchmarks.robustness.rows import Paper, Result, Speed
from underpaint_lab.benchmarks.speed.measure import speed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = [
    "ANALYST",
    "BASN",
    "CASES",
    "CODING",
    "DESIGNS",
    "DMVJND",
    "GRID",
    "GRIDS",
    "MACHINE_SAFE",
    "MIAIS",
    "PICTURES",
    "PUBLISHED",
    "SMALL",
    "STATISTICS",
    "TABLES",
    "TRELLIS",
    "WAYS",
    "Agreements",
    "Case",
    "Coding",
    "Detections",
    "Flips",
    "Paper",
    "Placements",
    "Recognitions",
    "Result",
    "Revealed",
    "Searches",
    "Speed",
    "Table",
    "Unmaskings",
    "agreements",
    "at_equal_psnr",
    "carriers",
    "channels",
    "detections",
    "estimated",
    "flips",
    "messages",
    "placements",
    "revealed",
    "run",
    "savings",
    "searches",
    "speed",
    "ways",
]


@dataclass(frozen=True)
class Table:
    """Something that can be measured."""

    #: One line for help and listings.
    summary: str
    #: Of one method, or where :attr:`at_once` says so, of all that are asked for.
    measure: Callable[..., ResultFile | Sequence[ResultFile]]
    #: Whom it is for, by name.
    methods: Callable[[], Iterable[str]]
    #: Methods are shown side by side, so all of them are measured unless one is named.
    together: bool = False
    #: What is hidden may be named, or how much.
    payload: bool = False
    payloads: bool = False
    #: Methods are measured on the same covers, of which much is computed: all in one go.
    at_once: bool = False
    #: How many pictures it takes to say anything.
    fewest: int = 1
    #: It takes pictures of a kind of its own, which have to be named.
    own: bool = False


#: The tables of secrets that are recognised without being restored.
MIAIS = {
    ABLATION: "parts of the published system: table III of the paper on MIAIS, of faces and of objects",
    COVERS: "other pools of covers: its table IV",
    PRIVACY: "who is still recognised in pictures that hide from the eye: its table V",
    MULTITASK: "systems that also restore the secret: its table VI",
    RECOVERY: "what somebody who learns to restore finds of secrets",
    STEGANALYSIS: "containers found by steganalysers that learn: its table VII",
}
#: Every table that can be measured.
TABLES = {
    "channels": Table("wrong bits behind forty channels, without error correction", channels, carriers),
    "messages": Table("whole messages that are read exactly, by the path of the command line", messages, carriers),
    "speed": Table("seconds and memory of whole processes", speed, lambda: EXACT),
    **{
        name: Table(
            f"{grid.place} of the paper on robust hiding beside our methods",
            partial(at_equal_psnr, name),
            carriers,
            True,
        )
        for name, grid in GRIDS.items()
    },
    BASN: Table(
        "the table of the paper on attention, beside our methods at equal payload",
        placements,
        lambda: (PUBLISHED, *DESIGNS),
        together=True,
        payload=True,
    ),
    DMVJND: Table(
        "labels of pictures that change as far as machines let them, as published and ours",
        agreements,
        lambda: WAYS,
        together=True,
        own=True,
    ),
    CODING: Table("bytes of pictures that only machines look at, and their labels", savings, lambda: (JND,)),
    MACHINE_SAFE: Table("labels that hiding changes, and how --machine-safe keeps them", flips, lambda: CHOOSING),
    PICTURES: Table("photographs in photographs: what covers and secrets lose", revealed, ways, together=True),
    SMALL: Table(
        "the same of pictures of 32×32, as in the paper on pixels in pixels",
        partial(revealed, small=True),
        partial(ways, small=True),
        together=True,
        own=True,
    ),
    TRELLIS: Table("what the trellis pays in excess of the least there is, and how fast", searches, lambda: (METHOD,)),
    ANALYST: Table(
        "what every detector makes of containers, beside the figures of the paper on attention",
        detections,
        lambda: JUDGED,
        together=True,
        payloads=True,
        at_once=True,
        fewest=FEWEST,
    ),
    STATISTICS: Table(
        "how well estimators find LSB replacement in crops of lossless photographs",
        estimated,
        lambda: (REPLACEMENT, CLEAN),
        together=True,
        fewest=PHOTOGRAPHS,
    ),
    **{
        name: Table(summary, recognised, partial(recognisable, name), together=True, own=True)
        for name, summary in MIAIS.items()
    },
}
#: Where results lie, seen from the root of a checkout.
RESULTS = Path("results")


def run(
    table: str,
    *methods: str,
    images: Path | None = None,
    payload: Path | None = None,
    payloads: Sequence[float] = (),
    results: Path = RESULTS,
    seed: int = 0,
    jobs: int | None = None,
) -> None:
    """Measure one of :data:`TABLES`, show it, and write it below *results*: ``underpaint bench``.

    Args:
        table: key of :data:`TABLES`.
        methods: some of those that the table is for; where they are compared, or where there is one, none means all.
        images: folder of pictures; the samples by default.
        payload: file to hide, where the table takes one; random bytes by default.
        payloads: bits per pixel to hide, where the table leaves that open; its own by default.
        results: folder to write to. A paper's numbers are shown beside ours if they lie in it.
        seed: of everything random.
        jobs: processes, one per core by default; the result does not depend on them.

    Raises:
        UsageError: no such table, no method where one is needed, or the table's own reasons.
    """
    from rich.console import Console

    from underpaint_lab.benchmarks.core.report import publish, publish_together

    if table not in TABLES:
        raise UsageError(f"no table is called '{table}'", hint=f"the tables are {', '.join(TABLES)}")
    asked = TABLES[table]
    chosen = methods or tuple(asked.methods())
    if not methods and not asked.together and len(chosen) > 1:
        raise UsageError(f"{table} is measured for one method", hint=f"name one of {', '.join(chosen)}")
    if payload is not None and not asked.payload:
        raise UsageError(f"{table} takes no payload", hint="leave --payload out")
    if payloads and not asked.payloads:
        raise UsageError(f"{table} has payloads of its own", hint="leave --bpp out")
    given = {"payload": payload, "payloads": payloads}
    options = {"images": images, "seed": seed, "jobs": jobs} | {name: each for name, each in given.items() if each}
    console = Console()
    for each in [chosen] if asked.at_once else chosen:
        found = asked.measure(each, **options)
        for result in [found] if isinstance(found, ResultFile) else found:
            publish(result, results, console)
    if asked.together:
        publish_together(table, results, console)
