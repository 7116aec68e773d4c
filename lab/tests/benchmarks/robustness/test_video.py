"""Tables on videos: a message and a picture behind every codec."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.films import FRAMES, HEIGHT, WIDTH, planes, write_clip
from underpaint.methods.video_picture import GROUP
from underpaint_lab.benchmarks.robustness import video as bench

PICTURE_FRAMES = 5 * GROUP * 2


@pytest.fixture
def cover(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "cover.mp4", sound="aac")


def test_a_message_is_revealed_behind_a_codec(
    cover: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "CODECS", {"h264": ("libx264", {"crf": "23"}, 1.0)})
    bench.main([str(cover)])
    facts, _, _, _, row, _, picture, _ = capsys.readouterr().out.splitlines()
    assert facts.startswith(f"cover: {FRAMES} frames")
    assert row.startswith("| h264 | ")
    assert "| exact | 1 of 1 exact |" in row
    assert "does not fit" in picture


def test_a_message_that_is_not_there_needs_no_frames() -> None:
    assert bench.frames_needed(planes(3)) == 0


def test_a_picture_is_revealed_behind_a_codec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cover = write_clip(tmp_path / "cover.mp4", sound="aac", count=PICTURE_FRAMES)
    monkeypatch.setattr(bench, "CODECS", {"h264": ("libx264", {"crf": "23"}, None)})
    for name, size in {"SIDE": 32, "WIDTH": WIDTH, "HEIGHT": HEIGHT}.items():
        monkeypatch.setattr(bench, name, size)
    facts, _, _, _, row = bench.picture_table(cover, tmp_path / "container.mp4")
    assert facts.startswith("a picture of 32×32 in ")
    assert row.endswith("| exact |")
