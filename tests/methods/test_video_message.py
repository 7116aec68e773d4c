"""Messages in the luma planes of video frames."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from support.films import HEIGHT, WIDTH, planes
from underpaint.errors import CapacityError, DamagedError, NotFoundError
from underpaint.methods import video_frames
from underpaint.methods.robust import Robust
from underpaint.methods.video_message import VideoDecoder, VideoEmbedder
from underpaint.types import Image, Payload

MESSAGE = "8 bytes!"


def marked(frames: list[Image], message: str = MESSAGE, passphrase: str | None = None) -> list[Image]:
    height, width = frames[0].shape
    writer = VideoEmbedder(height, width, Payload.from_text(message), passphrase)
    return [writer.paint(plane, writer.change(plane)) for plane in frames]


def test_a_single_frame_reveals_the_message() -> None:
    for plane in marked(planes(4)):
        found = VideoDecoder(None).add(plane)
        assert found is not None
        assert found.text == MESSAGE


@pytest.mark.parametrize("factor", [0.6, 1.7])
def test_a_resized_frame_reveals_the_message(factor: float) -> None:
    (plane,) = marked(planes(1))
    size = (round(factor * WIDTH), round(factor * HEIGHT))
    found = VideoDecoder(None).add(np.asarray(Pillow.fromarray(plane).resize(size, Pillow.Resampling.BICUBIC)))
    assert found == Payload.from_text(MESSAGE)


def test_turned_mirrored_frames_with_bars_reveal_the_message() -> None:
    decoder = VideoDecoder(None)
    (plane,) = marked(planes(1))
    moved = np.pad(np.rot90(plane[:, ::-1]), ((9, 9), (0, 0)), constant_values=16)
    assert decoder.add(np.ascontiguousarray(moved)) is None
    assert decoder.end().text == MESSAGE


def test_robust_reveals_the_message_from_a_frame_saved_as_a_picture() -> None:
    (plane,) = marked(planes(1))
    assert Robust().reveal(np.repeat(plane[..., None], 3, axis=2), None).text == MESSAGE


def test_noisy_frames_reveal_the_message_together() -> None:
    rng = np.random.default_rng(1)
    reader, frames = VideoDecoder(None), marked(planes(16))
    noisy = [np.clip(plane + rng.normal(0, 13, plane.shape), 0, 255).astype(np.uint8) for plane in frames]
    assert VideoDecoder(None).add(noisy[0]) is None
    assert [reader.add(plane) for plane in noisy][-1] == Payload.from_text(MESSAGE)


def test_another_passphrase_reveals_nothing() -> None:
    reader = VideoDecoder("other")
    for plane in marked(planes(4), passphrase="secret"):
        assert reader.add(plane) is None
    with pytest.raises(NotFoundError):
        reader.end()


def test_a_message_that_cannot_be_decoded_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    def altered(*_: object) -> Payload:
        raise NotFoundError("its tag is wrong")

    monkeypatch.setattr("underpaint.methods.video_frames.frame.open_compact", altered)
    reader = VideoDecoder(None)
    assert reader.add(marked(planes(1))[0]) is None
    with pytest.raises(DamagedError):
        reader.end()


def test_frames_without_a_message_are_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded_together: list[int] = []

    def decode_frames(bits: NDArray[np.float64], *arguments: Any) -> Payload | None:
        decoded_together.append(len(bits))
        return video_frames.decode_frames(bits, *arguments)

    monkeypatch.setattr("underpaint.methods.video_message.TOGETHER", 4)
    monkeypatch.setattr("underpaint.methods.video_message.decode_frames", decode_frames)
    reader = VideoDecoder(None)
    for plane in planes(6):
        assert reader.add(plane) is None
    assert reader.add(marked(planes(1))[0]) is None  # the third frame since then: decoding waits for the fourth
    assert reader.end().text == MESSAGE
    assert [count for count, _ in groupby(decoded_together)] == [1, 2, 4, 1, 2, 3]


def test_still_frames_change_alike() -> None:
    plane = planes(1)[0]
    rng = np.random.default_rng(0)
    still = [(plane + rng.integers(0, 2, plane.shape)).astype(np.uint8) for _ in range(4)]
    changes = [after.astype(float) - before for before, after in zip(still, marked(still), strict=True)]
    assert max(np.abs(change - changes[0]).max() for change in changes) < np.abs(changes[0]).max() / 2


def test_a_black_frame_stays_unchanged() -> None:
    black = np.full((HEIGHT, WIDTH), 16, np.uint8)
    assert (marked([black])[0] == black).all()


@pytest.mark.parametrize(("height", "width"), [(HEIGHT, WIDTH), (40, 40)])
def test_a_message_that_does_not_fit_is_refused(height: int, width: int) -> None:
    with pytest.raises(CapacityError):
        VideoEmbedder(height, width, Payload(np.random.default_rng(0).bytes(300)), None)


def test_the_mean_psnr_is_about_the_requested_one() -> None:
    writer = VideoEmbedder(HEIGHT, WIDTH, Payload.from_text("hi"), None, 42.0)
    errors = [np.square(writer.paint(p, writer.change(p)).astype(float) - p).mean() for p in planes()]
    assert 10 * np.log10(255**2 / np.mean(errors)) == pytest.approx(42, abs=0.7)
