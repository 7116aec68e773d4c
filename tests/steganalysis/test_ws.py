"""Weighted stego image: payloads of LSB replacement, grey pictures, and LSB matching, which it does not detect."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from support.lsb_replacement import PHOTOGRAPHS, replaced
from underpaint.coding.keys import Key
from underpaint.embedding import bit_planes
from underpaint.steganalysis.ws import ws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from underpaint.types import Image


def crops(side: int = 96) -> Iterator[Image]:
    for photograph in PHOTOGRAPHS.values():
        for top, left in product(*(range(0, length - side + 1, side) for length in photograph.shape[:2])):
            yield photograph[top : top + side, left : left + side]


def auc(covers: list[float], containers: list[float]) -> float:
    """Area under the ROC curve: the share of pairs in which the container has the higher score."""
    scores = np.array(containers)[:, None] - np.array(covers)
    return float(((scores > 0) + 0.5 * (scores == 0)).mean())


def test_replacement_is_detected_and_matching_is_not() -> None:
    key, capacity = Key(bytes(32)), np.ones((96, 96, 3), np.uint8)
    found: dict[str, list[float]] = {"clean": [], "replacement": [], "matching": []}
    for number, cover in enumerate(crops()):
        data = np.random.default_rng(number).bytes(cover.size // 8 // 5)
        found["clean"].append(ws(cover) or 0.0)
        for mode in ("replacement", "matching"):
            stego = bit_planes.embed(cover, data, capacity, key, mode)
            found[mode].append(ws(stego) or 0.0)
    assert auc(found["clean"], found["replacement"]) > 0.95
    assert abs(auc(found["clean"], found["matching"]) - 0.5) < 0.15


def test_a_grey_picture_saved_in_colour_has_the_estimate_of_grey() -> None:
    grey = replaced(PHOTOGRAPHS["coffee"][..., 1], 0.3)
    assert ws(np.stack([grey] * 3, axis=-1)) == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6])
def test_the_estimate_is_the_share_of_replaced_bits(share: float) -> None:
    assert ws(replaced(PHOTOGRAPHS["chelsea"], share)) == pytest.approx(share, abs=0.05)
