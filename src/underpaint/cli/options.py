"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]
Method = Annotated[str | None, typer.Option("--method", metavar="NAME", help="See 'underpaint capacity'.")]
Ask = Annotated[bool, typer.Option("-p", "--passphrase", help="Ask for a passphrase at the terminal.")]
PassphraseFile = Annotated[
    Path | None, typer.Option("--passphrase-file", metavar="FILE", help="Read the passphrase from a file's first line.")
]
CoverIn = Annotated[str, typer.Argument(metavar="COVER", help="Picture file, or '-'.")]
ContainerIn = Annotated[str, typer.Argument(metavar="CONTAINER", help="Picture file, or '-'.")]
