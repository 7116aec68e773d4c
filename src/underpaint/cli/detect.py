"""Command ``underpaint detect``."""

from __future__ import annotations

from typing import Annotated

import typer

from underpaint.cli.messages import print_json, warn
from underpaint.cli.options import Ask, Json, Method, PassphraseFile  # noqa: TC001
from underpaint.cli.terminal import check_streams, passphrase
from underpaint.errors import NotFoundError


def detect(
    picture: Annotated[str, typer.Argument(metavar="PICTURE", help="Image or video file, or '-'.")],
    method: Method = None,
    ask: Ask = False,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Say whether a payload is present, with its false-positive rate, without reading it; exit status 3 if absent."""
    from dataclasses import asdict

    from underpaint import api

    check_streams("", picture, str(passphrase_file))
    found = api.detect_file(picture, passphrase=passphrase(passphrase_file, ask), method=method)
    warn(found.warnings)
    if json:
        print_json(asdict(found))
    elif found.present:
        print(f"present, by {found.method}; false-positive rate below {_bound(found.false_positive_rate)}")
    else:
        print(f"absent: no payload of this passphrase by {', '.join(found.searched)}")
    if not found.present:
        raise typer.Exit(NotFoundError.exit_code)


def _bound(rate: float) -> str:
    """Return a bound on *rate* that is easily read: a power of ten, at least 1e-30."""
    from math import ceil, log10

    return f"1e{ceil(log10(max(rate, 1e-30)))}"
