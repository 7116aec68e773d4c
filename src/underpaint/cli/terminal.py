"""Standard streams and terminal: passphrases, progress, and text that is safe to print."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from underpaint.errors import PayloadError, UsageError

if TYPE_CHECKING:
    from underpaint.types import Payload

#: Bidirectional classes of Unicode's direction controls, which can make a text look like another.
_DIRECTION_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def repair_streams() -> None:
    """Make both output streams writable: a closed one discards its text, an unknown letter becomes a question mark."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open until the process ends
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def passphrase(file: Path | None, ask: bool, *, twice: bool = False) -> str | None:
    """Return the passphrase from a file, from the terminal, or from the variable ``UNDERPAINT_PASSPHRASE``.

    Args:
        file: file whose first line is the passphrase; ``-`` is standard input.
        ask: ask for it at the terminal.
        twice: ask again, to catch typing errors.

    Returns:
        The passphrase, or None if there is none.

    Raises:
        UsageError: *file* and *ask* are both given, there is no terminal, or the file is no UTF-8.
        OSError: the file cannot be read.
    """
    if file is not None and ask:
        raise UsageError("--passphrase and --passphrase-file exclude each other", hint="leave out one of them")
    if file is not None:
        data = sys.stdin.buffer.readline() if str(file) == "-" else file.read_bytes()
        try:
            return data.decode("utf-8-sig").partition("\n")[0].removesuffix("\r")
        except UnicodeDecodeError:
            raise UsageError(f"the passphrase in {file} is not valid UTF-8") from None
    return _ask(twice) if ask else os.environ.get("UNDERPAINT_PASSPHRASE")


def _ask(twice: bool) -> str:
    """Read a passphrase from the terminal, without showing it."""
    from getpass import getpass

    if not sys.stdin.isatty():
        hint = "use --passphrase-file or UNDERPAINT_PASSPHRASE"
        raise UsageError("a passphrase can be typed only at a terminal", hint=hint)
    passphrase = getpass("passphrase: ")
    if twice and getpass("once more: ") != passphrase:
        raise UsageError("the two passphrases differ")
    return passphrase


def show_progress(what: str, share: float) -> None:
    """Show on one line of standard error, if that is a terminal, which *share* (0–1) is done; 1 clears the line."""
    if sys.stderr.isatty():
        text = f"{what} {share:.0%}" if share < 1 else ""
        print(f"\r{text:24}\r{text}", end="", file=sys.stderr, flush=True)


def check_streams(picture: str, *inputs: str | None) -> None:
    """Refuse to read standard input twice, and to write an image to a terminal.

    Args:
        picture: name of the image file to write, ``-`` for standard output; empty if there is none.
        inputs: names of the files to read, ``-`` for standard input.

    Raises:
        UsageError: two inputs are standard input, or *picture* would go to a terminal.
    """
    if inputs.count("-") > 1:
        raise UsageError("standard input can be read only once", hint="name a file for one of the two")
    if picture == "-" and sys.stdout.isatty():
        raise UsageError("an image cannot be printed to the terminal", hint="name a file after -o, or use a pipe")


def fit_for_terminal(payload: Payload) -> bytes:
    """Return a message with a line end, for printing at a terminal.

    Raises:
        PayloadError: the payload is a file, or has control characters (escape sequences can control a terminal).
    """
    from unicodedata import bidirectional, category

    if payload.kind == "file":
        name = f" called {payload.name!r}" if payload.name else ""
        raise PayloadError(f"the payload is a file{name}, which cannot be printed", hint="write it to a file with -o")
    letters = set(payload.text) - set("\n\r\t")
    if any(category(letter) == "Cc" or bidirectional(letter) in _DIRECTION_CONTROLS for letter in letters):
        raise PayloadError("the message has control characters", hint="write it to a file with -o")
    return payload.data.removesuffix(b"\n") + b"\n"
