"""Those whom the paper on MIAIS compares with in table VI: pictures in pictures, beside whom a recogniser learns.

::

    cover, secret ─► hide ─► container (8 bits) ─┬► reveal      what the secret loses
                                                 └► recogniser  identity
    min hide, reveal, recogniser   cover + secret + spread + identity

Networks are those of :mod:`underpaint_lab.nets.image_hiding`; of SteganoGAN's three the dense one. What container and
secret lose is weighted as in their own papers, what the recogniser makes of containers, cross-entropy and triplets, is
added as the paper says. J. Cui et al., "Multitask Identity-Aware Image Steganography via Minimax Optimization" (IEEE
Transactions on Image Processing, 2021), which is :mod:`underpaint_lab.papers.miais.published`.

Deviations: networks are narrow; one step of Adam for all; containers are rounded to 8 bits; the weight of what is added
is not published; critics, whose opinion would weigh a thousandth, and Baluja's noise are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import Tensor, nn

from underpaint.errors import UsageError
from underpaint_lab.data import faces
from underpaint_lab.nets.image_hiding import PAIRS
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.papers.miais.teacher import KnownRecipe, LabelledBatch, identity, recogniser
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.trainable import RecipeEntry, channels_last

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from underpaint_lab.papers.miais.nets import Recogniser


@dataclass(frozen=True, kw_only=True)
class AdaptedRecipe(KnownRecipe):
    """What an adapted rival is trained by.

    Raises:
        UsageError: no such network, or a value is out of range.
    """

    #: Key of :data:`~underpaint_lab.nets.image_hiding.PAIRS`, and channels of its layers.
    network: str = "baluja"
    hidden: int = 8
    #: Weights of what container and secret lose, of how unevenly they do, and of what a recogniser makes of containers.
    cover: float = 1.0
    secret: float = 1.0
    spread: float = 0.0
    identity: float = 0.05
    #: How an error counts.
    error: Literal["square", "absolute"] = "square"
    #: Run of ``miais-teacher`` whose sight the recogniser begins with, as the published classifiers do.
    teacher: str = "runs/miais-teacher"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network not in PAIRS:
            raise UsageError(f"no rival is called '{self.network}'", hint=f"there are {', '.join(PAIRS)}")
        if min(self.cover, self.secret) <= 0 or min(self.spread, self.identity) < 0 or self.hidden < 1:
            raise UsageError("weights must be above 0, spread and identity at least 0, hidden at least 1")


class Adapted(nn.Module):
    """A pair of networks, a recogniser beside them, and their losses."""

    def __init__(self, recipe: AdaptedRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        pair = PAIRS[recipe.network]
        self.networks = nn.ModuleDict({"hide": pair.hide(recipe.hidden), "reveal": pair.reveal(recipe.hidden)})
        self.networks["recogniser"] = recogniser(recipe)
        channels_last(self)

    def inherit(self) -> None:
        """Let the recogniser begin with the sight of the recipe's teacher.

        Raises:
            ModelError: there is none.
        """
        run = Path(self.recipe.teacher)
        classifier = cast("Recogniser", self.networks["recogniser"])
        folder.load_weights(classifier.trunk, folder.learned(run, "network.trunk"), run)

    def container(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """What *secrets* are hidden in, all ``(B, 3, H, W)`` in [0, 1]; rounded to 8 bits."""
        return round_8_bit(self.networks["hide"](covers, secrets))

    def restored(self, containers: Tensor) -> Tensor:
        """The secrets in *containers*, ``(B, 3, H, W)``, not clamped."""
        found: Tensor = self.networks["reveal"](containers)
        return found

    def embedding(self, containers: Tensor) -> Tensor:
        """What *containers* are recognised by, ``(B, size)``."""
        made: Tensor = self.networks["recogniser"](containers)
        return made

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``networks``: ``cover``, ``secret``, ``spread`` if the recipe has it, and what identity is of.

        *images* are couples of known classes, ``(B, 7, H, W)``.
        """
        recipe, (covers, secrets, labels) = self.recipe, LabelledBatch.of(images, self.recipe)
        made = self.networks["hide"](covers, secrets)
        containers = round_8_bit(made)
        # As it is made: what is clamped to black or white has no gradient, and would never come back.
        errors = {"cover": made - covers, "secret": self.restored(containers) - secrets}
        weights = {"cover": recipe.cover, "secret": recipe.secret}
        square = recipe.error == "square"
        parts = {name: weights[name] * (e.square() if square else e.abs()).mean() for name, e in errors.items()}
        if recipe.spread:
            variances = [error.abs().var(dim=(1, 2, 3)).mean() for error in errors.values()]
            parts["spread"] = recipe.spread * torch.stack(variances).sum()
        if recipe.identity:
            classifier = cast("Recogniser", self.networks["recogniser"])
            codes = classifier(containers)
            told = identity(codes, classifier.classify(codes), labels, recipe)
            parts |= {name: recipe.identity * part for name, part in told.items()}
        yield "networks", parts


_RECIPE = AdaptedRecipe(steps=1500, batch=16, crop=64, learning_rate=2e-3, warmup=50, decay="cosine", clip=1.0)
RECIPES = {
    f"miais-{name}": RecipeEntry(
        Adapted,
        recipe,
        f"{recipe.network} with a recogniser beside it, a rival of miais: faces in textures; --data has both",
        read=partial(faces.faces, pool="textures"),
        inherit=Adapted.inherit,
    )
    for name, recipe in {
        "baluja": replace(_RECIPE, network="baluja", hidden=8, secret=0.75),
        "steganogan": replace(_RECIPE, network="steganogan-dense", hidden=24),
        "hidden": replace(_RECIPE, network="hidden", hidden=24, cover=0.7),
        "stegnet": replace(
            _RECIPE, network="stegnet", hidden=16, cover=0.25, secret=0.25, spread=0.25, error="absolute"
        ),
    }.items()
}
