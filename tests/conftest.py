"""Fixtures that the tests of several rooms share."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from support import network_log, run_cli
from underpaint import media
from underpaint.coding import keys
from underpaint.media import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from underpaint.types import Image


@pytest.fixture(scope="module")
def cheap_keys() -> Iterator[None]:
    """Derive keys at the lowest cost that Argon2id allows. A whole module asks by ``pytest.mark.usefixtures``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "COSTS", run_cli.CHEAP_COSTS)
        yield


@pytest.fixture(scope="session")
def photograph() -> Image:
    """The sample photograph ``chelsea``, whole (300×451) and read-only."""
    pixels = media.read(samples.path("chelsea")).pixels
    pixels.flags.writeable = False
    return pixels


@pytest.fixture(scope="session")
def small_photograph(photograph: Image) -> Image:
    """A detail of the sample photograph: the cat's eye, 64×96 and read-only."""
    detail = photograph[40:104, 100:196].copy()
    detail.flags.writeable = False
    return detail


@pytest.fixture(scope="session")
def noise() -> Image:
    """Random pixels without any structure, 64×96 and read-only."""
    pixels = np.random.default_rng(5).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    pixels.flags.writeable = False
    return pixels


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder: HOME and the XDG folders point into it, and ``CI`` is unset."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("CI", "ORT_DISABLE_TELEMETRY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder))
    for name in ("CACHE_HOME", "CONFIG_HOME", "DATA_HOME", "STATE_HOME"):
        monkeypatch.setenv(f"XDG_{name}", str(folder / name.lower()))
    return folder


@pytest.fixture
def example_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the small files of :mod:`support.run_cli`: covers, containers, passphrases."""
    folder = tmp_path / "files"
    folder.mkdir()
    run_cli.fill(folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def network_recorder(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """The library that records name lookups of a process; None where it cannot be built."""
    return network_log.build(tmp_path_factory.mktemp("recorder"))


@pytest.fixture
def run_watched(
    home: Path, network_recorder: Path | None, tmp_path: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in a process of its own; it must leave the home empty and look up no name."""
    program = "import sys; from underpaint.cli import main; sys.exit(main())"
    log = tmp_path / "network.log"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        variables = os.environ | network_log.environment(network_recorder, log)
        command = [sys.executable, "-c", program, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=variables)
        assert list(home.iterdir()) == []
        assert not log.exists(), log.read_text()
        return done

    return run
