"""The command line of the lab: ``underpaint-lab bench | train | release | robust-picture-tables``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from underpaint.cli.main import run as run_program
from underpaint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

commands = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``underpaint-lab`` on *arguments* (those of the process by default) and return the exit status."""
    return run_program(commands, "underpaint-lab", arguments)


@commands.command()
def bench(
    table: Annotated[str | None, typer.Argument(metavar="TABLE", help="Without one, all are listed.")] = None,
    methods: Annotated[
        list[str] | None, typer.Argument(metavar="METHOD…", help="Of a table that compares methods, all by default.")
    ] = None,
    images: Annotated[Path | None, typer.Option(metavar="DIR", help="Pictures to measure on.")] = None,
    payload: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What basn is to hide, random bytes by default.")
    ] = None,
    bpp: Annotated[
        list[float] | None, typer.Option(min=0.01, max=8, metavar="X", help="Bits per pixel for analyst, repeatable.")
    ] = None,
    output: Annotated[str, typer.Option("-o", "--output", metavar="DIR", help="Folder for results.")] = "results",
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of all that is random.")] = 0,
) -> None:
    """Measure what a method survives, and write the numbers down with where they come from."""
    from underpaint_lab import benchmarks

    if table is None:
        for name, each in benchmarks.TABLES.items():
            print(f"{name:{max(map(len, benchmarks.TABLES))}}  {each.summary}")
        return
    benchmarks.run(
        table, *methods or (), images=images, payload=payload, payloads=bpp or (), results=Path(output), seed=seed
    )


@commands.command()
def train(
    recipe: Annotated[str | None, typer.Argument(metavar="RECIPE", help="Without one, all are listed.")] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder or zip file of photographs.")] = None,
    run: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the run; runs/RECIPE by default.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe.")] = None,
    devices: Annotated[int, typer.Option(min=1, metavar="N", help="GPUs, or processes without one.")] = 1,
) -> None:
    """Train a network, or go on where the same command was interrupted."""
    from underpaint_lab.papers import train as lab

    if recipe is None:
        recipes = lab.recipes()
        for name, summary in recipes.items():
            print(f"{name:{max(map(len, recipes))}}  {summary}")
        return
    if data is None:
        raise UsageError("there is nothing to train on", hint="name a folder or zip file of photographs after --data")
    try:
        checkpoint, steps = lab.train(recipe, data, run=run, settings=settings or (), devices=devices)
    except KeyboardInterrupt:
        print("underpaint: stopped; the same command goes on from here", file=sys.stderr)
        raise
    print(f"trained {recipe} for {steps:,} steps: {checkpoint}", file=sys.stderr)


@commands.command()
def release(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name in the zoo.")],
    run: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the run.")],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Labelled pictures of a classifier; the run of MFD.")
    ] = None,
    measured: Annotated[Path | None, typer.Option(metavar="FILE", help="Numbers for the card, JSON.")] = None,
) -> None:
    """Export a run to the zoo: graphs and card."""
    from json import loads

    from underpaint_lab.export.onnx import zoo_folder
    from underpaint_lab.papers import release as papers

    numbers = loads(measured.read_text(encoding="utf-8")) if measured else {}
    target = zoo_folder(model)
    worst = papers.release(model, run, target, numbers, data)
    print(f"wrote {target.name}; ONNX Runtime is within {worst:.1e} of PyTorch")


@commands.command("robust-picture-tables")
def robust_picture_tables(
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder or zip file of photographs.")],
) -> None:
    """Measure the noise of codecs and print the coefficient tables of robust-picture."""
    from underpaint_lab.papers.robust.picture_tables import print_tables

    print_tables(data)
