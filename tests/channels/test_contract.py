"""The contract of all channels, and the grammar of chains."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.channels import CHANNELS, PRESETS, TRIALS, BaseChannel, Chain, parse, received
from underpaint.channels.base import Choice, Number
from underpaint.errors import UsageError
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
    "jpegxl": "jpegxl:50",
    "mpeg4": "mpeg4:5",
    "xvid": "xvid:5",
    "h264": "h264:23",
    "hevc": "hevc:23",
    "noise": "noise:0.04",
    "blur": "blur:1",
    "sharpen": "sharpen",
    "moire": "moire",
    "brightness": "brightness:0.9",
    "contrast": "contrast:0.9",
    "gamma": "gamma:1.5",
    "quantise": "quantise:4",
    "saturation": "saturation:0.5",
    "hue": "hue:20",
    "equalise": "equalise",
    "palette": "palette:64",
    "grey": "grey",
    "flatten": "flatten",
    "icc": "icc:p3",
    "resize": "resize:0.5",
    "rescale": "rescale:0.5",
    "fit": "fit:64",
    "crop": "crop:0.5",
    "cut": "cut:0.1,top",
    "cropout": "cropout:0.5",
    "dropout": "dropout:0.3",
    "rotate": "rotate:5",
    "flip": "flip",
    "shear": "shear:0.02",
    "perspective": "perspective:0.02",
    "pad": "pad:0.1",
    "letterbox": "letterbox:16:9",
    "screenshot": "screenshot:0.5",
}
#: Settings that change nothing.
IDENTITIES = [
    *(
        "none",
        "jpeg2000:1",
        "jpegxl:100",
        "noise:0",
        "blur:0",
        "brightness:1",
        "contrast:1",
        "gamma:1",
        "quantise:8",
        "resize:1",
    ),
    *("rescale:1", "crop:1", "cropout:1", "dropout:0", "rotate:0", "rotate:0 | none", "flip | flip"),
    *("sharpen:1,amount=0", "sharpen:0", "moire:0", "saturation:1", "hue:0", "flatten:black", "shear:0"),
    *("perspective:0", "pad:0,photo", "letterbox:4:3", "screenshot:1", "fit:128", "rotate:0,expand"),
    *("rotate:90,expand | rotate:-90,expand", "rotate:180 | rotate:180"),
]
#: Channels that change nothing in a picture of three colours.
UNCHANGED = {"none", "flatten"}
OTHER_SIZE = {"rescale", "fit", "crop", "cut", "pad", "letterbox", "screenshot"}
RANDOM = {"noise", "moire", "crop", "cropout", "dropout", "perspective", "screenshot"}


def values(channel: type[BaseChannel], name: str) -> st.SearchStrategy[Any]:
    domain = next(parameter for parameter in fields(channel) if parameter.name == name).metadata["domain"]
    if isinstance(domain, Choice):
        return st.sampled_from(domain.words)
    if not isinstance(domain, Number):
        return st.sampled_from(["16:9", "2.39:1", "1:10", "3:4"])
    return st.integers(int(domain.low), int(domain.high)) if domain.kind is int else st.floats(domain.low, domain.high)


@st.composite
def channels(draw: st.DrawFn) -> BaseChannel:
    channel = draw(st.sampled_from(list(CHANNELS.values())))
    return channel(**{parameter.name: draw(values(channel, parameter.name)) for parameter in fields(channel)})


def test_every_channel_has_an_example() -> None:
    assert list(EXAMPLES) == list(CHANNELS)
    assert all(parse(text).channels[0].name == name for name, text in EXAMPLES.items())


@pytest.mark.parametrize("name", CHANNELS)
def test_every_channel_has_a_summary_of_one_short_line(name: str) -> None:
    assert CHANNELS[name].summary().endswith(".")
    assert len(CHANNELS[name].summary()) <= 80
    assert CHANNELS[name].usage().startswith(name)


@pytest.mark.parametrize(("name", "text"), EXAMPLES.items())
def test_channels_are_pure_and_deterministic(photo: Image, name: str, text: str) -> None:
    channel = parse(text)
    before = photo.copy()
    result = channel(photo, 1)
    assert result.dtype == np.uint8
    assert result.flags.writeable
    assert not np.shares_memory(result, photo)
    np.testing.assert_array_equal(photo, before)
    np.testing.assert_array_equal(result, channel(photo, 1))
    np.testing.assert_array_equal(result, channel(photo, np.random.default_rng(1)))
    assert (result.shape == photo.shape) is (name not in OTHER_SIZE)
    assert np.array_equal(result, photo) is (name in UNCHANGED)


@pytest.mark.parametrize(("name", "text"), EXAMPLES.items())
def test_random_channels_use_the_generator(photo: Image, name: str, text: str) -> None:
    rng = np.random.default_rng(1)
    first, second = parse(text)(photo, rng), parse(text)(photo, rng)
    assert np.array_equal(first, second) is (name not in RANDOM)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (2, 3), (33, 31), (17, 64)])
@pytest.mark.parametrize(("name", "text"), EXAMPLES.items())
def test_pictures_of_any_size_are_accepted(photo: Image, name: str, text: str, shape: tuple[int, int]) -> None:
    result = parse(text)(photo[: shape[0], : shape[1]])
    assert result.ndim == 3
    assert result.size
    assert result.shape == (*shape, 3) or name in OTHER_SIZE


@pytest.mark.parametrize("text", EXAMPLES.values())
def test_memory_order_does_not_matter(photo: Image, text: str) -> None:
    np.testing.assert_array_equal(parse(text)(photo[::2, ::-1]), parse(text)(photo[::2, ::-1].copy()))


@pytest.mark.parametrize("text", IDENTITIES)
def test_identity_settings_change_nothing(photo: Image, text: str) -> None:
    np.testing.assert_array_equal(parse(text)(photo), photo)


@pytest.mark.parametrize("text", EXAMPLES.values())
def test_arrays_that_are_no_pictures_are_refused(photo: Image, text: str) -> None:
    channel = parse(text).channels[0]
    for wrong in (photo[..., 0], photo.astype(np.float32), photo[:0]):
        with pytest.raises(UsageError):
            channel(wrong)  # type: ignore[arg-type]


def test_parameters_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        parse("jpeg:50").channels[0].quality = 10  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "strengths"),
    [
        ("jpeg", (95, 75, 50, 25, 10)),
        ("jpeg2000", (2, 5, 10, 20, 40)),
        ("webp", (95, 75, 50, 25, 0)),
        ("avif", (95, 75, 50, 25, 0)),
        ("jpegxl", (95, 75, 50, 25, 5)),
        ("mpeg4", (2, 5, 10, 20, 31)),
        ("xvid", (2, 5, 10, 20, 31)),
        ("h264", (0, 18, 28, 38, 51)),
        ("noise", (0.01, 0.04, 0.1, 0.5, 1)),
        ("blur", (0.5, 1, 2, 4, 8)),
        ("brightness", (0.9, 0.7, 0.5, 0.2, 0)),
        ("contrast", (0.9, 0.7, 0.5, 0.2, 0)),
        ("gamma", (1.1, 1.5, 2, 4, 8)),
        ("quantise", (7, 5, 3, 2, 1)),
        ("hevc", (0, 18, 28, 38, 51)),
        ("sharpen:1,amount=", (0.1, 0.5, 1, 2, 4)),
        ("moire", (1, 2, 4, 8, 16)),
        ("saturation", (0.9, 0.7, 0.5, 0.2, 0)),
        ("hue", (1, 5, 20, 90, 180)),
        ("palette", (256, 64, 16, 4, 2)),
        ("shear", (0.01, 0.02, 0.05, 0.2, 0.5)),
        ("resize", (0.9, 0.5, 0.25, 0.1, 0.02)),
        ("cropout", (0.9, 0.7, 0.5, 0.1, 0.01)),
        ("dropout", (0.01, 0.1, 0.3, 0.6, 1)),
    ],
)
def test_stronger_settings_lower_the_psnr(photo: Image, name: str, strengths: tuple[float, ...]) -> None:
    start = name if "=" in name else f"{name}:"
    quality = [psnr(photo, parse(f"{start}{strength}")(photo)) for strength in strengths]
    assert quality == sorted(quality, reverse=True)
    assert len(set(quality)) == len(quality)


@settings(max_examples=30)
@given(st.lists(channels(), min_size=1, max_size=4))
def test_written_chains_parse_to_the_same_chain(links: list[BaseChannel]) -> None:
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
        ("pad:.1,white", "pad:0.1,colour=white"),
        ("letterbox: 16 : 9.0", "letterbox:16:9"),
        ("letterbox:ratio=2.39:1", "letterbox:2.39:1"),
        ("rotate:10,expand", "rotate:10,expand=yes"),
        ("rotate:degrees=10, expand", "rotate:10,expand=yes"),
        ("rotate:10,expand=no", "rotate:10"),
        ("rotate:10,yes", "rotate:10,expand=yes"),
        ("palette:64,dither", "palette:64,dither=yes"),
        ("sharpen:1,1", "sharpen"),
        ("WhatsApp", PRESETS["whatsapp"].chain),
        ("crop:0.9 | x | grey", f"crop:0.9 | {PRESETS['x'].chain} | grey"),
    ],
)
def test_chains_have_a_canonical_form(text: str, canonical: str) -> None:
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
        ("jpeg2000", "takes either a rate or x1000", "write jpeg2000:10 or jpeg2000:x1000=100"),
        ("jpeg2000:10,x1000=100", "takes either a rate or x1000", "jpeg2000:x1000=100"),
        ("jpeg2000:x1000=0", "x1000 cannot be 0", "x1000=1–1000"),
        ("noise:nan", "sigma cannot be nan", "sigma=0–1"),
        ("noise:-0.1", "sigma cannot be -0.1", "sigma=0–1"),
        ("none:1", "too many", "none"),
        ("letterbox:16", "ratio cannot be 16", "ratio=1:10–10:1"),
        ("letterbox:16:9:4", "ratio cannot be 16:9:4", "ratio=1:10–10:1"),
        ("letterbox:11:1", "ratio cannot be 11:1", "ratio=1:10–10:1"),
        ("letterbox:nan:1", "ratio cannot be nan:1", "ratio=1:10–10:1"),
        ("letterbox:0:0", "ratio cannot be 0:0", "ratio=1:10–10:1"),
        ("rotate:10,expand,expand", "cannot read", "expand=no|yes"),
        ("rotate:expand", "has too few parameters", "degrees=-180–180"),
        ("screenshot:0.1", "area cannot be 0.1", "area=0.15–1"),
        ("flatten:red", "colour cannot be red", "white|black"),
        ("whatsap", "no channel is called 'whatsap'", "did you mean whatsapp?"),
        ("whatsapp:50", "'whatsapp:50' has too many parameters", "the preset is written whatsapp"),
    ],
)
def test_errors_name_the_legal_values(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")


def test_constructors_check_parameters() -> None:
    for wrong in (0, 50.5, float("nan"), float("inf"), None):
        with pytest.raises(UsageError):
            CHANNELS["jpeg"](wrong)  # type: ignore[call-arg]


def test_an_empty_chain_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one channel"):
        Chain(())


def test_a_chain_applies_channels_in_order_with_one_generator(photo: Image) -> None:
    rng = np.random.default_rng(3)
    by_hand = parse("noise:0.1")(parse("jpeg:50")(parse("noise:0.1")(photo, rng), rng), rng)
    np.testing.assert_array_equal(parse("noise:0.1 | jpeg:50 | noise:0.1")(photo, 3), by_hand)


def test_random_channels_are_tried_eight_times(photo: Image) -> None:
    pictures = list(received(parse("noise:0.02"), photo))
    assert len(pictures) == TRIALS == 8
    assert len({picture.tobytes() for picture in pictures}) == TRIALS
    assert len(list(received(parse("jpeg:50"), photo))) == 1


@pytest.mark.parametrize(
    ("text", "random", "geometric", "moves"),
    [
        ("jpeg:50", 0, 0, 0),
        ("noise:0.1", 1, 0, 0),
        ("jpeg:50 | resize:0.5", 0, 1, 0),
        ("jpeg:50 | crop:0.5", 1, 1, 1),
        ("rotate:5", 0, 1, 1),
        ("telegram", 0, 1, 0),
        ("photo", 1, 1, 1),
    ],
)
def test_a_chain_is_random_or_geometric_if_a_channel_is(text: str, random: bool, geometric: bool, moves: bool) -> None:
    chain = parse(text)
    assert (chain.random, chain.geometric, chain.moves) == (random, geometric, moves)
