"""JND of machines: as far as asked, never further than judges allow, in pictures of any size, at bounded memory."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import tiny_model
from support.machine_models import Generator, generator
from underpaint import media, metrics, models
from underpaint.errors import ModelError, UsageError
from underpaint.models import classifiers, jnd
from underpaint.types import Image

__all__ = ["generator"]


def noise(height: int, width: int, low: int = 0, high: int = 256) -> Image:
    return np.random.default_rng(0).integers(low, high, (height, width, 3), dtype=np.uint8)


# ── how far ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("psnr", [9.56, 14, 20, 33.3, 45])
@pytest.mark.parametrize("size", [(32, 32), (45, 300)])
def test_as_far_as_asked(generator: Generator, psnr: float, size: tuple[int, int]) -> None:
    picture = noise(*size)
    found = jnd.jnd(picture, psnr, judges={})
    changed = found.applied(picture)
    assert metrics.psnr(picture, changed) == pytest.approx(found.psnr, abs=1e-6)
    assert psnr - 0.15 < found.psnr <= psnr + 1e-6
    assert found.change.dtype == np.int16
    assert np.array_equal(found.threshold, np.abs(changed.astype(int) - picture))
    assert found.attention.shape == size
    assert found.attention.dtype == np.uint8


def test_no_value_goes_much_further_than_others() -> None:
    picture = np.full((64, 64, 3), 128, np.uint8)
    direction = np.ones((64, 64, 3), np.float32)
    direction[:2] = 1000
    change = np.abs(jnd.moved(picture, direction, 20).astype(int) - 128)
    assert change.max() < 128
    even = np.abs(jnd.moved(picture, np.ones_like(direction), 20).astype(int) - 128)
    assert (even == 26).all()


def test_what_leads_out_of_eight_bits_leads_nowhere(generator: Generator) -> None:
    white = np.full((40, 40, 3), 255, np.uint8)
    found = jnd.jnd(white, 10, judges={})
    assert found.psnr == math.inf
    assert not found.change.any()


def test_judges_choose_the_way(generator: Generator) -> None:
    picture = noise(64, 64, 60, 120)  # 25 levels up take it beyond the border at 0.4; down is none
    free, held = jnd.jnd(picture, 20, judges={}), jnd.jnd(picture, 20)
    assert free.change.mean() > 0 > held.change.mean()
    assert held.psnr == pytest.approx(20, abs=0.1)


def test_light_is_no_way_where_there_is_no_room_for_it(generator: Generator) -> None:
    picture = noise(64, 64, 240, 256)
    found = jnd.jnd(picture, 20)
    assert found.change.mean() < 0
    assert found.psnr == pytest.approx(20, abs=0.1)


def test_judges_have_the_last_word(generator: Generator) -> None:
    picture = noise(64, 64, 85, 115)  # 25 levels up take it beyond the border at 0.4, and so they do down
    judges: dict[str, classifiers.Judge] = classifiers.classifiers_for_check() | {
        "dark": lambda seen: int(seen.mean() < 80)
    }
    free, held = jnd.jnd(picture, 20, judges={}), jnd.jnd(picture, 20, judges=judges)
    assert free.psnr == pytest.approx(20, abs=0.1)
    assert held.psnr > 21
    for judge in judges.values():
        assert judge(picture) == judge(held.applied(picture))
    assert judges["mobile"](picture) != judges["mobile"](free.applied(picture))
    stubborn = jnd.jnd(picture, 20, judges={"me": lambda seen: int(not np.array_equal(seen, picture))})
    assert stubborn.psnr == math.inf, "nothing may change"
    assert not stubborn.change.any()


@pytest.mark.parametrize("psnr", [7.9, 61, math.nan])
def test_a_psnr_out_of_range_is_refused(generator: Generator, psnr: float) -> None:
    with pytest.raises(UsageError, match="out of range"):
        jnd.jnd(noise(40, 40), psnr)


def test_pictures_must_be_large_enough(generator: Generator) -> None:
    with pytest.raises(UsageError, match="too small"):
        jnd.jnd(noise(31, 40))


# ── any size ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [(64, 64), (63, 130), (129, 65)])
def test_tiles_make_no_difference(generator: Generator, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    picture = noise(*size)
    whole = jnd.jnd(picture, 18, judges={})
    monkeypatch.setattr(jnd, "_TILE", 24)
    monkeypatch.setattr(jnd, "_OVERLAP", 8)
    monkeypatch.setattr(jnd, "_ROWS", 10)
    tiled = jnd.jnd(picture, 18, judges={})
    assert np.abs(tiled.change - whole.change).max() <= 1
    assert np.array_equal(tiled.attention, whole.attention)


def test_a_large_picture_is_seen_in_small_parts(generator: Generator) -> None:
    jnd.jnd(noise(1100, 1500), 20, judges={})
    assert len(generator.asked) == 9 + 1, "once for the promises, of the reduced picture"
    assert max(height * width for *_, height, width in generator.asked) <= 576**2


@pytest.mark.parametrize("model", sorted(set(jnd.PANELS) & set(models.names())))
def test_shipped_generators_need_no_more_overlap_than_they_get(model: str) -> None:
    graph = models.load(model).graphs["generator"]
    rng = np.random.default_rng(0)
    inputs: dict[str, Any] = {
        "image": rng.random((1, 3, 96, 96), np.float32),
        "attention": rng.random((1, 1, 96, 96), np.float32),
        "answers": rng.standard_normal((1, int(graph.inputs["answers"][1] or 0)), np.float32),
        "level": np.full((1, 1), 20, np.float32),
        "way": np.eye(jnd.ways(model), dtype=np.float32)[3:4],
    }
    before = graph.run(inputs)["direction"]
    inputs["image"][:, :, :, :16] = 0.5
    after = graph.run(inputs)["direction"]
    assert before.shape == (1, 3, 96, 96)
    assert np.abs(after - before)[..., :16].max() > 1e-3
    assert np.abs(after - before)[..., 16 + 32 :].max() == 0, "tiles overlap by that much"


@pytest.mark.slow
def test_twelve_megapixels_take_less_than_a_gigabyte(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    media.write(media.Picture(np.kron(noise(75, 100), np.ones((40, 40, 1), np.uint8))), tmp_path / "large.png")
    code = "import sys; from underpaint.cli.main import main; sys.exit(main(['jnd', 'large.png', '-o', 'map.png']))"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert media.read(tmp_path / "map.png").pixels.shape == (3000, 4000, 3)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < 1e9


def test_a_classifier_of_the_users_own(tmp_path: Path) -> None:
    smooth = tiny_model.FOLDER / "model.onnx"
    with pytest.raises(ModelError, match="no classifier"):
        classifiers.load_classifier(smooth)(noise(40, 40))
    with pytest.raises(ModelError, match="cannot read"):
        classifiers.load_classifier(tmp_path / "none.onnx")
    own = classifiers.load_classifier(models.folder("classifier-mixer") / "classifier.onnx")
    picture = noise(150, 200)
    assert own(picture) == classifiers.classifiers_for_check()["mixer"](picture)
