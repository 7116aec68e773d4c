"""Cover/stego pairs for training detectors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lab_support.cover_stego import toy_pairs
from underpaint import media
from underpaint.errors import UsageError
from underpaint.media import samples
from underpaint_lab.data.camera import developed
from underpaint_lab.data.cover_stego import CURRICULUM_STEPS, KINDS, CoverStegoPairs, embed_at, make
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.papers.steganalysis.models import SteganalysisRecipe

RNG = np.random.default_rng(7)


PHOTO = media.read(samples.path("coffee")).pixels


def test_cover_and_container_are_cropped_and_rotated_alike() -> None:
    shown = make(Photographs("photo", [PHOTO[:256, :256], PHOTO[-256:, -256:]]), 6, jobs=1)
    assert shown.containers.shape == (len(KINDS), 6, 128, 128, 3)
    batch = shown.batch(10**6, size=12, crop=64, seed=1)
    apart = (batch[:, 3:] - batch[:, :3]).abs()
    assert 0 < apart.mean() < 3, "the same place, turned alike"
    assert all(apart.flatten(1).max(dim=1).values > 0)
    assert torch.equal(batch, shown.batch(10**6, size=12, crop=64, seed=1))
    assert not torch.equal(batch, shown.batch(10**6 + 1, size=12, crop=64, seed=1))
    assert (shown.covers[0][..., :1] == shown.covers[0]).all(), "the first of twenty is grey"
    assert (shown.containers[:, 0, ..., :1] == shown.containers[:, 0]).all()
    with pytest.raises(UsageError, match="large enough"):
        shown.batch(0, size=1, crop=129, seed=0)


def test_training_begins_with_the_highest_payloads() -> None:
    shown = toy_pairs(40)
    for step, lowest in ((0, 30), (CURRICULUM_STEPS // 2, 15), (CURRICULUM_STEPS, 0), (10 * CURRICULUM_STEPS, 0)):
        drawn = shown.drawn(step, 400, np.random.default_rng(0))
        ranks = {int((shown.rates[kind] < shown.rates[kind, number]).sum()) for kind, number in drawn}
        assert lowest <= min(ranks) < lowest + 3
        assert {kind for kind, _ in drawn} == {0, 1}


@pytest.mark.parametrize("kind", KINDS)
def test_containers_carry_the_requested_payload(kind: str) -> None:
    cover = PHOTO[:64, :96].copy()
    low, high = (np.mean(embed_at(cover, kind, rate, 3) != cover) for rate in (0.1, 0.4))
    assert 0 < low < high < 0.4
    assert (embed_at(cover, kind, 0.4, 3) == embed_at(cover, kind, 0.4, 3)).all()


def test_invalid_methods_files_and_networks_are_refused() -> None:
    with pytest.raises(UsageError, match="made by 'stdm'"):
        embed_at(PHOTO, "stdm", 0.1, 0)
    with pytest.raises(UsageError, match="has no pairs"):
        CoverStegoPairs.of("nothing.npz")
    shown = toy_pairs()
    with pytest.raises(UsageError, match="does not have a stego image"):
        CoverStegoPairs("short", shown.covers, shown.containers[:, 1:], shown.rates)
    with pytest.raises(UsageError, match="no detector is called 'resnet'"):
        SteganalysisRecipe(steps=1, batch=1, crop=32, network="resnet")


def test_covers_are_developed_at_random() -> None:
    picture = PHOTO[:256, :300]
    found = [developed(picture, np.random.default_rng(seed)) for seed in range(30)]
    assert all(cover.shape == (128, 128, 3) and cover.dtype == np.uint8 for cover in found)
    assert len({cover.tobytes() for cover in found}) == len(found)
    assert (developed(picture, np.random.default_rng(3)) == found[3]).all()
    rough = [float(np.abs(np.diff(cover.astype(int), axis=1)).mean()) for cover in found]
    assert max(rough) > 2 * min(rough), "noise and blur"
