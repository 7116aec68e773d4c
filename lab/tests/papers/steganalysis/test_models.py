"""Training of detectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from underpaint_lab.data.cover_stego import CoverStegoPairs
from underpaint_lab.papers import RECIPES
from underpaint_lab.papers.steganalysis.models import RichModelPairs, SteganalysisRecipe
from underpaint_lab.papers.steganalysis.nets import STEGANALYSERS, LightSteganalyser

RNG = np.random.default_rng(7)


def toy(count: int = 12, side: int = 40) -> CoverStegoPairs:
    """Covers of two levels, whose containers have noise."""
    covers = np.repeat(RNG.integers(60, 180, (count, 1, 1, 3), dtype=np.uint8), side, 1).repeat(side, 2)
    noise = RNG.integers(0, 3, (2, *covers.shape), dtype=np.uint8)
    return CoverStegoPairs("toy", covers, covers + noise, RNG.random((2, count)))


@pytest.mark.parametrize("name", STEGANALYSERS)
def test_every_recipe_has_a_loss(name: str) -> None:
    entry, shown = RECIPES[f"steganalysis-{name}"], toy()
    assert isinstance(entry.recipe, SteganalysisRecipe)
    if name == "light":
        shown = RichModelPairs("toy", shown.covers, shown.containers, shown.rates)
    model = entry.model(replace(entry.recipe, crop=32))
    losses = dict(model.losses(shown.batch(0, size=2, crop=32, seed=0), 0, np.random.default_rng(0)))
    assert losses["network"]["cross_entropy"] > 0


def test_precomputed_features_give_the_same_logits() -> None:
    shown = toy()
    counted = RichModelPairs("toy", shown.covers, shown.containers, shown.rates)
    light = LightSteganalyser().eval()
    ((kind, number),) = counted.drawn(5, 1, np.random.default_rng([0, 5, 0, 1]))
    both = np.stack([shown.covers[number], shown.containers[kind, number]])
    with torch.inference_mode():
        wanted = light(torch.from_numpy(both).permute(0, 3, 1, 2).float())
        found = light.classify_features(counted.batch(5, size=1, crop=32, seed=0)[0])
    assert torch.allclose(found, wanted, atol=1e-6)
