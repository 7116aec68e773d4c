"""Baselines that papers on hiding pictures in pictures compare with, trained by one loop on the same data.

======================  =========================================================================================
``baluja``              Baluja, "Hiding Images in Plain Sight: Deep Steganography", NeurIPS 2017
``stegnet``             Wu, Yang, Li, "StegNet: Mega Image Steganography Capacity with Deep Convolutional Network",
                        Future Internet 2018
``steganogan-…``        Zhang, Cuesta-Infante, Xu, Veeramachaneni, "SteganoGAN", 2019: basic, residual, dense
``hidden``              Zhu, Kaplan, Johnson, Fei-Fei, "HiDDeN: Hiding Data with Deep Networks", ECCV 2018
``udh``                 Zhang, Benz, Karjauv, Sun, Kweon, "UDH: Universal Deep Hiding", NeurIPS 2020
======================  =========================================================================================

Losses are those of the papers where they concern pictures: squared or absolute errors of container and secret,
StegNet's variance of both errors, and a critic's score of containers. SteganoGAN and HiDDeN hide bits; here a secret
picture takes the place of the message, and its squared error the place of the bits' cross-entropy.
``steganogan-…-bits`` hide three random bits per pixel, as published; an ideal Reed–Solomon code leaves
3 (2 · accuracy - 1) of them.

``robust-picture-published`` is the last experiment of Zhang, Karjauv, Benz and Kweon, "Towards Robust Data Hiding
Against (JPEG) Compression" (2021): one pair of networks trained behind three real codecs. The paper does not describe
these networks; here they are ``udh``, by the same authors a year earlier.

Deviations common to all: Adam with one learning rate; containers are rounded to 8 bits before they are decoded, as in
files (``rounded=false`` switches that off); the critic is trained by cross-entropy, without clipping its weights.
Baluja's noise, which prevents hiding in the lowest bits, is ``noise``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint.errors import UsageError
from underpaint_lab.data import cover_secret
from underpaint_lab.nets.image_hiding import NETWORK_PAIRS, Critic
from underpaint_lab.noise_layers import PseudoDifferentiable
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.training.losses import error_spread, mean_error
from underpaint_lab.training.recipe import Recipe
from underpaint_lab.training.trainable import RecipeEntry, channels_last

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np


@dataclass(frozen=True, kw_only=True)
class PixInPixBaselineRecipe(Recipe):
    """Settings of a baseline.

    Raises:
        UsageError: no such network, or a value is out of range.
    """

    #: Key of :data:`~underpaint_lab.nets.image_hiding.NETWORK_PAIRS`.
    network: str = "baluja"
    #: Channels of a layer.
    width: int = 50
    #: Weight of the container's error.
    cover: float = 1.0
    #: Weight of the secret's error.
    secret: float = 0.75
    #: Weight of the variance of both errors within a picture (StegNet).
    spread: float = 0.0
    #: Squared or absolute errors.
    error: Literal["square", "absolute"] = "square"
    #: Weight of the critic's loss; 0 trains without a critic.
    critic: float = 0.0
    #: Standard deviation of the noise that is added to containers in training, as a share of the full scale.
    noise: float = 0.0
    #: Containers are rounded to 8 bits before they are decoded.
    rounded: bool = True
    #: Channels, of which one per container is drawn at random and applied before decoding: the real codec, whose error
    #: is treated as additive noise (straight-through gradient).
    codecs: tuple[str, ...] = ()
    #: Hide three random bits per pixel instead of a picture, as SteganoGAN does.
    bits: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network not in NETWORK_PAIRS:
            raise UsageError(f"no baseline is called '{self.network}'", hint=f"there are {', '.join(NETWORK_PAIRS)}")
        if min(self.cover, self.secret) <= 0 or min(self.spread, self.critic, self.noise) < 0 or self.width < 1:
            raise UsageError("weights must be above 0, spread, critic and noise at least 0, width at least 1")


class PixInPixBaseline(nn.Module):
    """A pair of networks that hide and reveal a picture, with their losses and an optional critic."""

    former_name: ClassVar[str] = "Rival"

    def __init__(self, recipe: PixInPixBaselineRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        pair = NETWORK_PAIRS[recipe.network]
        self.networks = nn.ModuleDict({"hide": pair.hide(recipe.width), "reveal": pair.reveal(recipe.width)})
        self.critic = Critic(recipe.width) if recipe.critic else None
        channels_last(self)

    def container(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """Embed *secrets* in *covers*, all ``(B, 3, H, W)`` in [0, 1]."""
        made: Tensor = self.networks["hide"](covers, secrets)
        return round_8_bit(made) if self.recipe.rounded else made

    def revealed(self, containers: Tensor) -> Tensor:
        """Extract the secrets from *containers*, ``(B, 3, H, W)``, not clamped."""
        found: Tensor = self.networks["reveal"](containers)
        return found

    def losses(self, images: Tensor, _step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``networks`` (``cover``, ``secret``, ``spread``, ``critic``), then part ``critic``.

        ``spread`` and ``critic`` are left out where their weight is 0.

        Args:
            images: cover and secret, ``(B, 6, H, W)`` in [0, 1].
            rng: draws the bits and the codecs.
        """
        recipe = self.recipe
        covers, secrets = images.chunk(2, dim=1)
        if recipe.bits:
            secrets = torch.from_numpy(rng.integers(2, size=secrets.shape)).to(covers)
        containers = self.container(covers, secrets)
        received = containers + recipe.noise * torch.randn_like(containers) if recipe.noise else containers
        if recipe.codecs:
            received = PseudoDifferentiable(recipe.codecs)(received, rng)
        yield "networks", self._hiding_losses(covers, secrets, containers, self.revealed(received))
        if self.critic is not None:
            logits = self.critic(torch.cat([covers, containers.detach()]))
            labels = torch.arange(2, device=logits.device).repeat_interleave(len(covers)).to(logits)
            yield "critic", {"cross_entropy": functional.binary_cross_entropy_with_logits(logits, labels)}

    def _hiding_losses(
        self, covers: Tensor, secrets: Tensor, containers: Tensor, revealed: Tensor
    ) -> dict[str, Tensor]:
        recipe, errors = self.recipe, (containers - covers, revealed - secrets)
        secret = (
            functional.binary_cross_entropy_with_logits(revealed, secrets)
            if recipe.bits
            else mean_error(errors[1], recipe.error)
        )
        parts = {"cover": recipe.cover * mean_error(errors[0], recipe.error), "secret": recipe.secret * secret}
        if recipe.spread:
            parts["spread"] = recipe.spread * error_spread(errors)
        if self.critic is not None:
            parts["critic"] = recipe.critic * functional.softplus(self.critic(containers)).mean()
        return parts


_RECIPE = PixInPixBaselineRecipe(steps=6000, batch=32, crop=32, learning_rate=1e-3, decay="cosine", clip=1.0)
#: Settings that differ from _RECIPE, by baseline.
_OWN = {
    "baluja": replace(_RECIPE, noise=0.01),
    "stegnet": replace(_RECIPE, width=32, cover=0.25, secret=0.25, spread=0.25, error="absolute"),
    **{
        f"steganogan-{kind}": replace(_RECIPE, width=32, secret=1.0, critic=0.001)
        for kind in ("basic", "residual", "dense")
    },
    **{
        f"steganogan-{kind}-bits": replace(
            _RECIPE, width=32, network=f"steganogan-{kind}", cover=100.0, secret=1.0, critic=0.1, bits=True
        )
        for kind in ("basic", "residual", "dense")
    },
    "hidden": replace(_RECIPE, width=64, cover=0.7, secret=1.0, critic=0.001),
    "udh": replace(_RECIPE, width=64),
}
#: Recipes of the baselines by name.
RECIPES = {
    "robust-picture-published": RecipeEntry(
        PixInPixBaseline,
        replace(_OWN["udh"], network="udh", crop=64, batch=8, codecs=("jpeg:75", "webp:75", "jpeg2000:4")),
        "a picture in a picture behind JPEG, WebP and JPEG 2000, as published; photographs",
        read=cover_secret.photographs,
    ),
    **{
        name: RecipeEntry(
            PixInPixBaseline,
            recipe if recipe.bits else replace(recipe, network=name),
            f"{name}, a baseline of pixinpix, {'bits' if recipe.bits else 'CIFAR-10'} in CIFAR-10; --data has CIFAR-10",
            read=cover_secret.cifar,
        )
        for name, recipe in _OWN.items()
    },
}
