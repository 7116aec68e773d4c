"""The learned tables of robust-picture: what the format has is what the measured noise gives."""

from __future__ import annotations

import numpy as np
import pytest

from underpaint import image, phases, samples
from underpaint.lab import robust_table
from underpaint.lab.robust_table import NOISE, PRICES, carried, learned, measured


def test_the_format_has_what_was_learned() -> None:
    assert tuple(learned(price) for price in PRICES) == phases.TABLES


def test_what_a_coefficient_carries() -> None:
    assert carried(40, 1, 1.0) == pytest.approx(1, abs=1e-3)
    assert carried(40, 2, 1.0) == pytest.approx(2, abs=1e-2)
    assert carried(40, 1, 50.0) == pytest.approx(0, abs=1e-3)
    assert carried(30, 1, 5.0) < carried(40, 1, 5.0) < carried(40, 2, 5.0)


def test_a_higher_price_leaves_less() -> None:
    sizes = [len(learned(price)) for price in (0.004, 0.0055, 0.007, 0.05)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 0


def test_codecs_do_what_was_measured() -> None:
    photograph = image.read(samples.path("coffee")).pixels[100:228, 100:228].copy()
    webp, jpeg = measured([photograph], "webp:75"), measured([photograph], "jpeg:50")
    low = [robust_table._STEPS[each.vertical, each.horizontal] <= 16 for each in phases.TABLES[0]]
    assert NOISE - 2 < webp.mean() < NOISE + 2
    assert jpeg[np.array(low)].mean() < 2, "dodged"
