"""Root command ``underpaint``: list of commands, errors as messages and exit codes.

Nothing heavy is imported before a command runs, so that help opens at once. Results go to standard output, messages to
standard error.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated
from warnings import simplefilter

import typer

from underpaint import __version__
from underpaint.cli.demo import demo
from underpaint.cli.detect import detect
from underpaint.cli.help import HELP
from underpaint.cli.hide import hide
from underpaint.cli.machine import enrol, jnd, recognise
from underpaint.cli.measure import attack, capacity, compare, inspect
from underpaint.cli.messages import lower_first, print_error, print_json
from underpaint.cli.models import bench, train, zoo
from underpaint.cli.reveal import reveal
from underpaint.cli.terminal import repair_streams
from underpaint.errors import UnderpaintError

if TYPE_CHECKING:
    from collections.abc import Sequence

commands = typer.Typer(
    add_help_option=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``underpaint`` with *arguments* (those of the process by default) and return the exit status."""
    return run(commands, "underpaint", arguments)


def run(commands: typer.Typer, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run the *commands* of a program and return the exit status.

    Args:
        commands: the program; an :class:`UnderpaintError` becomes a line on standard error and an exit code.
        name: name of the program in help and hints.
        arguments: command-line arguments; those of the process by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    repair_streams()
    simplefilter("ignore")  # Pillow warns of odd metadata, which the user can ignore
    try:
        status = commands(words, prog_name=name, standalone_mode=False)
        sys.stdout.flush()
        return status or 0
    except (KeyboardInterrupt, typer.Abort):  # Ctrl-C, and Ctrl-D at a question
        return 130
    except UnderpaintError as error:
        if isinstance(error.__cause__, BrokenPipeError):
            return _end_quietly()
        return _fail(str(error), error.hint, error.exit_code, words)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        message, _, advice = " ".join(error.format_message().split()).partition(". ")
        hint = advice or f"see {context.command_path if context else name} --help"
        return _fail(lower_first(message.rstrip(".")), lower_first(hint), error.exit_code, words)
    except BrokenPipeError:
        return _end_quietly()
    except OSError as error:
        reason = lower_first(error.strerror or str(error))
        return _fail(f"cannot open {error.filename}: {reason}" if error.filename else reason, None, 1, words)
    except MemoryError:
        return _fail("not enough memory", "use a smaller picture", 1, words)


@commands.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    help_: Annotated[bool, typer.Option("-h", "--help", help="Show this help page.")] = False,
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


for command in (hide, reveal, detect, capacity, attack, compare, inspect, jnd, recognise, enrol, demo, zoo):
    commands.command()(command)
for pointer in (bench, train):
    commands.command(
        add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
    )(pointer)


def _fail(message: str, hint: str | None, status: int, arguments: Sequence[str]) -> int:
    """Print an error, as JSON too where that was asked for, and return *status*."""
    print_error(message, hint)
    if "--json" in arguments:
        with suppress(OSError):  # standard output itself may have failed
            print_json({"error": message, "hint": hint})
            sys.stdout.flush()
    return status


def _end_quietly() -> int:
    """Return exit status 1 after a broken pipe, as in ``| head``; standard output becomes ``/dev/null``.

    Otherwise Python would report the broken pipe again when it flushes standard output at exit.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
