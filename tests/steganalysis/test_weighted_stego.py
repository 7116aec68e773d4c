"""Weighted stego analysis (WS): the estimate is the share of values with replaced least significant bits."""

from __future__ import annotations

import pytest

from support.lsb_replacement import PHOTOGRAPHS, replaced
from underpaint.steganalysis.ws import weighted_stego


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6])
def test_the_estimate_is_the_share_of_replaced_bits(share: float) -> None:
    assert weighted_stego(replaced(PHOTOGRAPHS["chelsea"], share)) == pytest.approx(share, abs=0.05)
