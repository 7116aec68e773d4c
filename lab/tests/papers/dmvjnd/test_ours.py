"""Our DMV-JND: losses, ways, recipes and training."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lab_support.jnd import half_classifier, panel, pictures, psnrs
from underpaint.errors import UsageError
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.papers import RECIPES
from underpaint_lab.papers.dmvjnd.nets import Panel
from underpaint_lab.papers.dmvjnd.ours import JndOurs, JndOursRecipe
from underpaint_lab.papers.dmvjnd.published import JndPublished, JndPublishedRecipe
from underpaint_lab.training.loop import fit

PUBLISHED = JndPublishedRecipe(steps=2, batch=2, crop=32, width=8)


OURS = JndOursRecipe(steps=2, batch=2, crop=32)


RNG = np.random.default_rng(3)


def test_length_loss_grows_with_the_direction() -> None:
    model = JndOurs(replace(OURS, length=1.0), panel())
    ((_, losses),) = model.losses(pictures(), 0, RNG)
    with torch.no_grad():
        for name, weight in model.generator.named_parameters():
            if name.startswith(("colours.", "detail.")):
                weight.mul_(100)
    ((_, longer),) = model.losses(pictures(), 0, RNG)
    assert longer["length"] > losses["length"] + 5


def test_ways_with_a_higher_promise_are_drawn_more_often() -> None:
    model = JndOurs(OURS, panel())
    torch.manual_seed(0)
    promises = torch.zeros(4000, 8)
    promises[:, 3] = 1
    taken = model.draw_way(promises).mean(dim=0)
    assert taken.sum() == pytest.approx(1)
    wanted = 0.9 * math.exp(2) / (math.exp(2) + 7) + 0.1 / 8
    assert taken[3] == pytest.approx(wanted, abs=0.03)
    assert taken.min() > 0.04


def test_factors_are_between_0_and_1() -> None:
    model = JndOurs(replace(OURS, scaled=0.5, scattered=0.5, asked=1), panel())
    factors = model.draw_factors(torch.zeros(200, 3, 4, 4), np.random.default_rng(0))
    assert factors.shape == (200, 1, 4, 4)
    assert 0 <= factors.min() < factors.max() <= 1
    level = (factors.flatten(1).std(dim=1) == 0).float().mean()
    assert 0.3 < level < 0.7, "half have one factor, half one for each pixel"
    model.recipe = replace(OURS, scaled=0.0, scattered=0.0)
    assert (model.draw_factors(torch.zeros(9, 3, 4, 4), np.random.default_rng(0)) == 1).all()


def test_no_change_has_no_divergence() -> None:
    model = JndOurs(replace(OURS, lowest_psnr=90.0, highest_psnr=90.0, labels=0.0, shaken=0.0), panel())
    ((part, losses),) = model.losses(pictures(), 0, RNG)
    assert part == "generator"
    assert losses["answers"].detach() == pytest.approx(0, abs=1e-5)


def test_training_lowers_the_losses() -> None:
    torch.manual_seed(1)
    model = JndOurs(
        replace(OURS, lowest_psnr=12.0, highest_psnr=12.0, scaled=0.0, scattered=0.0, asked=1),
        Panel([half_classifier()]),
    )
    model.recipe = replace(model.recipe, classifiers=("sides",))
    generator = torch.Generator().manual_seed(0)
    images = (127 + 60 * torch.randn(16, 3, 1, 1, generator=generator)).expand(-1, -1, 32, 32).clone()
    images[::2, :, :, 3::8] += 40
    images[1::2, :, :, 4::8] += 40
    images = round_8_bit(images / 255)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for step in range(25):
        ((_, parts),) = model.losses(images, step, np.random.default_rng(step))
        loss = sum(parts.values(), torch.zeros(()))
        gradients = torch.autograd.grad(loss, list(model.generator.parameters()))
        for parameter, gradient in zip(model.generator.parameters(), gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (PUBLISHED, {"q": 0.0}),
        (PUBLISHED, {"temperature": 0.0}),
        (PUBLISHED, {"classifiers": ()}),
        (OURS, {"lowest_psnr": 0.0}),
        (OURS, {"lowest_psnr": 30.0}),
        (OURS, {"scaled": 0.6, "scattered": 0.6}),
        (OURS, {"asked": 5}),
        (OURS, {"explored": 1.1}),
    ],
)
def test_invalid_settings_are_refused(kind: JndPublishedRecipe | JndOursRecipe, changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        replace(kind, **changes)


def test_recipes_are_published_and_ours() -> None:
    published = RECIPES["dmvjnd-published"].recipe
    assert isinstance(published, JndPublishedRecipe)
    assert (published.learning_rate, published.batch, published.weight_decay) == (1e-5, 50, 1e-3)
    assert (published.alpha, published.beta, published.decay) == (1, 1, "constant")
    assert {"dmvjnd", "dmvjnd-cifar"} < RECIPES.keys()


@pytest.mark.parametrize("kind", [JndPublished, JndOurs])
def test_both_systems_are_trained_by_the_loop(kind: type[JndPublished] | type[JndOurs], tmp_path: Path) -> None:
    labelled = Labelled("noise", [RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8) for _ in range(4)], [0, 1, 0, 1])
    torch.manual_seed(0)
    model = JndPublished(PUBLISHED, panel()) if kind is JndPublished else JndOurs(OURS, panel())
    fit(model, labelled, tmp_path, accelerator="cpu", progress=False)
    assert not any("_panel" in name for name in model.state_dict()), "classifiers are not trained"
    with torch.inference_mode():
        if isinstance(model, JndPublished):
            assert model.change(pictures()).shape == (4, 3, 32, 32)
        else:
            changed = model.changed(pictures(), 14.0)
            assert (psnrs(pictures(), changed) <= 14.001).all()
