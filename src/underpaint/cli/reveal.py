"""Command ``underpaint reveal``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from underpaint.cli.messages import format_bytes, payload_as_json, print_json, warn
from underpaint.cli.options import Ask, ContainerIn, Force, Json, Method, PassphraseFile, Search  # noqa: TC001
from underpaint.cli.terminal import check_streams, fit_for_terminal, passphrase, show_progress


def reveal(
    container: ContainerIn,
    output: Annotated[
        str | None,
        typer.Option(
            *("-o", "--output"),
            metavar="OUT",
            help="File to write; by default standard output, or NAME-revealed.png for a picture.",
        ),
    ] = None,
    method: Method = None,
    search: Search = "normal",
    ask: Ask = False,
    passphrase_file: PassphraseFile = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Extract the payload of a container: exactly, or not at all."""
    from underpaint import api
    from underpaint.media import check_target, write_bytes

    check_streams("", container, str(passphrase_file))
    if output is not None:
        check_target(output, container, force=force)
    secret = passphrase(passphrase_file, ask)
    payload, found_by, warnings = api.reveal_file(
        container, passphrase=secret, method=method, search=search, progress=show_progress
    )
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
        print_json(shown | ({"output": output} if output != "-" else payload_as_json(payload)))
    elif output != "-":
        print(f"revealed {format_bytes(len(payload.data))} by {found_by} in {output}", file=sys.stderr)
    else:
        write_bytes(fit_for_terminal(payload) if sys.stdout.isatty() else data, "-")
