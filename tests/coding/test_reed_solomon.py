"""Reed–Solomon erasure code: any k packets restore the data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underpaint.coding.reed_solomon import interpolate
from underpaint.errors import UsageError


@given(st.integers(1, 20))
def test_any_k_packets_restore_the_data(count: int) -> None:
    rng = np.random.default_rng(count)
    data = rng.integers(0, 256, (count, 7), dtype=np.uint8)
    packets = interpolate(range(count), data, range(256))
    assert (packets[:count] == data).all()
    received = [int(each) for each in rng.choice(256, count, replace=False)]
    assert (interpolate(received, packets[received], range(count)) == data).all()


@pytest.mark.parametrize("places", [[1, 1], [0, 256]])
def test_repeated_and_large_packet_numbers_are_refused(places: list[int]) -> None:
    with pytest.raises(UsageError):
        interpolate(places, np.zeros((2, 1), np.uint8), [5])
