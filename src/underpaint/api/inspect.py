"""Inspecting: what each detector of hidden data makes of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from underpaint.errors import ImageError
from underpaint.media import EXTENSIONS, FORMATS, read
from underpaint.media.formats import reason
from underpaint.steganalysis import detectors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from underpaint.types import Image


@dataclass(frozen=True)
class Finding:
    """What one detector makes of one picture."""

    #: 0–1; None where the picture is too small, flat, or in a lossy format.
    score: float | None
    #: The score exceeds the threshold.
    suspicious: bool
    #: For a picture of this size, 0 or more.
    threshold: float
    #: The share of clean pictures that are suspicious too, 0–1.
    false_alarms: float
    #: What the detector looks at.
    meaning: str


@dataclass(frozen=True)
class Inspection:
    """What the detectors make of one picture file."""

    picture: str
    #: By the detectors' names.
    findings: dict[str, Finding]
    warnings: tuple[str, ...]


def inspect(image: Image) -> dict[str, Finding]:
    """Return what each detector makes of *image*, ``uint8 (H, W, 3)``, by its name.

    Raises:
        UsageError: *image* is no picture.
    """
    return _findings(detectors.scores(image), image.size // 3)


def inspect_file(path: str | Path) -> Inspection:
    """Return what each detector makes of a picture file; no scores of a lossy format, which keeps no lowest bits.

    Raises:
        ImageError: the file cannot be read.
    """
    picture = read(path)
    if FORMATS[picture.format].lossless:
        return Inspection(str(path), inspect(picture.pixels), picture.warnings)
    warning = f"{picture.format} keeps no lowest bits, and no detector here looks at anything else"
    return Inspection(
        str(path), _findings(dict.fromkeys(detectors.DETECTORS), picture.pixels.size // 3), (*picture.warnings, warning)
    )


def inspect_files(paths: Iterable[str | Path]) -> Iterator[tuple[str, Inspection | ImageError]]:
    """Yield the name of each picture file at *paths* and what the detectors make of it, or why it cannot be read.

    A folder stands for all files in it that are named like pictures, sorted; one that has none is not readable either.
    """
    for path in paths:
        try:
            files = _files(path)
        except ImageError as error:
            yield str(path), error
            continue
        for file in files:
            try:
                found: Inspection | ImageError = inspect_file(file)
            except ImageError as error:
                found = error
            yield str(file), found


def _files(path: str | Path) -> list[str | Path]:
    if str(path) in ("", "-") or not Path(path).is_dir():
        return [path]
    try:
        files = sorted(file for file in Path(path).iterdir() if file.suffix.lower() in EXTENSIONS and file.is_file())
    except OSError as error:
        raise ImageError(f"cannot read {path}: {reason(error)}") from error
    if not files:
        raise ImageError(f"no pictures in {path}", hint=f"known formats: {', '.join(FORMATS)}")
    return [*files]


def _findings(scores: Mapping[str, float | None], pixels: int) -> dict[str, Finding]:
    found = {}
    for name, score in scores.items():
        by = detectors.DETECTORS[name]
        threshold = by.threshold_at(pixels)
        suspicious = score is not None and score > threshold
        found[name] = Finding(score, suspicious, threshold, by.false_alarms, by.meaning)
    return found
