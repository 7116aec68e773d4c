"""Robust watermarking as published: networks, attacks and training."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lab_support.robust import PUBLISHED
from underpaint.errors import MissingExtraError, UsageError
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.papers.robust import published as paper
from underpaint_lab.papers.robust.published import ATTACKS, RECIPES, RobustPublished, RobustPublishedRecipe
from underpaint_lab.training.loop import fit
from underpaint_lab.training.trainable import RecipeEntry


def toy(**changes: object) -> RobustPublished:
    recipe = replace(PUBLISHED, **changes)  # type: ignore[arg-type]
    return cast("RobustPublished", RecipeEntry(RobustPublished, recipe, "").model(recipe))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_published_networks_have_the_published_sizes() -> None:
    def block(a: int, b: int) -> int:
        return 9 * a * b + b + 2 * b  # weights and bias of the convolution, scale and shift of the normalisation

    model = RobustPublished(RobustPublishedRecipe())
    encoder = block(3, 64) + 3 * block(64, 64) + block(30 + 64 + 3, 64) + (64 * 3 + 3)
    decoder = block(3, 64) + 6 * block(64, 64) + block(64, 30) + (30 * 30 + 30)
    discriminator = block(3, 64) + 2 * block(64, 64) + (64 + 1)
    assert count(model.coder.encoder) == encoder
    assert count(model.coder.decoder) == decoder
    assert count(model.discriminator) == discriminator
    assert count(model) == encoder + decoder + discriminator


def test_recipes_have_the_published_protocol() -> None:
    recipe = RECIPES["robust-published-pseudo-jpeg"].recipe
    assert (recipe.steps, recipe.batch, recipe.crop, recipe.learning_rate) == (93_600, 32, 128, 1e-3)
    assert (recipe.decay, recipe.warmup, recipe.clip, recipe.ema, recipe.seed) == ("constant", 0, 0, 0, 123)
    assert RECIPES["robust-published-mixed-quality"].recipe.batch == 50
    assert RECIPES["robust-published-mixed-codecs"].recipe.batch == 48


def test_columns_of_the_ablation_differ_by_the_attack_alone() -> None:
    recipes = {attack: RECIPES[f"robust-ablation-{attack}"].recipe for attack in paper.ABLATION}
    assert len({replace(cast("RobustPublishedRecipe", recipe), attack="none") for recipe in recipes.values()}) == 1
    assert all(cast("RobustPublishedRecipe", recipe).attack == attack for attack, recipe in recipes.items())


def test_outputs_have_the_expected_shapes() -> None:
    model = toy(bits=5)
    images = torch.rand(3, 3, 24, 40)
    containers = model.coder.encoder(images, torch.ones(3, 5))
    assert containers.shape == images.shape
    assert model.coder.decoder(containers).shape == (3, 5)
    assert model.discriminator(containers).shape == (3, 1)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"attack": "jpg"}, "no attack is called 'jpg'"), ({"bits": 0}, "bits must be"), ({"channels": 0}, "channels")],
)
def test_invalid_settings_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        replace(PUBLISHED, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_trains_the_encoder(attack: str, sample_photographs: Photographs) -> None:
    """The message's own loss moves the encoder: the gradient finds its way through the attack."""
    model = toy(attack=attack, batch=2)
    encoder = model.coder.encoder
    losses = model.losses(sample_photographs.batch(0, size=2, crop=16, seed=0), 0, np.random.default_rng(0))
    assert next(losses)[0] == "discriminator"
    try:
        part, terms = next(losses)
    except MissingExtraError as error:
        pytest.skip(str(error))
    assert part == "coder"
    gradients = torch.autograd.grad(terms["message"], list(encoder.parameters()))
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)
    assert any(bool(gradient.any()) for gradient in gradients[:2]), "no gradient in the first layer"


def test_parts_are_trained_by_their_own_losses(sample_photographs: Photographs) -> None:
    """The discriminator's step does not reach the encoder, and the coder's losses are weighted as published."""
    model = toy(message_weight=2.0, image_weight=0.0, adversarial_weight=0.5)
    images = sample_photographs.batch(0, size=4, crop=16, seed=0)
    losses = model.losses(images, 0, np.random.default_rng(0))
    _, discriminator = next(losses)
    reached = torch.autograd.grad(
        torch.stack(list(discriminator.values())).sum(), list(model.coder.parameters()), allow_unused=True
    )
    assert all(gradient is None for gradient in reached)
    _, coder = next(losses)
    assert coder["image"] == 0
    _, (_, unweighted) = toy().losses(images, 0, np.random.default_rng(0))
    assert coder["message"].item() == pytest.approx(2 * unweighted["message"].item())
    assert coder["adversarial"].item() == pytest.approx(0.5 / 0.01 * unweighted["adversarial"].item())


def test_training_lowers_the_message_loss(sample_photographs: Photographs, tmp_path: Path) -> None:
    model = toy(steps=60, learning_rate=1e-2)
    fit(model, sample_photographs, tmp_path, accelerator="cpu", progress=False)
    log = [json.loads(line)["losses"]["coder.message"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert np.mean(log[-10:]) < 0.6 * np.mean(log[:10])
    assert np.mean(log[-10:]) < 0.2, "a decoder that answers 1/2 has a loss of 1/4"


def test_an_interrupted_run_resumes_exactly(
    sample_photographs: Photographs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last bit, with two optimisers, running statistics and an attack that draws lots."""
    whole, begun = toy(steps=4, attack="drop+mask"), toy(steps=4, attack="drop+mask")
    losses = begun.losses

    def interrupted(images: Tensor, step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        if step == 1:
            signal.raise_signal(signal.SIGINT)
        return losses(images, step, rng)

    fit(whole, sample_photographs, tmp_path / "whole", accelerator="cpu", progress=False)
    monkeypatch.setattr(begun, "losses", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(begun, sample_photographs, tmp_path / "begun", accelerator="cpu", progress=False)
    resumed = toy(steps=4, attack="drop+mask")
    fit(resumed, sample_photographs, tmp_path / "begun", accelerator="cpu", progress=False)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name
