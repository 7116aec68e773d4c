"""``underpaint hide | reveal``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from underpaint.cli.messages import content, counted, hidden, print_json, verdict, warn
from underpaint.cli.options import Ask, ContainerIn, CoverIn, Force, Json, Method, PassphraseFile  # noqa: TC001  # typer reads annotations
from underpaint.cli.terminal import check_streams, fit_for_terminal, passphrase, show_progress
from underpaint.errors import UsageError

if TYPE_CHECKING:
    from underpaint.api import FacePayload, PicturePayload
    from underpaint.types import Payload


def hide(
    cover: CoverIn,
    container: Annotated[
        str, typer.Option("-o", "--output", metavar="CONTAINER", help="File to write; '-' writes PNG.")
    ],
    message: Annotated[str | None, typer.Option("-m", "--message", metavar="TEXT", help="Message to hide.")] = None,
    file: Annotated[str | None, typer.Option("-f", "--file", metavar="FILE", help="File to hide, or '-'.")] = None,
    image: Annotated[
        str | None, typer.Option("-i", "--image", metavar="IMAGE", help="Picture to hide, or '-'.")
    ] = None,
    template: Annotated[
        bool, typer.Option("--template", help="Hide only what the face in IMAGE is recognised by.")
    ] = False,
    restorable: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Passphrase of those who may bring the face back as well.")
    ] = None,
    method: Method = None,
    ask: Ask = False,
    passphrase_file: PassphraseFile = None,
    psnr: Annotated[float | None, typer.Option(metavar="DB", help="Quality to keep, in dB, 30–60.")] = None,
    survive: Annotated[
        str | None, typer.Option(metavar="CHAIN", help="What it must survive: 'jpeg:50 | resize:0.5'.")
    ] = None,
    quality: Annotated[int | None, typer.Option(metavar="Q", help="Of a lossy container, 1–100.")] = None,
    strip_metadata: Annotated[bool, typer.Option("--strip-metadata", help="Leave out EXIF and ICC profile.")] = False,
    machine_safe: Annotated[bool, typer.Option("--machine-safe", help="No classifier shall change its mind.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Say what detectors make of it.")] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Hide a message, a file or a picture in a picture, and read it back before anything is written."""
    from dataclasses import asdict

    from underpaint import api
    from underpaint.media import check_target
    from underpaint.steganalysis.detectors import BLIND

    check_streams(container, cover, file, image, str(passphrase_file), str(restorable))
    if json and container == "-":
        raise UsageError("--json and '-o -' both want standard output", hint="name a file after -o")
    # Before a passphrase is asked for; that the payload is not written over only this side can see.
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
        return
    where = "standard output" if container == "-" else container
    print(*hidden(report, where), sep="\n", file=sys.stderr)
    if report.findings:
        print(*verdict(where, report.findings), BLIND, sep="\n", file=sys.stderr)


def reveal(
    container: ContainerIn,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="OUT", help="File to write to; '-' by default.")
    ] = None,
    method: Method = None,
    ask: Ask = False,
    passphrase_file: PassphraseFile = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Bring a payload back: exactly, or not at all."""
    from underpaint import api
    from underpaint.media import check_target, write_bytes

    check_streams("", container, str(passphrase_file))
    if output is not None:
        check_target(output, container, force=force)
    secret = passphrase(passphrase_file, ask)
    payload, found_by, warnings = api.reveal_file(container, passphrase=secret, method=method, progress=show_progress)
    data = payload.data
    if payload.kind == "picture":
        output = api.revealed_name(payload) if output is None else output
        check_streams(output)
        check_target(output, container, force=force)
        data, more = api.picture_as(payload, output)
        warnings += more
    warn(warnings)
    output = "-" if output is None else output
    if output != "-":
        write_bytes(data, output)
    if json:
        shown = {"method": found_by, "kind": payload.kind, "name": payload.name, "bytes": len(payload.data)}
        print_json(shown | ({"output": output} if output != "-" else content(payload)))
    elif output != "-":
        print(f"revealed {counted(len(payload.data))} by {found_by} in {output}", file=sys.stderr)
    else:
        write_bytes(fit_for_terminal(payload) if sys.stdout.isatty() else data, "-")


def _payload(
    message: str | None, file: str | None, image: str | None, template: bool, restorable: Path | None
) -> str | Payload | PicturePayload | FacePayload:
    from underpaint.api import FacePayload, PicturePayload
    from underpaint.types import Payload

    if [message, file, image].count(None) != 2:
        raise UsageError("hide takes one payload", hint="give one of -m TEXT, -f FILE and -i IMAGE")
    if template:
        if image is None:
            raise UsageError("there is nobody to be recognised", hint="name a picture of a face after -i")
        return FacePayload.read(image, None if restorable is None else passphrase(restorable, ask=False))
    if message is not None:
        return message
    if image is not None:
        return PicturePayload.read(image)
    if file is None or file == "-":
        return Payload(sys.stdin.buffer.read())
    return Payload(Path(file).read_bytes(), name=Path(file).name)
