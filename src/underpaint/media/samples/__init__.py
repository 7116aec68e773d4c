"""Two small photographs, free for any use, for the demo, tests and first benchmarks; README.md names the sources."""

from __future__ import annotations

from pathlib import Path

from underpaint.errors import UsageError

#: Folder of the photographs.
FOLDER = Path(__file__).parent


def names() -> tuple[str, ...]:
    """Return the names of the photographs, sorted."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.png")))


def path(name: str) -> Path:
    """Return the file of one photograph.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in names():
        raise UsageError(f"no sample picture is called '{name}'", hint=f"there are {', '.join(names())}")
    return FOLDER / f"{name}.png"
