"""PixInPix: a picture in a picture of the same size.

"PixInPix: Hidding Pixels in Pixels", anonymous submission to a workshop of ECCV 2020. As published::

    cover, secret ─► U-Net ─► container ─► U-Net ─► secret revealed
    w_c · mean (container - cover)² + w_m · mean (revealed - secret)²

Corrections, each of which a recipe can take back: the container is the cover and a change that begins at nothing, for a
network that paints the cover anew loses more than it hides; it is rounded to 8 bits before it is read, with a gradient
as if it were not, for a reader of real numbers fails on files; and layers are normalised.

Ours has the same two losses, and other networks. Hiding in the lowest bits is the control that the paper's networks do
not reach; so we begin there, and learn what to write. A block of 192 values of the secret is turned, as by a cosine
transform at first; coefficients become whole numbers, of as many levels as their block's kind has for them; and values
of the container take them up as residues, each the nearest value that leaves what is wanted
(:mod:`underpaint.methods.pixinpix`). So every number arrives, and all that learning has to decide is what a level is
worth on either side: the turn, the levels and steps of every kind of block, and a small network that mends what comes
back, all by the paper's two losses. What the container loses is computed from the levels, (4^R - 1) / 12 for R bits per
value, instead of being drawn: its values are whole, so nothing is left to be rounded.

Deviations from the paper, beside those: Adam for SGD; what is unstated is as docs/methods/pixinpix.md says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from underpaint.errors import UsageError
from underpaint.methods.pixinpix import BLOCK
from underpaint_lab.data import cover_secret
from underpaint_lab.nets.unet import Blocks, UNet, nothing_yet
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.training.recipe import Recipe
from underpaint_lab.training.trainable import RecipeEntry, channels_last

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

#: How far a change goes at most, in units of the full scale.
_REACH = 0.25
#: The published network halves a side five times.
_MULTIPLE = 32


@dataclass(frozen=True, kw_only=True)
class PairRecipe(Recipe):
    """What all have: weights of the two losses.

    Raises:
        UsageError: a value is out of range.
    """

    #: Of the container's mean squared error, and of the secret's.
    cover: float = 1.0
    secret: float = 0.75

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.cover, self.secret) <= 0:
            raise UsageError("weights must be above 0")


@dataclass(frozen=True, kw_only=True)
class PublishedRecipe(PairRecipe):
    """What the published networks are trained by; all three corrections are false as printed.

    Raises:
        UsageError: a value is out of range.
    """

    #: The container is the cover and a change.
    residual: bool = True
    #: It is rounded to 8 bits before it is read.
    rounded: bool = True
    #: Layers are normalised.
    normalised: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop % _MULTIPLE:
            raise UsageError(f"a crop must be a multiple of {_MULTIPLE}, not {self.crop}")


@dataclass(frozen=True, kw_only=True)
class OursRecipe(PairRecipe):
    """What ours is trained by.

    Raises:
        UsageError: a value is out of range.
    """

    secret: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop % BLOCK:
            raise UsageError(f"a crop must be a multiple of {BLOCK}, not {self.crop}")


class Published(nn.Module):
    """The paper's two networks and losses."""

    def __init__(self, recipe: PublishedRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        hide, reveal = (UNet(inputs, normalised=recipe.normalised) for inputs in (6, 3))
        if recipe.residual:
            nothing_yet(hide.head)
        self.networks = nn.ModuleDict({"hide": hide, "reveal": reveal})
        channels_last(self)

    def container(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """What *secrets* are hidden in, all ``(B, 3, H, W)`` in [0, 1]; sides are multiples of 32."""
        made = self.networks["hide"](torch.cat([covers, secrets], dim=1))
        made = covers + _REACH * torch.tanh(made) if self.recipe.residual else torch.sigmoid(made)
        return round_8_bit(made) if self.recipe.rounded else made

    def revealed(self, containers: Tensor) -> Tensor:
        """The secrets in *containers*, ``(B, 3, H, W)`` in [0, 1]."""
        return torch.sigmoid(self.networks["reveal"](containers))

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``networks``: mean squares ``cover`` and ``secret`` of couples, ``(B, 6, H, W)`` in [0, 1]."""
        covers, secrets = images.chunk(2, dim=1)
        containers = self.container(covers, secrets)
        yield (
            "networks",
            {
                "cover": self.recipe.cover * (containers - covers).square().mean(),
                "secret": self.recipe.secret * (self.revealed(containers) - secrets).square().mean(),
            },
        )


class Ours(nn.Module):
    """Our network and the paper's losses."""

    def __init__(self, recipe: OursRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.blocks = Blocks()

    @property
    def weight(self) -> float:
        """How much more a secret's squared error counts than a container's."""
        return self.recipe.secret / self.recipe.cover

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``blocks``: mean squares ``cover`` and ``secret``, in levels of 8 bits.

        *images* are couples, ``(B, 6, H, W)`` in [0, 1], of which the cover is not looked at: what is written into it
        does not depend on it, nor does what that does to it.
        """
        secrets = 255 * images[:, 3:]
        symbols = self.blocks.symbols(self.blocks.coefficients(secrets), self.weight)
        revealed = 255 * round_8_bit(self.blocks.picture(symbols) / 255)
        yield (
            "blocks",
            {
                "cover": self.recipe.cover * self.blocks.costs()[symbols.kinds].mean(),
                "secret": self.recipe.secret * (revealed - secrets).square().mean(),
            },
        )


_PUBLISHED = PublishedRecipe(steps=100 * 782, batch=64, crop=32, learning_rate=1e-3, decay="cosine", clip=1.0)
_OURS = OursRecipe(steps=6000, batch=32, crop=32, learning_rate=1e-3, warmup=50, decay="cosine", clip=10.0, ema=0.99)
RECIPES = {
    "pixinpix-published": RecipeEntry(
        Published, _PUBLISHED, "the paper's U-Nets, CIFAR-10 in CIFAR-10; --data has it", read=cover_secret.cifar
    ),
    "pixinpix-mnist": RecipeEntry(
        Published, _PUBLISHED, "the same, MNIST in CIFAR-10; --data has mnist and cifar10", read=cover_secret.mnist
    ),
    "pixinpix-tiny": RecipeEntry(
        Published, _PUBLISHED, "the same, Tiny-ImageNet in CIFAR-10; --data has both", read=cover_secret.tiny
    ),
    "pixinpix-cifar": RecipeEntry(
        Ours, _OURS, "a picture in a picture, ours, of 32×32; --data has CIFAR-10", read=cover_secret.cifar
    ),
    "pixinpix-digits": RecipeEntry(
        Ours,
        replace(_OURS, steps=3000),
        "ours, MNIST in CIFAR-10; --data has mnist and cifar10",
        read=cover_secret.mnist,
    ),
    "pixinpix": RecipeEntry(
        Ours,
        replace(_OURS, crop=64, batch=16),
        "a picture in a picture, ours, photographs",
        read=cover_secret.photographs,
    ),
}
