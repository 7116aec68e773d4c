"""The command line: arguments in, one call of :mod:`underpaint.app`, calm lines out.

Nothing heavy is imported before a command runs, so that help opens at once. What a command returns goes to standard
output, what it has to say about it to standard error.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from warnings import simplefilter

import typer

from underpaint import __version__
from underpaint.cli_lab import bench, train, zoo
from underpaint.cli_machine import enrol, jnd, recognise
from underpaint.errors import UnderpaintError, UsageError
from underpaint.help import HELP
from underpaint.terminal import check_streams, fit_for_terminal, mend_streams, passphrase, show_progress
from underpaint.wording import complain, content, counted, hidden, lowered, noticed, print_json, verdict, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.app import Face, Secret
    from underpaint.types import Payload

commands = typer.Typer(
    add_help_option=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]
Method = Annotated[str | None, typer.Option("--method", metavar="NAME", help="See 'underpaint capacity'.")]
Ask = Annotated[bool, typer.Option("-p", "--passphrase", help="Ask for a passphrase at the terminal.")]
PassphraseFile = Annotated[
    Path | None, typer.Option("--passphrase-file", metavar="FILE", help="Read the passphrase from a file's first line.")
]
CoverIn = Annotated[str, typer.Argument(metavar="COVER", help="Picture file, or '-'.")]
ContainerIn = Annotated[str, typer.Argument(metavar="CONTAINER", help="Picture file, or '-'.")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line on *arguments* (those of the process by default) and return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    mend_streams()
    simplefilter("ignore")  # Pillow warns of odd metadata, which is no concern of the user's
    try:
        status = commands(words, prog_name="underpaint", standalone_mode=False)
        sys.stdout.flush()
        return status or 0
    except (KeyboardInterrupt, typer.Abort):  # Ctrl-C, and Ctrl-D at a question
        return 130
    except UnderpaintError as error:
        if isinstance(error.__cause__, BrokenPipeError):
            return _reader_left()
        return _fail(str(error), error.hint, error.exit_code, words)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        message, _, advice = " ".join(error.format_message().split()).partition(". ")
        hint = advice or f"see {context.command_path if context else 'underpaint'} --help"
        return _fail(lowered(message.rstrip(".")), lowered(hint), error.exit_code, words)
    except BrokenPipeError:
        return _reader_left()
    except OSError as error:
        reason = lowered(error.strerror or str(error))
        return _fail(f"cannot open {error.filename}: {reason}" if error.filename else reason, None, 1, words)
    except MemoryError:
        return _fail("not enough memory", "take a smaller picture", 1, words)


@commands.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    help_: Annotated[bool, typer.Option("-h", "--help", help="Show this help.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        print(f"underpaint {__version__}")
        raise typer.Exit
    if help_:
        print(HELP, end="")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(HELP, end="", file=sys.stderr)
        raise typer.Exit(2)


@commands.command()
def hide(
    cover: CoverIn,
    container: Annotated[
        str, typer.Option("-o", "--output", metavar="CONTAINER", help="File to write; '-' writes PNG.")
    ],
    message: Annotated[str | None, typer.Option("-m", "--message", metavar="TEXT", help="Message to hide.")] = None,
    file: Annotated[str | None, typer.Option("-f", "--file", metavar="FILE", help="File to hide, or '-'.")] = None,
    image: Annotated[
        str | None, typer.Option("-i", "--image", metavar="IMAGE", help="Picture to hide, or '-'.")
    ] = None,
    template: Annotated[
        bool, typer.Option("--template", help="Hide only what the face in IMAGE is recognised by.")
    ] = False,
    restorable: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Passphrase of those who may bring the face back as well.")
    ] = None,
    method: Method = None,
    ask: Ask = False,
    passphrase_file: PassphraseFile = None,
    psnr: Annotated[float | None, typer.Option(metavar="DB", help="Quality to keep, in dB, 30–60.")] = None,
    survive: Annotated[
        str | None, typer.Option(metavar="CHAIN", help="What it must survive: 'jpeg:50 | resize:0.5'.")
    ] = None,
    quality: Annotated[int | None, typer.Option(metavar="Q", help="Of a lossy container, 1–100.")] = None,
    strip_metadata: Annotated[bool, typer.Option("--strip-metadata", help="Leave out EXIF and ICC profile.")] = False,
    machine_safe: Annotated[bool, typer.Option("--machine-safe", help="No classifier shall change its mind.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Say what detectors make of it.")] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Hide a message, a file or a picture in a picture, and read it back before anything is written."""
    from dataclasses import asdict

    from underpaint import app

    check_streams(container, cover, file, image, str(passphrase_file), str(restorable))
    if json and container == "-":
        raise UsageError("--json and '-o -' both want standard output", hint="name a file after -o")
    # Before a passphrase is asked for; that the payload is not written over only this side can see.
    app.check_target(container, *(name for name in (cover, file, image) if name), force=force)
    report = app.hide_file(
        cover,
        container,
        _payload(message, file, image, template or method == "miais" or restorable is not None, restorable),
        method=method,
        passphrase=passphrase(passphrase_file, ask, twice=True),
        psnr=psnr,
        survive=survive,
        quality=quality,
        metadata=not strip_metadata,
        machine_safe=machine_safe,
        check=check,
        force=force,
        progress=show_progress,
    )
    warn(report.warnings)
    if json:
        print_json(asdict(report))
        return
    where = "standard output" if container == "-" else container
    print(*hidden(report, where), sep="\n", file=sys.stderr)
    if report.findings:
        print(*verdict(where, report.findings), app.BLIND, sep="\n", file=sys.stderr)


@commands.command()
def reveal(
    container: ContainerIn,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="OUT", help="File to write to; '-' by default.")
    ] = None,
    method: Method = None,
    ask: Ask = False,
    passphrase_file: PassphraseFile = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Bring a payload back: exactly, or not at all."""
    from underpaint import app
    from underpaint.image import write_bytes

    check_streams("", container, str(passphrase_file))
    if output is not None:
        app.check_target(output, container, force=force)
    secret = passphrase(passphrase_file, ask)
    payload, found_by, warnings = app.reveal_file(container, passphrase=secret, method=method, progress=show_progress)
    data = payload.data
    if payload.kind == "picture":
        output = app.revealed_name(payload) if output is None else output
        check_streams(output)
        app.check_target(output, container, force=force)
        data, more = app.picture_as(payload, output)
        warnings += more
    warn(warnings)
    output = "-" if output is None else output
    if output != "-":
        write_bytes(data, output)
    if json:
        shown = {"method": found_by, "kind": payload.kind, "name": payload.name, "bytes": len(payload.data)}
        print_json(shown | ({"output": output} if output != "-" else content(payload)))
    elif output != "-":
        print(f"revealed {counted(len(payload.data))} by {found_by} in {output}", file=sys.stderr)
    else:
        write_bytes(fit_for_terminal(payload) if sys.stdout.isatty() else data, "-")


@commands.command()
def capacity(
    cover: CoverIn,
    map_: Annotated[
        str | None, typer.Option("--map", metavar="MAP", help="Picture to write of where basn hides what leaves 44 dB.")
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Say what fits into a picture, by each method."""
    from dataclasses import asdict

    from underpaint import app
    from underpaint.methods import METHODS

    found = app.capacity_file(cover, map_, force=force)
    if json:
        print_json({name: asdict(each) for name, each in found.items()})
        return
    for name, each in found.items():
        print(f"{name:14}{counted(each.payload_bytes):>17} at {each.psnr:.0f} dB   {METHODS[name].summary}")


@commands.command()
def attack(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="Picture file, or '-'.")],
    chain: Annotated[str, typer.Argument(metavar="CHAIN", help="Such as 'jpeg:50 | resize:0.5'.")],
    output: Annotated[str, typer.Option("-o", "--output", metavar="OUT", help="File to write; '-' writes PNG.")],
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of what is random in the chain.")] = 0,
    force: Force = False,
) -> None:
    """Do to a picture what may happen to it on its way."""
    from underpaint import app

    check_streams(output, image)
    warn(app.attack_file(image, chain, output, seed=seed, force=force))


@commands.command()
def compare(cover: CoverIn, container: ContainerIn, json: Json = False) -> None:
    """Say how far two pictures lie apart."""
    from underpaint import app

    check_streams("", cover, container)
    found = app.compare_files(cover, container)
    if json:
        print_json(found)
        return
    ms_ssim = found["ms_ssim"]
    print(f"PSNR     {found['psnr']:.2f} dB")
    print(f"SSIM     {found['ssim']:.4f}")
    print("MS-SSIM  needs a larger picture" if ms_ssim is None else f"MS-SSIM  {ms_ssim:.4f}")
    print(f"APD      {found['apd']:.3f}")
    print(f"changed  {found['changed']:.1%} of the values, by at most {found['largest']:.0f}")
    print(f"machine  {noticed(found['machine'])}")


@commands.command()
def inspect(
    pictures: Annotated[list[str], typer.Argument(metavar="PICTURE…", help="Picture files, folders, or '-'.")],
    json: Json = False,
) -> None:
    """Say what detectors of hidden data make of pictures."""
    from dataclasses import asdict

    from underpaint import app

    check_streams("", *pictures)
    inspected, failed = [], []
    for picture, found in app.inspect_files(pictures):
        if isinstance(found, UnderpaintError):
            complain(str(found), found.hint)
            failed.append({"picture": picture, "error": str(found), "hint": found.hint})
            continue
        warn([f"{picture}: {warning}" for warning in found.warnings])
        inspected.append(asdict(found))
        if not json:
            print(*verdict(picture, found.findings), sep="\n")
    if json:
        print_json({"pictures": inspected, "failed": failed, "blind": app.BLIND})
    elif inspected:
        print(app.BLIND)
    if failed:
        raise typer.Exit(1)


commands.command()(jnd)
commands.command()(recognise)
commands.command()(enrol)


@commands.command()
def demo(
    output: Annotated[str, typer.Option("-o", "--output", metavar="DIR", help="For its pictures.")] = "underpaint-demo",
) -> None:
    """Hide a message in a photograph, send copies of it, read it back from each, and show what it cost."""
    from underpaint import demo

    demo.run(Path(output))


commands.command()(bench)
commands.command()(zoo)
commands.command()(train)


def _payload(
    message: str | None, file: str | None, image: str | None, template: bool, restorable: Path | None
) -> str | Payload | Secret | Face:
    from underpaint.app import Face, Secret
    from underpaint.types import Payload

    if [message, file, image].count(None) != 2:
        raise UsageError("hide takes one payload", hint="give one of -m TEXT, -f FILE and -i IMAGE")
    if template:
        if image is None:
            raise UsageError("there is nobody to be recognised", hint="name a picture of a face after -i")
        return Face.read(image, None if restorable is None else passphrase(restorable, ask=False))
    if message is not None:
        return message
    if image is not None:
        return Secret.read(image)
    if file is None or file == "-":
        return Payload(sys.stdin.buffer.read())
    return Payload(Path(file).read_bytes(), name=Path(file).name)


def _fail(message: str, hint: str | None, status: int, arguments: Sequence[str]) -> int:
    complain(message, hint)
    if "--json" in arguments:
        with suppress(OSError):  # standard output may be what failed
            print_json({"error": message, "hint": hint})
            sys.stdout.flush()
    return status


def _reader_left() -> int:
    """Whoever read our output has enough, as in ``| head``. Python's own last flush shall not complain either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
