"""StegExpose fusion, and what must hold for all estimators of LSB replacement on any picture."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from support.lsb_replacement import PHOTOGRAPHS, replaced
from underpaint.errors import UsageError
from underpaint.steganalysis import planes
from underpaint.steganalysis.rs import rs
from underpaint.steganalysis.spa import primary_sets, spa
from underpaint.steganalysis.stegexpose import STEGEXPOSE, stegexpose
from underpaint.steganalysis.ws import ws

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from underpaint.types import Image

    Estimator = Callable[..., float | None]

ESTIMATORS: list[Estimator] = [*STEGEXPOSE.values(), ws]
pictures = arrays(np.uint8, st.one_of(array_shapes(min_dims=2, max_dims=2, max_side=20), st.just((12, 14, 3))))


@pytest.mark.parametrize("estimate", [primary_sets, spa, rs, ws])
@pytest.mark.parametrize("share", [0.2, 0.6])
def test_the_payload_of_lsb_replacement_is_estimated(estimate: Estimator, share: float) -> None:
    for cover in PHOTOGRAPHS.values():
        assert estimate(replaced(cover, share)) == pytest.approx(share, abs=0.06)


@given(pictures)
@settings(max_examples=60, deadline=None)
def test_estimates_are_shares_or_none(picture: Image) -> None:
    for estimate in ESTIMATORS:
        found = estimate(picture)
        assert found is None or 0 <= found <= 1
    fusion = stegexpose(picture)
    known = [each for each in fusion.estimates.values() if each is not None]
    assert fusion.mean == (pytest.approx(np.mean(known)) if known else None)


@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_grey_has_the_estimate_of_three_equal_planes(estimate: Estimator) -> None:
    grey = PHOTOGRAPHS["chelsea"][:296, :300, 1]
    assert estimate(np.stack([grey] * 3, axis=-1)) == pytest.approx(estimate(grey), abs=1e-3)


@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_strips_give_the_estimate_of_the_whole(estimate: Estimator, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = PHOTOGRAPHS["coffee"][:300, :301]
    whole = estimate(picture)
    monkeypatch.setattr(planes, "STRIP", 5000)
    assert estimate(picture) == pytest.approx(whole, abs=1e-5)


@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_the_memory_layout_does_not_matter(estimate: Estimator) -> None:
    picture = PHOTOGRAPHS["coffee"][:300, :300][::-1, ::2]
    assert estimate(picture) == estimate(np.ascontiguousarray(picture))


@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_memory_stays_bounded(estimate: Estimator) -> None:
    """At most 12 bytes per pixel beside the picture and the strips: 144 MB for 12 megapixels."""
    wide = np.tile(PHOTOGRAPHS["coffee"], (2, 3, 1))
    tracemalloc.start()
    try:
        estimate(wide)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 * wide.shape[0] * wide.shape[1] + 60e6


@pytest.mark.parametrize("estimate", ESTIMATORS)
@pytest.mark.parametrize("picture", [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8)])
def test_other_arrays_are_refused(estimate: Estimator, picture: NDArray[Any]) -> None:
    with pytest.raises(UsageError):
        estimate(picture)
