"""Messages in videos: what frames say together, whole files, and what is left when something fails."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from support.films import FRAMES, HEIGHT, WIDTH, planes, write_clip
from support.run_cli import run
from underpaint import api
from underpaint.api.video import MESSAGE_TRIAL
from underpaint.errors import (
    CapacityError,
    DamagedError,
    ImageError,
    MissingExtraError,
    NotFoundError,
    SurvivalError,
    UsageError,
)
from underpaint.media import samples, video
from underpaint.methods.robust import Robust
from underpaint.methods.video_message import VideoDecoder, VideoEmbedder
from underpaint.types import Image, Payload

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


class TestFrames:
    @staticmethod
    def marked(frames: list[Image], message: str = MESSAGE, passphrase: str | None = None) -> list[Image]:
        height, width = frames[0].shape
        writer = VideoEmbedder(height, width, Payload.from_text(message), passphrase)
        return [writer.paint(plane, writer.change(plane)) for plane in frames]

    def test_any_frame_has_the_message(self) -> None:
        for plane in self.marked(planes(4)):
            found = VideoDecoder(None).add(plane)
            assert found is not None
            assert found.text == MESSAGE

    @pytest.mark.parametrize("factor", [0.6, 1.7])
    def test_a_frame_of_another_size_has_it(self, factor: float) -> None:
        (plane,) = self.marked(planes(1))
        size = (round(factor * WIDTH), round(factor * HEIGHT))
        found = VideoDecoder(None).add(np.asarray(Pillow.fromarray(plane).resize(size, Pillow.Resampling.BICUBIC)))
        assert found == Payload.from_text(MESSAGE)

    def test_a_frame_saved_as_a_picture_has_it_too(self) -> None:
        (plane,) = self.marked(planes(1))
        assert Robust().reveal(np.repeat(plane[..., None], 3, axis=2), None).text == MESSAGE

    def test_what_no_frame_says_alone_they_say_together(self) -> None:
        rng = np.random.default_rng(1)
        reader, frames = VideoDecoder(None), self.marked(planes(16))
        noisy = [np.clip(plane + rng.normal(0, 13, plane.shape), 0, 255).astype(np.uint8) for plane in frames]
        assert VideoDecoder(None).add(noisy[0]) is None
        assert [reader.add(plane) for plane in noisy][-1] == Payload.from_text(MESSAGE)

    def test_another_passphrase_finds_nothing(self) -> None:
        reader = VideoDecoder("other")
        for plane in self.marked(planes(4), passphrase="secret"):
            assert reader.add(plane) is None
        with pytest.raises(NotFoundError):
            reader.end()

    def test_what_is_beyond_repair_is_said_to_be_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def altered(*_: object) -> Payload:
            raise NotFoundError("its tag is wrong")

        monkeypatch.setattr("underpaint.methods.video_message.frame.open_compact", altered)
        reader = VideoDecoder(None)
        assert reader.add(self.marked(planes(1))[0]) is None
        with pytest.raises(DamagedError):
            reader.end()

    def test_many_frames_without_a_mark_are_not_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("underpaint.methods.video_message.TOGETHER", 4)
        reader = VideoDecoder(None)
        for plane in planes(6):
            assert reader.add(plane) is None
        assert reader.add(self.marked(planes(1))[0]) is None  # one of three is not asked
        assert reader.end().text == MESSAGE

    def test_what_hardly_moves_does_not_flicker(self) -> None:
        plane = planes(1)[0]
        rng = np.random.default_rng(0)
        still = [(plane + rng.integers(0, 2, plane.shape)).astype(np.uint8) for _ in range(4)]
        changes = [after.astype(float) - before for before, after in zip(still, self.marked(still), strict=True)]
        assert max(np.abs(change - changes[0]).max() for change in changes) < np.abs(changes[0]).max() / 2

    def test_a_black_frame_stays_black(self) -> None:
        black = np.full((HEIGHT, WIDTH), 16, np.uint8)
        assert (self.marked([black])[0] == black).all()

    @pytest.mark.parametrize(("height", "width"), [(HEIGHT, WIDTH), (40, 40)])
    def test_what_does_not_fit_is_refused(self, height: int, width: int) -> None:
        with pytest.raises(CapacityError):
            VideoEmbedder(height, width, Payload(np.random.default_rng(0).bytes(300)), None)

    def test_the_psnr_asked_for_is_about_reached(self) -> None:
        writer = VideoEmbedder(HEIGHT, WIDTH, Payload.from_text("hi"), None, 42.0)
        errors = [np.square(writer.paint(p, writer.change(p)).astype(float) - p).mean() for p in planes()]
        assert 10 * np.log10(255**2 / np.mean(errors)) == pytest.approx(42, abs=0.7)


class TestFiles:
    @pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv", ".avi"])
    def test_the_message_comes_back_and_sound_stays(self, cover: Path, tmp_path: Path, extension: str) -> None:
        target = tmp_path / f"container{extension}"
        report = api.hide_file(cover, target, MESSAGE, passphrase="secret")
        assert report.method == "robust"
        assert report.warnings == ()
        assert api.reveal_file(target, passphrase="secret")[0].text == MESSAGE
        assert np.diff(times(target)) == pytest.approx(np.diff(times(cover)))
        assert packets(target) == packets(cover)
        with pytest.raises(NotFoundError):
            api.reveal_file(target)

    def test_sound_that_a_file_cannot_hold_is_left_out_with_a_warning(self, cover: Path, tmp_path: Path) -> None:
        report = api.hide_file(cover, tmp_path / "container.webm", MESSAGE)
        assert [warning for warning in report.warnings if "aac" in warning]
        assert api.reveal_file(tmp_path / "container.webm")[0].text == MESSAGE

    def test_uneven_times_and_rotation_stay(self, tmp_path: Path) -> None:
        uneven = [0, 4, 8, 20, 24, 40, 44, 50, 60, 80, 81, 90]
        source = write_clip(tmp_path / "phone.mp4", times=uneven, turned=90)
        api.hide_file(source, tmp_path / "container.mp4", MESSAGE)
        assert times(tmp_path / "container.mp4") == pytest.approx([each / 100 for each in uneven])
        with av.open(str(tmp_path / "container.mp4")) as file:
            assert next(file.decode(video=0)).rotation == 90

    def test_a_part_that_was_encoded_again_has_it(self, cover: Path, tmp_path: Path) -> None:
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

    def test_a_message_that_cannot_be_read_back_leaves_no_file(
        self, cover: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("underpaint.methods.video_message._FLAT", 1000.0)
        (tmp_path / "container.mp4").write_bytes(b"old")
        with pytest.raises(SurvivalError):
            api.hide_file(cover, tmp_path / "container.mp4", MESSAGE, force=True)
        assert sorted(each.name for each in tmp_path.iterdir()) == ["container.mp4", "cover.mp4"]
        assert (tmp_path / "container.mp4").read_bytes() == b"old"

    @pytest.mark.parametrize("when", ["hiding", "reading back"])
    def test_ctrl_c_leaves_no_file(self, cover: Path, tmp_path: Path, when: str) -> None:
        def stop(what: str, _share: float) -> None:
            if what == when:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            api.hide_file(cover, tmp_path / "container.mp4", MESSAGE, progress=stop)
        assert [each.name for each in tmp_path.iterdir()] == ["cover.mp4"]

    def test_progress_goes_from_nothing_to_all(self, cover: Path, tmp_path: Path) -> None:
        told: list[tuple[str, float]] = []
        api.hide_file(
            cover, tmp_path / "container.mp4", MESSAGE, progress=lambda what, share: told.append((what, share))
        )
        assert {what for what, _ in told} == {"hiding", "reading back"}
        assert told[-1] == ("reading back", 1.0)
        assert all(0 <= share <= 1 for _, share in told)

    @pytest.mark.parametrize("content", [b"", b"no video at all", None])
    def test_a_bad_file_is_an_error(self, cover: Path, tmp_path: Path, content: bytes | None) -> None:
        bad = tmp_path / "bad.mp4"
        bad.write_bytes(cover.read_bytes()[:3000] if content is None else content)
        for call in (lambda: api.reveal_file(bad), lambda: api.hide_file(bad, tmp_path / "out.mp4", MESSAGE)):
            with pytest.raises(ImageError, match="cannot read"):
                call()
        assert not (tmp_path / "out.mp4").exists()

    def test_a_missing_file_or_folder_is_an_error(self, cover: Path, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match="cannot read"):
            api.reveal_file(tmp_path / "none.mp4")
        with pytest.raises(ImageError, match="cannot write"):
            api.hide_file(cover, tmp_path / "none" / "out.mp4", MESSAGE)

    def test_what_an_encoder_refuses_is_an_error(
        self, cover: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(video, "_X264", ("libx264", {"preset": "none of these"}))
        with pytest.raises(ImageError, match=r"cannot write .*out\.mp4"):
            api.hide_file(cover, tmp_path / "out.mp4", MESSAGE)
        assert [each.name for each in tmp_path.iterdir()] == ["cover.mp4"]

    def test_sound_alone_is_no_video(self, tmp_path: Path) -> None:
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
    def test_settings_of_pictures_are_refused(self, cover: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
        with pytest.raises(UsageError, match="a video takes no --"):
            api.hide_file(cover, tmp_path / "out.mp4", MESSAGE, **settings)

    def test_a_picture_does_not_become_a_video(self, cover: Path, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="is no video"):
            api.hide_file(samples.path("chelsea"), tmp_path / "out.mp4", MESSAGE)
        with pytest.raises(UsageError, match="is no video"):
            api.hide_file(cover, tmp_path / "out.png", MESSAGE)
        with pytest.raises(UsageError, match="the output is the input"):
            api.hide_file(cover, cover, MESSAGE, force=True)

    def test_without_pyav_the_extra_is_named(self, cover: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "av", None)
        with pytest.raises(MissingExtraError) as caught:
            api.reveal_file(cover)
        assert caught.value.hint == "pip install 'underpaint[video]'"


def test_command_line(cover: Path, tmp_path: Path) -> None:
    target = str(tmp_path / "sent.mp4")
    hidden = run("hide", str(cover), "-m", MESSAGE, "-o", target, "--json")
    assert json.loads(hidden.stdout)["method"] == "robust"
    assert run("reveal", target).stdout.decode() == MESSAGE
    refused = run("hide", str(cover), "-i", str(samples.path("chelsea")), "-o", target, "--force")
    assert refused.status != 0
    assert "take a longer video or a smaller picture" in refused.stderr


def test_progress_is_one_line_of_a_terminal_and_gone_in_the_end(cover: Path, tmp_path: Path) -> None:
    target = str(tmp_path / "sent.mp4")
    shown = run("hide", str(cover), "-m", MESSAGE, "-o", target, terminal=True).stderr
    assert "hiding 50%" in shown
    progress, _, said = shown.rpartition("\r")
    assert "\n" not in progress
    assert said.startswith("hid 8 bytes by robust in ")
    assert run("hide", str(cover), "-m", MESSAGE, "-o", target, "--force").stderr.startswith("hid 8 bytes")
