"""Image quality metrics as papers define them: mean squared error, pooled PSNR, normalised MS-SSIM."""

from __future__ import annotations

import numpy as np
import pytest

from underpaint.channels import parse
from underpaint.errors import UsageError
from underpaint.media import read, samples
from underpaint.metrics import psnr
from underpaint_lab.metrics.papers import ms_ssim_normalised, mse, pooled_psnr

PHOTO = read(samples.path("coffee")).pixels[:200, :200]
ARRIVED = parse("jpeg:10")(PHOTO)


def flat(level: int, side: int = 176) -> np.ndarray:
    return np.full((side, side, 3), level, np.uint8)


def test_mse_is_relative_to_full_scale() -> None:
    assert mse(flat(0), flat(255)) == 1
    assert mse(flat(10), flat(13)) == pytest.approx(9 / 255**2)
    assert -10 * np.log10(mse(PHOTO, ARRIVED)) == pytest.approx(psnr(PHOTO, ARRIVED))


def test_pooled_psnr_is_the_psnr_of_the_mean_error() -> None:
    pairs = [(flat(0, 8), flat(3, 8)), (flat(0, 8), flat(1, 8))]
    assert pooled_psnr(pairs) == pytest.approx(10 * np.log10(255**2 / 5))
    assert pooled_psnr(pairs) < np.mean([psnr(*pair) for pair in pairs])
    assert pooled_psnr([(PHOTO, PHOTO)]) == float("inf")
    with pytest.raises(UsageError, match="no pictures"):
        pooled_psnr([])


def test_normalised_ms_ssim_counts_luminance_four_times() -> None:
    # Flat pictures differ in luminance alone: C1 / (255² + C1).
    luminance = (1 + 2.55**2 / (255**2 + 2.55**2)) / 2
    assert ms_ssim_normalised(flat(0), flat(255)) == pytest.approx(luminance ** (4 * 0.1333), rel=1e-4)


def test_normalised_ms_ssim_is_between_its_bounds() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(256, size=PHOTO.shape, dtype=np.uint8)
    assert ms_ssim_normalised(PHOTO, PHOTO) == pytest.approx(1, abs=1e-6)
    assert 0.3 < ms_ssim_normalised(PHOTO, noise) < 0.6
    assert ms_ssim_normalised(PHOTO, 255 - PHOTO) > 0
    odd = PHOTO[:45, :47]
    assert 0 < ms_ssim_normalised(odd, ARRIVED[:45, :47], 3) < 1
