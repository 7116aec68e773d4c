"""Coding for machines: how few bytes a picture takes that only classifiers look at, and what they make of it.

Every picture of a folder is compressed as it is; prepared within the just noticeable difference of machines, at that
quality; at the lowest quality that the judges in the loop allow; and both ways at once, as users get it
(:func:`underpaint.api.coding_for_machines.compress_for_machines`). Judges in the loop are the panel that the model is taught by; the other
classifiers of the zoo are asked only here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from underpaint import media
from underpaint.api.coding_for_machines import MachineCoder, compress_for_machines
from underpaint.models import classifiers, jnd
from underpaint.models.jnd_networks import MODEL, PANELS
from underpaint_lab.benchmarks.core.source import Source
from underpaint_lab.benchmarks.jnd.coded import BOTH, CODING, JND, LOWER, PLAIN, PREPARED, PSNR, Coded, Coding
from underpaint_lab.data.pictures import pictures_in, spread

if TYPE_CHECKING:
    from pathlib import Path


#: Formats and qualities; PNG has none.
TARGETS = (("jpeg", 75), ("jpeg", 50), ("webp", 75), ("webp", 50), ("png", 100))


class File(NamedTuple):
    """What one picture came to."""

    size: int
    #: Classifiers that keep their label.
    kept: tuple[str, ...]


def savings(method: str = JND, *, images: Path | None = None, seed: int = 0, jobs: int | None = None) -> Coding:
    """Compress every picture of a folder by every way.

    Args:
        method: only :data:`JND`.
        images: folder of pictures; the samples by default.
        seed: nothing is random; it is noted down.
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
            rows.append(Coded(kind, quality, way, len(files), sum(file.size for file in files), kept))
    return Coding(CODING, method, Source.of(CODING, method, images, pictures, seed), tuple(rows))


def measure(file: Path) -> dict[tuple[str, int], dict[str, File]]:
    """What one picture comes to, by format and quality, and by way."""
    picture, judges = media.read(file), classifiers.load_classifiers()
    panel = {name: judge for name, judge in judges.items() if f"classifier-{name}" in PANELS[MODEL]}
    threshold = jnd.jnd(picture.pixels, PSNR, classifiers=panel).threshold
    found = {}
    for kind, quality in TARGETS:
        everyone, loop = MachineCoder(picture, kind, judges), MachineCoder(picture, kind, panel)
        grade = quality if media.FORMATS[kind].lossy else None
        plain = loop.encode(picture.pixels, grade)
        asked = loop.kept(plain)
        files = {PLAIN: plain, PREPARED: loop.within_threshold(threshold, grade, asked)}
        if grade is not None:
            files[LOWER] = loop.lowest_quality(grade, asked)[1]
            files[BOTH] = compress_for_machines(picture, threshold, kind, quality, panel)[0]
        found[kind, quality] = {way: File(len(data), tuple(sorted(everyone.kept(data)))) for way, data in files.items()}
    return found
