"""The sync pattern: it stays within its energy, and says where a part of a picture lies, to those who have the key."""

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
#: How far out a window may be, in shares of the whole's side.
CLOSE = 1 / 200


def spent(cover: Image, container: Image) -> float:
    return float(np.mean(np.square(container.astype(np.float64) - cover)))


def error(found: Window, true: Window) -> float:
    """By how much any of its four edges is out of place."""
    return max(
        *(abs(found.top - true.top), abs(found.top + found.height - true.top - true.height)),
        *(abs(found.left - true.left), abs(found.left + found.width - true.left - true.width)),
    )


def cut(image: Image, rng: np.random.Generator) -> tuple[Image, Window]:
    """A random part of *image*, of 0.65 to 1 of its sides, and where it lies."""
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
def test_the_whole_is_found(patterned: Image, chain: str) -> None:
    (found,) = sync.search(parse(chain)(patterned), KEY, 1)
    assert error(found, WHOLE) < CLOSE


@pytest.mark.parametrize("fate", ["cut", "squeezed", "enlarged", "compressed"])
def test_parts_are_found(patterned: Image, fate: str) -> None:
    """Nearly always, and when they are, to 1/200 of a side."""
    rng = np.random.default_rng(1)
    hits = []
    for _ in range(6):
        part, true = cut(patterned, rng)
        height, width, _ = part.shape
        if fate in ("squeezed", "enlarged"):
            down, across = (0.9, 0.6) if fate == "squeezed" else (1.3, 1.6)
            size = round(width * across), round(height * down)
            part = np.asarray(Pillow.fromarray(part).resize(size, Pillow.Resampling.BICUBIC))
        elif fate == "compressed":
            part = parse("jpeg:60")(part)
        hits += [any(error(found, true) < CLOSE for found in sync.search(part, KEY, 3))]
    assert sum(hits) >= 5


def test_the_best_comes_first_each_time(patterned: Image) -> None:
    """A search leaves nothing behind that another one with the same key would see."""
    found = sync.search(patterned, KEY, 12)
    assert 1 <= len(found) <= 12
    assert error(found[0], WHOLE) < CLOSE
    assert sync.search(patterned, KEY, 12) == found
    assert sync.search(patterned, KEY, 1) == found[:1]
    assert sync.search(patterned, KEY, 0) == []


def test_other_keys_find_nothing_better_than_chance(patterned: Image) -> None:
    """None of the windows that look worth a try is the right one."""
    found = [sync.search(patterned, Key.derive(None, f"another key {i:04}".encode()), 12) for i in range(4)]
    assert all(error(window, WHOLE) > CLOSE for windows in found for window in windows)


def test_covers_have_no_pattern() -> None:
    for cover in PICTURES.values():
        assert all(error(window, WHOLE) > CLOSE for window in sync.search(cover, KEY, 12))


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(["grey", "black", "noise", *PICTURES]),
    st.integers(32, 150),
    st.integers(32, 150),
    st.floats(26, 66),
)
def test_the_energy_is_kept(kind: str, height: int, width: int, psnr: float) -> None:
    """Also where the pattern is so faint that rounding would double it."""
    cover = {
        "grey": np.full((height, width, 3), 128, np.uint8),
        "black": np.zeros((height, width, 3), np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8),
        **{name: picture[:height, :width] for name, picture in PICTURES.items()},
    }[kind]
    energy = 255.0**2 / 10 ** (psnr / 10)
    before = cover.copy()
    assert spent(cover, sync.embed(cover, KEY, energy)) <= energy * 1.001
    assert np.array_equal(cover, before)


def test_no_more_is_spent_than_it_takes() -> None:
    """A pattern that is found is strong enough: ten times the energy changes the picture no more."""
    cover = PICTURES["chelsea"]
    assert spent(cover, sync.embed(cover, KEY, 10 * ENERGY)) < 2 * ENERGY
    assert np.array_equal(sync.embed(cover, KEY, 0), cover)


def test_it_is_always_the_same_pattern() -> None:
    cover = PICTURES["coffee"][:200, :200]
    assert np.array_equal(sync.embed(cover, KEY, ENERGY), sync.embed(cover.copy(), KEY, ENERGY))


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (4000, 2), (3, 3), (2, 5), (64, 4000), (32, 32)])
@pytest.mark.parametrize("flat", [True, False])
def test_odd_shapes(shape: tuple[int, int], flat: bool) -> None:
    rng = np.random.default_rng(0)
    cover = np.full((*shape, 3), 77, np.uint8) if flat else rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    container = sync.embed(cover, KEY, 4.0)
    assert container.shape == cover.shape
    assert spent(cover, container) <= 4.001
    assert len(sync.search(cover, KEY, 3)) <= 3


@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_pictures_have_no_windows(level: int) -> None:
    assert sync.search(np.full((90, 120, 3), level, np.uint8), KEY, 5) == []


def test_flat_pictures_take_the_pattern() -> None:
    container = sync.embed(np.full((256, 256, 3), 128, np.uint8), KEY, ENERGY)
    (found,) = sync.search(container[40:, :230], KEY, 1)
    assert error(found, Window(40 / 256, 0, 216 / 256, 230 / 256)) < CLOSE


def test_pictures_that_may_not_be_written_to() -> None:
    cover = PICTURES["coffee"][50:250, 50:250]
    cover.setflags(write=False)
    assert spent(cover, sync.embed(cover, KEY, ENERGY)) > 0
    sync.search(cover, KEY, 1)
