"""Commands of the command line: transcripts, help, JSON, errors, and pointers to the lab."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support import transcripts
from support.run_cli import Outcome, run
from underpaint import api, models
from underpaint.cli.help import HELP
from underpaint.cli.main import commands

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))

pytestmark = pytest.mark.usefixtures("example_files")


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_commands_print_what_their_transcript_says(transcript: Path) -> None:
    transcripts.check(transcript.read_text(encoding="utf-8"))


def test_every_command_is_in_a_transcript_and_on_the_help_page() -> None:
    names = {command.name or getattr(command.callback, "__name__", "") for command in commands.registered_commands}
    shown = " ".join(path.read_text(encoding="utf-8") for path in TRANSCRIPTS)
    for name in names:
        assert re.search(rf"^  {name}\b", HELP, re.MULTILINE), name
        assert f"underpaint {name}" in shown or name == "demo", name  # which test_demo.py runs
        assert run(name, "--help").status == (2 if name in ("bench", "train") else 0), name
    assert max(map(len, HELP.splitlines())) <= 80


def test_help_goes_to_standard_output_and_without_a_command_to_standard_error() -> None:
    assert run("--help") == run("-h") == Outcome(0, HELP.encode(), "")
    assert run() == Outcome(2, b"", HELP)


def test_help_opens_without_heavy_imports() -> None:
    program = "import sys; from underpaint.cli.main import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == HELP
    assert not {"numpy", "PIL", "onnxruntime", "cryptography", "rich", "underpaint.api"} & set(done.stderr.split())


def test_zoo_lists_all_models_and_shows_their_cards() -> None:
    listed = run("zoo").stdout.decode().splitlines()
    assert [line.split()[0] for line in listed] == models.names()
    for name in models.names():
        card = run("zoo", name).stdout.decode()
        assert models.card(name).text in card
        assert all(digest in card for digest in models.card(name).sha256.values())


def test_json_errors_are_the_same_on_both_streams() -> None:
    outcome = run("reveal", "cover.png", "--json")
    assert outcome.status == 3
    said = json.loads(outcome.stdout)
    assert f"underpaint: error: {said['error']}\nunderpaint: hint: {said['hint']}\n" == outcome.stderr


def test_an_infinite_number_is_null_in_json() -> None:
    assert json.loads(run("compare", "small.png", "small.png", "--json").stdout)["psnr"] is None


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "not enough memory"),
        (OSError(errno.EIO, "Input/output error", "cover.png"), "cannot open cover.png: input/output error"),
        (KeyboardInterrupt(), None),
    ],
)
def test_errors_of_the_system_end_in_one_line(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, line: str | None
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(api, "capacity_file", fail)
    outcome = run("capacity", "small.png")
    assert outcome.status == (1 if line else 130)
    assert outcome.stderr.splitlines()[:1] == ([f"underpaint: error: {line}"] if line else [])


@pytest.mark.parametrize(
    ("installed", "message", "hint"),
    [
        ([object()], "train is a command of underpaint-lab", "run: underpaint-lab train"),
        (
            [],
            "train is a command of underpaint-lab, which is not installed",
            "from a checkout of the project: pip install . ./lab",
        ),
    ],
    ids=["installed", "not installed"],
)
def test_commands_of_the_lab_are_named(
    installed: list[object], message: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: installed)
    outcome = run("train", "a-recipe", "--data", "photographs")
    assert outcome == Outcome(2, b"", f"underpaint: error: {message}\nunderpaint: hint: {hint}\n")
