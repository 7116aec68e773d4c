"""The command line of the lab: ``underpaint-lab train | bench | evaluate | release | prepare | draw``."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from underpaint.cli.main import run as run_program
from underpaint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: Programs of ``evaluate``: name, module below ``underpaint_lab``, and one line for the list.
EVALUATIONS = {
    "ablation": ("benchmarks.robustness.ablation", "train and measure the columns of robust-ablation"),
    "network-gain": ("benchmarks.robustness.network_gain", "measure robust with and without its networks"),
    "video": ("benchmarks.robustness.video", "a message and a picture in videos behind video codecs"),
    "detector": ("benchmarks.detectability.shipped_cnn", "accuracy of the network of zoo/detector, or of a run"),
    "faces": ("benchmarks.faces.trained", "recognition in containers of a run"),
    "privacy": ("benchmarks.faces.privacy", "visual privacy of containers, and recovery attacks"),
    "steganalysers": ("benchmarks.faces.trained_steganalysers", "train steganalysers on containers with faces"),
    "pictures": ("benchmarks.pictures.trained", "pictures in pictures by the networks of a run"),
    "refinement": ("benchmarks.jnd.refinement", "gradient refinement of the just noticeable difference"),
    "picture-tables": ("papers.robust.picture_tables", "coefficient tables of robust-picture, learned from codecs"),
}
#: Programs of ``prepare`` and of ``draw``, likewise.
PREPARATIONS = {
    "pairs": ("data.cover_stego", "pairs of cover and container for the training of detectors"),
    "weights": ("training.condensed", "a run as recipe, log and half-precision weights, for start=FOLDER"),
}
DRAWINGS = {
    "sheet": ("benchmarks.core.contact_sheet", "pictures of CIFAR-10 before and after hiding, side by side"),
    "tsne": ("benchmarks.faces.tsne", "t-SNE of faces, plain and in containers of runs"),
}
#: Everything after the name of a program is its own, also options and --help.
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

commands = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``underpaint-lab`` on *arguments* (those of the process by default) and return the exit status."""
    return run_program(commands, "underpaint-lab", arguments)


@commands.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    """Training, papers and benchmarks for underpaint."""
    if context.invoked_subcommand is None:
        print(context.get_help(), file=sys.stderr)
        raise typer.Exit(2)


@commands.command()
def train(
    recipe: Annotated[str | None, typer.Argument(metavar="RECIPE", help="Without one, all are listed.")] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder or zip file of photographs.")] = None,
    run: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the run; runs/RECIPE by default.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe.")] = None,
    devices: Annotated[int, typer.Option(min=1, metavar="N", help="GPUs, or processes without one.")] = 1,
) -> None:
    """Train a network, or continue an interrupted training."""
    from underpaint_lab.papers import train as lab

    if recipe is None:
        _list(lab.recipes())
        return
    if data is None:
        raise UsageError("there is nothing to train on", hint="name a folder or zip file of photographs after --data")
    try:
        checkpoint, steps = lab.train(recipe, data, run=run, settings=settings or (), devices=devices)
    except KeyboardInterrupt:
        print("underpaint-lab: stopped; the same command continues from here", file=sys.stderr)
        raise
    print(f"trained {recipe} for {steps:,} steps: {checkpoint}", file=sys.stderr)


@commands.command()
def bench(
    table: Annotated[
        str | None, typer.Argument(metavar="TABLE", help="Name of a table, or all. Without one, all are listed.")
    ] = None,
    methods: Annotated[
        list[str] | None, typer.Argument(metavar="METHOD…", help="Methods; all by default if the table compares them.")
    ] = None,
    images: Annotated[Path | None, typer.Option(metavar="DIR", help="Pictures to measure on.")] = None,
    payload: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File to hide for basn; random bytes by default.")
    ] = None,
    bpp: Annotated[
        list[float] | None, typer.Option(min=0.01, max=8, metavar="X", help="Bits per pixel for analyst, repeatable.")
    ] = None,
    output: Annotated[str, typer.Option("-o", "--output", metavar="DIR", help="Folder for results.")] = "results",
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of everything random.")] = 0,
    tables_only: Annotated[
        bool, typer.Option("--tables-only", help="With all: measure nothing, only rewrite pages and cards.")
    ] = False,
) -> None:
    """Measure a table, and write result files with their provenance."""
    from underpaint_lab.benchmarks import TABLES
    from underpaint_lab.benchmarks import run as benchmarks

    if table is None:
        _list({name: each.summary for name, each in TABLES.items()})
    elif table == "all":
        if methods or payload or bpp or seed or output != "results":
            raise UsageError("all tables are measured with their own settings", hint="only --images can be given")
        benchmarks.run_all(images, tables_only=tables_only)
    elif tables_only:
        raise UsageError("--tables-only rewrites all tables", hint="underpaint-lab bench all --tables-only")
    else:
        benchmarks.run(
            table, *methods or (), images=images, payload=payload, payloads=bpp or (), results=Path(output), seed=seed
        )


@commands.command(context_settings=_PASS_ON)
def evaluate(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Without one, all are listed.")] = None,
) -> None:
    """Measure trained networks: evaluate NAME ARGUMENTS…; evaluate NAME --help shows them."""
    _run_named("evaluate", EVALUATIONS, name, context.args)


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


@commands.command(context_settings=_PASS_ON)
def prepare(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Without one, all are listed.")] = None,
) -> None:
    """Prepare data for a training: prepare NAME ARGUMENTS…; prepare NAME --help shows them."""
    _run_named("prepare", PREPARATIONS, name, context.args)


@commands.command(context_settings=_PASS_ON)
def draw(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Without one, all are listed.")] = None,
) -> None:
    """Draw a figure: draw NAME ARGUMENTS…; draw NAME --help shows them."""
    _run_named("draw", DRAWINGS, name, context.args)


def _run_named(command: str, programs: Mapping[str, tuple[str, str]], name: str | None, arguments: list[str]) -> None:
    """Run the program *name* on *arguments*; without a name, list all."""
    if name is None or name in ("-h", "--help"):
        _list({each: summary for each, (_, summary) in programs.items()})
        return
    if name not in programs:
        raise UsageError(f"{command} knows no '{name}'", hint=f"there are {', '.join(programs)}")
    program: Callable[[list[str]], None] = import_module(f"underpaint_lab.{programs[name][0]}").main
    try:
        program(arguments)
    except SystemExit as error:  # argparse has printed help, or what is wrong with the arguments
        raise typer.Exit(int(error.code or 0)) from None


def _list(summaries: Mapping[str, str]) -> None:
    """Print names with one line each."""
    width = max(map(len, summaries))
    for name, summary in summaries.items():
        print(f"{name:{width}}  {summary}")
