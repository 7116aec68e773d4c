"""Standard streams of the command line: terminals, passphrases, pipes, closed and full streams."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from support.run_cli import MESSAGE, PASSPHRASE, REPORT, run
from underpaint import api
from underpaint.types import Payload

PROCESS = (sys.executable, "-c", "import sys; from underpaint.cli.main import main; sys.exit(main())")

pytestmark = pytest.mark.usefixtures("example_files")


def test_a_message_gets_a_line_end_only_at_a_terminal() -> None:
    assert run("reveal", "message.png").stdout == MESSAGE.encode()
    assert run("reveal", "message.png", terminal=True).stdout == f"{MESSAGE}\n".encode()


def test_a_file_is_not_printed_at_a_terminal() -> None:
    outcome = run("reveal", "file.png", terminal=True)
    assert (outcome.status, outcome.stdout) == (1, b"")
    assert "'report.bin'" in outcome.stderr
    assert "-o" in outcome.stderr
    assert run("reveal", "file.png").stdout == REPORT


@pytest.mark.parametrize("arguments", ["hide cover.png -o - -m hello", "attack cover.png jpeg:50 -o -"])
def test_an_image_is_not_printed_at_a_terminal(arguments: str) -> None:
    outcome = run(*arguments.split(), terminal=True)
    assert (outcome.status, outcome.stdout) == (2, b"")
    assert "cannot be printed to the terminal" in outcome.stderr


def test_a_message_with_escape_sequences_is_not_printed_at_a_terminal() -> None:
    api.hide_file("cover.png", "evil.png", "\x1b]0;owned\x07", method="lsb")
    outcome = run("reveal", "evil.png", terminal=True)
    assert (outcome.status, outcome.stdout) == (1, b"")
    assert "\x1b" not in outcome.stderr
    assert run("reveal", "evil.png").stdout == b"\x1b]0;owned\x07"


def test_a_file_name_with_escape_sequences_is_printed_escaped() -> None:
    api.hide_file("cover.png", "evil.png", Payload(b"x", name="\x1b[31mred"))
    assert "\x1b" not in run("reveal", "evil.png", terminal=True).stderr


def test_a_passphrase_is_asked_twice_to_hide_and_once_to_reveal(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([PASSPHRASE, PASSPHRASE, PASSPHRASE, "one", "another"])
    monkeypatch.setattr("getpass.getpass", lambda _: next(answers))
    assert run("hide", "cover.png", "-o", "out.png", "-m", MESSAGE, "-p", terminal=True).status == 0
    assert run("reveal", "out.png", "-p", terminal=True).stdout == f"{MESSAGE}\n".encode()
    differing = run("hide", "cover.png", "-o", "new.png", "-m", MESSAGE, "-p", terminal=True)
    assert (differing.status, Path("new.png").exists()) == (2, False)
    assert "differ" in differing.stderr


@pytest.mark.parametrize("reaction", [KeyboardInterrupt, EOFError])
def test_ending_the_question_for_a_passphrase_prints_nothing(
    monkeypatch: pytest.MonkeyPatch, reaction: type[BaseException]
) -> None:
    def interrupt(_: str) -> str:
        raise reaction

    monkeypatch.setattr("getpass.getpass", interrupt)
    outcome = run("reveal", "message.png", "--passphrase", terminal=True)
    assert (outcome.status, outcome.stdout, outcome.stderr.strip()) == (130, b"", "")


@pytest.mark.skipif(os.name != "posix", reason="pipes")
@pytest.mark.parametrize("arguments", ["capacity small.png", "reveal file.png", "--help"])
def test_a_broken_pipe_ends_without_a_message(arguments: str) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*PROCESS, *arguments.split()], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_at_standard_output_is_an_error() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*PROCESS, "reveal", "file.png"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr == b"underpaint: error: cannot write -: no space left on device\n"


def test_a_passphrase_file_may_be_standard_input_and_have_a_byte_order_mark() -> None:
    Path("marked.txt").write_bytes("\ufeffdrawing\r\n".encode())
    command = "hide", "cover.png", "-o", "sent.png", "-m", "hello", "--passphrase-file"
    assert run(*command, "marked.txt").status == 0
    assert run("reveal", "sent.png", "--passphrase-file", "-", stdin=b"drawing\n").stdout == b"hello"
    assert run("reveal", "-", "--passphrase-file", "-", stdin=b"drawing\n").status == 2


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-", "1>/dev/full"])
@pytest.mark.parametrize("command", ["capacity small.png", "reveal file.png --json", "reveal empty.png", "-h"])
def test_closed_or_full_streams_cause_no_traceback(closed: str, command: str) -> None:
    program = f"{shlex.join(PROCESS)} {command} {closed}"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
    assert done.returncode in (0, 1, 3)
    assert "Traceback" not in done.stderr
    assert "underpaint:" not in done.stdout


def test_a_letter_that_the_terminal_lacks_becomes_a_question_mark() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*PROCESS, "capacity", "tiny.png"], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert "too small: 1?1" in done.stderr
