"""Pairs of covers and containers for tests of detectors."""

from __future__ import annotations

import numpy as np

from underpaint_lab.data.cover_stego import CoverStegoPairs


def toy_pairs(count: int = 12, side: int = 40) -> CoverStegoPairs:
    """Return covers of one colour each, and containers with noise."""
    rng = np.random.default_rng([count, side])
    covers = np.repeat(rng.integers(60, 180, (count, 1, 1, 3), dtype=np.uint8), side, 1).repeat(side, 2)
    noise = rng.integers(0, 3, (2, *covers.shape), dtype=np.uint8)
    return CoverStegoPairs("toy", covers, covers + noise, rng.random((2, count)))
