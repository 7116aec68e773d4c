"""Synchronisation pattern: energy, and search for the window of a cropped picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from underpaint import media as files
from underpaint.channels import parse
from underpaint.coding.keys import Key
from underpaint.embedding import sync
from underpaint.embedding.sync import WHOLE, Window
from underpaint.media import samples
from underpaint.types import Image

KEY = Key.derive(None, b"sync tests 16 by")
PICTURES = {name: files.read(samples.path(name)).pixels for name in samples.names()}
#: A quarter of what 38 dB costs.
ENERGY = 255.0**2 / 10**3.8 / 4
#: Largest error of a window's edge, as a share of the whole picture's side.
CLOSE = 1 / 200


def mean_squared_change(cover: Image, container: Image) -> float:
    return float(np.mean(np.square(container.astype(np.float64) - cover)))


def error(found: Window, true: Window) -> float:
    """Return the largest error of the four edges."""
    return max(
        *(abs(found.top - true.top), abs(found.top + found.height - true.top - true.height)),
        *(abs(found.left - true.left), abs(found.left + found.width - true.left - true.width)),
    )


def cut(image: Image, rng: np.random.Generator) -> tuple[Image, Window]:
    """Crop a random part of *image*, of 0.65 to 1 of its sides; return it and its window."""
    sides = np.array(image.shape[:2])
    lengths = np.round(rng.uniform(0.65, 1, 2) * sides).astype(int)
    top, left = rng.integers(0, sides - lengths, endpoint=True)
    height, width = lengths
    part = image[top : top + height, left : left + width]
    return part, Window(top / sides[0], left / sides[1], height / sides[0], width / sides[1])


@pytest.fixture(scope="module", params=samples.names())
def patterned(request: pytest.FixtureRequest) -> Image:
    return sync.embed(PICTURES[request.param], KEY, ENERGY)


@pytest.mark.parametrize("chain", ["jpeg:30", "rescale:0.4", "contrast:0.7", "noise:0.04"])
def test_the_whole_picture_is_found(patterned: Image, chain: str) -> None:
    (found,) = sync.search(parse(chain)(patterned), KEY, 1)
    assert error(found, WHOLE) < CLOSE


@pytest.mark.parametrize("distortion", ["cut", "reduced", "enlarged", "compressed"])
def test_cropped_parts_are_found(patterned: Image, distortion: str) -> None:
    """In at least 5 of 6 crops, to 1/200 of a side."""
    rng = np.random.default_rng(1)
    hits = []
    for _ in range(6):
        part, true = cut(patterned, rng)
        height, width, _ = part.shape
        if distortion in ("reduced", "enlarged"):
            down, across = (0.9, 0.6) if distortion == "reduced" else (1.3, 1.6)
            size = round(width * across), round(height * down)
            part = np.asarray(Pillow.fromarray(part).resize(size, Pillow.Resampling.BICUBIC))
        elif distortion == "compressed":
            part = parse("jpeg:60")(part)
        hits += [any(error(found, true) < CLOSE for found in sync.search(part, KEY, 3))]
    assert sum(hits) >= 5


def test_the_best_window_comes_first(patterned: Image) -> None:
    """Repeated searches with the same key return the same windows."""
    found = sync.search(patterned, KEY, 12)
    assert 1 <= len(found) <= 12
    assert error(found[0], WHOLE) < CLOSE
    assert sync.search(patterned, KEY, 12) == found
    assert sync.search(patterned, KEY, 1) == found[:1]
    assert sync.search(patterned, KEY, 0) == []


def test_other_keys_do_not_find_the_window(patterned: Image) -> None:
    """None of the windows above the score threshold is the right one."""
    found = [sync.search(patterned, Key.derive(None, f"another key {i:04}".encode()), 12) for i in range(4)]
    assert all(error(window, WHOLE) > CLOSE for windows in found for window in windows)


def test_the_window_is_not_found_in_covers() -> None:
    for cover in PICTURES.values():
        assert all(error(window, WHOLE) > CLOSE for window in sync.search(cover, KEY, 12))


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(["grey", "black", "noise", *PICTURES]),
    st.integers(32, 150),
    st.integers(32, 150),
    st.floats(26, 66),
)
def test_the_energy_limit_is_kept(kind: str, height: int, width: int, psnr: float) -> None:
    """Also if the pattern is so weak that rounding would double its energy."""
    cover = {
        "grey": np.full((height, width, 3), 128, np.uint8),
        "black": np.zeros((height, width, 3), np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8),
        **{name: picture[:height, :width] for name, picture in PICTURES.items()},
    }[kind]
    energy = 255.0**2 / 10 ** (psnr / 10)
    before = cover.copy()
    assert mean_squared_change(cover, sync.embed(cover, KEY, energy)) <= energy * 1.001
    assert np.array_equal(cover, before)


def test_no_more_energy_is_used_than_needed() -> None:
    """A tenfold energy limit hardly changes the amplitude."""
    cover = PICTURES["chelsea"]
    assert mean_squared_change(cover, sync.embed(cover, KEY, 10 * ENERGY)) < 2 * ENERGY
    assert np.array_equal(sync.embed(cover, KEY, 0), cover)


def test_the_pattern_is_deterministic() -> None:
    cover = PICTURES["coffee"][:200, :200]
    assert np.array_equal(sync.embed(cover, KEY, ENERGY), sync.embed(cover.copy(), KEY, ENERGY))


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (4000, 2), (3, 3), (2, 5), (64, 4000), (32, 32)])
@pytest.mark.parametrize("flat", [True, False])
def test_tiny_and_thin_pictures(shape: tuple[int, int], flat: bool) -> None:
    rng = np.random.default_rng(0)
    cover = np.full((*shape, 3), 77, np.uint8) if flat else rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    container = sync.embed(cover, KEY, 4.0)
    assert container.shape == cover.shape
    assert mean_squared_change(cover, container) <= 4.001
    assert len(sync.search(cover, KEY, 3)) <= 3


@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_pictures_have_no_windows(level: int) -> None:
    assert sync.search(np.full((90, 120, 3), level, np.uint8), KEY, 5) == []


def test_the_pattern_is_found_in_flat_pictures() -> None:
    container = sync.embed(np.full((256, 256, 3), 128, np.uint8), KEY, ENERGY)
    (found,) = sync.search(container[40:, :230], KEY, 1)
    assert error(found, Window(40 / 256, 0, 216 / 256, 230 / 256)) < CLOSE


def test_read_only_pictures() -> None:
    cover = PICTURES["coffee"][50:250, 50:250]
    cover.setflags(write=False)
    assert mean_squared_change(cover, sync.embed(cover, KEY, ENERGY)) > 0
    sync.search(cover, KEY, 1)
