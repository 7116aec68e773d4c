"""Checks of arguments that all public functions share."""

from __future__ import annotations

import pytest

from underpaint.errors import UsageError
from underpaint.types import check_psnr


@pytest.mark.parametrize("psnr", [29.9, 60.1, -40, float("nan"), float("inf")])
def test_a_psnr_out_of_range_is_refused_with_the_range(psnr: float) -> None:
    with pytest.raises(UsageError, match="out of range") as caught:
        check_psnr(psnr)
    assert caught.value.hint == "30–60 dB are possible"


def test_a_psnr_in_range_or_none_is_accepted() -> None:
    for psnr in (None, 30, 44.5, 60):
        check_psnr(psnr)


def test_the_range_can_be_another_one() -> None:
    check_psnr(8, 8, 60)
    with pytest.raises(UsageError) as caught:
        check_psnr(7.9, 8, 60)
    assert caught.value.hint == "8–60 dB are possible"
