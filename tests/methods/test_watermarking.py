"""Both watermarking methods, stdm and robust: survival, PSNR, detection, and bits without a frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from underpaint import media, metrics
from underpaint.channels import TRIALS, Chain, parse
from underpaint.coding.keys import Key
from underpaint.embedding import watermark
from underpaint.embedding.blind_detection import MAX_FALSE_POSITIVE_RATE, Candidate, Detection
from underpaint.embedding.canvas import Canvas
from underpaint.embedding.watermark import EmbeddingDomain
from underpaint.errors import CapacityError, DamagedError, NotFoundError, SurvivalError, UsageError
from underpaint.media import samples
from underpaint.methods.base import shared_key
from underpaint.methods.robust import Robust, canvas_key
from underpaint.methods.stdm import STDM, Grid
from underpaint.methods.watermarking import WatermarkMethod
from underpaint.types import Image, Payload, Search

pytestmark = pytest.mark.usefixtures("cheap_keys")

METHODS: dict[str, WatermarkMethod[Any]] = {"stdm": STDM(), "robust": Robust()}
MESSAGE = Payload.from_text("12345678")
PASSPHRASE = "correct horse"
KEY = shared_key(None)
COFFEE = media.read(samples.path("coffee")).pixels
SMALL = COFFEE[100:300, 200:420]
NO_CHANNEL = parse("none")


@pytest.fixture(scope="module", params=METHODS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def container(name: str) -> Image:
    return METHODS[name].hide(SMALL, MESSAGE, None, psnr=38, survive=NO_CHANNEL)


@dataclass(frozen=True)
class RecordingChannel(Chain):
    """A chain that records the seeds that it is called with."""

    seeds: list[int] = field(default_factory=list)

    def __call__(self, image: Image, rng: np.random.Generator | int = 0) -> Image:
        assert isinstance(rng, int)
        self.seeds.append(rng)
        return super().__call__(image, rng)


@dataclass(frozen=True)
class FixedChannel(Chain):
    """A channel after which every picture is the same one."""

    received: Image

    def __call__(self, image: Image, rng: np.random.Generator | int = 0) -> Image:
        return self.received


def test_the_psnr_is_at_least_the_requested_one_and_little_more(name: str, container: Image) -> None:
    assert 38 <= metrics.psnr(SMALL, container) < 38.2
    for psnr in (30, 48):
        marked = METHODS[name].hide(SMALL, Payload(b""), None, psnr=psnr, survive=NO_CHANNEL)
        assert psnr <= metrics.psnr(SMALL, marked) < psnr + 0.5
        assert METHODS[name].reveal(marked, None) == Payload(b"")


@pytest.mark.parametrize("survive", [None, NO_CHANNEL], ids=str)
def test_without_a_requested_psnr_the_best_is_taken(name: str, survive: Chain | None) -> None:
    best = METHODS[name].qualities[0]
    marked = METHODS[name].hide(SMALL, MESSAGE, None, psnr=None, survive=survive)
    assert best <= metrics.psnr(SMALL, marked) < best + 0.3


@pytest.mark.parametrize(("chain", "trials"), [("noise:0.02", TRIALS), ("blur:0.5", 1)])
def test_a_random_channel_is_tried_with_several_seeds(name: str, chain: str, trials: int) -> None:
    channel = RecordingChannel(parse(chain).channels)
    METHODS[name].hide(COFFEE[100:228, 200:328], MESSAGE, None, psnr=38, survive=channel)
    tried = channel.seeds[-trials:]
    assert tried == list(range(tried[0], tried[0] + trials))
    assert max(channel.seeds[:-trials], default=0) < tried[0]


def test_the_container_itself_is_decoded_too() -> None:
    """No change of less than a level is left in black, whatever a channel makes of the container."""
    method, black = METHODS["stdm"], np.zeros((128, 128, 3), np.uint8)
    channel = FixedChannel(NO_CHANNEL.channels, method.hide(black, MESSAGE, None, psnr=38, survive=NO_CHANNEL))
    assert method.reveal(channel(black), None) == MESSAGE
    with pytest.raises(SurvivalError):
        method.hide(black, MESSAGE, None, psnr=60, survive=channel)


def test_the_psnr_is_lowered_until_the_message_survives(name: str) -> None:
    method, cover, long = METHODS[name], COFFEE[:128, :128], Payload(bytes(range(11)))
    marked = method.hide(cover, long, None, psnr=None, survive=None)
    assert method.qualities[-1] <= metrics.psnr(cover, marked) < method.qualities[0]
    assert method.reveal(parse(method.default_survive)(marked), None) == long


def test_a_requested_psnr_is_never_lowered(name: str) -> None:
    best = METHODS[name].qualities[0]
    with pytest.raises(SurvivalError, match=f"at {best:g} dB"):
        METHODS[name].hide(COFFEE[:128, :128], Payload(bytes(range(12))), None, psnr=best, survive=None)


def test_a_message_that_is_decoded_with_too_many_wrong_bits_does_not_survive() -> None:
    """Survival keeps a reserve: at 41 dB 9 % of the bits are wrong, which the code corrects, but more than allowed."""
    method, cover, channel, long = METHODS["stdm"], COFFEE[:128, :128], parse("jpeg:50"), Payload(bytes(range(12)))
    size = watermark.frame_size(long, [Grid.of(cover)])
    assert size is not None
    embedding = watermark.prepare(Grid.of(cover), cover, long, KEY, size)
    marked = method.embed_at_quality(embedding, cover, 41, [channel])
    assert method.reveal(channel(marked), None) == long
    with pytest.raises(SurvivalError, match="at 41 dB"):
        method.hide(cover, long, None, psnr=41, survive=channel)


@pytest.mark.parametrize("kind", ["black", "white", "grey", "clipped", "noise", "thin", "tall"])
def test_hard_pictures(name: str, kind: str) -> None:
    cover = {
        "black": np.zeros((160, 200, 3), np.uint8),
        "white": np.full((200, 160, 3), 255, np.uint8),
        "grey": np.full((200, 200, 3), 128, np.uint8),
        "clipped": np.where(COFFEE[:200, :200] > 90, 255, 0).astype(np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8),
        "thin": np.tile(COFFEE[:64], (1, 2, 1))[:, :1200],
        "tall": np.tile(COFFEE[:, :64], (3, 1, 1)),
    }[kind]
    channel = parse("jpeg:75" if kind == "clipped" else "jpeg:50")  # half of any change is clipped away there
    with pytest.raises(NotFoundError):
        METHODS[name].reveal(cover, None)
    if name == "robust" and kind in ("black", "white"):  # half of the pattern is clipped, and little may be seen
        with pytest.raises(SurvivalError) as caught:
            METHODS[name].hide(cover, MESSAGE, None, psnr=38, survive=channel)
        assert "flat" in (caught.value.hint or "")
        return
    marked = METHODS[name].hide(cover, MESSAGE, None, psnr=38, survive=channel)
    assert metrics.psnr(cover, marked) >= 38
    assert METHODS[name].reveal(channel(marked), None) == MESSAGE


def test_a_watermark_is_detected_with_its_passphrase_only(name: str, container: Image) -> None:
    assert METHODS[name].p_value(container, None) < 1e-20
    assert METHODS[name].p_value(container, PASSPHRASE) > 1e-3


def test_p_values_of_unmarked_pictures_are_true(name: str) -> None:
    """No more than a tenth of them is below 0.1, and none comes near the bound of detection."""
    rng = np.random.default_rng(2)
    p_values = []
    for _ in range(150 if name == "stdm" else 6):
        top, left = rng.integers(0, 250, 2)
        p_values.append(METHODS[name].p_value(COFFEE[top : top + 100, left : left + 120], None))
    assert min(p_values) > MAX_FALSE_POSITIVE_RATE * 100
    assert np.mean(np.array(p_values) <= 0.1) <= 0.1


def test_pilots_with_a_message_of_noise_are_damaged(name: str) -> None:
    domain: EmbeddingDomain = Grid.of(SMALL) if name == "stdm" else Canvas(256)
    key = canvas_key(KEY, domain) if isinstance(domain, Canvas) else KEY
    count, pilots, message = watermark.layout(domain, key, 16)
    noise = np.random.default_rng(0).integers(0, 2, len(message.dither), dtype=np.uint8)
    parts = ((pilots, watermark.pilot(domain, key, 16)), (message, noise))
    broken = METHODS[name].embed_at_quality(watermark.Embedding(domain, SMALL, count, parts), SMALL, 38, [])
    assert METHODS[name].holds(broken, None)
    with pytest.raises(DamagedError, match="too much of it is lost"):
        METHODS[name].reveal(broken, None)
    with pytest.raises(NotFoundError):
        METHODS[name].reveal(broken, PASSPHRASE)


class Searching(STDM):
    """STDM with one search for each p-value, in which a watermark that cannot be decoded is detected."""

    def __init__(self, *p_values: float) -> None:
        self.p_values = p_values

    def search(self, image: Image, key: Key, effort: Search = "normal") -> Iterator[list[Candidate[Grid]]]:
        for p_value in self.p_values:
            yield [Candidate(Detection(16, 1, 60.0, p_value), Grid.of(image), image)]


def test_the_p_value_of_a_damaged_watermark_is_multiplied_by_the_number_of_searches() -> None:
    below = 0.6 * MAX_FALSE_POSITIVE_RATE
    with pytest.raises(DamagedError):
        Searching(below).reveal(SMALL, None)
    with pytest.raises(NotFoundError):
        Searching(1.0, below).reveal(SMALL, None)


def test_the_same_message_gives_the_same_container(name: str, container: Image) -> None:
    assert np.array_equal(METHODS[name].hide(SMALL, MESSAGE, None, psnr=38, survive=NO_CHANNEL), container)


def test_hiding_again_replaces_the_message(name: str, container: Image) -> None:
    other = Payload.from_text("another")
    assert METHODS[name].reveal(METHODS[name].hide(container, other, None, psnr=38, survive=NO_CHANNEL), None) == other


def test_capacity_grows_with_the_picture(name: str) -> None:
    promised = [METHODS[name].capacity(COFFEE[:side, :side]).payload_bytes for side in (40, 64, 130, 200, 400)]
    assert promised == sorted(promised)
    assert promised[0] == 0 < promised[2] < promised[3] < promised[4]


@pytest.mark.parametrize("shape", [(32, 32), (40, 40), (60, 63)])
def test_pictures_too_small_for_a_message_are_refused(name: str, shape: tuple[int, int]) -> None:
    cover = COFFEE[: shape[0], : shape[1]]
    assert METHODS[name].capacity(cover).payload_bytes == 0
    with pytest.raises(CapacityError):
        METHODS[name].hide(cover, MESSAGE, None, psnr=None, survive=None)


@pytest.mark.parametrize("shape", [(64, 64), (64, 97), (100, 64), (129, 127)])
def test_a_short_message_survives_in_small_pictures(name: str, photograph: Image, shape: tuple[int, int]) -> None:
    cover, channel = photograph[100 : 100 + shape[0], 230 : 230 + shape[1]], parse("jpeg:75")
    payload = Payload.from_text("ID 7")
    marked = METHODS[name].hide(cover, payload, None, psnr=36, survive=channel)
    assert marked.shape == cover.shape
    assert metrics.psnr(cover, marked) >= 36
    assert METHODS[name].reveal(channel(marked), None) == payload


def test_thirty_bits_survive(name: str) -> None:
    bits, cover = np.random.default_rng(3).integers(0, 2, 30, dtype=np.uint8), COFFEE[200:328, 200:328]
    marked = METHODS[name].embed_bits(cover, bits, KEY, psnr=40)
    assert marked.shape == cover.shape
    assert 37 < metrics.psnr(cover, marked) < 41.5
    for chain in ("none", "jpeg:50", "jpeg:25", "webp:75", "contrast:0.9", "contrast:1.1"):
        soft = METHODS[name].extract_bits(parse(chain)(marked), 30, KEY, psnr=40)
        assert soft.dtype == np.float32
        assert np.array_equal(soft > 0, bits), chain


def test_bits_of_another_key_are_random(name: str) -> None:
    bits, cover = np.random.default_rng(3).integers(0, 2, 30, dtype=np.uint8), COFFEE[200:328, 200:328]
    marked = METHODS[name].embed_bits(cover, bits, KEY, psnr=40)
    assert 5 < np.sum((METHODS[name].extract_bits(marked, 30, Key(bytes(32)), psnr=40) > 0) != bits) < 25


@pytest.mark.parametrize(("name", "room"), [("stdm", 448), ("robust", (512 // 16) ** 2 * 14)])
def test_bits_that_do_not_fit_are_refused(name: str, room: int) -> None:
    method, cover = METHODS[name], COFFEE[200:328, 200:328]
    for count in (0, room + 1):
        with pytest.raises(CapacityError, match=f"{count} bits do not fit"):
            method.extract_bits(cover, count, KEY, psnr=40)
    assert method.extract_bits(cover, room, KEY, psnr=40).shape == (room,)
    with pytest.raises(UsageError, match="bits, each 0 or 1"):
        method.embed_bits(cover, np.full(30, 2, np.uint8), KEY, psnr=40)
    with pytest.raises(UsageError, match="too small"):
        method.embed_bits(COFFEE[:31, :199], np.zeros(30, np.uint8), KEY, psnr=40)
