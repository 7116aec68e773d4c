"""What detectors see, of replaced lowest bits and of the rest, and how they are described."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from support.lsb_replacement import PHOTOGRAPHS, replaced
from underpaint.coding.keys import Key
from underpaint.embedding import bit_planes
from underpaint.steganalysis.detectors import DETECTORS, scores
from underpaint.steganalysis.stegexpose import primary_sets, rs, sample_pairs, weighted_stego

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from underpaint.types import Image

    Estimate = Callable[..., float | None]


def crops(side: int = 96) -> Iterator[Image]:
    for photograph in PHOTOGRAPHS.values():
        for top, left in product(*(range(0, length - side + 1, side) for length in photograph.shape[:2])):
            yield photograph[top : top + side, left : left + side]


@pytest.mark.parametrize("estimate", [primary_sets, sample_pairs, rs, weighted_stego])
@pytest.mark.parametrize("share", [0.2, 0.6])
def test_the_share_that_was_replaced(estimate: Estimate, share: float) -> None:
    for cover in PHOTOGRAPHS.values():
        assert estimate(replaced(cover, share)) == pytest.approx(share, abs=0.06)


def auc(covers: list[float], containers: list[float]) -> float:
    """Return the share of pairs in which the container scores higher, ties half."""
    difference = np.subtract.outer(containers, covers)
    return float(np.mean((difference > 0) + (difference == 0) / 2))


def test_replacement_by_embed_is_seen_and_matching_is_not() -> None:
    key, capacity = Key(bytes(32)), np.ones((96, 96, 3), np.uint8)
    found: dict[str, list[float]] = {"clean": [], "replacement": [], "matching": []}
    for number, cover in enumerate(crops()):
        data = np.random.default_rng(number).bytes(cover.size // 8 // 5)
        found["clean"].append(weighted_stego(cover) or 0.0)
        for mode in ("replacement", "matching"):
            stego = bit_planes.embed(cover, data, capacity, key, mode)
            found[mode].append(weighted_stego(stego) or 0.0)
    assert auc(found["clean"], found["replacement"]) > 0.95
    assert abs(auc(found["clean"], found["matching"]) - 0.5) < 0.15


def test_a_grey_picture_saved_in_colour() -> None:
    grey = replaced(PHOTOGRAPHS["coffee"][..., 1], 0.3)
    assert weighted_stego(np.stack([grey] * 3, axis=-1)) == pytest.approx(0.3, abs=0.05)


def test_every_score_has_its_detector() -> None:
    small = scores(PHOTOGRAPHS["chelsea"][:128, :128])
    assert small.keys() == DETECTORS.keys()
    assert [name for name, score in small.items() if score is None] == ["chi-square"]
    assert None not in scores(PHOTOGRAPHS["chelsea"][:256, :256]).values()
    assert scores(PHOTOGRAPHS["chelsea"][:127, :128]) == dict.fromkeys(DETECTORS)
    for detector in DETECTORS.values():
        assert 0 < detector.threshold < 1
        assert 0 < detector.false_alarms < 0.05
        assert 0 <= (detector.false_alarms or 0) < 0.1


def test_the_samples_are_clean_and_their_containers_are_not() -> None:
    """Without chi-square, which alarms at one and sees nothing scattered, and the network, which gives no verdict."""
    for cover in PHOTOGRAPHS.values():
        clean, stego = scores(cover), scores(replaced(cover, 0.4))
        for name in DETECTORS.keys() - {"chi-square", "network"}:
            assert (clean[name] or 0) <= DETECTORS[name].threshold < (stego[name] or 0)
