"""Just noticeable difference of a picture file: the files that are asked for, and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.machine_models import Generator, generator
from underpaint import api, media, metrics
from underpaint.errors import UsageError

__all__ = ["generator"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(20, 60, (64, 80, 3), dtype=np.uint8)
    media.write(media.Picture(pixels), tmp_path / "in.png")
    return tmp_path / "in.png"


def test_all_files_are_written(generator: Generator, source: Path, tmp_path: Path) -> None:
    out, apply, attention, compress = (tmp_path / f"{name}.png" for name in ("map", "out", "attention", "small"))
    report = api.jnd_file(source, out, apply=apply, attention=attention, compress=compress, psnr=24)
    before, after = (media.read(file).pixels for file in (source, apply))
    assert np.array_equal(media.read(out).pixels, np.abs(after.astype(int) - before))
    assert metrics.psnr(before, after) == pytest.approx(report.psnr, abs=1e-6)
    assert media.read(attention).pixels.shape == before.shape
    assert set(report.savings) == {"jpeg", "webp", "png"}
    assert compress.stat().st_size == report.savings["png"].after
    assert report.labels == {"mobile": (0, 0), "resnet": (0, 0)}
    assert 0 < report.mean < report.largest
    assert report.warnings == ()


def test_a_lossy_file_is_a_warning(generator: Generator, source: Path, tmp_path: Path) -> None:
    (warning,) = api.jnd_file(source, apply=tmp_path / "out.jpg", psnr=24).warnings
    assert warning.startswith("jpeg is lossy")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"out": "old.png"}, "is a file already"),
        ({"out": "in.png", "force": True}, "the output is the input"),
        ({"out": "new.png", "apply": "new.png"}, "two outputs are one file"),
        ({}, "nothing to write"),
        ({"out": "new.png", "quality": 0}, "quality"),
        ({"out": "new.png", "psnr": 7.9}, "out of range"),
    ],
)
def test_invalid_arguments_are_refused(
    generator: Generator, source: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], match: str
) -> None:
    monkeypatch.chdir(source.parent)
    Path("old.png").write_bytes(b"")
    with pytest.raises(UsageError, match=match):
        api.jnd_file("in.png", **arguments)
    assert not Path("new.png").exists()
