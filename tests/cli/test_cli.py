"""The command line: transcripts, and the rest of its behaviour: terminals, pipes, time."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support import run_cli, transcripts
from support.run_cli import MESSAGE, PASSPHRASE, REPORT, Outcome, run
from underpaint import api, models
from underpaint.cli.help import HELP
from underpaint.cli.main import commands
from underpaint.types import Payload

if TYPE_CHECKING:
    pass

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))
PROCESS = (sys.executable, "-c", "import sys; from underpaint.cli.main import main; sys.exit(main())")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    run_cli.fill(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(transcript: Path) -> None:
    transcripts.check(transcript.read_text(encoding="utf-8"))


def test_every_command_has_its_transcript_and_its_place_in_the_help() -> None:
    names = {command.name or getattr(command.callback, "__name__", "") for command in commands.registered_commands}
    shown = " ".join(path.read_text(encoding="utf-8") for path in TRANSCRIPTS)
    for name in names:
        assert re.search(rf"^  {name}\b", HELP, re.MULTILINE), name
        assert f"underpaint {name}" in shown, name
        assert run(name, "--help").status == (2 if name in ("bench", "train") else 0), name
    assert max(map(len, HELP.splitlines())) <= 80


def test_help_is_one_screen_and_without_a_command_it_is_an_error() -> None:
    assert run("--help") == run("-h") == Outcome(0, HELP.encode(), "")
    assert run() == Outcome(2, b"", HELP)


def test_help_opens_without_heavy_imports() -> None:
    program = "import sys; from underpaint.cli.main import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == HELP
    assert not {"numpy", "PIL", "onnxruntime", "cryptography", "rich", "underpaint.api"} & set(done.stderr.split())


def test_the_zoo() -> None:
    listed = run("zoo").stdout.decode().splitlines()
    assert [line.split()[0] for line in listed] == models.names()
    for name in models.names():
        card = run("zoo", name).stdout.decode()
        assert models.card(name).text in card
        assert all(digest in card for digest in models.card(name).sha256.values())


def test_json_errors_say_the_same_on_both_streams() -> None:
    outcome = run("reveal", "cover.png", "--json")
    assert outcome.status == 3
    said = json.loads(outcome.stdout)
    assert f"underpaint: error: {said['error']}\nunderpaint: hint: {said['hint']}\n" == outcome.stderr


def test_json_never_holds_what_json_cannot() -> None:
    assert json.loads(run("compare", "cover.png", "cover.png", "--json").stdout)["psnr"] is None


def test_a_message_ends_its_line_only_at_a_terminal() -> None:
    assert run("reveal", "message.png").stdout == MESSAGE.encode()
    assert run("reveal", "message.png", terminal=True).stdout == f"{MESSAGE}\n".encode()


def test_a_file_is_not_for_the_terminal() -> None:
    outcome = run("reveal", "file.png", terminal=True)
    assert (outcome.status, outcome.stdout) == (1, b"")
    assert "'report.bin'" in outcome.stderr
    assert "-o" in outcome.stderr
    assert run("reveal", "file.png").stdout == REPORT


@pytest.mark.parametrize("arguments", ["hide cover.png -o - -m hello", "attack cover.png jpeg:50 -o -"])
def test_a_picture_is_not_for_the_terminal(arguments: str) -> None:
    outcome = run(*arguments.split(), terminal=True)
    assert (outcome.status, outcome.stdout) == (2, b"")
    assert "not for the terminal" in outcome.stderr


def test_a_message_cannot_command_the_terminal() -> None:
    api.hide_file("cover.png", "evil.png", "\x1b]0;owned\x07", method="lsb")
    outcome = run("reveal", "evil.png", terminal=True)
    assert (outcome.status, outcome.stdout) == (1, b"")
    assert "\x1b" not in outcome.stderr
    assert run("reveal", "evil.png").stdout == b"\x1b]0;owned\x07"


def test_the_name_of_a_file_cannot_command_the_terminal() -> None:
    api.hide_file("cover.png", "evil.png", Payload(b"x", name="\x1b[31mred"))
    assert "\x1b" not in run("reveal", "evil.png", terminal=True).stderr


def test_asking_for_a_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([PASSPHRASE, PASSPHRASE, PASSPHRASE, "one", "another"])
    monkeypatch.setattr("getpass.getpass", lambda _: next(answers))
    assert run("hide", "cover.png", "-o", "out.png", "-m", MESSAGE, "-p", terminal=True).status == 0
    assert run("reveal", "out.png", "-p", terminal=True).stdout == f"{MESSAGE}\n".encode()
    differing = run("hide", "cover.png", "-o", "new.png", "-m", MESSAGE, "-p", terminal=True)
    assert (differing.status, Path("new.png").exists()) == (2, False)
    assert "differ" in differing.stderr


@pytest.mark.parametrize("reaction", [KeyboardInterrupt, EOFError])
def test_leaving_the_question_is_quiet(monkeypatch: pytest.MonkeyPatch, reaction: type[BaseException]) -> None:
    def leave(_: str) -> str:
        raise reaction

    monkeypatch.setattr("getpass.getpass", leave)
    outcome = run("reveal", "message.png", "--passphrase", terminal=True)
    assert (outcome.status, outcome.stdout, outcome.stderr.strip()) == (130, b"", "")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "not enough memory"),
        (OSError(errno.EIO, "Input/output error", "cover.png"), "cannot open cover.png: input/output error"),
        (KeyboardInterrupt(), None),
    ],
)
def test_what_may_strike_anywhere(monkeypatch: pytest.MonkeyPatch, error: BaseException, line: str | None) -> None:
    def strike(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(api, "capacity_file", strike)
    outcome = run("capacity", "cover.png")
    assert outcome.status == (1 if line else 130)
    assert outcome.stderr.splitlines()[:1] == ([f"underpaint: error: {line}"] if line else [])


@pytest.mark.skipif(os.name != "posix", reason="pipes")
@pytest.mark.parametrize("arguments", ["capacity cover.png", "reveal file.png", "--help"])
def test_a_reader_may_leave(arguments: str) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*PROCESS, *arguments.split()], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_behind_standard_output() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*PROCESS, "reveal", "file.png"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr == b"underpaint: error: cannot write -: no space left on device\n"


def test_a_passphrase_from_standard_input_or_with_a_byte_order_mark() -> None:
    Path("marked.txt").write_bytes("\ufeffdrawing\r\n".encode())
    command = "hide", "cover.png", "-o", "sent.png", "-m", "hello", "--passphrase-file"
    assert run(*command, "marked.txt").status == 0
    assert run("reveal", "sent.png", "--passphrase-file", "-", stdin=b"drawing\n").stdout == b"hello"
    assert run("reveal", "-", "--passphrase-file", "-", stdin=b"drawing\n").status == 2


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-", "1>/dev/full"])
@pytest.mark.parametrize("command", ["capacity cover.png", "reveal message.jpg --json", "reveal cover.png", "-h"])
def test_streams_that_are_closed_or_full(closed: str, command: str) -> None:
    program = f"{shlex.join(PROCESS)} {command} {closed}"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
    assert done.returncode in (0, 1, 3)
    assert "Traceback" not in done.stderr
    assert "underpaint:" not in done.stdout


def test_a_letter_the_terminal_lacks_ends_nothing() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*PROCESS, "capacity", "tiny.png"], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert "too small: 1?1" in done.stderr
