"""Pictures in videos: any part that is long enough reveals the picture, in frames and in whole files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from support.films import HEIGHT, WIDTH, planes, write_clip
from support.run_cli import run
from underpaint import api, media, metrics
from underpaint.api import PicturePayload
from underpaint.errors import CapacityError, DamagedError, NotFoundError, SurvivalError
from underpaint.media import video
from underpaint.methods import video_picture
from underpaint.methods.video_frames import FrameEmbedder
from underpaint.methods.video_message import VideoDecoder
from underpaint.methods.video_picture import GROUP, PacketDecoder, PacketEmbedder
from underpaint.types import Payload

if TYPE_CHECKING:
    from pathlib import Path

    from underpaint.types import Image

PICTURE = Payload(np.random.default_rng(0).bytes(200), "picture")  # two packets
LONG = 5 * GROUP


@pytest.fixture(scope="module")
def marked() -> list[Image]:
    embedder = PacketEmbedder(HEIGHT, WIDTH, PICTURE, None)
    return [embedder.paint(plane, embedder.change(plane)) for plane in planes(LONG)]


def decode(frames: list[Image], passphrase: str | None = None) -> Payload:
    decoder = PacketDecoder(passphrase)
    for plane in frames:
        decoder.add(plane)
    return decoder.end()


class TestFrames:
    def test_all_frames_reveal_the_payload(self, marked: list[Image]) -> None:
        assert decode(marked) == PICTURE

    @pytest.mark.parametrize("start", [0, 3, 13])
    def test_a_part_that_is_long_enough_reveals_the_payload(self, marked: list[Image], start: int) -> None:
        assert decode(marked[start : start + 3 * GROUP - 2]) == PICTURE

    def test_missing_frames_do_not_matter(self, marked: list[Image]) -> None:
        assert decode(marked[:11] + marked[14:]) == PICTURE

    def test_groups_are_decoded_while_frames_arrive(self, marked: list[Image], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(video_picture, "GROUPS_TOGETHER", 2)
        decoder = PacketDecoder(None)
        found = [decoder.add(plane) for plane in marked]
        assert found[0] is None
        assert found[-1] == decoder.end() == PICTURE
        assert decoder.waiting <= 2 * GROUP

    def test_noisy_frames_of_a_group_are_decoded_together(self, marked: list[Image]) -> None:
        rng = np.random.default_rng(1)
        noisy = [np.clip(plane + rng.normal(0, 8, plane.shape), 0, 255).astype(np.uint8) for plane in marked]
        assert decode(noisy) == PICTURE
        with pytest.raises((DamagedError, NotFoundError)):
            decode(noisy[::GROUP])

    def test_too_few_packets_are_damaged(self, marked: list[Image]) -> None:
        with pytest.raises(DamagedError, match="1 packets of 2 needed"):
            decode(marked[:GROUP])

    def test_another_passphrase_reveals_nothing(self, marked: list[Image]) -> None:
        with pytest.raises(NotFoundError):
            decode(marked[:GROUP], "other")

    def test_the_decoder_of_messages_finds_nothing(self, marked: list[Image]) -> None:
        decoder = VideoDecoder(None)
        assert not any(decoder.add(plane) for plane in marked[:4])
        with pytest.raises(NotFoundError):
            decoder.end()

    def test_packets_are_repeated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(video_picture, "PACKETS", 3)
        embedder = PacketEmbedder(HEIGHT, WIDTH, PICTURE, "secret")
        frames = [embedder.paint(plane, embedder.change(plane)) for plane in planes(5 * GROUP)]
        assert decode(frames[3 * GROUP :], "secret") == PICTURE

    def test_small_frames_and_large_payloads_are_refused(self) -> None:
        with pytest.raises(CapacityError, match="too small"):
            video_picture.room(HEIGHT, 100, 1000)
        with pytest.raises(CapacityError, match="do not fit"):
            PacketEmbedder(HEIGHT, WIDTH, Payload(bytes(np.random.default_rng(0).bytes(40000)), "picture"), None)

    def test_longer_videos_have_more_room(self) -> None:
        rooms = [video_picture.room(HEIGHT, WIDTH, count) for count in (0, 40, 400, 4000, 40000)]
        assert rooms[0] < 0 < rooms[1] < rooms[2] < rooms[3] == rooms[4]


class TestFiles:
    @pytest.fixture
    def secret(self, tmp_path: Path) -> Path:
        y, x = np.mgrid[:12, :12]
        picture = np.stack([18 * x, 18 * y, 8 * (x + y)], axis=2).astype(np.uint8)
        (tmp_path / "secret.png").write_bytes(media.encode(media.Picture(picture), "png"))
        return tmp_path / "secret.png"

    @pytest.fixture
    def cover(self, tmp_path: Path) -> Path:
        return write_clip(tmp_path / "cover.mp4", sound="aac", count=LONG)

    def test_the_picture_is_revealed_and_sound_is_kept(self, cover: Path, secret: Path, tmp_path: Path) -> None:
        target = tmp_path / "container.mp4"
        report = api.hide_file(cover, target, PicturePayload.read(secret), passphrase="secret")
        assert report.method == "robust"
        assert report.warnings == ()
        assert report.compression is not None
        payload, _, _ = api.reveal_file(target, passphrase="secret")
        assert payload.kind == "picture"
        revealed = media.decode(payload.data).pixels
        assert metrics.apd(revealed, media.read(secret).pixels) < 10
        with video.open_video(target) as file:
            assert file.streams.audio
        with pytest.raises(NotFoundError):
            api.reveal_file(target)

    def test_a_video_that_is_too_short_is_refused_with_a_hint(self, secret: Path, tmp_path: Path) -> None:
        short = write_clip(tmp_path / "short.mp4")
        with pytest.raises(CapacityError, match="12 frames have room for 0 bytes") as caught:
            api.hide_file(short, tmp_path / "container.mp4", PicturePayload.read(secret))
        assert caught.value.hint == "take a longer video or a smaller picture"
        assert sorted(each.name for each in tmp_path.iterdir()) == ["secret.png", "short.mp4"]

    def test_a_container_that_cannot_be_revealed_leaves_no_file(
        self, cover: Path, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(FrameEmbedder, "change", lambda *_: None)
        with pytest.raises(SurvivalError):
            api.hide_file(cover, tmp_path / "container.mp4", PicturePayload.read(secret))
        assert not (tmp_path / "container.mp4").exists()

    def test_the_command_line_hides_and_reveals(self, cover: Path, secret: Path, tmp_path: Path) -> None:
        target, out = str(tmp_path / "sent.mp4"), str(tmp_path / "back.png")
        hidden = run("hide", str(cover), "-i", str(secret), "-o", target, "--json")
        assert json.loads(hidden.stdout)["compression"]
        assert run("reveal", target, "-o", out).status == 0
        assert media.read(out).pixels.shape == media.read(secret).pixels.shape
