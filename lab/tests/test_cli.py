"""The command line of the lab: transcripts, and commands that write files."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from lab_support.run_lab import run
from support import run_cli, transcripts
from underpaint_lab import benchmarks
from underpaint_lab.cli import main

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
    case = benchmarks.Case(8, 42.0, ("jpeg:75",))
    table = replace(benchmarks.TABLES["messages"], measure=partial(benchmarks.messages, cases=[case]))
    monkeypatch.setitem(benchmarks.TABLES, "messages", table)
    Path("pictures").mkdir()
    Path("cover.png").rename("pictures/cover.png")
    outcome = run("bench", "messages", "stdm", "--images", "pictures", "-o", "numbers")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert benchmarks.Result.read(Path("numbers/messages/stdm.json")).rows[0].exact == 1


def test_bench_lists_what_it_can_measure() -> None:
    outcome = run("bench")
    assert (outcome.status, outcome.stderr) == (0, "")
    lines = outcome.stdout.decode().splitlines()
    assert [line.split("  ")[0] for line in lines] == list(benchmarks.TABLES)


@pytest.mark.parametrize(
    "words",
    [
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
