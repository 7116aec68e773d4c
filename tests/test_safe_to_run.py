"""No command writes to the user's home folder or looks up a name on the network.

ONNX Runtime from version 1.29 on does both unless its telemetry is switched off.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import network_log
from underpaint.cli.main import commands

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
#: Each command with its arguments and its exit status. ``demo`` is watched by its own test, tests/cli/test_demo.py.
USES = {
    "hide": ("cover.png -o out.png -f report.bin", 0),
    "reveal": ("file.png -o back.bin", 0),
    "detect": ("message.png", 0),
    "capacity": ("small.png", 0),
    "attack": ("small.png jpeg:50 -o out.png", 0),
    "compare": ("cover.png replaced.png", 0),
    "inspect": ("replaced.png", 0),
    "jnd": ("small.png -o map.png", 0),
    "recognise": ("miais.png -g people", 3),  # the template in this container is of no one in the gallery
    "enrol": ("people -o gallery.json", 0),
    "zoo": ("", 0),
    "bench": ("", 2),
    "train": ("", 2),
}


def test_every_command_is_tried() -> None:
    names = {command.name or getattr(command.callback, "__name__", "") for command in commands.registered_commands}
    assert {*USES, "demo"} == names


@pytest.mark.parametrize("command", USES)
def test_a_command_leaves_the_home_empty_and_looks_up_no_name(
    command: str,
    example_files: Path,
    run_watched: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if command == "recognise":
        container = ROOT / "tests" / "containers" / "miais.png"
        (example_files / container.name).write_bytes(container.read_bytes())
        monkeypatch.setenv("UNDERPAINT_PASSPHRASE", "drawing")
    arguments, status = USES[command]
    done = run_watched(command, *arguments.split())
    assert done.returncode == status, done.stderr


def test_the_recorder_sees_a_lookup(network_recorder: Path | None, tmp_path: Path) -> None:
    lookup = "import socket\ntry: socket.getaddrinfo('example.org', 80)\nexcept OSError: pass"
    log = tmp_path / "network.log"
    variables = os.environ | network_log.environment(network_recorder, log)
    subprocess.run([sys.executable, "-c", lookup], check=True, env=variables)
    assert network_recorder is None or log.read_text() == "getaddrinfo example.org\n"


def test_onnxruntime_is_imported_only_where_its_telemetry_is_switched_off() -> None:
    imports = re.compile(r"^\s*(import|from) onnxruntime\b", re.MULTILINE)
    files = [path for folder in ("src", "lab", "tests") for path in (ROOT / folder).rglob("*.py")]
    found = [path.name for path in files if imports.search(path.read_text(encoding="utf-8"))]
    assert found == ["session.py"]
