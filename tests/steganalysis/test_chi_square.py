"""Chi-square attack: the test after each block, sequential payloads, and the survival function against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2  # type: ignore[import-untyped]

from support.lsb_replacement import PHOTOGRAPHS, replaced
from underpaint.steganalysis.chi_square import chi_square, survival


def test_each_test_counts_all_values_so_far() -> None:
    rng = np.random.default_rng(0)
    values = np.append(rng.integers(0, 256, 8 * 1024), np.full(2 * 1024 + 7, 40)).astype(np.uint8)
    passed = []
    for count in range(1024, values.size, 1024):
        even, odd = np.bincount(values[:count], minlength=256).reshape(128, 2).T
        used = even + odd >= 10
        statistic = ((even - odd) ** 2 / np.maximum(even + odd, 1))[used].sum()
        passed.append(bool(used.any()) and chi2.sf(statistic, used.sum()) > 0.05)
    assert not passed[-1]
    assert chi_square(values.reshape(1, -1)) == pytest.approx(np.mean(passed))


def test_the_length_of_a_sequential_payload_is_estimated() -> None:
    cover = PHOTOGRAPHS["coffee"]
    for share in (0.2, 0.5):
        stego = cover.reshape(-1).copy()
        end = round(share * stego.size)
        stego[:end] = replaced(stego[:end], 1)
        assert chi_square(stego.reshape(cover.shape)) == pytest.approx(share, abs=0.06)
    assert (chi_square(cover) or 0) < 0.02
    assert (chi_square(replaced(cover, 1)) or 0) > 0.8


def test_a_picture_below_one_block_has_no_estimate() -> None:
    assert chi_square(np.zeros((1, 1023), np.uint8)) is None
    assert chi_square(np.zeros((1, 1024), np.uint8)) == 0


@given(st.integers(1, 128), st.floats(0, 500))
def test_the_survival_function_agrees_with_scipy(degrees: int, statistic: float) -> None:
    found = survival(np.array([statistic, 0.0]), np.array([degrees, degrees]))
    assert found == pytest.approx(chi2.sf([statistic, 0], degrees), abs=1e-12)
