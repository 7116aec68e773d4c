"""Training of detectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lab_support.cover_stego import toy_pairs
from underpaint_lab.papers import RECIPES
from underpaint_lab.papers.steganalysis.models import RichModelPairs, SteganalysisRecipe
from underpaint_lab.papers.steganalysis.nets import STEGANALYSERS, LightSteganalyser

RNG = np.random.default_rng(7)


@pytest.mark.parametrize("name", STEGANALYSERS)
def test_every_recipe_has_a_loss(name: str) -> None:
    entry, shown = RECIPES[f"steganalysis-{name}"], toy_pairs()
    assert isinstance(entry.recipe, SteganalysisRecipe)
    if name == "light":
        shown = RichModelPairs("toy", shown.covers, shown.containers, shown.rates)
    model = entry.model(replace(entry.recipe, crop=32))
    losses = dict(model.losses(shown.batch(0, size=2, crop=32, seed=0), 0, np.random.default_rng(0)))
    assert losses["network"]["cross_entropy"] > 0


def test_precomputed_features_give_the_same_logits() -> None:
    shown = toy_pairs()
    counted = RichModelPairs("toy", shown.covers, shown.containers, shown.rates)
    light = LightSteganalyser().eval()
    ((kind, number),) = counted.drawn(5, 1, np.random.default_rng([0, 5, 0, 1]))
    both = np.stack([shown.covers[number], shown.containers[kind, number]])
    with torch.inference_mode():
        wanted = light(torch.from_numpy(both).permute(0, 3, 1, 2).float())
        found = light.classify_features(counted.batch(5, size=1, crop=32, seed=0)[0])
    assert torch.allclose(found, wanted, atol=1e-6)
