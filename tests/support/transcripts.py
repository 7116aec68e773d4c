"""Transcripts of the command line: read, run and compared.

A transcript is the text of a shell session. ``$`` begins a command, ``!`` a line on standard error, ``?`` the exit
status where it is not 0; other lines are standard output. ``…`` stands for anything; ``#`` begins a comment, and the
blank lines before it do not count::

    $ UNDERPAINT_PASSPHRASE=secret underpaint reveal - < container.png
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from support.run_cli import Outcome, run
from underpaint.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Program = Callable[[Sequence[str]], int]


def steps(transcript: str) -> Iterator[tuple[str, list[str], list[str], int]]:
    """Yield each command with its expected lines on standard output and standard error, and its exit status."""
    bare = re.sub(r"\n*^#.*", "", transcript, flags=re.MULTILINE)
    for step in re.split(r"^\$ ", bare, flags=re.MULTILINE)[1:]:
        command, *lines = step.splitlines()
        errors = [line[2:] for line in lines if line.startswith("! ")]
        status = next((int(line[2:]) for line in lines if line.startswith("? ")), 0)
        yield command, [line for line in lines if line[:2] not in ("! ", "? ")], errors, status


def shell(command: str, name: str, program: Program) -> Outcome:
    """Run one command of a transcript; of the shell only a variable, ``<`` and ``>`` are supported."""
    words = shlex.split(command)
    start, end = words.index(name), next((i for i, word in enumerate(words) if word in ("<", ">")), None)
    streams = dict(zip(words[end::2], words[end + 1 :: 2], strict=True)) if end else {}
    passphrase = words[0].partition("=")[2] if start else None
    stdin = Path(streams["<"]).read_bytes() if "<" in streams else b""
    outcome = run(*words[start + 1 : end], stdin=stdin, passphrase=passphrase, program=program)
    if ">" in streams:
        Path(streams[">"]).write_bytes(outcome.stdout)
        return Outcome(outcome.status, b"", outcome.stderr)
    return outcome


def check(transcript: str, name: str = "underpaint", program: Program = main) -> None:
    """Run every command of *transcript* and compare what it writes, and its exit status."""
    for command, out, err, status in steps(transcript):
        outcome = shell(command, name, program)
        seen = [*outcome.stdout.decode().splitlines(), *(f"! {line}" for line in outcome.stderr.splitlines())]
        expected = [*out, *(f"! {line}" for line in err)]
        pattern = "\n".join(re.escape(line).replace("…", ".*") for line in expected)
        assert re.fullmatch(pattern, "\n".join(seen)), f"$ {command}\n" + "\n".join(seen)
        assert outcome.status == status, command
