"""Image quality metrics against scikit-image, independent formulas and textbook values."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from underpaint.channels import parse
from underpaint.errors import UsageError
from underpaint.metrics import apd, local_psnr, ms_ssim, noticeable_change, psnr, ssim, visible_share
from underpaint.types import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

Metric = Callable[[Image, Image], float]

PHOTO: Image = np.ascontiguousarray(data.astronaut()[:256, 100:310])  # type: ignore[no-untyped-call]
DAMAGES = ["jpeg:10", "jpeg:90", "noise:0.1", "blur:2", "brightness:0.4", "rotate:180"]
pairs = arrays(np.uint8, (2, 13, 17, 3))


def luma(image: Image) -> NDArray[np.float64]:
    weighted: NDArray[np.float64] = image.astype(float) @ np.array([0.299, 0.587, 0.114])
    return weighted


def scikit_ssim(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Wang's SSIM by scikit-image."""
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    return float(structural_similarity(x, y, **settings))  # type: ignore[no-untyped-call]


def contrast_structure(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The contrast-structure part of SSIM by SciPy's filter."""

    def mean(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        smooth: NDArray[np.float64] = gaussian_filter(plane, 1.5, truncate=3.5)[5:-5, 5:-5]
        return smooth

    covariance = mean(x * y) - mean(x) * mean(y)
    variances = mean(x * x) - mean(x) ** 2 + mean(y * y) - mean(y) ** 2
    return float(np.mean((2 * covariance + 7.65**2) / (variances + 7.65**2)))


@pytest.mark.parametrize("damage", DAMAGES)
def test_psnr_equals_scikit_image(damage: str) -> None:
    arrived = parse(damage)(PHOTO)
    expected = peak_signal_noise_ratio(PHOTO, arrived)  # type: ignore[no-untyped-call]
    assert psnr(PHOTO, arrived) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("damage", DAMAGES)
def test_ssim_equals_scikit_image(damage: str) -> None:
    arrived = parse(damage)(PHOTO)
    expected = scikit_ssim(luma(PHOTO), luma(arrived))
    assert ssim(PHOTO, arrived) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("damage", ["jpeg:10", "jpeg:90", "noise:0.1", "blur:2", "brightness:0.4"])
def test_ms_ssim_is_the_product_over_scales(damage: str) -> None:
    arrived = parse(damage)(PHOTO)
    x, y = luma(PHOTO), luma(arrived)
    expected = 1.0
    for weight in (0.0448, 0.2856, 0.3001, 0.2363):
        expected *= contrast_structure(x, y) ** weight
        x, y = (np.pad(p, [(0, side % 2) for side in p.shape], mode="edge") for p in (x, y))
        x, y = (p.reshape(p.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3)) for p in (x, y))
    last = scikit_ssim(x, y)
    assert ms_ssim(PHOTO, arrived) == pytest.approx(expected * last**0.1333, abs=1e-6)


def test_textbook_values() -> None:
    black, white = np.zeros((176, 176, 3), np.uint8), np.full((176, 176, 3), 255, np.uint8)
    one_off = black + np.uint8(1)
    assert psnr(black, white) == 0
    assert psnr(black, one_off) == pytest.approx(48.1308, abs=1e-4)
    assert apd(black, white) == 255
    assert apd(black, one_off) == 1
    # Flat pictures differ in luminance alone: C1 / (255² + C1).
    assert ssim(black, white) == pytest.approx(2.55**2 / (255**2 + 2.55**2), rel=1e-4)
    assert ms_ssim(black, white) == pytest.approx(ssim(black, white) ** 0.1333, rel=1e-4)


@pytest.mark.parametrize(("metric", "best"), [(psnr, np.inf), (ssim, 1), (ms_ssim, 1), (apd, 0)])
def test_equal_pictures_have_the_best_value(metric: Metric, best: float) -> None:
    assert metric(PHOTO, PHOTO.copy()) == pytest.approx(best, abs=1e-6)


def test_inverted_pictures_have_no_similarity() -> None:
    assert ssim(PHOTO, 255 - PHOTO) < 0
    assert ms_ssim(PHOTO, 255 - PHOTO) == 0


@given(pairs)
def test_metrics_are_symmetric_and_in_range(pair: NDArray[np.uint8]) -> None:
    a, b = pair
    for metric, low, high in ((psnr, 0, np.inf), (apd, 0, 255), (ssim, -1, 1 + 1e-5)):
        assert low <= metric(a, b) <= high
        assert metric(a, b) == pytest.approx(metric(b, a))


@pytest.mark.parametrize("height", [11, 12, 42, 43, 44, 75])
def test_processing_in_strips_changes_nothing(height: int) -> None:
    a, b = PHOTO[:height], parse("jpeg:20")(PHOTO)[:height]
    expected = scikit_ssim(luma(a), luma(b))
    assert ssim(a, b) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("metric", "side"), [(psnr, 1), (apd, 1), (ssim, 11), (ms_ssim, 176)])
def test_smaller_pictures_than_the_smallest_are_refused(metric: Metric, side: int) -> None:
    assert np.isfinite(metric(PHOTO[:side, :side], 255 - PHOTO[:side, :side]))
    with pytest.raises(UsageError):
        metric(PHOTO[: side - 1], PHOTO[: side - 1])


@pytest.mark.parametrize("metric", [psnr, apd, ssim, ms_ssim])
def test_shapes_must_agree(metric: Metric) -> None:
    with pytest.raises(UsageError, match="different shapes"):
        metric(PHOTO, PHOTO[:-1])


@pytest.mark.parametrize("metric", [psnr, apd, ssim, ms_ssim])
def test_memory_stays_bounded(metric: Metric) -> None:
    """At most 14 bytes per pixel beside the pictures and the strips: under 200 MB for 12 megapixels."""
    wide = np.tile(PHOTO, (4, 4, 1))
    tracemalloc.start()
    try:
        metric(wide, wide)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 14 * wide.shape[0] * wide.shape[1] + 4e6


def test_ms_ssim_with_fewer_scales() -> None:
    whole = parse("jpeg:10")(PHOTO)
    small, arrived = PHOTO[:64, :64], whole[:64, :64]
    assert 0 < ms_ssim(small, arrived, 3) < 1
    assert ms_ssim(small, arrived, 1) == pytest.approx(ssim(small, arrived))
    with pytest.raises(UsageError, match="at least 88"):
        ms_ssim(small, arrived, 4)
    for scales in (0, 6):
        with pytest.raises(UsageError, match="1–5 scales"):
            ms_ssim(PHOTO, whole, scales)


# ── visible blocks ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("level", "change"), [(127, 3.0), (255, 3.0), (0, 3.0), (64, 3.0)])
def test_flat_blocks_may_change_by_three_levels(level: int, change: float) -> None:
    assert (noticeable_change(np.full((20, 17, 3), level, np.uint8)) == np.full((3, 3), change)).all()


def test_luminance_and_contrast_mask_a_change() -> None:
    """Chou and Li's formulas, by hand: stripes of a period of 4 pixels differ by 2 a two pixels apart."""
    stripes = np.array([-1, -1, 1, 1] * 2)[None, :, None]
    for mean, amplitude in ((64, 2), (64, 40), (200, 2), (200, 50)):
        block = np.broadcast_to(mean + amplitude * stripes, (8, 8, 3)).astype(np.uint8)
        by_luminance = 17 * (1 - (mean / 127) ** 0.5) + 3 if mean <= 127 else 3 / 128 * (mean - 127) + 3
        by_contrast = 2 * amplitude * (0.0001 * mean + 0.115) + 0.5 - 0.01 * mean
        assert noticeable_change(block).item() == pytest.approx(max(by_luminance, by_contrast), rel=1e-3)


def test_visible_blocks_are_counted_and_the_worst_measured() -> None:
    flat = np.full((80, 83, 3), 128, np.uint8)
    unseen, seen = flat.copy(), flat.copy()
    unseen += np.uint8(3)
    seen[0, 0] = 132
    seen[:, 80:] = 0  # beyond the last whole block
    assert (visible_share(flat, flat), visible_share(flat, unseen), visible_share(flat, seen)) == (0, 0, 0.01)
    assert local_psnr(flat, flat) == float("inf")
    assert local_psnr(flat, seen) == pytest.approx(10 * np.log10(255**2 * 64 / 16))
    textured = PHOTO ^ np.uint8(2)
    assert visible_share(PHOTO, textured) == 0
    for measure in (visible_share, local_psnr):
        with pytest.raises(UsageError, match="too small"):
            measure(flat[:7], flat[:7])
