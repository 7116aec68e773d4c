"""The standard streams and the person at the terminal: passphrases, and what may be shown."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from underpaint.errors import PayloadError, UsageError

if TYPE_CHECKING:
    from underpaint.types import Payload

#: Unicode's controls of writing direction, which can make a text look like another.
_TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def mend_streams() -> None:
    """See that something can be written to both output streams: one that was closed, or that lacks a letter."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - as long as we live
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def passphrase(file: Path | None, ask: bool, *, twice: bool = False) -> str | None:
    """Return the passphrase of a *file*'s first line (``-`` is standard input), one typed, or the environment's.

    Raises:
        UsageError: two ways are asked for, there is no terminal, or what was read is no passphrase.
        OSError: the file cannot be read.
    """
    if file is not None and ask:
        raise UsageError("two ways to give a passphrase", hint="leave out --passphrase or --passphrase-file")
    if file is not None:
        data = sys.stdin.buffer.readline() if str(file) == "-" else file.read_bytes()
        try:
            return data.decode("utf-8-sig").partition("\n")[0].removesuffix("\r")
        except UnicodeDecodeError:
            raise UsageError(f"the passphrase in {file} is not valid UTF-8") from None
    return _asked(twice) if ask else os.environ.get("UNDERPAINT_PASSPHRASE")


def _asked(twice: bool) -> str:
    from getpass import getpass

    if not sys.stdin.isatty():
        hint = "use --passphrase-file or UNDERPAINT_PASSPHRASE"
        raise UsageError("there is no terminal to ask for a passphrase at", hint=hint)
    passphrase = getpass("passphrase: ")
    if twice and getpass("once more: ") != passphrase:
        raise UsageError("the two passphrases differ")
    return passphrase


def show_progress(what: str, share: float) -> None:
    """Say on one line of standard error which *share* of *what* is done, if that is a terminal; all of it clears it."""
    if sys.stderr.isatty():
        text = f"{what} {share:.0%}" if share < 1 else ""
        print(f"\r{text:24}\r{text}", end="", file=sys.stderr, flush=True)


def check_streams(picture: str, *inputs: str | None) -> None:
    """Refuse to read standard input twice, and to write a *picture* to a terminal."""
    if inputs.count("-") > 1:
        raise UsageError("standard input can be read only once", hint="name a file for one of the two")
    if picture == "-" and sys.stdout.isatty():
        raise UsageError("a picture is not for the terminal", hint="name a file after -o, or pipe it on")


def fit_for_terminal(payload: Payload) -> bytes:
    """Return a message with its line ended; refuse what could garble a terminal or, by escape sequences, command it."""
    from unicodedata import bidirectional, category

    if payload.kind == "file":
        kept = f" called {payload.name!r}" if payload.name else ""
        raise PayloadError(f"the payload is a file{kept}, not for the terminal", hint="write it to a file with -o")
    letters = set(payload.text) - set("\n\r\t")
    if any(category(letter) == "Cc" or bidirectional(letter) in _TURNS for letter in letters):
        raise PayloadError("the message holds control characters", hint="write it to a file with -o")
    return payload.data.removesuffix(b"\n") + b"\n"
