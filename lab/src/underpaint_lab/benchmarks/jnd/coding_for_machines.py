"""Table ``coding``: coding for machines, the size of pictures that only classifiers look at, and the labels they keep.

Every picture of a folder is compressed unchanged; prepared within the just noticeable difference of machines, at the
same quality; at the lowest quality that the classifiers of the search allow; and in both ways at once, as users get it.
The search asks the panel that the model was trained against; the other classifiers of the zoo only measure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from underpaint import media
from underpaint.api.coding_for_machines import MachineCoder, compress_for_machines
from underpaint.models import classifiers, jnd
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.jnd.rows import CODING, CodingRow
from underpaint_lab.data.pictures import pictures_in, spread
from underpaint_lab.provenance import Source

if TYPE_CHECKING:
    from pathlib import Path

#: Name of the method that is measured.
METHOD = "jnd"
#: PSNR in dB that the JND leaves at least.
PSNR = 20.0
#: Ways to compress pictures.
PLAIN, PREPARED, LOWER, BOTH = "as they are", "prepared", "lower quality", "both"
#: Formats and qualities; PNG has none.
TARGETS = (("jpeg", 75), ("jpeg", 50), ("webp", 75), ("webp", 50), ("png", 100))


class File(NamedTuple):
    """One picture, compressed."""

    size: int  #: bytes
    kept: tuple[str, ...]  #: classifiers that keep their label


def coding_for_machines(
    method: str = METHOD, *, images: Path | None = None, seed: int = 0, jobs: int | None = None
) -> ResultFile[CodingRow]:
    """Compress every picture of a folder in every way.

    Args:
        method: :data:`METHOD`.
        images: folder of pictures; the samples by default.
        seed: only noted down; nothing is random.
        jobs: processes, one per core by default.

    Raises:
        UsageError: there are no pictures, or one is too small.
        ModelError: a network is missing.
    """
    pictures = pictures_in(images)
    found = spread(measure, pictures, jobs)
    rows = []
    for kind, quality in TARGETS:
        for way in found[0][kind, quality]:
            files = [each[kind, quality][way] for each in found]
            kept = {name: sum(name in file.kept for file in files) for name in classifiers.names()}
            rows.append(CodingRow(kind, quality, way, len(files), sum(file.size for file in files), kept))
    return ResultFile(CODING, method, Source.of_bench(CODING, method, images, pictures, seed), tuple(rows))


def measure(file: Path) -> dict[tuple[str, int], dict[str, File]]:
    """Compress one picture; return the files by format and quality, and by way."""
    picture, networks = media.read(file), classifiers.classifiers_for_check()
    panel = {name: network for name, network in networks.items() if f"classifier-{name}" in jnd.PANELS[jnd.MODEL]}
    threshold = jnd.jnd(picture.pixels, PSNR, judges=panel).threshold
    found = {}
    for kind, quality in TARGETS:
        everyone, loop = MachineCoder(picture, kind, networks), MachineCoder(picture, kind, panel)
        grade = quality if media.FORMATS[kind].lossy else None
        plain = loop.encode(picture.pixels, grade)
        asked = loop.kept(plain)
        files = {PLAIN: plain, PREPARED: loop.within_threshold(threshold, grade, asked)}
        if grade is not None:
            files[LOWER] = loop.lowest_quality(grade, asked)[1]
            files[BOTH] = compress_for_machines(picture, threshold, kind, quality, panel)[0]
        found[kind, quality] = {way: File(len(data), tuple(sorted(everyone.kept(data)))) for way, data in files.items()}
    return found
