"""Hiding in video files: the message is revealed, other streams stay, a failure leaves no file behind."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from support.films import FRAMES, HEIGHT, WIDTH, write_clip
from support.run_cli import run
from underpaint import api
from underpaint.api.video import MESSAGE_TRIAL
from underpaint.errors import (
    ImageError,
    MissingExtraError,
    NotFoundError,
    SurvivalError,
    UsageError,
)
from underpaint.media import samples, video
from underpaint.methods.video_message import VideoDecoder

MESSAGE = "8 bytes!"


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(audio=0) if packet.size]


def times(path: Path) -> list[float]:
    with av.open(str(path)) as file:
        return [round(float(frame.time or 0), 3) for frame in file.decode(video=0)]


@pytest.fixture
def cover(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "cover.mp4", sound="aac")


@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv", ".avi"])
def test_the_message_is_revealed_and_sound_and_times_stay(cover: Path, tmp_path: Path, extension: str) -> None:
    target = tmp_path / f"container{extension}"
    report = api.hide_file(cover, target, MESSAGE, passphrase="secret")
    assert report.method == "robust"
    assert report.warnings == ()
    assert api.reveal_file(target, passphrase="secret")[0].text == MESSAGE
    assert np.diff(times(target)) == pytest.approx(np.diff(times(cover)))
    assert packets(target) == packets(cover)
    with pytest.raises(NotFoundError):
        api.reveal_file(target)


def test_sound_that_the_format_cannot_hold_is_left_out_with_a_warning(cover: Path, tmp_path: Path) -> None:
    report = api.hide_file(cover, tmp_path / "container.webm", MESSAGE)
    assert [warning for warning in report.warnings if "aac" in warning]
    assert api.reveal_file(tmp_path / "container.webm")[0].text == MESSAGE


def test_uneven_times_and_rotation_stay(tmp_path: Path) -> None:
    uneven = [0, 4, 8, 20, 24, 40, 44, 50, 60, 80, 81, 90]
    source = write_clip(tmp_path / "phone.mp4", times=uneven, turned=90)
    api.hide_file(source, tmp_path / "container.mp4", MESSAGE)
    assert times(tmp_path / "container.mp4") == pytest.approx([each / 100 for each in uneven])
    with av.open(str(tmp_path / "container.mp4")) as file:
        assert next(file.decode(video=0)).rotation == 90


def test_a_recompressed_part_of_the_video_reveals_the_message(cover: Path, tmp_path: Path) -> None:
    report = api.hide_file(cover, tmp_path / "container.mp4", MESSAGE)
    assert report.survives == MESSAGE_TRIAL.name
    reader = VideoDecoder(None)
    with video.open_video(tmp_path / "container.mp4") as file:
        resent = video.Transcoder(WIDTH, HEIGHT, 10, "libx264", {"crf": "28"})
        part = list(video.frames(file))[FRAMES // 2 :]
        for frame in (each for sent in [*part, None] for each in resent.send(sent)):
            reader.add(video.luma(frame))
    assert reader.end().text == MESSAGE
    assert resent.bits > 0


def test_a_message_that_is_not_revealed_leaves_the_old_file(
    cover: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("underpaint.api.video.VideoEmbedder.paint", lambda _embedder, plane, _change: plane)
    (tmp_path / "container.mp4").write_bytes(b"old")
    with pytest.raises(SurvivalError):
        api.hide_file(cover, tmp_path / "container.mp4", MESSAGE, force=True)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["container.mp4", "cover.mp4"]
    assert (tmp_path / "container.mp4").read_bytes() == b"old"


@pytest.mark.parametrize("when", ["hiding", "reading back"])
def test_ctrl_c_leaves_no_file(cover: Path, tmp_path: Path, when: str) -> None:
    def stop(what: str, _share: float) -> None:
        if what == when:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        api.hide_file(cover, tmp_path / "container.mp4", MESSAGE, progress=stop)
    assert [each.name for each in tmp_path.iterdir()] == ["cover.mp4"]


def test_progress_ends_at_one(cover: Path, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    api.hide_file(cover, tmp_path / "container.mp4", MESSAGE, progress=lambda what, share: told.append((what, share)))
    assert {what for what, _ in told} == {"hiding", "reading back"}
    assert told[-1] == ("reading back", 1.0)
    assert all(0 <= share <= 1 for _, share in told)


@pytest.mark.parametrize("content", [b"", b"no video at all", None])
def test_a_broken_file_is_refused(cover: Path, tmp_path: Path, content: bytes | None) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(cover.read_bytes()[:3000] if content is None else content)
    for call in (lambda: api.reveal_file(bad), lambda: api.hide_file(bad, tmp_path / "out.mp4", MESSAGE)):
        with pytest.raises(ImageError, match=r"cannot read .*bad\.mp4: [a-z]"):
            call()
    assert not (tmp_path / "out.mp4").exists()


def test_a_missing_file_or_folder_is_refused(cover: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot read"):
        api.reveal_file(tmp_path / "none.mp4")
    with pytest.raises(ImageError, match="cannot write"):
        api.hide_file(cover, tmp_path / "none" / "out.mp4", MESSAGE)


class RefusingFile:
    """A file that FFmpeg does not write to."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def mux(self, *_: object) -> None:
        raise av.error.InvalidDataError(1094995529, "Invalid data found when processing input")


def test_a_failure_of_the_encoder_is_an_image_error(
    cover: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_file = av.open

    def opened(file: str, mode: str = "r", **options: Any) -> Any:
        container = open_file(file, mode, **options)  # type: ignore[call-overload]
        return RefusingFile(container) if mode == "w" else container

    monkeypatch.setattr(av, "open", opened)
    with pytest.raises(ImageError, match=r"cannot write .*out\.mp4: invalid data found"):
        api.hide_file(cover, tmp_path / "out.mp4", MESSAGE)
    assert [each.name for each in tmp_path.iterdir()] == ["cover.mp4"]


def test_a_file_with_sound_alone_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mkv"), "w") as file:
        audio: Any = file.add_stream("pcm_s16le", rate=8000, layout="mono")
        block = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        block.sample_rate = 8000
        file.mux(audio.encode(block))
        file.mux(audio.encode(None))
    with pytest.raises(ImageError, match="no video"):
        api.reveal_file(tmp_path / "sound.mkv")


@pytest.mark.parametrize(
    "settings",
    [{"method": "stdm"}, {"survive": "jpeg:50"}, {"quality": 50}, {"machine_safe": True}, {"check": True}],
    ids=lambda each: next(iter(each)),
)
def test_settings_of_pictures_are_refused(cover: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="a video takes no --"):
        api.hide_file(cover, tmp_path / "out.mp4", MESSAGE, **settings)


def test_cover_and_container_are_both_videos_or_both_pictures(cover: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no video"):
        api.hide_file(samples.path("chelsea"), tmp_path / "out.mp4", MESSAGE)
    with pytest.raises(UsageError, match="is no video"):
        api.hide_file(cover, tmp_path / "out.png", MESSAGE)
    with pytest.raises(UsageError, match="the output is the input"):
        api.hide_file(cover, cover, MESSAGE, force=True)


def test_without_pyav_the_error_names_the_extra(cover: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError) as caught:
        api.reveal_file(cover)
    assert caught.value.hint == "from a checkout of the project: pip install '.[video]'"


def test_the_command_line_hides_and_reveals_a_message_in_a_video(cover: Path, tmp_path: Path) -> None:
    target = str(tmp_path / "sent.mp4")
    hidden = run("hide", str(cover), "-m", MESSAGE, "-o", target, "--json")
    assert json.loads(hidden.stdout)["method"] == "robust"
    assert run("reveal", target).stdout.decode() == MESSAGE
    refused = run("hide", str(cover), "-i", str(samples.path("chelsea")), "-o", target, "--force")
    assert refused.status != 0
    assert "take a longer video or a smaller picture" in refused.stderr


def test_a_terminal_shows_progress_on_one_line_that_is_erased_at_the_end(cover: Path, tmp_path: Path) -> None:
    target = str(tmp_path / "sent.mp4")
    shown = run("hide", str(cover), "-m", MESSAGE, "-o", target, terminal=True).stderr
    assert "hiding 50%" in shown
    progress, _, said = shown.rpartition("\r")
    assert "\n" not in progress
    assert said.startswith("hid 8 bytes by robust in ")
    assert run("hide", str(cover), "-m", MESSAGE, "-o", target, "--force").stderr.startswith("hid 8 bytes")
