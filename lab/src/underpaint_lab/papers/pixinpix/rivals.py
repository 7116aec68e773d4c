"""Those whom papers on pictures in pictures compare with, trained by one loop, on the same couples.

======================  =========================================================================================
``baluja``              Baluja, "Hiding Images in Plain Sight: Deep Steganography", NeurIPS 2017
``stegnet``             Wu, Yang, Li, "StegNet: Mega Image Steganography Capacity with Deep Convolutional Network",
                        Future Internet 2018
``steganogan-…``        Zhang, Cuesta-Infante, Xu, Veeramachaneni, "SteganoGAN", 2019: basic, residual, dense
``hidden``              Zhu, Kaplan, Johnson, Fei-Fei, "HiDDeN: Hiding Data with Deep Networks", ECCV 2018
``udh``                 Zhang, Benz, Karjauv, Sun, Kweon, "UDH: Universal Deep Hiding", NeurIPS 2020
======================  =========================================================================================

Losses are those of the papers as far as they are of pictures: the errors of container and secret, squared or absolute,
StegNet's spread of both, and a critic's opinion of containers. SteganoGAN and HiDDeN hid bits; here a secret picture
takes the place of the message, and its squared error that of the bits' cross-entropy. ``steganogan-…-bits`` hide three
random bits in each pixel, as published; what an ideal Reed–Solomon code leaves of them is 3 (2 · accuracy - 1).

``robust-picture-published`` is the last experiment of Zhang, Karjauv, Benz and Kweon, "Towards Robust Data Hiding
Against (JPEG) Compression" (2021): one pair of networks behind three real codecs. Theirs is not described; here it is
``udh``, their own of the year before.

Deviations, of all alike: every step is Adam's at one rate; containers are rounded to 8 bits before they are read, as
they are in files (``rounded=false`` takes that back); a critic is taught by cross-entropy, and its weights are free.
Baluja's noise, against hiding in lowest bits, is ``noise``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint.errors import UsageError
from underpaint_lab.data import cover_secret
from underpaint_lab.nets.image_hiding import PAIRS, Critic
from underpaint_lab.noise_layers import PseudoDifferentiable
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.training.recipe import Recipe
from underpaint_lab.training.trainable import RecipeEntry, channels_last

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np


@dataclass(frozen=True, kw_only=True)
class RivalRecipe(Recipe):
    """What a rival is trained by.

    Raises:
        UsageError: no such network, or a value is out of range.
    """

    #: Key of :data:`~underpaint_lab.nets.image_hiding.PAIRS`.
    network: str = "baluja"
    #: Channels of a layer.
    width: int = 50
    #: Weights of what container and secret lose, and of how unevenly they do.
    cover: float = 1.0
    secret: float = 0.75
    spread: float = 0.0
    #: How an error counts.
    error: Literal["square", "absolute"] = "square"
    #: Weight of the critic's opinion; at 0 there is no critic.
    critic: float = 0.0
    #: Standard deviation of what is added to containers in training, of the full scale.
    noise: float = 0.0
    #: Containers are rounded to 8 bits before they are read.
    rounded: bool = True
    #: Channels, one of which, drawn at random, each container goes through before it is read: the real codec, its error
    #: as noise that gradients pass by.
    codecs: tuple[str, ...] = ()
    #: Three random bits for each pixel take the place of the picture, as SteganoGAN's own data.
    bits: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network not in PAIRS:
            raise UsageError(f"no rival is called '{self.network}'", hint=f"there are {', '.join(PAIRS)}")
        if min(self.cover, self.secret) <= 0 or min(self.spread, self.critic, self.noise) < 0 or self.width < 1:
            raise UsageError("weights must be above 0, spread, critic and noise at least 0, width at least 1")


class Rival(nn.Module):
    """A pair of networks and their losses."""

    def __init__(self, recipe: RivalRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        pair = PAIRS[recipe.network]
        self.networks = nn.ModuleDict({"hide": pair.hide(recipe.width), "reveal": pair.reveal(recipe.width)})
        self.critic = Critic(recipe.width) if recipe.critic else None
        channels_last(self)

    def container(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """What *secrets* are hidden in, all ``(B, 3, H, W)`` in [0, 1]."""
        made: Tensor = self.networks["hide"](covers, secrets)
        return round_8_bit(made) if self.recipe.rounded else made

    def revealed(self, containers: Tensor) -> Tensor:
        """The secrets in *containers*, ``(B, 3, H, W)``, not clamped."""
        found: Tensor = self.networks["reveal"](containers)
        return found

    def losses(self, images: Tensor, _step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``networks``: ``cover``, ``secret`` and what else the recipe wants; and part ``critic``.

        *images* are couples, ``(B, 6, H, W)`` in [0, 1].
        """
        recipe = self.recipe
        covers, secrets = images.chunk(2, dim=1)
        if recipe.bits:
            secrets = torch.from_numpy(rng.integers(2, size=secrets.shape)).to(covers)
        containers = self.container(covers, secrets)
        arrived = containers + recipe.noise * torch.randn_like(containers) if recipe.noise else containers
        if recipe.codecs:
            arrived = PseudoDifferentiable(recipe.codecs)(arrived, rng)
        found = self.revealed(arrived)
        errors = containers - covers, found - secrets
        parts = {
            "cover": recipe.cover * _error(errors[0], recipe.error),
            "secret": recipe.secret
            * (
                functional.binary_cross_entropy_with_logits(found, secrets)
                if recipe.bits
                else _error(errors[1], recipe.error)
            ),
        }
        if recipe.spread:
            variances = [error.abs().var(dim=(1, 2, 3)).mean() for error in errors]
            parts["spread"] = recipe.spread * torch.stack(variances).sum()
        if self.critic is not None:
            parts["critic"] = recipe.critic * functional.softplus(self.critic(containers)).mean()
        yield "networks", parts
        if self.critic is not None:
            odds = self.critic(torch.cat([covers, containers.detach()]))
            wanted = torch.arange(2, device=odds.device).repeat_interleave(len(covers)).to(odds)
            yield "critic", {"surprise": functional.binary_cross_entropy_with_logits(odds, wanted)}


def _error(error: Tensor, kind: Literal["square", "absolute"]) -> Tensor:
    return (error.square() if kind == "square" else error.abs()).mean()


_RECIPE = RivalRecipe(steps=6000, batch=32, crop=32, learning_rate=1e-3, decay="cosine", clip=1.0)
#: What each has of its own.
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
RECIPES = {
    "robust-picture-published": RecipeEntry(
        Rival,
        replace(_OWN["udh"], network="udh", crop=64, batch=8, codecs=("jpeg:75", "webp:75", "jpeg2000:4")),
        "a picture in a picture behind JPEG, WebP and JPEG 2000, as published; photographs",
        read=cover_secret.photographs,
    ),
    **{
        name: RecipeEntry(
            Rival,
            recipe if recipe.bits else replace(recipe, network=name),
            f"{name}, a rival of pixinpix, {'bits' if recipe.bits else 'CIFAR-10'} in CIFAR-10; --data has it",
            read=cover_secret.cifar,
        )
        for name, recipe in _OWN.items()
    },
}
