"""What the command line has to say of machines: ``underpaint jnd``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from underpaint.terminal import check_streams
from underpaint.wording import print_json, saved, tolerated, warn


def jnd(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="Picture file, or '-'.")],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="MAP", help="Picture to write of by how much each value may change."),
    ] = None,
    apply: Annotated[str | None, typer.Option(metavar="OUT", help="Write the changed picture.")] = None,
    attention: Annotated[
        str | None, typer.Option(metavar="OUT", help="Write a picture of where classifiers look.")
    ] = None,
    compress: Annotated[
        str | None, typer.Option(metavar="OUT", help="Write the picture for machines, in few bytes.")
    ] = None,
    psnr: Annotated[float, typer.Option(metavar="DB", help="The least to keep, in dB, 8–60.")] = 20.0,
    quality: Annotated[int, typer.Option(metavar="Q", help="Of what is compressed at most, 1–100.")] = 75,
    classifier: Annotated[
        list[str] | None, typer.Option(metavar="ONNX", help="A classifier of yours that shall not notice either.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Say how far a picture may change before machines notice."""
    from dataclasses import asdict

    from underpaint import app
    from underpaint.errors import UsageError

    outputs = [output, apply, attention, compress]
    if outputs.count("-") > 1 or (json and "-" in outputs):
        raise UsageError("standard output can be written only once", hint="name files")
    check_streams("-" if "-" in outputs else "", image)
    report = app.jnd_file(
        image,
        output,
        apply=apply,
        attention=attention,
        compress=compress,
        psnr=psnr,
        quality=quality,
        classifiers=classifier or (),
        force=force,
    )
    warn(report.warnings)
    if json:
        print_json(asdict(report))
        return
    print(*tolerated(report), sep="\n", file=sys.stderr)
    print(*saved(report.savings), sep="\n", end="\n" if report.savings else "", file=sys.stderr)
