"""Coding for machines: how few bytes a picture takes that only classifiers look at, and what they make of it.

Every picture of a folder is compressed as it is, and prepared within the just noticeable difference of machines, at the
same quality (:func:`underpaint.app.tolerating.compressed`). Judges in the loop are the panel that the model is taught
by; the other classifiers of the zoo only judge. As a control the plain file at the lowest quality that the same judges
allow: what is gained without any JND.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from underpaint import image, machine
from underpaint.app.tolerating import compressed
from underpaint.bench.coded import CODING, JND, LOWER, PLAIN, PREPARED, PSNR, Coded, Coding
from underpaint.bench.pictures import pictures_in, spread
from underpaint.bench.source import Source
from underpaint.methods import dmvjnd

if TYPE_CHECKING:
    from pathlib import Path

    from underpaint.image import Picture
    from underpaint.machine import Judge

#: Formats and qualities; PNG has none.
TARGETS = (("jpeg", 75), ("jpeg", 50), ("webp", 75), ("webp", 50), ("png", 100))
#: Qualities that the control tries, from below.
CONTROL = (5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70)


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
            kept = {name: sum(name in file.kept for file in files) for name in machine.observers()}
            rows.append(Coded(kind, quality, way, len(files), sum(file.size for file in files), kept))
    return Coding(CODING, method, Source.of(CODING, method, images, pictures, seed), tuple(rows))


def measure(file: Path) -> dict[tuple[str, int], dict[str, File]]:
    """What one picture comes to, by format and quality, and by way."""
    picture, judges = image.read(file), machine.judges()
    panel = {name: judge for name, judge in judges.items() if f"classifier-{name}" in dmvjnd.PANELS[dmvjnd.MODEL]}
    threshold = dmvjnd.jnd(picture.pixels, PSNR, judges=panel).threshold
    labels = {name: judge(picture.pixels) for name, judge in judges.items()}

    def seen(data: bytes) -> File:
        pixels = image.decode(data).pixels
        return File(len(data), tuple(name for name, judge in judges.items() if judge(pixels) == labels[name]))

    found = {}
    for kind, quality in TARGETS:
        grade = quality if image.FORMATS[kind].lossy else None
        plain = seen(image.encode(picture, kind, quality=grade))
        prepared, _ = compressed(picture, threshold, kind, quality, panel)
        found[kind, quality] = {PLAIN: plain, PREPARED: seen(prepared)}
        if grade is not None:
            found[kind, quality][LOWER] = seen(_lower(picture, kind, quality, panel, labels, plain))
    return found


def _lower(
    picture: Picture, kind: str, quality: int, panel: dict[str, Judge], labels: dict[str, int], plain: File
) -> bytes:
    """The file at the lowest quality at which nobody of the *panel* minds who did not mind the *plain* file."""
    for grade in (*(each for each in CONTROL if each < quality), quality):
        data = image.encode(picture, kind, quality=grade)
        pixels = image.decode(data).pixels
        if all(judge(pixels) == labels[name] for name, judge in panel.items() if name in plain.kept):
            break
    return data
