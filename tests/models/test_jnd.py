"""JND of machine vision: the requested PSNR, labels that must stay, pictures of any size in bounded memory."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from support.machine_models import Generator, generator
from underpaint import media, metrics
from underpaint.errors import UsageError
from underpaint.models import classifiers, jnd, jnd_networks
from underpaint.types import Image

__all__ = ["generator"]


def noise(height: int, width: int, low: int = 0, high: int = 256) -> Image:
    return np.random.default_rng(0).integers(low, high, (height, width, 3), dtype=np.uint8)


# ── size of the change ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("psnr", [9.56, 14, 20, 33.3, 45])
@pytest.mark.parametrize("size", [(32, 32), (45, 300)])
def test_the_change_has_the_requested_psnr(generator: Generator, psnr: float, size: tuple[int, int]) -> None:
    picture = noise(*size)
    found = jnd.jnd(picture, psnr, classifiers={})
    changed = found.applied(picture)
    assert metrics.psnr(picture, changed) == pytest.approx(found.psnr, abs=1e-6)
    assert psnr - 0.15 < found.psnr <= psnr + 1e-6
    assert found.change.dtype == np.int16
    assert np.array_equal(found.threshold, np.abs(changed.astype(int) - picture))
    assert found.attention.shape == size
    assert found.attention.dtype == np.uint8


def test_no_value_moves_much_further_than_others() -> None:
    picture = np.full((64, 64, 3), 128, np.uint8)
    direction = np.ones((64, 64, 3), np.float32)
    direction[:2] = 1000
    change = np.abs(jnd.move(picture, direction, 20).astype(int) - 128)
    assert change.max() < 128
    even = np.abs(jnd.move(picture, np.ones_like(direction), 20).astype(int) - 128)
    assert (even == 26).all()


def test_a_direction_out_of_the_range_of_values_changes_nothing(generator: Generator) -> None:
    white = np.full((40, 40, 3), 255, np.uint8)
    found = jnd.jnd(white, 10, classifiers={})
    assert found.psnr == math.inf
    assert not found.change.any()


@pytest.mark.parametrize("psnr", [7.9, 61, math.nan])
def test_a_psnr_out_of_range_is_refused(generator: Generator, psnr: float) -> None:
    with pytest.raises(UsageError, match="out of range"):
        jnd.jnd(noise(40, 40), psnr)


def test_small_pictures_are_refused(generator: Generator) -> None:
    with pytest.raises(UsageError, match="too small"):
        jnd.jnd(noise(31, 40))


# ── labels ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_way_that_keeps_most_labels_is_chosen(generator: Generator) -> None:
    picture = noise(64, 64, 60, 120)  # 25 levels up change the label of one classifier, 25 down change none
    free, held = jnd.jnd(picture, 20, classifiers={}), jnd.jnd(picture, 20)
    assert free.change.mean() > 0 > held.change.mean()
    assert held.psnr == pytest.approx(20, abs=0.1)


def test_a_brightness_way_that_clipping_stops_is_not_chosen(generator: Generator) -> None:
    picture = noise(64, 64, 240, 256)
    found = jnd.jnd(picture, 20)
    assert found.change.mean() < 0
    assert found.psnr == pytest.approx(20, abs=0.1)


def test_the_change_shrinks_until_all_labels_stay(generator: Generator) -> None:
    picture = noise(64, 64, 85, 115)  # 25 levels up change one label, 25 down another
    functions: dict[str, classifiers.Classifier] = classifiers.load_classifiers() | {
        "dark": lambda changed: int(changed.mean() < 80)
    }
    free, held = jnd.jnd(picture, 20, classifiers={}), jnd.jnd(picture, 20, classifiers=functions)
    assert free.psnr == pytest.approx(20, abs=0.1)
    assert held.psnr > 21
    for classify in functions.values():
        assert classify(picture) == classify(held.applied(picture))
    assert functions["mobile"](picture) != functions["mobile"](free.applied(picture))


def test_nothing_changes_if_every_change_alters_a_label(generator: Generator) -> None:
    picture = noise(64, 64, 85, 115)
    found = jnd.jnd(picture, 20, classifiers={"me": lambda changed: int(not np.array_equal(changed, picture))})
    assert found.psnr == math.inf
    assert not found.change.any()


def test_the_tolerance_of_pixels_is_relative_and_limited(generator: Generator) -> None:
    found = jnd.tolerance(noise(40, 48))
    assert found.shape == (40, 48)
    assert found.dtype == np.float32
    assert 0.25 <= found.min() < 1 < found.max() <= 4


# ── large pictures ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [(64, 64), (63, 130), (129, 65)])
def test_tiles_and_strips_do_not_change_the_result(
    generator: Generator, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = noise(*size)
    whole = jnd.jnd(picture, 18, classifiers={})
    monkeypatch.setattr(jnd_networks, "TILING", jnd_networks.Tiling(overlap=8, side=24))
    monkeypatch.setattr(jnd, "ROWS", 10)
    tiled = jnd.jnd(picture, 18, classifiers={})
    assert np.abs(tiled.change - whole.change).max() <= 1
    assert np.array_equal(tiled.attention, whole.attention)


def test_a_large_picture_runs_in_tiles(generator: Generator) -> None:
    jnd.jnd(noise(1100, 1500), 20, classifiers={})
    assert len(generator.asked) == 9 + 1, "once for the scores of ways, of the reduced picture"
    assert max(height * width for *_, height, width in generator.asked) <= 576**2


@pytest.mark.slow
def test_twelve_megapixels_take_less_than_a_gigabyte(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    media.write(media.Picture(np.kron(noise(75, 100), np.ones((40, 40, 1), np.uint8))), tmp_path / "large.png")
    code = "import sys; from underpaint.cli.main import main; sys.exit(main(['jnd', 'large.png', '-o', 'map.png']))"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert media.read(tmp_path / "map.png").pixels.shape == (3000, 4000, 3)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < 1e9
