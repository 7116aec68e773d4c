"""Marks on any ground: pilots and message never overlap, size and step are found, and chance is kept in its bound."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from underpaint.coding import frame
from underpaint.coding.keys import Key
from underpaint.embedding import watermark
from underpaint.embedding.canvas import Canvas
from underpaint.embedding.lapped import Array, SpreadTransform
from underpaint.embedding.watermark import MAX_FALSE_POSITIVE_RATE, PILOTS, SIZES, Detection, EmbeddingDomain
from underpaint.errors import CapacityError, NotFoundError, UsageError
from underpaint.methods.stdm import Grid
from underpaint.types import Image, Payload

KEY = Key.derive(None, b"marks tests 16 b")
PICTURE = np.zeros((1, 1, 3), np.uint8)
MESSAGE = Payload.from_text("12345678")
GROUNDS: tuple[EmbeddingDomain, ...] = (
    *(Canvas(side) for side in (128, 256, 512)),
    *(Grid(128, 128), Grid(300, 451), Grid(96, 700)),
)


@dataclass
class Field:
    """A ground without a picture: it holds the coefficients that others see in one."""

    blocks: int = 256
    seed: int = 0
    near: bool = False
    counts: tuple[int, ...] = (2, 5, 9, 14)
    values: Array = field(init=False)
    #: What the writer allows.
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

    restore = analyse

    def paint(self, image: Image, change: Array, count: int) -> Image:
        self.values[:, :count] += change.reshape(-1, count)
        return image

    def weights(self, _cover: Image, count: int) -> Array:
        return self.allowed[:, :count].ravel()


def marked(payload: Payload, size: int, psnr: float = 40.0, *, near: bool = False, blocks: int = 256) -> Field:
    """A field with a message."""
    ground = Field(blocks, near=near)
    plan = watermark.sealed(ground, PICTURE, payload, KEY, size)
    step = plan.step(watermark.energy(ground, psnr))
    plan.paint(plan.change(plan.aims(step) - plan.projections))
    return ground


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(GROUNDS), st.sampled_from(SIZES), st.integers(0, 9))
def test_pilots_and_message_never_overlap(ground: EmbeddingDomain, size: int, seed: int) -> None:
    key = Key.derive(None, f"layout {seed:09}".encode())
    if not watermark.fits(ground, size):
        return
    count, pilots, message = watermark.layout(ground, key, size)
    assert count in ground.counts
    assert pilots.order.shape[1] == PILOTS == len(pilots.dither)
    assert message.order.shape[1] == watermark.coded(size) == len(message.dither)
    both = np.concatenate([pilots.order.ravel(), message.order.ravel()])
    assert len(np.unique(both)) == len(both)
    assert 0 <= both.min() <= both.max() < ground.blocks * count


@pytest.mark.parametrize("ground", GROUNDS, ids=str)
def test_pilots_lie_on_the_same_coefficients_whatever_the_size(ground: EmbeddingDomain) -> None:
    seen = set()
    for size in (size for size in SIZES if watermark.fits(ground, size)):
        count, pilots, _ = watermark.layout(ground, KEY, size)
        block, frequency = np.divmod(pilots.order, count)
        assert frequency.max() < ground.counts[0]
        seen.add((block.tobytes(), frequency.tobytes(), pilots.signs.tobytes(), pilots.dither.tobytes()))
    assert len(seen) == 1


def test_each_frame_size_has_its_own_pilots() -> None:
    patterns = {watermark.pilot(KEY, size).tobytes() for size in SIZES}
    assert len(patterns) == len(SIZES)
    assert watermark.pilot(KEY, 16).shape == (PILOTS,)


def test_bits_of_a_canvas_keep_together() -> None:
    """With places to go by, most bits keep within a quarter of a side; without, they come from all over."""
    for near in (True, False):
        canvas = Canvas(512, near=near)
        count, pilots, message = watermark.layout(canvas, KEY, 16)
        for spread in (pilots, message):
            down, across = np.divmod(spread.order // count, 32)
            reach = np.maximum(np.ptp(down, axis=0), np.ptp(across, axis=0))
            assert (np.median(reach) < 8) == near


@pytest.mark.parametrize("size", [11, 16, 23, 45, 91, 128])
@pytest.mark.parametrize("near", [True, False])
def test_size_and_step_are_found(size: int, near: bool) -> None:
    ground = Field(near=near)
    plan = watermark.sealed(ground, PICTURE, Payload(b""), KEY, size)
    step = plan.step(watermark.energy(ground, 40))
    before = plan.projections
    aims = plan.aims(step)
    change = plan.change(aims - before)
    plan.paint(change)
    assert plan.project(PICTURE) == pytest.approx(aims, abs=0.01)
    assert float(np.square(change).sum()) == pytest.approx(watermark.energy(ground, 40), rel=0.02)
    found = watermark.detect(ground, PICTURE, KEY)
    assert found[0].size == size
    assert found[0].step == pytest.approx(step, rel=1e-3)
    assert found[0].false_alarm < MAX_FALSE_POSITIVE_RATE
    assert watermark.decode(ground, PICTURE, KEY, found) == (Payload(b""), 0.0)


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.35])
def test_a_change_of_gain_is_a_change_of_step(factor: float) -> None:
    ground = marked(MESSAGE, 16)
    before = watermark.detect(ground, PICTURE, KEY)[0]
    ground.values *= np.float32(factor)
    found = watermark.detect(ground, PICTURE, KEY)[0]
    assert found.size == 16
    assert found.step / before.step == pytest.approx(factor, rel=2e-3)
    assert watermark.decode(ground, PICTURE, KEY, [found])[0] == MESSAGE


@pytest.mark.parametrize(("share", "near"), [(0.15, False), (0.3, True)])
def test_what_did_not_arrive_is_done_without(share: float, near: bool) -> None:
    """A part that was cut off: with bits that keep together, even a third of all blocks."""
    ground = marked(MESSAGE, 16, near=near, blocks=1024)
    ground.values[: round(share * ground.blocks)] = np.nan
    found = watermark.detect(ground, PICTURE, KEY)
    assert found[0].size == 16
    assert watermark.decode(ground, PICTURE, KEY, found)[0] == MESSAGE


def test_nothing_arrived() -> None:
    ground = marked(MESSAGE, 16)
    ground.values[:] = np.nan
    assert watermark.detect(ground, PICTURE, KEY) == []
    with pytest.raises(NotFoundError):
        watermark.decode(ground, PICTURE, KEY, [Detection(16, 60.0, 0.0)])


def test_corrected_bits_are_counted() -> None:
    ground = marked(MESSAGE, 16)
    ground.values += np.random.default_rng(1).normal(0, 14, ground.values.shape).astype(np.float32)
    payload, corrected = watermark.decode(ground, PICTURE, KEY, watermark.detect(ground, PICTURE, KEY))
    assert payload == MESSAGE
    assert 0 < corrected < 0.2


def test_other_keys_see_an_unmarked_picture() -> None:
    ground = marked(MESSAGE, 16)
    other = Key.derive(None, b"another key 16 b")
    assert watermark.detect(ground, PICTURE, other)[0].false_alarm > 1e-3
    with pytest.raises(NotFoundError):
        watermark.decode(ground, PICTURE, other, watermark.detect(ground, PICTURE, KEY))


def test_the_false_alarm_is_a_bound() -> None:
    """Of many keys no more see something than stated; those with few pilots left may see no more, either."""
    for missing in (0.0, 0.8):
        chances = []
        ground = Field(blocks=64)
        ground.values[: round(64 * missing)] = np.nan
        for seed in range(150):
            found = watermark.detect(ground, PICTURE, Key.derive(None, f"unmarked {seed:07}".encode()))
            chances += [mark.false_alarm for mark in found[:1]]
        assert len(chances) > 20
        for level in (0.5, 0.1):
            assert np.mean(np.array(chances) <= level) <= level
        assert min(chances) > MAX_FALSE_POSITIVE_RATE * 100


def test_grounds_too_small_for_pilots() -> None:
    assert watermark.detect(Field(blocks=31), PICTURE, KEY) == []
    assert watermark.detect(Grid(64, 32), np.zeros((64, 32, 3), np.uint8), KEY) == []


def test_the_smallest_frame_that_fits_is_taken() -> None:
    random = Payload(np.random.default_rng(0).bytes(40))
    for payload in (Payload(b""), MESSAGE, random):
        size = watermark.frame_size(payload, GROUNDS, 99)
        assert size == min(each for each in SIZES if each >= frame.compact_size(payload))
    with pytest.raises(CapacityError, match="40 bytes do not fit, about 7 do") as error:
        watermark.frame_size(random, [Canvas(64), Grid(64, 64)], 7)
    assert "larger picture" in str(error.value.hint)
    with pytest.raises(CapacityError, match="the picture holds no message"):
        watermark.frame_size(Payload(b""), [], 0)
    with pytest.raises(CapacityError, match="2097152 bytes do not fit"):  # and no time is spent on them
        watermark.frame_size(Payload(bytes(1 << 21)), GROUNDS, 99)


def test_frames_that_fit_grow_with_the_ground() -> None:
    assert sorted(SIZES) == list(SIZES)
    assert SIZES[0] >= frame.compact_size(Payload(b""))
    largest = [max(size for size in SIZES if watermark.fits(Canvas(side), size)) for side in (128, 256, 512)]
    assert largest == sorted(set(largest))
    for ground in GROUNDS:
        fitting = [watermark.fits(ground, size) for size in SIZES]
        assert fitting == sorted(fitting, reverse=True)


@pytest.mark.parametrize("factor", [0.75, 1.0, 1.25])
def test_bits_without_pilots_after_a_change_of_gain(factor: float) -> None:
    rng = np.random.default_rng(0)
    spread, step = SpreadTransform(KEY, "bare", np.arange(120), 30), 100.0
    bits = rng.integers(0, 2, 30, dtype=np.uint8)
    aims = spread.targets(rng.normal(0, 150, 30), bits, step) + rng.normal(0, 3, 30)
    soft = watermark.blind_bits(spread, factor * aims, step)
    assert np.array_equal(soft > 0, bits)
    assert np.abs(soft).min() > 10


def test_bits_of_noise_are_unsure() -> None:
    spread = SpreadTransform(KEY, "bare", np.arange(120), 30)
    soft = [watermark.blind_bits(spread, np.random.default_rng(i).normal(0, 150, 30), 100.0) for i in range(50)]
    assert np.median(np.abs(soft)) < 2 * watermark._CONCENTRATIONS[0]
