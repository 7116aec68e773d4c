"""Output files: the format that a file name asks for, and the check that no file is overwritten by mistake."""

from __future__ import annotations

from pathlib import Path

from underpaint.errors import UsageError
from underpaint.media.formats import format_of


def target_format(target: str | Path) -> str:
    """Return the name of the format that the extension of *target* stands for; PNG for ``-``, standard output.

    Raises:
        UsageError: the extension is unknown.
    """
    return "png" if str(target) == "-" else format_of(target).name


def check_target(target: str | Path, *sources: str | Path, force: bool = False) -> None:
    """Refuse to overwrite one of the *sources*, or without *force* any file.

    Args:
        target: file to write; ``-`` is standard output.
        sources: files that are read, in whatever spelling of their paths; ``-`` is standard input.
        force: allow *target* to exist.

    Raises:
        UsageError: *target* would overwrite a file that must stay.
    """
    path = Path(target)
    if str(target) == "-" or not path.is_file():  # devices and pipes are written to, not replaced
        return
    if any(str(source) != "-" and Path(source).exists() and path.samefile(source) for source in sources):
        raise UsageError(f"the output is the input: {target}", hint="write to another file")
    if not force:
        raise UsageError(f"there is a file already: {target}", hint="--force replaces it")
