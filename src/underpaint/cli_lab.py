"""What the command line has to say of models and measurements: ``underpaint bench | zoo | train``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from underpaint.errors import UsageError


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
    from underpaint import bench

    if table is None:
        for name, each in bench.TABLES.items():
            print(f"{name:{max(map(len, bench.TABLES))}}  {each.summary}")
        return
    bench.run(
        table, *methods or (), images=images, payload=payload, payloads=bpp or (), results=Path(output), seed=seed
    )


def zoo(name: Annotated[str | None, typer.Argument(metavar="NAME", help="Show this model's card.")] = None) -> None:
    """List the models that are installed, or show the card of one."""
    from dataclasses import asdict

    from underpaint import zoo

    if name is None:
        for each in zoo.names():
            print(f"{each:16}  {zoo.card(each).payload}")
        return
    card = asdict(zoo.card(name))
    text = card.pop("text")
    for key, value in card.items():
        parts = [f"{file} {fact}" for file, fact in value.items()] if isinstance(value, dict) else [value]
        print(f"{key.replace('_', ' '):16}", *parts, sep="  ")
    print(f"\n{text}")


def train(
    recipe: Annotated[str | None, typer.Argument(metavar="RECIPE", help="Without one, all are listed.")] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder or zip file of photographs.")] = None,
    run: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the run; runs/RECIPE by default.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe.")] = None,
    devices: Annotated[int, typer.Option(min=1, metavar="N", help="GPUs, or processes without one.")] = 1,
) -> None:
    """Train a network, or go on where the same command was interrupted."""
    from underpaint.lab import train as lab

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
