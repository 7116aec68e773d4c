"""The lapped transform: orthonormal, invertible, without block edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from underpaint.embedding import lapped
from underpaint.embedding.lapped import BLOCK, FREQUENCIES, activity, analyse, grid, inverse, lapping, paint, transform
from underpaint.types import Image


def grey(values: NDArray[np.float64]) -> Image:
    return np.repeat(np.clip(np.rint(values), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def noise(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(60, 190, (height, width, 3), dtype=np.uint8)


def test_frequencies_are_the_lowest_without_the_mean() -> None:
    assert FREQUENCIES[:7] == [(0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1)]
    assert len(FREQUENCIES) == len(set(FREQUENCIES)) == 35


def test_a_single_block_has_the_dct_coefficients_of_luma() -> None:
    scipy_fft = pytest.importorskip("scipy.fft")
    image = noise(20, 30)
    whole = scipy_fft.dctn((image.astype(float) @ [0.299, 0.587, 0.114])[:BLOCK, :BLOCK], norm="ortho")
    assert analyse(image, 35) == pytest.approx([whole[f] for f in FREQUENCIES], abs=2e-3)


def test_the_border_filter_is_orthonormal_and_keeps_flat_areas() -> None:
    across = lapping()
    assert across @ across.T == pytest.approx(np.eye(BLOCK), abs=1e-6)
    assert across.sum(axis=1) == pytest.approx(np.ones(BLOCK), abs=1e-6)
    assert np.abs(analyse(grey(np.full((64, 80), 90.0)), 35)).max() < 1e-2


def test_painted_changes_have_no_edges_at_block_borders() -> None:
    """The steepest step of a painted basis function is inside it, not where a block ends."""
    image = grey(np.full((80, 80), 128.0))
    for frequency in range(7):
        change = np.zeros(25 * 7, np.float32)
        change[12 * 7 + frequency] = 500
        painted = paint(image, change, 7)[:, :, 0].astype(float)
        steps = [np.abs(np.diff(painted, axis=axis)) for axis in (0, 1)]
        for axis, step in enumerate(steps):
            at_borders = step.take([31, 47], axis=axis).max()
            assert at_borders <= 0.8 * max(each.max() for each in steps), (frequency, axis)
            assert step.take([15, 63], axis=axis).max() <= 0.25 * max(each.max() for each in steps)


@given(st.integers(16, 70), st.integers(16, 70), st.sampled_from([1, 7, 14, 35]), st.integers(0, 99))
def test_painted_changes_are_analysed_again(height: int, width: int, count: int, seed: int) -> None:
    image = noise(height, width, seed)
    down, across = grid(image)
    change = np.random.default_rng(seed).normal(0, 20, down * across * count).astype(np.float32)
    painted = paint(image, change, count)
    # Rounding moves each pixel by up to half a level, in the worst case all in step with the coefficient's pattern.
    error = analyse(painted, count) - analyse(image, count) - change
    assert np.abs(error).max() < 7.3
    assert np.array_equal(painted[down * BLOCK :], image[down * BLOCK :])
    assert np.array_equal(painted[:, across * BLOCK :], image[:, across * BLOCK :])


def test_processing_in_strips_changes_nothing() -> None:
    """A picture taller than a strip is analysed as its parts are."""
    image = noise(16 * 40, 32)
    whole = analyse(image, 7).reshape(40, 2, 7)
    part = analyse(image[16 * 14 : 16 * 20], 7).reshape(6, 2, 7)
    assert np.allclose(whole[15:19], part[1:5], atol=1e-3)
    assert np.allclose(activity(image).reshape(40, 2)[17:18].ravel(), activity(image[16 * 17 : 16 * 18]), atol=1e-4)


def test_activity_is_a_standard_deviation_in_grey_levels() -> None:
    assert activity(grey(np.full((32, 32), 77))).max() < 1e-3
    stripes = np.where(np.arange(32) % 2, 100.0, 140.0) * np.ones((32, 1))
    assert activity(grey(stripes)) == pytest.approx(20, abs=1e-3)


@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 7, 35]), st.integers(0, 99))
def test_inverse_undoes_transform(down: int, across: int, count: int, seed: int) -> None:
    coefficients = np.random.default_rng(seed).normal(0, 50, down * across * count).astype(np.float32)
    luma = inverse(coefficients, down, across, count)
    assert luma.shape == (down * BLOCK, across * BLOCK)
    assert np.square(luma).sum() == pytest.approx(np.square(coefficients).sum(), rel=1e-4)
    assert transform(luma, count) == pytest.approx(coefficients, abs=1e-3)


def test_no_value_leaves_its_limit() -> None:
    rng = np.random.default_rng(3)
    cover, wanted = rng.integers(0, 256, (2, 40, 33, 3), dtype=np.uint8)
    limit = rng.integers(0, 256, (40, 33), dtype=np.uint8)
    change = np.clip(wanted.astype(int) - cover, -limit[..., None].astype(int), limit[..., None])
    assert (lapped.within(limit, cover, wanted.copy()) == cover + change).all()
    assert (lapped.within(None, cover, wanted.copy()) == wanted).all()
