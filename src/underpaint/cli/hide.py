"""Command ``underpaint hide``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from underpaint.cli.messages import (
    describe_findings,
    describe_hiding,
    print_json,
    warn,
)
from underpaint.cli.options import Ask, CoverIn, Force, Json, Method, PassphraseFile  # noqa: TC001
from underpaint.cli.terminal import check_streams, passphrase, show_progress
from underpaint.errors import UsageError

if TYPE_CHECKING:
    from underpaint.api import FacePayload, HideReport, PicturePayload
    from underpaint.types import Payload


def hide(
    cover: CoverIn,
    container: Annotated[
        str,
        typer.Option("-o", "--output", metavar="CONTAINER", help="File to write; '-' writes PNG to standard output."),
    ],
    message: Annotated[str | None, typer.Option("-m", "--message", metavar="TEXT", help="Message to hide.")] = None,
    file: Annotated[str | None, typer.Option("-f", "--file", metavar="FILE", help="File to hide, or '-'.")] = None,
    image: Annotated[str | None, typer.Option("-i", "--image", metavar="IMAGE", help="Image to hide, or '-'.")] = None,
    template: Annotated[bool, typer.Option("--template", help="Hide only the template of the face in IMAGE.")] = False,
    restorable: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File with a second passphrase, which restores the face.")
    ] = None,
    method: Method = None,
    ask: Ask = False,
    passphrase_file: PassphraseFile = None,
    psnr: Annotated[float | None, typer.Option(metavar="DB", help="PSNR in dB, 30–60, before lossy coding.")] = None,
    survive: Annotated[
        str | None, typer.Option(metavar="CHAIN", help="Channel to survive, such as 'jpeg:50 | resize:0.5'.")
    ] = None,
    quality: Annotated[int | None, typer.Option(metavar="Q", help="Quality of a lossy container, 1–100.")] = None,
    strip_metadata: Annotated[
        bool, typer.Option("--strip-metadata", help="Do not copy EXIF and ICC profile from the cover.")
    ] = False,
    machine_safe: Annotated[bool, typer.Option("--machine-safe", help="Keep the labels of the classifiers.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Run steganalysis on the container.")] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Hide a message, a file or an image in a cover, and verify it before the container is written."""
    from dataclasses import asdict

    from underpaint import api
    from underpaint.media import check_target

    check_streams(container, cover, file, image, str(passphrase_file), str(restorable))
    if json and container == "-":
        raise UsageError("--json and '-o -' both want standard output", hint="name a file after -o")
    # Refused before a passphrase is asked for. Only here the file of the payload is known too.
    check_target(container, *(name for name in (cover, file, image) if name), force=force)
    report = api.hide_file(
        cover,
        container,
        _payload(message, file, image, template or method == "miais" or restorable is not None, restorable),
        method=method,
        passphrase=passphrase(passphrase_file, ask, twice=True),
        psnr=psnr,
        survive=survive,
        quality=quality,
        metadata=not strip_metadata,
        machine_safe=machine_safe,
        check=check,
        force=force,
        progress=show_progress,
    )
    warn(report.warnings)
    if json:
        print_json(asdict(report))
    else:
        _print_report(report)


def _print_report(report: HideReport) -> None:
    """Print the report of ``hide``, with the results of steganalysis where they were asked for."""
    from underpaint.steganalysis.detectors import BLIND

    target = "standard output" if report.container == "-" else report.container
    print(*describe_hiding(report, target), sep="\n", file=sys.stderr)
    if report.findings:
        print(*describe_findings(target, report.findings), BLIND, sep="\n", file=sys.stderr)


def _payload(
    message: str | None, file: str | None, image: str | None, template: bool, restorable: Path | None
) -> str | Payload | PicturePayload | FacePayload:
    """Return the payload that exactly one of -m, -f and -i names."""
    from underpaint.api import FacePayload, PicturePayload
    from underpaint.types import Payload

    if [message, file, image].count(None) != 2:
        raise UsageError("hide takes one payload", hint="give one of -m TEXT, -f FILE and -i IMAGE")
    if template:
        if image is None:
            raise UsageError("a template needs a picture of a face", hint="name one after -i")
        return FacePayload.read(image, None if restorable is None else passphrase(restorable, ask=False))
    if message is not None:
        return message
    if image is not None:
        return PicturePayload.read(image)
    if file is None or file == "-":
        return Payload(sys.stdin.buffer.read())
    return Payload(Path(file).read_bytes(), name=Path(file).name)
