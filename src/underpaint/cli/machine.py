"""What the command line has to say of machines: ``underpaint jnd | recognise | enrol``."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003  # typer reads annotations
from typing import Annotated

import typer

from underpaint.cli.messages import print_json, recognised, saved, tolerated, warn
from underpaint.cli.terminal import check_streams, passphrase


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

    from underpaint import api
    from underpaint.errors import UsageError

    outputs = [output, apply, attention, compress]
    if outputs.count("-") > 1 or (json and "-" in outputs):
        raise UsageError("standard output can be written only once", hint="name files")
    check_streams("-" if "-" in outputs else "", image)
    report = api.jnd_file(
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


def recognise(
    container: Annotated[str, typer.Argument(metavar="CONTAINER", help="Picture file, or '-'.")],
    gallery: Annotated[
        Path, typer.Option("-g", "--gallery", metavar="DIR", help="Pictures of people, or what 'enrol' wrote.")
    ],
    threshold: Annotated[
        float | None, typer.Option(metavar="X", help="The likeness that counts, -1–1.", show_default=False)
    ] = None,
    method: Annotated[str | None, typer.Option("--method", metavar="NAME", help="It was hidden by.")] = None,
    ask: Annotated[bool, typer.Option("-p", "--passphrase", help="Ask for a passphrase at the terminal.")] = False,
    passphrase_file: Annotated[
        Path | None,
        typer.Option("--passphrase-file", metavar="FILE", help="Read the passphrase from a file's first line."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Say who is hidden in a picture, of those in a gallery, without restoring anything."""
    from dataclasses import asdict

    from underpaint import api

    check_streams("", container, str(passphrase_file))
    found = api.recognise_file(
        container, gallery, passphrase=passphrase(passphrase_file, ask), method=method, threshold=threshold
    )
    warn(found.warnings)
    if json:
        print_json(asdict(found))
    else:
        print(*recognised(found), sep="\n")
    if found.name is None:
        raise typer.Exit(3)


def enrol(
    pictures: Annotated[
        Path, typer.Argument(metavar="DIR", help="NAME.jpg of each person, or a folder NAME of several.")
    ],
    gallery: Annotated[str, typer.Option("-o", "--output", metavar="GALLERY", help="File to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write down what people are recognised by, so that their pictures need not be at hand."""
    from underpaint import api

    names = api.enrol_files(pictures, gallery, force=force)
    print(f"enrolled {len(names)} in {gallery}: {', '.join(names)}", file=sys.stderr)
