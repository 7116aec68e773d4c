"""What the command line says, and how."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from underpaint.api import Finding, HideReport, JndReport, PictureCompression, Recognition, Saving
    from underpaint.types import Payload

#: People of a gallery that are shown at most.
_SHOWN = 5


def content(payload: Payload) -> dict[str, str]:
    """What JSON can hold of a *payload*."""
    from base64 import b64encode

    return {"text": payload.text} if payload.kind == "text" else {"base64": b64encode(payload.data).decode()}


def hidden(report: HideReport, where: str) -> Iterator[str]:
    """What ``hide`` did, and *where* to."""
    fate = f"survives {report.survives}" if report.survives else "survives no change: keep this file exactly as it is"
    if report.compression:
        yield fitted(report.compression)
    yield f"hid {counted(report.payload_bytes)} by {report.method} in {where}"
    yield f"{report.psnr:.1f} dB from the cover, {fate}"


def noticed(machine: dict[str, dict[str, float]]) -> str:
    """What the classifiers of ``compare`` noticed."""
    if not machine:
        return "needs a larger picture"
    changes = [seen["change"] for seen in machine.values()]
    kept = sum(seen["kept"] for seen in machine.values())
    return f"features changed by {sum(changes) / len(changes):.1%}, label kept by {kept:.0f} of {len(machine)}"


def tolerated(report: JndReport) -> Iterator[str]:
    """What ``jnd`` found out."""
    kept = [name for name, (before, after) in report.labels.items() if before == after]
    if report.psnr == float("inf"):
        yield "nothing may change: a classifier notices the least"
    else:
        room = f"by {report.mean:.1f} levels in the mean, {report.largest} at most"
        yield f"values may change {room}: {report.psnr:.1f} dB"
    yield f"label kept by {len(kept)} of {len(report.labels)} classifiers: {', '.join(kept)}"


def saved(savings: Mapping[str, Saving]) -> Iterator[str]:
    """What ``jnd --compress`` saved, a line for each format."""
    for kind, each in savings.items():
        kept = f"label kept by {each.kept_after} of {each.judges}, before by {each.kept_before}"
        name = kind if each.quality is None else f"{kind} {each.quality}"
        yield f"{name:8} {each.before:>11,} to {counted(each.after)}, {each.share:.0%} less; {kept}"


def fitted(compression: PictureCompression) -> str:
    """How a hidden picture comes back."""
    if compression.psnr is None:
        return f"compressed the picture to {compression.codec} exactly"
    distance = f"{compression.psnr:.1f} dB from the original"
    if compression.quality is None:
        return f"the picture comes back {distance}"
    return f"compressed the picture to {compression.codec} at quality {compression.quality}, {distance}"


def verdict(picture: str, findings: Mapping[str, Finding]) -> Iterator[str]:
    """A line on what the detectors make of a *picture*, and one on each, unless none has a score."""
    if all(finding.score is None for finding in findings.values()):
        yield f"{picture}: no detector can judge it"
        return
    judging = sum(finding.score is not None for finding in findings.values())
    alarmed = sum(finding.suspicious for finding in findings.values())
    yield f"{picture}: " + (f"suspicious to {alarmed} of {judging} detectors" if alarmed else "nothing suspicious")
    for name, finding in findings.items():
        score = "none" if finding.score is None else f"{finding.score:.3f}"
        mark = "suspicious" if finding.suspicious else ""
        clean = f"above {finding.threshold:.3f} are {finding.false_alarms:.1%} of clean pictures"
        yield f"  {name:14} {score:5}  {mark:10}  {clean}; {finding.meaning}"


def recognised(found: Recognition) -> Iterator[str]:
    """Who ``recognise`` says it is, and a line on each of those that are most alike."""
    if found.name is None:
        yield f"nobody in the gallery is as like as {found.threshold:.2f}"
    else:
        yield f"it is {found.name}"
    for name, score in list(found.scores.items())[:_SHOWN]:
        yield f"  {score:5.2f}  {name}"


def lowered(sentence: str) -> str:
    """The *sentence* as it goes on after a colon."""
    return sentence[:1].lower() + sentence[1:]


def counted(count: int) -> str:
    """So many bytes."""
    return "1 byte" if count == 1 else f"{count:,} bytes"


def print_json(values: dict[str, Any]) -> None:
    """Print one object; what is infinite becomes null."""
    from json import dumps
    from math import isfinite

    finite = {name: None if isinstance(v, float) and not isfinite(v) else v for name, v in values.items()}
    print(dumps(finite, allow_nan=False))


def warn(warnings: Sequence[str]) -> None:
    """Print *warnings* on standard error."""
    for warning in warnings:
        print(f"underpaint: warning: {warning}", file=sys.stderr)


def complain(message: str, hint: str | None) -> None:
    """Print an error on standard error, and what may help."""
    print(f"underpaint: error: {message}", file=sys.stderr)
    if hint:
        print(f"underpaint: hint: {hint}", file=sys.stderr)
