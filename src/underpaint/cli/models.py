"""Command ``underpaint zoo``, and pointers to the commands of ``underpaint-lab``."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

from underpaint.errors import UsageError


def zoo(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Show the card of this model.")] = None,
) -> None:
    """List the installed models, or show the card of one."""
    from dataclasses import asdict

    from underpaint import models

    if name is None:
        for each in models.names():
            print(f"{each:16}  {models.card(each).payload}")
        return
    card = asdict(models.card(name))
    text = card.pop("text")
    for key, value in card.items():
        parts = [f"{file} {fact}" for file, fact in value.items()] if isinstance(value, dict) else [value]
        print(f"{key.replace('_', ' '):16}", *parts, sep="  ")
    print(f"\n{text}")


def bench() -> None:
    """Point to ``underpaint-lab bench``."""
    _refer_to_lab("bench")


def train() -> None:
    """Point to ``underpaint-lab train``."""
    _refer_to_lab("train")


def _refer_to_lab(name: str) -> NoReturn:
    """Refuse a command of the lab, with the line that runs it or that installs the lab."""
    from importlib.metadata import entry_points

    if entry_points(group="underpaint.commands", name=name):
        raise UsageError(f"{name} is a command of underpaint-lab", hint=f"run: underpaint-lab {name}")
    hint = "from a checkout of the project: pip install . ./lab"
    raise UsageError(f"{name} is a command of underpaint-lab, which is not installed", hint=hint)
