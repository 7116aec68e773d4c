"""Without ONNX Runtime everything but networks works; hiding and revealing a message do not import it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from support.run_cli import MESSAGE, PASSPHRASE, run
from underpaint import api, media
from underpaint.errors import ModelError, NotFoundError
from underpaint.methods import METHODS
from underpaint.models import INSTALL_HINT, load, onnxruntime_installed
from underpaint.models.attention import attention

if TYPE_CHECKING:
    from pathlib import Path

#: Methods that ask a network how much change each value hides.
ATTENTION = {"basn", "basn-stc"}


pytestmark = pytest.mark.usefixtures("cheap_keys")


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch, example_files: Path) -> Path:
    """Hide the module ``onnxruntime``; return the folder of the example files."""
    attention(np.zeros((32, 32, 3), np.uint8))  # its cache of one picture then holds none of these
    load.cache_clear()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert not onnxruntime_installed()
    return example_files


@pytest.mark.parametrize("method", ["robust", "stdm", "lsb"])
@pytest.mark.usefixtures("hidden")
def test_methods_without_networks_hide_and_reveal(method: str) -> None:
    api.hide_file("cover.png", "out.png", MESSAGE, method=method, passphrase=PASSPHRASE)
    payload, found_by, _ = api.reveal_file("out.png", passphrase=PASSPHRASE)
    assert (payload.text, found_by) == (MESSAGE, method)


@pytest.mark.usefixtures("hidden")
def test_a_message_is_revealed() -> None:
    done = run("reveal", "message.png", "-o", "back")
    assert done.status == 0, done.stderr


@pytest.mark.usefixtures("hidden")
def test_what_a_network_would_look_for_is_named_if_nothing_is_found() -> None:
    with pytest.raises(NotFoundError) as caught:
        api.reveal_file("cover.png")
    assert "face templates by miais were not looked for" in (caught.value.hint or "")
    with pytest.raises(NotFoundError) as caught:
        api.reveal_file("cover.jpg")
    assert "templates" not in (caught.value.hint or ""), "a JPEG file cannot hold one"


@pytest.mark.parametrize(
    "command",
    [
        "hide small.png -o out.png -f report.bin --method basn-stc",
        "hide small.png -o out.png -m hello --method basn",
        "hide cover.png -o out.png -i people/cat.png --method pixinpix",
        "hide cover.png -o out.png -m hello --machine-safe",
        "reveal file.png -o back",
        "reveal cover.png --method miais",
        "recognise cover.png -g people",
        "jnd small.png -o out.png",
    ],
)
@pytest.mark.usefixtures("hidden")
def test_a_command_that_needs_a_network_says_what_to_install(command: str) -> None:
    done = run(*command.split())
    assert done.status == ModelError.exit_code
    assert done.stderr.splitlines() == [
        "underpaint: error: a network needs ONNX Runtime, which is not installed",
        f"underpaint: hint: {INSTALL_HINT}",
    ]


@pytest.mark.usefixtures("hidden")
def test_capacity_leaves_out_the_methods_whose_capacity_a_network_computes() -> None:
    assert set(api.capacity(media.read("small.png").pixels)) == METHODS.keys() - ATTENTION
    lines = run("capacity", "small.png").stdout.decode().splitlines()
    assert [line.split()[0] for line in lines] == list(METHODS)
    assert [line.split()[0] for line in lines if line.endswith(f"needs ONNX Runtime: {INSTALL_HINT}")] == [
        name for name in METHODS if name in ATTENTION
    ]


@pytest.mark.usefixtures("hidden")
def test_attack_works_and_compare_leaves_out_the_classifiers() -> None:
    assert run("attack", "small.png", "jpeg:50 | resize:0.5", "-o", "out.png").status == 0
    assert api.compare_files("cover.png", "replaced.png")["machine"] == {}
    done = run("compare", "cover.png", "replaced.png")
    assert done.status == 0
    assert done.stdout.decode().splitlines()[-1] == f"machine  needs ONNX Runtime: {INSTALL_HINT}"


@pytest.mark.usefixtures("hidden")
def test_inspect_leaves_out_the_network() -> None:
    findings = api.inspect(media.read("replaced.png").pixels)
    assert [name for name, finding in findings.items() if finding.score is None and name != "chi-square"] == ["network"]
    done = run("inspect", "replaced.png")
    assert done.status == 0
    assert f"no score by the network, which needs ONNX Runtime: {INSTALL_HINT}" in done.stderr


@pytest.mark.parametrize("container", ["out.png", "out.jpg"])
def test_hide_and_reveal_of_a_message_do_not_import_onnxruntime(container: str, example_files: Path) -> None:
    code = f"""
import sys
from underpaint.cli import main
assert main(["hide", "cover.png", "-o", "{container}", "-m", "hello"]) == 0
assert main(["reveal", "{container}"]) == 0
assert "onnxruntime" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=example_files)
