"""Watermarks in any embedding domain: layout, blind detection with its p-value, and decoding."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from underpaint.coding import frame
from underpaint.coding.keys import Key
from underpaint.embedding import blind_detection, watermark
from underpaint.embedding.blind_detection import MAX_FALSE_POSITIVE_RATE, Detection
from underpaint.embedding.canvas import Canvas
from underpaint.embedding.lapped import Array
from underpaint.embedding.watermark import PILOTS, SIZES, EmbeddingDomain
from underpaint.errors import CapacityError, NotFoundError
from underpaint.methods.stdm import Grid
from underpaint.types import Image, Payload

KEY = Key.derive(None, b"marks tests 16 b")
PICTURE = np.zeros((1, 1, 3), np.uint8)
MESSAGE = Payload.from_text("12345678")
DOMAINS: tuple[EmbeddingDomain, ...] = (
    *(Canvas(side) for side in (128, 256, 512)),
    *(Grid(128, 128), Grid(300, 451), Grid(96, 700)),
)


@dataclass
class Field:
    """An embedding domain without a picture: it holds the coefficients itself."""

    blocks: int = 256
    seed: int = 0
    near: bool = False
    counts: tuple[int, ...] = (2, 5, 9, 14)
    pilots: int = PILOTS
    copies: tuple[int, ...] = (1,)
    values: Array = field(init=False)
    #: Allowed change of each coefficient.
    allowed: Array = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.values = rng.laplace(0, 60, (self.blocks, 14)).astype(np.float32)
        self.allowed = rng.uniform(0.3, 3, (self.blocks, 14)).astype(np.float32)

    @property
    def pixels(self) -> int:
        return 256 * self.blocks

    @property
    def places(self) -> NDArray[np.intp] | None:
        return np.arange(self.blocks) // 4 if self.near else None

    def analyse(self, _image: Image, count: int) -> Array:
        return self.values[:, :count].ravel()

    def paint(self, image: Image, change: Array, count: int) -> Image:
        self.values[:, :count] += change.reshape(-1, count)
        return image

    def weights(self, _cover: Image, count: int) -> Array:
        return self.allowed[:, :count].ravel()


def watermarked(payload: Payload, size: int, psnr: float = 40.0, *, near: bool = False, blocks: int = 256) -> Field:
    """Return a field with a message."""
    domain = Field(blocks, near=near)
    embedding = watermark.prepare(domain, PICTURE, payload, KEY, size)
    step = embedding.step(watermark.energy(domain, psnr))
    embedding.paint(embedding.change(embedding.targets(step) - embedding.projections))
    return domain


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(DOMAINS), st.sampled_from(SIZES), st.integers(0, 9))
def test_pilots_and_message_never_overlap(domain: EmbeddingDomain, size: int, seed: int) -> None:
    key = Key.derive(None, f"layout {seed:09}".encode())
    if not watermark.fits(domain, size):
        return
    count, pilots, message = watermark.layout(domain, key, size)
    assert count in domain.counts
    assert pilots.order.shape[1] == domain.pilots == len(pilots.dither)
    assert message.order.shape[1] == watermark.channel_bits(size) == len(message.dither)
    both = np.concatenate([pilots.order.ravel(), message.order.ravel()])
    assert len(np.unique(both)) == len(both)
    assert 0 <= both.min() <= both.max() < domain.blocks * count


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_pilots_use_the_same_coefficients_for_every_frame_size(domain: EmbeddingDomain) -> None:
    seen = set()
    for size in (size for size in SIZES if watermark.fits(domain, size)):
        count, pilots, _ = watermark.layout(domain, KEY, size)
        block, frequency = np.divmod(pilots.order, count)
        assert frequency.max() < domain.counts[0]
        seen.add((block.tobytes(), frequency.tobytes(), pilots.signs.tobytes(), pilots.dither.tobytes()))
    assert len(seen) == 1


def test_each_frame_size_has_its_own_pilots() -> None:
    patterns = {watermark.pilot(DOMAINS[0], KEY, size, copies).tobytes() for size in SIZES for copies in (1, 3)}
    assert len(patterns) == 2 * len(SIZES)
    assert watermark.pilot(DOMAINS[0], KEY, 16).shape == (PILOTS,)


def test_bits_of_a_canvas_use_neighbouring_blocks() -> None:
    """Most bits stay within a quarter of a side; without places they are spread over the whole canvas."""
    for near in (True, False):
        canvas = Canvas(512, near=near)
        count, pilots, message = watermark.layout(canvas, KEY, 16)
        for spread in (pilots, message):
            down, across = np.divmod(spread.order // count, 32)
            reach = np.maximum(np.ptp(down, axis=0), np.ptp(across, axis=0))
            assert (np.median(reach) < 8) == near


@pytest.mark.parametrize("size", [11, 16, 23, 45, 91, 128])
@pytest.mark.parametrize("near", [True, False])
def test_frame_size_and_step_are_detected(size: int, near: bool) -> None:
    domain = Field(near=near)
    embedding = watermark.prepare(domain, PICTURE, Payload(b""), KEY, size)
    step = embedding.step(watermark.energy(domain, 40))
    before = embedding.projections
    targets = embedding.targets(step)
    change = embedding.change(targets - before)
    embedding.paint(change)
    assert embedding.project(PICTURE) == pytest.approx(targets, abs=0.01)
    assert float(np.square(change).sum()) == pytest.approx(watermark.energy(domain, 40), rel=0.02)
    found = blind_detection.detect(domain, PICTURE, KEY)
    assert found[0].size == size
    assert found[0].step == pytest.approx(step, rel=1e-3)
    assert found[0].p_value < MAX_FALSE_POSITIVE_RATE
    assert blind_detection.decode(domain, PICTURE, KEY, found) == (Payload(b""), 0.0)


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.35])
def test_a_change_of_gain_is_detected_as_a_change_of_step(factor: float) -> None:
    domain = watermarked(MESSAGE, 16)
    before = blind_detection.detect(domain, PICTURE, KEY)[0]
    domain.values *= np.float32(factor)
    found = blind_detection.detect(domain, PICTURE, KEY)[0]
    assert found.size == 16
    assert found.step / before.step == pytest.approx(factor, rel=2e-3)
    assert blind_detection.decode(domain, PICTURE, KEY, [found])[0] == MESSAGE


@pytest.mark.parametrize(("share", "near"), [(0.15, False), (0.3, True)])
def test_missing_blocks_are_tolerated(share: float, near: bool) -> None:
    """A cropped picture: if bits use neighbouring blocks, even a third of all blocks may be missing."""
    domain = watermarked(MESSAGE, 16, near=near, blocks=1024)
    domain.values[: round(share * domain.blocks)] = np.nan
    found = blind_detection.detect(domain, PICTURE, KEY)
    assert found[0].size == 16
    assert blind_detection.decode(domain, PICTURE, KEY, found)[0] == MESSAGE


def test_nothing_is_detected_if_all_blocks_are_missing() -> None:
    domain = watermarked(MESSAGE, 16)
    domain.values[:] = np.nan
    assert blind_detection.detect(domain, PICTURE, KEY) == []
    with pytest.raises(NotFoundError):
        blind_detection.decode(domain, PICTURE, KEY, [Detection(16, 1, 60.0, 0.0)])


def test_the_raw_bit_error_rate_is_reported() -> None:
    domain = watermarked(MESSAGE, 16)
    domain.values += np.random.default_rng(1).normal(0, 14, domain.values.shape).astype(np.float32)
    payload, corrected = blind_detection.decode(domain, PICTURE, KEY, blind_detection.detect(domain, PICTURE, KEY))
    assert payload == MESSAGE
    assert 0 < corrected < 0.2


def test_other_keys_detect_nothing() -> None:
    domain = watermarked(MESSAGE, 16)
    other = Key.derive(None, b"another key 16 b")
    assert blind_detection.detect(domain, PICTURE, other)[0].p_value > 1e-3
    with pytest.raises(NotFoundError):
        blind_detection.decode(domain, PICTURE, other, blind_detection.detect(domain, PICTURE, KEY))


def test_the_p_value_bounds_the_false_positive_rate() -> None:
    """Of many wrong keys no more reach a p-value than it says, also if few pilots were received."""
    for missing in (0.0, 0.8):
        p_values = []
        domain = Field(blocks=64)
        domain.values[: round(64 * missing)] = np.nan
        for seed in range(150):
            found = blind_detection.detect(domain, PICTURE, Key.derive(None, f"unmarked {seed:07}".encode()))
            p_values += [detection.p_value for detection in found[:1]]
        assert len(p_values) > 20
        for level in (0.5, 0.1):
            assert np.mean(np.array(p_values) <= level) <= level
        assert min(p_values) > MAX_FALSE_POSITIVE_RATE * 100


def test_domains_too_small_for_pilots_have_no_candidates() -> None:
    assert blind_detection.detect(Field(blocks=31), PICTURE, KEY) == []
    assert blind_detection.detect(Grid(64, 32), np.zeros((64, 32, 3), np.uint8), KEY) == []


def test_the_smallest_frame_size_that_fits_is_taken() -> None:
    random = Payload(np.random.default_rng(0).bytes(40))
    for payload in (Payload(b""), MESSAGE, random):
        size = watermark.frame_size(payload, DOMAINS, 99)
        assert size == min(each for each in SIZES if each >= frame.compact_size(payload))
    with pytest.raises(CapacityError, match="40 bytes do not fit, about 7 do") as error:
        watermark.frame_size(random, [Canvas(64), Grid(64, 64)], 7)
    assert "larger picture" in str(error.value.hint)
    with pytest.raises(CapacityError, match="the picture holds no message"):
        watermark.frame_size(Payload(b""), [], 0)
    with pytest.raises(CapacityError, match="2097152 bytes do not fit"):  # and no time is spent on them
        watermark.frame_size(Payload(bytes(1 << 21)), DOMAINS, 99)


def test_larger_domains_hold_larger_frames() -> None:
    assert sorted(SIZES) == list(SIZES)
    assert SIZES[0] >= frame.compact_size(Payload(b""))
    largest = [max(size for size in SIZES if watermark.fits(Canvas(side), size)) for side in (128, 256, 512)]
    assert largest == sorted(set(largest))
    for domain in DOMAINS:
        fitting = [watermark.fits(domain, size) for size in SIZES]
        assert fitting == sorted(fitting, reverse=True)
