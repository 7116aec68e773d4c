"""Commands ``underpaint jnd | recognise | enrol``: images for classifiers and face recognisers."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003  # typer reads annotations
from typing import Annotated

import typer

from underpaint.cli.messages import describe_jnd, describe_recognition, describe_savings, print_json, warn
from underpaint.cli.options import (  # noqa: TC001
    Ask,
    Force,
    ImageContainerIn,
    ImageIn,
    Json,
    Method,
    PassphraseFile,
)
from underpaint.cli.terminal import check_streams, passphrase


def jnd(
    image: ImageIn,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="MAP", help="Write the tolerance of each value as an image."),
    ] = None,
    apply: Annotated[
        str | None, typer.Option(metavar="OUT", help="Write the image changed as far as is tolerated.")
    ] = None,
    attention: Annotated[
        str | None, typer.Option(metavar="OUT", help="Write the attention map of the classifiers.")
    ] = None,
    compress: Annotated[
        str | None, typer.Option(metavar="OUT", help="Write the image in fewer bytes, for classifiers.")
    ] = None,
    psnr: Annotated[float, typer.Option(metavar="DB", help="Lowest PSNR of the changed image in dB, 8–60.")] = 20.0,
    quality: Annotated[int, typer.Option(metavar="Q", help="Highest quality of --compress, 1–100.")] = 75,
    classifier: Annotated[
        list[str] | None, typer.Option(metavar="ONNX", help="Your own classifier, whose label has to stay too.")
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Show how far an image may change before classifiers change its label."""
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
    print(*describe_jnd(report), *describe_savings(report.savings), sep="\n", file=sys.stderr)


def recognise(
    container: ImageContainerIn,
    gallery: Annotated[
        Path, typer.Option("-g", "--gallery", metavar="DIR", help="Folder of faces, or a file that 'enrol' wrote.")
    ],
    threshold: Annotated[
        float | None,
        typer.Option(metavar="X", help="Cosine similarity that counts as a match, -1–1.", show_default=False),
    ] = None,
    method: Method = None,
    ask: Ask = False,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Compare the face template hidden in an image with a gallery, without restoring a face."""
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
        print(*describe_recognition(found), sep="\n")
    if found.name is None:
        raise typer.Exit(3)


def enrol(
    pictures: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder with NAME.jpg, or a folder NAME of several, per person.")
    ],
    gallery: Annotated[str, typer.Option("-o", "--output", metavar="GALLERY", help="File to write.")],
    force: Force = False,
) -> None:
    """Save the templates of faces to a gallery file, so that the pictures are no longer needed."""
    from underpaint import api

    names = api.enrol_files(pictures, gallery, force=force)
    print(f"enrolled {len(names)} in {gallery}: {', '.join(names)}", file=sys.stderr)
