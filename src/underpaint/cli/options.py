"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Force = Annotated[bool, typer.Option("--force", help="Replace existing files.")]
Method = Annotated[
    str | None, typer.Option("--method", metavar="NAME", help="Method; 'underpaint capacity' lists all.")
]
Search = Annotated[
    Literal["quick", "normal", "thorough"],
    typer.Option(help="Look at the picture as it is, also for one that was turned, cropped or framed, or for longer."),
]
Ask = Annotated[bool, typer.Option("-p", "--passphrase", help="Ask for a passphrase at the terminal.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="Read the passphrase from the first line of a file."),
]
CoverIn = Annotated[str, typer.Argument(metavar="COVER", help="Image or video file, or '-'.")]
ContainerIn = Annotated[str, typer.Argument(metavar="CONTAINER", help="Image or video file, or '-'.")]
ImageCoverIn = Annotated[str, typer.Argument(metavar="COVER", help="Image file, or '-'.")]
ImageContainerIn = Annotated[str, typer.Argument(metavar="CONTAINER", help="Image file, or '-'.")]
ImageIn = Annotated[str, typer.Argument(metavar="IMAGE", help="Image file, or '-'.")]
