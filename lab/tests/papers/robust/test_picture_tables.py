"""The coefficient tables of robust-picture."""

from __future__ import annotations

import numpy as np
import pytest

from underpaint import media
from underpaint.embedding import dct_qim
from underpaint.media import samples
from underpaint_lab.noise_layers.jpeg import quantisation_tables
from underpaint_lab.papers.robust.picture_tables import (
    NOISE,
    PRICES,
    channel_noise,
    choose_frequencies,
    mutual_information,
)


def test_tables_of_the_format_are_the_chosen_frequencies() -> None:
    assert tuple(choose_frequencies(price) for price in PRICES) == dct_qim.TABLES


def test_mutual_information_of_a_coefficient() -> None:
    assert mutual_information(40, 1, 1.0) == pytest.approx(1, abs=1e-3)
    assert mutual_information(40, 2, 1.0) == pytest.approx(2, abs=1e-2)
    assert mutual_information(40, 1, 50.0) == pytest.approx(0, abs=1e-3)
    assert mutual_information(30, 1, 5.0) < mutual_information(40, 1, 5.0) < mutual_information(40, 2, 5.0)


def test_a_higher_price_chooses_fewer_frequencies() -> None:
    sizes = [len(choose_frequencies(price)) for price in (0.004, 0.0055, 0.007, 0.05)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 0


def test_codec_noise_is_as_assumed() -> None:
    photograph = media.read(samples.path("coffee")).pixels[100:228, 100:228].copy()
    webp, jpeg = channel_noise([photograph], "webp:75"), channel_noise([photograph], "jpeg:50")
    steps = quantisation_tables(50)[0].reshape(8, 8)
    low = [steps[each.vertical, each.horizontal] <= 16 for each in dct_qim.TABLES[0]]
    assert NOISE - 2 < webp.mean() < NOISE + 2
    assert jpeg[np.array(low)].mean() < 2, "cosets lie on the grid of its quantisation table"
