"""The learned tables of robust-picture: what the format has is what the measured noise gives."""

from __future__ import annotations

import numpy as np
import pytest

from underpaint import media
from underpaint.embedding import dct_qim
from underpaint.media import samples
from underpaint_lab.papers.robust import picture_tables
from underpaint_lab.papers.robust.picture_tables import NOISE, PRICES, mutual_information, choose_frequencies, measured


def test_the_format_has_what_was_learned() -> None:
    assert tuple(choose_frequencies(price) for price in PRICES) == dct_qim.TABLES


def test_what_a_coefficient_carries() -> None:
    assert mutual_information(40, 1, 1.0) == pytest.approx(1, abs=1e-3)
    assert mutual_information(40, 2, 1.0) == pytest.approx(2, abs=1e-2)
    assert mutual_information(40, 1, 50.0) == pytest.approx(0, abs=1e-3)
    assert mutual_information(30, 1, 5.0) < mutual_information(40, 1, 5.0) < mutual_information(40, 2, 5.0)


def test_a_higher_price_leaves_less() -> None:
    sizes = [len(choose_frequencies(price)) for price in (0.004, 0.0055, 0.007, 0.05)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 0


def test_codecs_do_what_was_measured() -> None:
    photograph = media.read(samples.path("coffee")).pixels[100:228, 100:228].copy()
    webp, jpeg = measured([photograph], "webp:75"), measured([photograph], "jpeg:50")
    low = [picture_tables._STEPS[each.vertical, each.horizontal] <= 16 for each in dct_qim.TABLES[0]]
    assert NOISE - 2 < webp.mean() < NOISE + 2
    assert jpeg[np.array(low)].mean() < 2, "dodged"
