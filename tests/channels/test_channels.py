"""Every channel keeps the contract; each one does what its name says."""

from __future__ import annotations

import sys
from dataclasses import FrozenInstanceError, fields
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from skimage import data

from underpaint.channels import CHANNELS, BaseChannel, Chain, parse
from underpaint.channels.base import Number
from underpaint.errors import ImageError, MissingExtraError, UsageError
from underpaint.metrics import psnr

if TYPE_CHECKING:
    from underpaint.types import Image

#: One working setting of each channel.
EXAMPLES = {
    "none": "none",
    "jpeg": "jpeg:50",
    "jpeg2000": "jpeg2000:10",
    "webp": "webp:50",
    "avif": "avif:50",
    "mpeg4": "mpeg4:5",
    "xvid": "xvid:5",
    "h264": "h264:23",
    "noise": "noise:0.04",
    "blur": "blur:1",
    "brightness": "brightness:0.9",
    "contrast": "contrast:0.9",
    "gamma": "gamma:1.5",
    "quantise": "quantise:4",
    "resize": "resize:0.5",
    "rescale": "rescale:0.5",
    "crop": "crop:0.5",
    "cropout": "cropout:0.5",
    "dropout": "dropout:0.3",
    "rotate": "rotate:5",
    "flip": "flip",
}
#: Settings that change nothing.
IDENTITIES = [
    *("none", "jpeg2000:1", "noise:0", "blur:0", "brightness:1", "contrast:1", "gamma:1", "quantise:8", "resize:1"),
    *("rescale:1", "crop:1", "cropout:1", "dropout:0", "rotate:0", "rotate:0 | none", "flip | flip"),
]
OTHER_SIZE = {"rescale", "crop"}
RANDOM = {"noise", "crop", "cropout", "dropout"}


@pytest.fixture(scope="module")
def photo() -> Image:
    """A photograph, 96×128, detailed and colourful, that nobody may write to."""
    picture = np.ascontiguousarray(data.astronaut()[20:116, 160:288])  # type: ignore[no-untyped-call]
    picture.flags.writeable = False
    return picture


def values(channel: type[BaseChannel], name: str) -> st.SearchStrategy[Any]:
    domain = next(parameter for parameter in fields(channel) if parameter.name == name).metadata["domain"]
    if not isinstance(domain, Number):
        return st.sampled_from(domain.words)
    return st.integers(int(domain.low), int(domain.high)) if domain.kind is int else st.floats(domain.low, domain.high)


@st.composite
def channels(draw: st.DrawFn) -> BaseChannel:
    channel = draw(st.sampled_from(list(CHANNELS.values())))
    return channel(**{parameter.name: draw(values(channel, parameter.name)) for parameter in fields(channel)})


class TestContract:
    def test_every_channel_has_an_example(self) -> None:
        assert list(EXAMPLES) == list(CHANNELS)
        assert all(parse(text).channels[0].name == name for name, text in EXAMPLES.items())

    @pytest.mark.parametrize("name", CHANNELS)
    def test_one_line_of_help(self, name: str) -> None:
        assert CHANNELS[name].summary().endswith(".")
        assert CHANNELS[name].usage().startswith(name)

    @pytest.mark.parametrize(("name", "text"), EXAMPLES.items())
    def test_pure_and_deterministic(self, photo: Image, name: str, text: str) -> None:
        channel = parse(text)
        before = photo.copy()
        arrived = channel(photo, 1)
        assert arrived.dtype == np.uint8
        assert arrived.flags.writeable
        assert not np.shares_memory(arrived, photo)
        np.testing.assert_array_equal(photo, before)
        np.testing.assert_array_equal(arrived, channel(photo, 1))
        np.testing.assert_array_equal(arrived, channel(photo, np.random.default_rng(1)))
        assert (arrived.shape == photo.shape) is (name not in OTHER_SIZE)
        assert np.array_equal(arrived, photo) is (name == "none")

    @pytest.mark.parametrize(("name", "text"), EXAMPLES.items())
    def test_chance_comes_from_the_generator(self, photo: Image, name: str, text: str) -> None:
        rng = np.random.default_rng(1)
        first, second = parse(text)(photo, rng), parse(text)(photo, rng)
        assert np.array_equal(first, second) is (name not in RANDOM)

    @pytest.mark.parametrize("shape", [(1, 1), (1, 40), (2, 3), (33, 31), (17, 64)])
    @pytest.mark.parametrize(("name", "text"), EXAMPLES.items())
    def test_any_size(self, photo: Image, name: str, text: str, shape: tuple[int, int]) -> None:
        arrived = parse(text)(photo[: shape[0], : shape[1]])
        assert arrived.ndim == 3
        assert arrived.size
        assert arrived.shape == (*shape, 3) or name in OTHER_SIZE

    @pytest.mark.parametrize("text", EXAMPLES.values())
    def test_memory_order_does_not_matter(self, photo: Image, text: str) -> None:
        np.testing.assert_array_equal(parse(text)(photo[::2, ::-1]), parse(text)(photo[::2, ::-1].copy()))

    @pytest.mark.parametrize("text", IDENTITIES)
    def test_no_strength_changes_nothing(self, photo: Image, text: str) -> None:
        np.testing.assert_array_equal(parse(text)(photo), photo)

    @pytest.mark.parametrize("text", EXAMPLES.values())
    def test_refuses_what_is_no_picture(self, photo: Image, text: str) -> None:
        channel = parse(text).channels[0]
        for wrong in (photo[..., 0], photo.astype(np.float32), photo[:0]):
            with pytest.raises(UsageError):
                channel(wrong)  # type: ignore[arg-type]

    def test_parameters_cannot_be_changed(self) -> None:
        with pytest.raises(FrozenInstanceError):
            parse("jpeg:50").channels[0].quality = 10  # type: ignore[attr-defined]


class TestWriting:
    @given(st.lists(channels(), min_size=1, max_size=4))
    def test_round_trip(self, links: list[BaseChannel]) -> None:
        chain = Chain(tuple(links))
        assert parse(str(chain)) == chain
        assert str(parse(str(chain))) == str(chain)

    @pytest.mark.parametrize(
        ("text", "canonical"),
        [
            ("JPEG : 50|resize:.5 ", "jpeg:50 | resize:0.5"),
            ("jpeg:50,subsampling=420", "jpeg:50"),
            ("jpeg:quality=50, subsampling=444", "jpeg:50,subsampling=444"),
            ("jpeg:50,444", "jpeg:50,subsampling=444"),
            ("jpeg2000:x1000=100", "jpeg2000:10"),
            ("jpeg2000:10.0", "jpeg2000:10"),
            ("noise:1e-3", "noise:0.001"),
            ("flip:horizontal", "flip"),
        ],
    )
    def test_canonical(self, text: str, canonical: str) -> None:
        assert str(parse(text)) == canonical

    @pytest.mark.parametrize(
        ("text", "message", "hint"),
        [
            ("jepg:50", "no channel is called 'jepg'", "did you mean jpeg? the channels are none, jpeg, "),
            ("", "no channel is called ''", "the channels are none, "),
            ("jpeg:50 |", "no channel is called ''", "the channels are none, "),
            ("jpeg", "'jpeg' has too few parameters", "jpeg:quality=1–100,subsampling=420|422|444"),
            ("jpeg:0", "quality cannot be 0", "quality=1–100"),
            ("jpeg:50.5", "quality cannot be 50.5", "quality=1–100"),
            ("jpeg:good", "quality cannot be good", "quality=1–100"),
            ("jpeg:50,411", "subsampling cannot be 411", "420|422|444"),
            ("jpeg:50,speed=3", "'jpeg:50,speed=3' has", "subsampling="),
            ("jpeg:50,444,1", "too many", "subsampling="),
            ("jpeg:quality=50,444", "cannot read", "subsampling="),
            ("jpeg:50,", "cannot read", "subsampling="),
            ("jpeg:quality=50,quality=60", "cannot read", "subsampling="),
            ("jpeg2000", "rate cannot be 0.0", "rate=1–1000"),
            ("jpeg2000:10,x1000=100", "two ways", "only one"),
            ("jpeg2000:x1000=0", "x1000 cannot be 0", "x1000=1–1000"),
            ("noise:nan", "sigma cannot be nan", "sigma=0–1"),
            ("noise:-0.1", "sigma cannot be -0.1", "sigma=0–1"),
            ("none:1", "too many", "none"),
        ],
    )
    def test_errors_say_what_is_legal(self, text: str, message: str, hint: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse(text)
        assert message in str(caught.value)
        assert hint in (caught.value.hint or "")

    def test_constructor_checks_as_well(self) -> None:
        for wrong in (0, 50.5, float("nan"), float("inf"), None):
            with pytest.raises(UsageError):
                CHANNELS["jpeg"](wrong)  # type: ignore[call-arg]

    def test_an_empty_chain_cannot_be_written(self) -> None:
        with pytest.raises(UsageError, match="at least one channel"):
            Chain(())


class TestChain:
    def test_is_one_after_the_other(self, photo: Image) -> None:
        rng = np.random.default_rng(3)
        by_hand = parse("noise:0.1")(parse("jpeg:50")(parse("noise:0.1")(photo, rng), rng), rng)
        np.testing.assert_array_equal(parse("noise:0.1 | jpeg:50 | noise:0.1")(photo, 3), by_hand)


class TestCodecs:
    @pytest.mark.parametrize(
        ("text", "codec", "settings"),
        [
            ("jpeg:50", "JPEG", {"quality": 50}),
            ("jpeg:90,subsampling=444", "JPEG", {"quality": 90, "subsampling": 0}),
            ("jpeg2000:20", "JPEG2000", {"quality_layers": [20]}),
            ("webp:30", "WEBP", {"quality": 30}),
            ("avif:30", "AVIF", {"quality": 30, "speed": 8, "max_threads": 1}),
        ],
    )
    def test_is_the_real_codec(self, photo: Image, text: str, codec: str, settings: dict[str, Any]) -> None:
        file = BytesIO()
        Pillow.fromarray(photo).save(file, codec, **settings)
        np.testing.assert_array_equal(parse(text)(photo), np.array(Pillow.open(file).convert("RGB")))

    @pytest.mark.parametrize(
        ("name", "strengths"),
        [
            ("jpeg", (95, 75, 50, 25, 10)),
            ("jpeg2000", (2, 5, 10, 20, 40)),
            ("webp", (95, 75, 50, 25, 0)),
            ("avif", (95, 75, 50, 25, 0)),
            ("mpeg4", (2, 5, 10, 20, 31)),
            ("xvid", (2, 5, 10, 20, 31)),
            ("h264", (0, 18, 28, 38, 51)),
            ("noise", (0.01, 0.04, 0.1, 0.5, 1)),
            ("blur", (0.5, 1, 2, 4, 8)),
            ("brightness", (0.9, 0.7, 0.5, 0.2, 0)),
            ("contrast", (0.9, 0.7, 0.5, 0.2, 0)),
            ("gamma", (1.1, 1.5, 2, 4, 8)),
            ("quantise", (7, 5, 3, 2, 1)),
            ("resize", (0.9, 0.5, 0.25, 0.1, 0.02)),
            ("cropout", (0.9, 0.7, 0.5, 0.1, 0.01)),
            ("dropout", (0.01, 0.1, 0.3, 0.6, 1)),
        ],
    )
    def test_stronger_is_worse(self, photo: Image, name: str, strengths: tuple[float, ...]) -> None:
        quality = [psnr(photo, parse(f"{name}:{strength}")(photo)) for strength in strengths]
        assert quality == sorted(quality, reverse=True)
        assert len(set(quality)) == len(quality)

    @pytest.mark.parametrize("text", ["jpeg:95", "webp:95", "avif:95", "mpeg4:2", "xvid:2", "h264:5"])
    def test_best_quality_is_good(self, photo: Image, text: str) -> None:
        assert psnr(photo, parse(text)(photo)) > 32

    @pytest.mark.parametrize("text", ["jpeg:50", "webp:50", "avif:50", "mpeg4:5", "h264:23"])
    def test_too_wide_for_the_codec(self, text: str) -> None:
        with pytest.raises(ImageError, match="cannot encode a picture of 70000×1"):
            parse(text)(np.zeros((1, 70000, 3), np.uint8))

    @pytest.mark.parametrize("text", ["mpeg4:5", "xvid:5", "h264:23"])
    def test_without_pyav(self, photo: Image, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "av", None)
        with pytest.raises(MissingExtraError) as caught:
            parse(text)(photo)
        assert "pip install '.[video]'" in (caught.value.hint or "")

    @pytest.mark.parametrize("text", ["mpeg4:2", "xvid:2", "h264:0"])
    def test_video_does_not_move_an_odd_picture(self, photo: Image, text: str) -> None:
        odd = photo[:61, :87]
        arrived = parse(text)(odd)
        assert psnr(odd, arrived) > psnr(odd[1:], arrived[:-1]) + 5
        assert psnr(odd, arrived) > psnr(odd[:, 1:], arrived[:, :-1]) + 5


class TestPixel:
    def test_noise_has_its_sigma(self) -> None:
        grey = np.full((256, 256, 3), 128, np.uint8)
        difference = parse("noise:0.04")(grey, 5).astype(float) - 128
        assert difference.std() == pytest.approx(10.2, rel=0.01)
        assert difference.mean() == pytest.approx(0, abs=0.1)

    def test_blur_spreads_a_point_by_sigma(self) -> None:
        points = np.zeros((41, 41, 3), np.uint8)
        points[20, 20] = 255
        spread = parse("blur:1.5")(points)[20, :, 0].astype(float)
        offsets = np.arange(41) - 20
        np.testing.assert_allclose(spread, 255 / (2 * np.pi * 1.5**2) * np.exp(-0.5 * (offsets / 1.5) ** 2), atol=0.6)

    def test_blur_keeps_a_flat_picture(self) -> None:
        flat = np.full((5, 9, 3), 201, np.uint8)
        np.testing.assert_array_equal(parse("blur:20")(flat), flat)

    @pytest.mark.parametrize(
        ("text", "before", "after"),
        [
            ("brightness:0.5", [0, 101, 255], [0, 50, 128]),  # 50.5 to the even number
            ("brightness:2", [0, 100, 200], [0, 200, 255]),
            ("contrast:0", [0, 100, 200], [100, 100, 100]),
            ("contrast:2", [60, 100, 140], [20, 100, 180]),
            ("gamma:2", [0, 128, 255], [0, 64, 255]),
            ("quantise:1", [0, 127, 128], [0, 0, 255]),
            ("quantise:2", [42, 43, 200], [0, 85, 170]),
        ],
    )
    def test_curves(self, text: str, before: list[int], after: list[int]) -> None:
        picture = np.repeat(np.array(before, np.uint8)[None, :, None], 3, axis=2)
        assert parse(text)(picture)[0, :, 0].tolist() == after


class TestGeometry:
    def test_rescale_and_resize(self, photo: Image) -> None:
        small = parse("rescale:0.5,filter=lanczos")(photo)
        assert small.shape == (48, 64, 3)
        back = Pillow.fromarray(small).resize((128, 96), Pillow.Resampling.LANCZOS)
        np.testing.assert_array_equal(parse("resize:0.5,filter=lanczos")(photo), np.array(back))

    def test_crop_cuts_out(self, photo: Image) -> None:
        np.testing.assert_array_equal(parse("crop:0.25,at=centre")(photo), photo[24:72, 32:96])
        arrived = parse("crop:0.25")(photo, 7)
        assert arrived.shape == (48, 64, 3)
        assert any(
            np.array_equal(arrived, photo[top : top + 48, left : left + 64]) for top in range(49) for left in range(65)
        )

    def test_cropout_keeps_the_same_window(self, photo: Image) -> None:
        arrived = parse("cropout:0.25,at=centre")(photo)
        np.testing.assert_array_equal(arrived[24:72, 32:96], photo[24:72, 32:96])
        arrived[24:72, 32:96] = 128
        assert (arrived == 128).all()

    def test_dropout_takes_the_share_and_the_mean_of_neighbours(self, photo: Image) -> None:
        lost = (parse("dropout:0.3")(photo) != photo).any(axis=2)
        assert lost.mean() == pytest.approx(0.3, abs=0.03)
        around = [photo[y : y + 94, x : x + 126].astype(float) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
        everywhere = parse("dropout:1")(photo)[1:-1, 1:-1]
        assert np.abs(everywhere - np.mean(around, axis=0)).max() <= 0.5

    def test_rotate_is_counter_clockwise(self, photo: Image) -> None:
        square = photo[:96, :96]
        np.testing.assert_array_equal(parse("rotate:90")(square), np.rot90(square))
        assert (parse("rotate:45")(square)[0, 0] == 128).all()

    def test_flip(self, photo: Image) -> None:
        np.testing.assert_array_equal(parse("flip")(photo), photo[:, ::-1])
        np.testing.assert_array_equal(parse("flip:vertical")(photo), photo[::-1])
