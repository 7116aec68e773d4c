"""Attention: it depends on the upper four bits only, and is the same however it is computed."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from underpaint import media, models
from underpaint.errors import ModelError, UsageError
from underpaint.media import samples
from underpaint.models import Session
from underpaint.models import attention as module
from underpaint.models.attention import STEPS_PER_OCTAVE, attend, attention
from underpaint.models.session import load_onnxruntime

if TYPE_CHECKING:
    from underpaint.types import Image

GRAPH = (models.folder("basn") / "attention.onnx").read_bytes()


def photograph(height: int, width: int) -> Image:
    return media.read(samples.path("coffee")).pixels[60 : 60 + height, 100 : 100 + width].copy()


def unoptimised(options: Any) -> Any:
    options.graph_optimization_level = load_onnxruntime().GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (32, 200), (131, 90)])
def test_it_has_the_shape_of_the_picture(shape: tuple[int, int]) -> None:
    found = attention(photograph(*shape))
    assert found.shape == (*shape, 3)
    assert found.dtype == np.uint8


def test_the_lower_four_bits_do_not_matter() -> None:
    pixels = photograph(80, 96)
    found = attention(pixels)
    for seed in range(3):
        other = pixels & np.uint8(0xF0) | np.random.default_rng(seed).integers(0, 16, pixels.shape, dtype=np.uint8)
        attention(photograph(32, 32))  # evicts the cached result
        assert (attention(other) == found).all()


def test_texture_gets_an_octave_more_than_a_flat_region() -> None:
    pixels = np.full((64, 128, 3), 128, np.uint8)
    pixels[:, 64:] = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for whole in (False, True):
        found = attention(pixels, whole=whole).astype(float)
        assert found[:, 80:].mean() > found[:, :48].mean() + STEPS_PER_OCTAVE


def test_whole_values_show_weak_texture_and_upper_bits_do_not() -> None:
    pixels = np.full((64, 128, 3), 132, np.uint8)
    pixels[:, 64:] += np.random.default_rng(0).integers(0, 9, (64, 64, 3), dtype=np.uint8)
    high, whole = (attention(pixels, whole=whole).astype(float) for whole in (False, True))
    assert high[:, 80:].mean() == pytest.approx(high[:, :48].mean(), abs=1)
    assert whole[:, 80:].mean() > whole[:, :48].mean() + STEPS_PER_OCTAVE / 4


def test_borders_of_a_flat_picture_get_no_more_attention() -> None:
    found = attention(np.full((64, 96, 3), 128, np.uint8))
    assert int(found.max()) - int(found.min()) <= STEPS_PER_OCTAVE // 8


def test_tiles_give_the_result_of_the_whole_picture() -> None:
    pixels = photograph(300, 330)
    session = Session(GRAPH, threads=1)
    whole = attend(pixels, session, tile=1024)
    for tile in (64, 128, 200):
        assert (attend(pixels, session, tile=tile) == whole).all()
    assert (attention(pixels, whole=True) == whole).all()


@pytest.mark.parametrize("shape", [(96, 120), pytest.param((336, 496), marks=pytest.mark.slow)])
def test_threads_and_optimisation_give_the_same_bits(shape: tuple[int, int]) -> None:
    pixels = photograph(*shape)
    expected = attend(pixels, Session(GRAPH, threads=1))
    assert (attend(pixels, Session(GRAPH, threads=2)) == expected).all()
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnxruntime, "SessionOptions", lambda: unoptimised(options()))
        plain = Session(GRAPH, threads=2)
    assert (attend(pixels, plain, tile=64) == expected).all()


def test_the_last_result_is_cached_and_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = photograph(40, 40)
    first = attention(pixels)
    monkeypatch.setattr(module, "attend", lambda *_: pytest.fail("it is computed again"))
    assert attention(pixels ^ np.uint8(1)) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0, 0] = 1


def test_the_cache_does_not_hold_the_pixels() -> None:
    attention(photograph(32, 32))  # loads the network, and evicts the cached result
    pixels = photograph(256, 320)
    tracemalloc.start()
    try:
        found = attention(pixels)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 1.5 * found.nbytes


def test_the_cache_distinguishes_shapes() -> None:
    pixels = photograph(40, 80)
    assert attention(pixels).shape != attention(pixels.reshape(80, 40, 3)).shape


def test_small_grey_and_missing_inputs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="too small"):
        attention(np.zeros((31, 64, 3), np.uint8))
    with pytest.raises(UsageError, match="expected an RGB image"):
        attention(np.zeros((64, 64), np.uint8))
    monkeypatch.setattr(module, "MODEL", "nothing")
    with pytest.raises(ModelError, match="no model is called nothing"):
        attention(photograph(48, 48) // 2)


def test_importing_the_methods_does_not_import_onnxruntime() -> None:
    code = "import sys, underpaint.methods; print('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
