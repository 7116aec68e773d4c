"""Coefficient layout of robust-picture: every channel bit has its own slot."""

from __future__ import annotations

import numpy as np
import pytest

from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.embedding.dct_qim import TABLES, CoefficientLayout

KEY = Key(bytes(KEY_SIZE))


@pytest.mark.parametrize("table", range(len(TABLES)))
def test_every_channel_bit_has_its_own_slot(table: int) -> None:
    layout = CoefficientLayout((64, 72, 3), table, KEY)
    slots = layout.slots
    assert len(set(slots.tolist())) == slots.size
    assert not set((slots // 2).tolist()) & set(layout.pilots.tolist())
    bits = np.random.default_rng(0).integers(0, 2, slots.size, dtype=np.uint8)
    soft = layout.soft_bits(layout.cosets(bits, 3) + np.float32(0.5 / 240), 3)
    assert ((soft > 0) == bits).all()
