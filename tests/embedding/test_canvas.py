"""The canvas: changes painted on a picture of any size are analysed again, also after resizing and cropping."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Pillow

from underpaint import media as files
from underpaint.embedding import lapped
from underpaint.embedding.canvas import Canvas
from underpaint.embedding.lapped import BLOCK
from underpaint.media import samples
from underpaint.types import Image

COFFEE = files.read(samples.path("coffee")).pixels
CALM = (COFFEE // 2 + 60).astype(np.uint8)
BOTH = (Canvas(128), Canvas(256))


def resized(image: Image, height: int, width: int) -> Image:
    return np.asarray(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.BICUBIC))


def random_change(canvas: Canvas, count: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(0, 60, canvas.blocks * count).astype(np.float32)


def rectangle(top: float, left: float, height: float, width: float) -> tuple[tuple[float, float], ...]:
    """Return the outline of a window, in turn from its upper left corner."""
    right, bottom = left + width, top + height
    return (left, top), (right, top), (right, bottom), (left, bottom)


def whole_blocks(side: int, start: float, length: float) -> NDArray[np.bool_]:
    """Return which blocks along a side lie in the window with all of their basis functions, pixel by pixel."""
    covered = [start <= pixel / side and (pixel + 1) / side <= start + length for pixel in range(side)]
    reach = BLOCK // 2
    return np.array([all(covered[max(at - reach, 0) : at + BLOCK + reach]) for at in range(0, side, BLOCK)])


def test_a_canvas_of_the_pictures_size_is_the_lapped_transform() -> None:
    square = COFFEE[:256, :256]
    canvas, change = Canvas(256), random_change(Canvas(256), 9)
    assert canvas.analyse(square, 9) == pytest.approx(lapped.analyse(square, 9), abs=1e-3)
    assert np.array_equal(canvas.paint(square, change, 9), lapped.paint(square, change, 9))
    assert (canvas.blocks, canvas.pixels) == (256, 65536)


@pytest.mark.parametrize("shape", [(128, 128), (100, 160), (300, 451), (512, 512), (700, 130), (128, 1400)])
@pytest.mark.parametrize("scale", [1, 0.5, 1.7])
def test_painted_changes_are_analysed_again_at_any_size(shape: tuple[int, int], scale: float) -> None:
    canvas, picture = Canvas(128), resized(CALM, *shape)
    change = random_change(canvas, 2)
    after = [round(side * scale) for side in shape]
    cover, container = (resized(image, *after) for image in (picture, canvas.paint(picture, change, 2)))
    seen = canvas.analyse(container, 2) - canvas.analyse(cover, 2)
    # Downscaling below the canvas and strongly stretched pixels weaken the change.
    assert np.vdot(seen, change) / np.vdot(change, change) == pytest.approx(1, abs=0.07)
    assert np.corrcoef(seen, change)[0, 1] > 0.99


@pytest.mark.parametrize("side", [128, 256, 512])
def test_all_frequencies_survive_in_larger_pictures(side: int) -> None:
    canvas = Canvas(side)
    change, picture = random_change(canvas, 14), resized(CALM, side + 90, side + 310)
    seen = canvas.analyse(canvas.paint(picture, change, 14), 14) - canvas.analyse(picture, 14)
    assert np.std(seen - change) < 0.05 * 60


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([128, 256]),
    *(st.integers(0, 400) for _ in range(2)),
    *(st.integers(600, 1000) for _ in range(2)),
    st.sampled_from([1, 2, 14]),
)
def test_blocks_that_are_not_covered_are_nan(
    side: int, top: float, left: float, height: float, width: float, count: int
) -> None:
    """Windows are drawn in thousandths of the side."""
    top, left, height, width = (each / 1000 for each in (top, left, min(height, 1000 - top), min(width, 1000 - left)))
    canvas = Canvas(side, rectangle(top, left, height, width))
    coefficients = canvas.analyse(COFFEE[:90, :120], count).reshape(-1, count)
    whole = np.logical_and.outer(whole_blocks(side, top, height), whole_blocks(side, left, width))
    assert np.array_equal(np.isfinite(coefficients), np.repeat(whole.reshape(-1, 1), count, axis=1))


def test_an_outline_beyond_the_canvas_covers_all_blocks() -> None:
    plain = Canvas(128).analyse(COFFEE, 5)
    assert np.array_equal(Canvas(128, rectangle(-0.2, -0.3, 2, 2)).analyse(COFFEE, 5), plain)
    beyond = Canvas(128, rectangle(-0.1, 0.5, 0.8, 0.8)).analyse(COFFEE, 2).reshape(8, 8, 2)
    assert np.isfinite(beyond[:5, 5:]).all()
    assert np.isnan(beyond[6:]).all()
    assert np.isnan(beyond[:, :4]).all()


def test_the_turn_of_an_outline_does_not_matter() -> None:
    outline = rectangle(0.1, 0.2, 0.7, 0.6)
    one, other = (np.isfinite(Canvas(128, each).analyse(COFFEE, 2)) for each in (outline, outline[::-1]))
    assert np.array_equal(one, other)
    assert 0 < one.mean() < 1


@pytest.mark.parametrize("canvas", BOTH, ids=lambda canvas: str(canvas.side))
def test_neighbours_on_the_z_order_curve_are_neighbours_on_the_canvas(canvas: Canvas) -> None:
    places, across = canvas.places, canvas.side // BLOCK
    assert places is not None
    assert np.array_equal(np.unique(places, return_counts=True)[1], np.full(canvas.blocks // 4, 4))
    down, over = np.divmod(np.arange(canvas.blocks), across)
    for place in range(canvas.blocks // 4):
        own = places == place
        assert np.ptp(down[own]) == np.ptp(over[own]) == 1
    for stretch in range(canvas.blocks // 16):  # four quads in a row lie in a square as well
        own = places // 4 == stretch
        assert np.ptp(down[own]) == np.ptp(over[own]) == 3
    assert Canvas(canvas.side, near=False).places is None


@pytest.mark.parametrize("kind", ["photograph", "black", "white", "noise", "thin"])
@pytest.mark.parametrize("canvas", BOTH, ids=lambda canvas: str(canvas.side))
def test_weights_are_positive(canvas: Canvas, kind: str) -> None:
    cover = {
        "photograph": COFFEE,
        "black": np.zeros((64, 64, 3), np.uint8),
        "white": np.full((70, 90, 3), 255, np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8),
        "thin": COFFEE[:64].repeat(4, axis=1),
    }[kind]
    for count in canvas.counts:
        weights = canvas.weights(cover, count)
        assert weights.shape == (canvas.blocks * count,)
        assert weights.dtype == np.float32
        assert np.isfinite(weights).all()
        assert weights.min() > 0


def test_textured_blocks_allow_more_change_and_clipped_ones_less() -> None:
    """The same texture in the middle and at both ends of the range."""
    texture = np.random.default_rng(0).integers(0, 3, (128, 128, 1)) * 4
    mild = np.repeat(texture, 3, axis=2)

    def mean(levels: NDArray[np.int64]) -> float:
        return float(np.log(Canvas(128).weights(np.clip(levels, 0, 255).astype(np.uint8), 2)).mean())

    assert mean(mild + 120) > mean(mild + 246) + 0.5
    assert mean(mild + 120) > mean(mild - 8) + 0.5
    assert mean(8 * mild + 90) > mean(mild + 120)


def test_fewer_frequencies_are_the_first_of_many() -> None:
    canvas = Canvas(128)
    for look in (canvas.analyse, canvas.weights):
        few, many = look(COFFEE, 2).reshape(-1, 2), look(COFFEE, 14).reshape(-1, 14)
        assert many[:, :2] == pytest.approx(few, rel=1e-4, abs=1e-3)


def test_the_cover_is_not_changed() -> None:
    cover, canvas = COFFEE[:200, :180].copy(), Canvas(128)
    before = cover.copy()
    cover.setflags(write=False)
    assert np.array_equal(canvas.paint(cover, np.zeros(canvas.blocks * 2, np.float32), 2), before)
    assert not np.shares_memory(canvas.paint(cover, random_change(canvas, 2), 2), cover)
    canvas.weights(cover, 2)
    canvas.analyse(cover, 2)
    assert np.array_equal(cover, before)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 2), (15, 17)])
def test_tiny_and_thin_pictures(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 90, np.uint8)
    for canvas in (Canvas(128), Canvas(128, rectangle(0.2, 0.1, 0.7, 0.65))):
        seen = canvas.analyse(picture, 2)
        assert np.nanmax(np.abs(seen)) < 1e-2
    assert Canvas(128).paint(picture, random_change(Canvas(128), 2), 2).shape == picture.shape


def test_all_coefficients_of_a_block_have_the_same_weight() -> None:
    assert np.ptp(Canvas(128).weights(COFFEE, 5).reshape(-1, 5), axis=1).max() == 0
