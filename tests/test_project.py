"""Rules for the repository: no private places, short modules, described channels and samples, pinned packages."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from underpaint.channels import CHANNELS, PRESETS
from underpaint.media import samples

ROOT = Path(__file__).parents[1]
MAX_LINES = 350
MAX_SAMPLE_BYTES = 1_200_000
#: Places on one machine, and package sources of one network. Spelled so that this file does not match itself.
PRIVATE = re.compile(
    r"""(?<![\w.])/(?:work|tmp|root|home|Users|opt|var)/   # where somebody's files lie
      | (?:extra-)?index-url | find-links | file:/{2}/      # where somebody's packages come from
      | (?:localhost|\b127\.0\.0\.1|\b10\.\d+\.\d+\.\d+):\d""",
    re.VERBOSE,
)


def tracked() -> list[Path]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [file for file in files if file.is_file()]


def test_no_private_place_is_tracked() -> None:
    found = []
    for file in tracked():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        if file != Path(__file__):
            found += [f"{file.relative_to(ROOT)}: {match.group()}" for match in PRIVATE.finditer(text)]
    assert not found


def test_modules_are_short() -> None:
    modules = [file for file in tracked() if file.suffix == ".py"]
    lengths = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in modules}
    assert not {name: length for name, length in lengths.items() if length > MAX_LINES}


def test_every_channel_is_described() -> None:
    page = (ROOT / "docs" / "reference" / "channels.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `.+", page, re.MULTILINE)
    bar = r"\|"
    expected = [f"| `{each.usage().replace('|', bar)}` | {each.definition()} |" for each in CHANNELS.values()]
    assert rows == expected


def test_every_preset_is_described() -> None:
    page = (ROOT / "docs" / "reference" / "channels.md").read_text(encoding="utf-8")
    bar = r"\|"
    for name, preset in PRESETS.items():
        assert f"| **{name}** | `{preset.chain.replace('|', bar)}` | {preset.source} |\n" in page


def test_samples_are_the_ones_described() -> None:
    described = (samples.FOLDER / "README.md").read_text(encoding="utf-8")
    for name in samples.names():
        file = samples.path(name)
        assert f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}" in described
    assert sum(file.stat().st_size for file in samples.FOLDER.iterdir() if file.is_file()) < MAX_SAMPLE_BYTES


def test_every_package_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    projects = [ROOT / "pyproject.toml", ROOT / "lab" / "pyproject.toml"]
    needed = {name for file in projects for name in re.findall(r'"([a-z-]+)>=', file.read_text(encoding="utf-8"))}
    assert needed <= pinned
