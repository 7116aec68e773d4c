"""Hundreds of damaged files and wrong usages: each ends in one error line, and no file is written or changed."""

from __future__ import annotations

import shlex
from itertools import cycle, product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from support import run_cli
from support.run_cli import run
from underpaint import media

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PIXELS = np.random.default_rng(5).integers(0, 256, (40, 48, 3), dtype=np.uint8)
#: Damages of an image file.
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda _: b"",
    "one-byte": lambda data: data[:1],
    "signature": lambda data: data[:12],
    "cut-early": lambda data: data[:40],
    "half": lambda data: data[: len(data) // 2],
    "without-header": lambda data: data[len(data) // 3 :],
    "garbled": lambda data: data[:13] + bytes(byte ^ 0x5A for byte in data[13:120]) + data[120:],
}
DAMAGED = {f"{damage}.{kind}": (damage, kind) for damage, kind in product(DAMAGES, media.FORMATS)}
#: Commands that read an image; BAD stands for the damaged one.
READERS = (
    "reveal BAD -o out.bin",
    "capacity BAD",
    "hide BAD -o out.png -m hello",
    "hide BAD -o out.png -f report.bin",
    "attack BAD jpeg:50 -o out.png",
    "compare cover.png BAD",
    "inspect BAD",
)
CHAINS = (
    *("", " ", "|", "jpeg:50 |", "| jpeg:50", "jpeg:50 resize:0.5", "jpeg:50;", "jpeg=50", "fax", "x" * 5000, "\0"),
    *("jpeg", "jpeg:", "jpeg:0", "jpeg:101", "jpeg:-5", "jpeg:50.5", "jpeg:high", "jpeg:nan", "jpeg:" + "9" * 5000),
    *("jpeg:50,60,70", "jpeg:50,subsampling=411", "jpeg:50,colour=1", "jpeg:quality=", "webp:1000", "avif:-1"),
    *("resize:0", "resize:-1", "resize:inf", "noise:nan", "noise:-0.1", "rotate:x", "crop:0"),
)
#: Options of hide that are wrong, or that fail.
HIDES = (
    *(f"-o out{extension} -m hello" for extension in ("", ".", ".gif", ".txt", ".png.zip", ".heic", ".PNG~")),
    *(f"-o out{extension} -f large.bin" for extension in (".jpg", ".jpeg", ".avif", ".JPG")),
    *(f"-o out.{kind} -m hello --quality 80" for kind in ("png", "bmp", "tiff")),
    *(f"-o out.jpg -m hello --quality {quality}" for quality in (0, -1, 101, 50.5, "high", "''", 10**30)),
    *(f"-o out.webp -f large.bin --quality {quality}" for quality in (1, 50, 100)),
    *(f"-o out.png -m hello --psnr {psnr}" for psnr in (0, -40, 500, "nan", "inf", "-inf", "loud", "''")),
    *(f"-o out.png -f large.bin --{setting}" for setting in ("psnr 40", "survive jpeg:50")),
    *(f"-o out.png -m hello --method {name}" for name in ("STDM", "smtd", "''", "all", "../lsb")),
    *(f"-o out.png -f {file}" for file in ("missing", ".", "''", "cover.png/x", "large.bin")),
    *(f"-o {target} -m hello" for target in ("''", ".", "missing/out.png", "cover.png/out.png", "file.png")),
    *(f"-o out.png -m hello --passphrase-file {file}" for file in ("missing", ".", "empty.png", "latin1.txt", "''")),
    *("", "-o out.png", "-m hello", "-f report.bin", "-o -m hello", "-o out.png -m", "-o out.png -f", "-o out.png x"),
    *("-o out.png -m hello -f report.bin", "-o out.png -f - -m hello", "-o out.png -m a -m", "-o - -m hello --json"),
    *("-o cover.png -m hello", "-o cover.png -m hello --force", "-o report.bin -f report.bin --force"),
    *("-o out.png -m hello -p", "-o out.png -m hello -p --passphrase-file passphrase.txt"),
    *("-o out.png -m hello --passphrase=secret", "-o out.png -m hello --frobnicate"),
)
USAGES = (
    *("hidden", "''", "-", "--frobnicate", "hide", "reveal", "capacity", "attack", "compare", "inspect", "zoo a b"),
    *(f"reveal {name}" for name in ("''", ".", "/dev/null", "cover.jpg", "faded.png", "small.png", "tiny.png")),
    *(
        "reveal cover.png file.png",
        "reveal -p cover.png",
        "reveal cover.png --method lsb",
        "reveal cover.png --method x",
    ),
    *(f"reveal file.png -o {target}" for target in ("''", ".", "missing/out.bin", "report.bin", "file.png --force")),
    *(
        "reveal locked.png",
        "reveal locked.png --passphrase-file other.txt",
        "reveal file.png --passphrase-file other.txt",
    ),
    *("capacity cover.png small.png", "capacity -", "capacity tiny.png", "capacity report.bin", "capacity ."),
    *(
        "attack cover.png",
        "attack cover.png jpeg:50",
        "attack jpeg:50 cover.png -o out.png",
        "attack - jpeg:50 -o out.png",
    ),
    *(
        f"attack cover.png jpeg:50 -o {target}"
        for target in ("out.gif", "small.png", "missing/x.png", "cover.png --force")
    ),
    *(f"attack cover.png jpeg:50 -o out.png --seed {seed}" for seed in (-1, 1.5, "x", "''")),
    *(
        "compare cover.png",
        "compare cover.png small.png",
        "compare tiny.png tiny.png",
        "compare cover.png -",
        "compare - -",
        "inspect - -",
        "inspect ''",
        "inspect pictures/none",
    ),
    *("zoo nothing", "zoo ../zoo", "zoo ''"),
)


def cases() -> Iterator[str]:
    """Yield every command; the damaged images go to the reading commands in turn."""
    for name, reader in zip(DAMAGED, cycle(READERS), strict=False):
        yield reader.replace("BAD", name)
    for reader, name in product(READERS, ("empty.png", "text.png", "cut.png", "huge.png", "missing.png")):
        yield reader.replace("BAD", name)
    for chain in CHAINS:
        yield f"attack cover.png {shlex.quote(chain)} -o out.png"
        yield f"hide cover.png -o out.png -m hello --survive {shlex.quote(chain)}"
    yield from (f"hide cover.png {options}" for options in HIDES)
    yield from USAGES


CASES = sorted(set(cases()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with all files, damaged ones too; shared by all cases, since no command may change a file."""
    folder = tmp_path_factory.mktemp("malformed")
    run_cli.fill(folder)
    for name, (damage, kind) in DAMAGED.items():
        (folder / name).write_bytes(DAMAGES[damage](media.encode(media.Picture(PIXELS), kind)))
    return folder


def test_there_are_hundreds_of_cases() -> None:
    assert len(CASES) >= 200


@pytest.mark.parametrize("command", CASES, ids=lambda command: command[:70])
def test_an_error_is_one_line_and_a_hint_and_changes_no_file(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def list_files() -> dict[str, tuple[int, int]]:
        return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.iterdir()}

    monkeypatch.chdir(folder)
    before = list_files()
    outcome = run(*shlex.split(command))
    assert outcome.status in (1, 2, 3)
    first, *rest = outcome.stderr.splitlines()
    assert first.startswith("underpaint: error: ")
    assert [line[:18] for line in rest] in ([], ["underpaint: hint: "])
    assert "Traceback" not in outcome.stderr
    assert list_files() == before
