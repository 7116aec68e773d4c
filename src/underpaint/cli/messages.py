"""Text of the command line: reports in plain lines, JSON, warnings and errors."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from underpaint.api import Finding, HideReport, JndReport, PictureCompression, Recognition, Saving
    from underpaint.types import Payload

#: Number of people of a gallery that ``recognise`` lists.
MAX_SCORES = 5


def payload_as_json(payload: Payload) -> dict[str, str]:
    """Return the content of a *payload* as JSON values: ``text``, or ``base64`` of anything else."""
    from base64 import b64encode

    return {"text": payload.text} if payload.kind == "text" else {"base64": b64encode(payload.data).decode()}


def describe_hiding(report: HideReport, target: str) -> Iterator[str]:
    """Yield the lines of ``hide`` about the container *target*."""
    if report.compression:
        yield describe_compression(report.compression)
    yield f"hid {format_bytes(report.payload_bytes)} by {report.method} in {target}"
    survival = (
        f"survives {report.survives}" if report.survives else "survives no change: keep this file exactly as it is"
    )
    yield f"{report.psnr:.1f} dB from the cover, {survival}"


def describe_compression(compression: PictureCompression) -> str:
    """Return the line of ``hide`` about the loss of a hidden picture."""
    if compression.psnr is None:
        return f"compressed the picture to {compression.codec} without loss"
    distance = f"{compression.psnr:.1f} dB from the original"
    if compression.quality is None:
        return f"the picture is restored at {distance}"
    reduced = " of {}×{} pixels".format(*compression.size) if compression.size else ""
    return f"compressed the picture{reduced} to {compression.codec} at quality {compression.quality}, {distance}"


def describe_classifiers(responses: Mapping[str, Mapping[str, float]]) -> str:
    """Return the line of ``compare`` about the responses of the classifiers."""
    from underpaint.models import INSTALL_HINT, onnxruntime_installed

    if not responses:
        return "needs a larger picture" if onnxruntime_installed() else f"needs ONNX Runtime: {INSTALL_HINT}"
    change = sum(response["change"] for response in responses.values()) / len(responses)
    kept = sum(response["kept"] for response in responses.values())
    return f"features changed by {change:.1%}, label kept by {kept:.0f} of {len(responses)}"


def describe_jnd(report: JndReport) -> Iterator[str]:
    """Yield the lines of ``jnd`` about the tolerance of the classifiers."""
    kept = [name for name, (before, after) in report.labels.items() if before == after]
    if report.psnr == float("inf"):
        yield "values may not change: a classifier changes its label at once"
    else:
        change = f"{report.mean:.1f} levels on average, {report.largest} at most"
        yield f"values may change by {change}: {report.psnr:.1f} dB"
    yield f"label kept by {len(kept)} of {len(report.labels)} classifiers: {', '.join(kept)}"


def describe_savings(savings: Mapping[str, Saving]) -> Iterator[str]:
    """Yield a line of ``jnd --compress`` for each file format."""
    for kind, saving in savings.items():
        kept = f"label kept by {saving.kept_after} of {saving.classifiers}, before by {saving.kept_before}"
        name = kind if saving.quality is None else f"{kind} {saving.quality}"
        yield f"{name:8} {saving.before:>11,} to {format_bytes(saving.after)}, {saving.share:.0%} less; {kept}"


def describe_findings(picture: str, findings: Mapping[str, Finding]) -> Iterator[str]:
    """Yield the verdict of steganalysis on *picture*, and a line for each detector unless none has a score."""
    scored = sum(finding.score is not None for finding in findings.values())
    if not scored:
        yield f"{picture}: no detector can score it"
        return
    suspicious = sum(finding.suspicious for finding in findings.values())
    yield f"{picture}: " + (f"suspicious to {suspicious} of {scored} detectors" if suspicious else "nothing suspicious")
    for name, finding in findings.items():
        score = "none" if finding.score is None else f"{finding.score:.3f}"
        mark = "suspicious" if finding.suspicious else ""
        rate = f"threshold {finding.threshold:.3f} (false positives: {finding.false_alarms:.1%})"
        yield f"  {name:14} {score:5}  {mark:10}  {rate}; {finding.meaning}"


def describe_recognition(found: Recognition) -> Iterator[str]:
    """Yield the result of ``recognise``, and a line for each of the most similar people."""
    if found.name is None:
        best = max(found.scores.values())
        yield f"no one in the gallery reaches the similarity threshold {found.threshold:.2f} (best: {best:.2f})"
    else:
        yield f"it is {found.name}"
    for name, score in list(found.scores.items())[:MAX_SCORES]:
        yield f"  {score:5.2f}  {name}"


def lower_first(sentence: str) -> str:
    """Return *sentence* with a lower-case first letter, to follow ``error:`` or ``hint:``."""
    return sentence[:1].lower() + sentence[1:]


def format_bytes(count: int) -> str:
    """Return *count* with its unit, such as ``1,024 bytes``."""
    return "1 byte" if count == 1 else f"{count:,} bytes"


def print_json(values: dict[str, Any]) -> None:
    """Print one JSON object on standard output; infinite numbers become null."""
    from json import dumps
    from math import isfinite

    finite = {name: None if isinstance(v, float) and not isfinite(v) else v for name, v in values.items()}
    print(dumps(finite, allow_nan=False))


def warn(warnings: Sequence[str]) -> None:
    """Print *warnings* on standard error."""
    for warning in warnings:
        print(f"underpaint: warning: {warning}", file=sys.stderr)


def print_error(message: str, hint: str | None) -> None:
    """Print an error and its hint on standard error."""
    print(f"underpaint: error: {message}", file=sys.stderr)
    if hint:
        print(f"underpaint: hint: {hint}", file=sys.stderr)
