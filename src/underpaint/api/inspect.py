"""Steganalysis of pictures: the result of each detector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from underpaint.errors import ImageError
from underpaint.media import EXTENSIONS, FORMATS, read
from underpaint.media.formats import reason
from underpaint.models import INSTALL_HINT, onnxruntime_installed
from underpaint.steganalysis import detectors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from underpaint.types import Image


@dataclass(frozen=True)
class Finding:
    """Result of one detector for one picture."""

    #: Score of the detector, 0–1; None if the picture is too small, flat, or in a lossy format, and of the network
    #: without ONNX Runtime.
    score: float | None
    #: True if the score exceeds the threshold.
    suspicious: bool
    #: Threshold for a picture of this size, 0–1.
    threshold: float
    #: False-positive rate: share of clean pictures that are suspicious, 0–1.
    false_alarms: float
    #: Property of the picture that the detector measures.
    meaning: str


@dataclass(frozen=True)
class Inspection:
    """Results of all detectors for one picture file."""

    #: Path of the file.
    picture: str
    #: Result of each detector, by name.
    findings: dict[str, Finding]
    warnings: tuple[str, ...]


def inspect(image: Image) -> dict[str, Finding]:
    """Run all steganalysis detectors on *image*, ``uint8 (H, W, 3)``.

    Returns:
        Result of each detector, by name.

    Raises:
        UsageError: *image* is no image.
        ModelError: the detectors' network is missing or altered.
    """
    return _findings(detectors.scores(image), image.size // 3)


def inspect_file(path: str | Path) -> Inspection:
    """Run all steganalysis detectors on a picture file; ``-`` is standard input.

    A file in a lossy format gets no scores: it keeps no least significant bits, which all detectors look at.

    Raises:
        ImageError: the file cannot be read.
        ModelError: as in :func:`inspect`.
    """
    picture = read(path)
    if FORMATS[picture.format].lossless:
        found, warnings = inspect(picture.pixels), picture.warnings
        if not onnxruntime_installed():
            warnings += (f"no score by the network, which needs ONNX Runtime: {INSTALL_HINT}",)
        return Inspection(str(path), found, warnings)
    warning = f"{picture.format} keeps no least significant bits, and the detectors look at nothing else"
    no_scores = _findings(dict.fromkeys(detectors.DETECTORS), picture.pixels.size // 3)
    return Inspection(str(path), no_scores, (*picture.warnings, warning))


def inspect_files(paths: Iterable[str | Path]) -> Iterator[tuple[str, Inspection | ImageError]]:
    """Run all steganalysis detectors on many picture files.

    Args:
        paths: files and folders. A folder stands for all files in it with the extension of a picture format, sorted;
            subfolders are left out.

    Yields:
        Name of each file, and its result or the error that kept it from being read. A folder without pictures is such
        an error, too.

    Raises:
        ModelError: as in :func:`inspect`.
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
        detector = detectors.DETECTORS[name]
        threshold = detector.threshold_at(pixels)
        suspicious = score is not None and score > threshold
        found[name] = Finding(score, suspicious, threshold, detector.false_alarms, detector.meaning)
    return found
