"""The command line of the lab: transcripts, and commands that write files."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from lab_support.run_lab import run
from support import run_cli, transcripts
from underpaint_lab.benchmarks import TABLES
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.robustness.grids import Case
from underpaint_lab.benchmarks.robustness.messages import messages
from underpaint_lab.cli import DRAWINGS, EVALUATIONS, PREPARATIONS, main

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    run_cli.fill(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(transcript: Path) -> None:
    transcripts.check(transcript.read_text(encoding="utf-8"), "underpaint-lab", main)


def test_bench_writes_what_it_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(8, 42.0, ("jpeg:75",))
    monkeypatch.setitem(TABLES, "messages", replace(TABLES["messages"], measure=partial(messages, cases=[case])))
    Path("pictures").mkdir()
    Path("cover.png").rename("pictures/cover.png")
    outcome = run("bench", "messages", "stdm", "--images", "pictures", "-o", "numbers")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert report.read(Path("numbers/messages/stdm.json")).rows[0].exact == 1


def test_bench_lists_what_it_can_measure() -> None:
    outcome = run("bench")
    assert (outcome.status, outcome.stderr) == (0, "")
    lines = outcome.stdout.decode().splitlines()
    assert [line.split("  ")[0] for line in lines] == list(TABLES)


@pytest.mark.parametrize(
    ("command", "programs"), [("evaluate", EVALUATIONS), ("prepare", PREPARATIONS), ("draw", DRAWINGS)]
)
def test_programs_are_listed_and_have_help(command: str, programs: dict[str, tuple[str, str]]) -> None:
    listed = run(command).stdout.decode().splitlines()
    assert [line.split("  ")[0] for line in listed] == list(programs)
    for name in programs:
        outcome = run(command, name, "--help")
        assert outcome.status == 0
        assert outcome.stdout.decode().startswith(f"usage: underpaint-lab {command} {name}")


def test_wrong_arguments_of_a_program_are_refused() -> None:
    outcome = run("evaluate", "video", "--nothing")
    assert outcome.status == 2
    assert "underpaint-lab evaluate video: error:" in outcome.stderr


@pytest.mark.parametrize(
    "words",
    [
        "bench all stdm",
        "bench channels stdm --tables-only",
        "evaluate nothing",
        "prepare nothing",
        "draw nothing",
        "bench channels",
        "bench nothing stdm",
        "bench channels lsb",
        "bench messages x",
        "bench channels stdm --seed -1",
        "bench channels stdm --images missing",
    ],
)
def test_malformed_usage_is_one_line_and_a_hint(words: str, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    outcome = run(*words.split())
    assert outcome.status in (1, 2)
    lines = outcome.stderr.splitlines()
    assert lines[0].startswith("underpaint: error: ")
    assert all(line.startswith("underpaint: hint: ") for line in lines[1:])
    assert sorted(folder.rglob("*")) == before
