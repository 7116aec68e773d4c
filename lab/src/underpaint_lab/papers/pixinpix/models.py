"""PixInPix: hide a picture in a picture of the same size, as published and ours.

"PixInPix: Hidding Pixels in Pixels", anonymous submission to a workshop of ECCV 2020. As published::

    cover, secret ─► U-Net ─► container ─► U-Net ─► revealed secret
    w_c · mean (container - cover)² + w_m · mean (revealed - secret)²

Three corrections, each of which a recipe can switch off: the container is the cover plus a change that begins at zero
(a network that draws the cover anew loses more than the secret costs); the container is rounded to 8 bits before it is
decoded, with a straight-through gradient (a decoder of real numbers fails on files); and layers use batch
normalisation.

Ours minimises the same two losses with another network, since the paper's networks do not reach the control that
stores the secret in the lowest bits. A trained transform coder
(:class:`~underpaint_lab.papers.pixinpix.nets.BlockCoder`) turns each 8×8 block of the secret, 192 values, into whole
numbers. The container stores them as residues, changing each value to the nearest one with the wanted residue
(:mod:`underpaint.methods.pixinpix`), so all numbers arrive without error. Trained are the transform, levels and steps
of each kind of block, and a small network that corrects the decoded picture. The container's error is not sampled but
computed from the levels: (4^R - 1) / 12 for R bits per value.

Other deviations from the paper: Adam instead of SGD; unstated details are listed in docs/methods/pixinpix.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from underpaint.embedding.residues import BLOCK
from underpaint.errors import UsageError
from underpaint_lab.data import cover_secret
from underpaint_lab.nets.unet import UNet, zero_initialised
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.papers.pixinpix.nets import BlockCoder
from underpaint_lab.training.recipe import Recipe
from underpaint_lab.training.trainable import RecipeEntry, channels_last

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

#: Largest change of a value in the published system with the residual correction, as a share of the full scale.
_MAX_CHANGE = 0.25
#: Sides must be multiples of this: the published U-Net halves them five times.
_MULTIPLE = 32


@dataclass(frozen=True, kw_only=True)
class PixInPixRecipe(Recipe):
    """Weights of the two losses, for all networks.

    Raises:
        UsageError: a value is out of range.
    """

    #: w_c: weight of the container's mean squared error.
    cover: float = 1.0
    #: w_m: weight of the secret's mean squared error.
    secret: float = 0.75

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.cover, self.secret) <= 0:
            raise UsageError("weights must be above 0")


@dataclass(frozen=True, kw_only=True)
class PixInPixPublishedRecipe(PixInPixRecipe):
    """Settings of the published networks; with all three corrections false they are as printed.

    Raises:
        UsageError: a value is out of range.
    """

    #: The container is the cover plus a change.
    residual: bool = True
    #: The container is rounded to 8 bits before it is decoded.
    rounded: bool = True
    #: Layers use batch normalisation.
    normalised: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop % _MULTIPLE:
            raise UsageError(f"a crop must be a multiple of {_MULTIPLE}, not {self.crop}")


@dataclass(frozen=True, kw_only=True)
class PixInPixOursRecipe(PixInPixRecipe):
    """Settings of our network.

    Raises:
        UsageError: a value is out of range.
    """

    secret: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop % BLOCK:
            raise UsageError(f"a crop must be a multiple of {BLOCK}, not {self.crop}")


class PixInPixPublished(nn.Module):
    """The paper's two networks and losses."""

    former_name: ClassVar[str] = "Published"

    def __init__(self, recipe: PixInPixPublishedRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        hide, reveal = (UNet(inputs, normalised=recipe.normalised) for inputs in (6, 3))
        if recipe.residual:
            zero_initialised(hide.head)
        self.networks = nn.ModuleDict({"hide": hide, "reveal": reveal})
        channels_last(self)

    def container(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """Embed *secrets* in *covers*, all ``(B, 3, H, W)`` in [0, 1]; H and W must be multiples of 32."""
        made = self.networks["hide"](torch.cat([covers, secrets], dim=1))
        made = covers + _MAX_CHANGE * torch.tanh(made) if self.recipe.residual else torch.sigmoid(made)
        return round_8_bit(made) if self.recipe.rounded else made

    def revealed(self, containers: Tensor) -> Tensor:
        """Extract the secrets from *containers*, ``(B, 3, H, W)`` in [0, 1]."""
        return torch.sigmoid(self.networks["reveal"](containers))

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``networks`` with the weighted mean squared errors ``cover`` and ``secret``.

        Args:
            images: cover and secret, ``(B, 6, H, W)`` in [0, 1].
        """
        covers, secrets = images.chunk(2, dim=1)
        containers = self.container(covers, secrets)
        yield (
            "networks",
            {
                "cover": self.recipe.cover * (containers - covers).square().mean(),
                "secret": self.recipe.secret * (self.revealed(containers) - secrets).square().mean(),
            },
        )


class PixInPixOurs(nn.Module):
    """Our transform coder with the paper's losses."""

    former_name: ClassVar[str] = "Ours"

    def __init__(self, recipe: PixInPixOursRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.blocks = BlockCoder()

    @property
    def weight(self) -> float:
        """Weight of the secret's squared error relative to the container's."""
        return self.recipe.secret / self.recipe.cover

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``blocks`` with the weighted mean squared errors ``cover`` and ``secret``, in squared levels.

        Args:
            images: cover and secret, ``(B, 6, H, W)`` in [0, 1]. The cover is not used: neither the whole numbers nor
                the change that they cause depend on it.
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


_PUBLISHED = PixInPixPublishedRecipe(steps=100 * 782, batch=64, crop=32, learning_rate=1e-3, decay="cosine", clip=1.0)
_OURS = PixInPixOursRecipe(
    steps=6000, batch=32, crop=32, learning_rate=1e-3, warmup=50, decay="cosine", clip=10.0, ema=0.99
)
#: Recipes of PixInPix by name.
RECIPES = {
    "pixinpix-published": RecipeEntry(
        PixInPixPublished,
        _PUBLISHED,
        "PixInPix as published: U-Nets, CIFAR-10 in CIFAR-10; --data has CIFAR-10",
        read=cover_secret.cifar,
    ),
    "pixinpix-mnist": RecipeEntry(
        PixInPixPublished,
        _PUBLISHED,
        "the same, MNIST in CIFAR-10; --data has mnist and cifar10",
        read=cover_secret.mnist,
    ),
    "pixinpix-tiny": RecipeEntry(
        PixInPixPublished, _PUBLISHED, "the same, Tiny-ImageNet in CIFAR-10; --data has both", read=cover_secret.tiny
    ),
    "pixinpix-cifar": RecipeEntry(
        PixInPixOurs,
        _OURS,
        "our picture in a picture, 32×32, CIFAR-10 in CIFAR-10; --data has CIFAR-10",
        read=cover_secret.cifar,
    ),
    "pixinpix-digits": RecipeEntry(
        PixInPixOurs,
        replace(_OURS, steps=3000),
        "our picture in a picture, MNIST in CIFAR-10; --data has mnist and cifar10",
        read=cover_secret.mnist,
    ),
    "pixinpix": RecipeEntry(
        PixInPixOurs,
        replace(_OURS, crop=64, batch=16),
        "our picture in a picture, photographs",
        read=cover_secret.photographs,
    ),
}
