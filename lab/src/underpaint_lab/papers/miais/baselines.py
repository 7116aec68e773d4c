"""Baselines of MIAIS's table VI: networks that hide pictures in pictures, trained together with a recogniser.

::

    cover, secret ─► hide ─► container (8 bits) ─┬► reveal      secret
                                                 └► recogniser  identity
    min hide, reveal, recogniser   cover + secret + spread + identity

Networks are those of :mod:`underpaint_lab.nets.image_hiding`, of SteganoGAN the dense one. The errors of container and
secret are weighted as in their own papers; the recogniser's losses, cross-entropy and triplets, are added as in
J. Cui et al., "Multitask Identity-Aware Image Steganography via Minimax Optimization" (IEEE Transactions on Image
Processing, 2021), :mod:`underpaint_lab.papers.miais.published`.

Deviations: networks are narrow; one Adam for all networks; containers are rounded to 8 bits; the weight of the added
losses is not published; critics, with a weight of a thousandth, and Baluja's noise are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from torch import Tensor, nn

from underpaint.errors import UsageError
from underpaint_lab.data import faces
from underpaint_lab.nets.image_hiding import NETWORK_PAIRS
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.papers.miais.teacher import LabelledBatch, RecognitionRecipe, identity_losses, recogniser
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.losses import error_spread, mean_error
from underpaint_lab.training.trainable import RecipeEntry, channels_last

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from underpaint_lab.papers.miais.nets import Recogniser


@dataclass(frozen=True, kw_only=True)
class MiaisBaselineRecipe(RecognitionRecipe):
    """Settings of a baseline.

    Raises:
        UsageError: no such network, or a value is out of range.
    """

    #: Key of :data:`~underpaint_lab.nets.image_hiding.NETWORK_PAIRS`.
    network: str = "baluja"
    #: Channels of its layers.
    hidden: int = 8
    #: Weight of the container's error.
    cover: float = 1.0
    #: Weight of the secret's error.
    secret: float = 1.0
    #: Weight of the variance of both errors within a picture (StegNet).
    spread: float = 0.0
    #: Weight of the recogniser's losses.
    identity: float = 0.05
    #: Squared or absolute errors.
    error: Literal["square", "absolute"] = "square"
    #: Run of ``miais-teacher`` whose trunk initialises the recogniser, as in the published system.
    teacher: str = "runs/miais-teacher"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network not in NETWORK_PAIRS:
            raise UsageError(f"no baseline is called '{self.network}'", hint=f"there are {', '.join(NETWORK_PAIRS)}")
        if min(self.cover, self.secret) <= 0 or min(self.spread, self.identity) < 0 or self.hidden < 1:
            raise UsageError("weights must be above 0, spread and identity at least 0, hidden at least 1")


class MiaisBaseline(nn.Module):
    """A pair of networks and a recogniser, with their losses."""

    former_name: ClassVar[str] = "Adapted"

    def __init__(self, recipe: MiaisBaselineRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        pair = NETWORK_PAIRS[recipe.network]
        self.networks = nn.ModuleDict({"hide": pair.hide(recipe.hidden), "reveal": pair.reveal(recipe.hidden)})
        self.networks["recogniser"] = recogniser(recipe)
        channels_last(self)

    def inherit(self) -> None:
        """Initialise the recogniser's trunk with the recipe's teacher.

        Raises:
            ModelError: there is none.
        """
        run = Path(self.recipe.teacher)
        classifier = cast("Recogniser", self.networks["recogniser"])
        folder.load_weights(classifier.trunk, folder.learned(run, "network.trunk"), run)

    def container(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """Embed *secrets* in *covers*, all ``(B, 3, H, W)`` in [0, 1]; rounded to 8 bits."""
        return round_8_bit(self.networks["hide"](covers, secrets))

    def restored(self, containers: Tensor) -> Tensor:
        """Restore the secrets from *containers*, ``(B, 3, H, W)``, not clamped."""
        found: Tensor = self.networks["reveal"](containers)
        return found

    def embedding(self, containers: Tensor) -> Tensor:
        """Return the embeddings of *containers*, ``(B, size)``."""
        made: Tensor = self.networks["recogniser"](containers)
        return made

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``networks``: ``cover``, ``secret``, ``spread`` if the recipe has it, and the recogniser's losses.

        Args:
            images: covers, secrets and classes, ``(B, 7, H, W)``.
        """
        recipe, (covers, secrets, labels) = self.recipe, LabelledBatch.of(images, self.recipe)
        made = self.networks["hide"](covers, secrets)
        containers = round_8_bit(made)
        # Before clamping: clamped values have no gradient and would stay clamped.
        errors = {"cover": made - covers, "secret": self.restored(containers) - secrets}
        weights = {"cover": recipe.cover, "secret": recipe.secret}
        parts = {name: weights[name] * mean_error(error, recipe.error) for name, error in errors.items()}
        if recipe.spread:
            parts["spread"] = recipe.spread * error_spread(errors.values())
        if recipe.identity:
            classifier = cast("Recogniser", self.networks["recogniser"])
            codes = classifier(containers)
            losses = identity_losses(codes, classifier.classify(codes), labels, recipe)
            parts |= {name: recipe.identity * part for name, part in losses.items()}
        yield "networks", parts


_RECIPE = MiaisBaselineRecipe(steps=1500, batch=16, crop=64, learning_rate=2e-3, warmup=50, decay="cosine", clip=1.0)
#: Recipes of the baselines by name.
RECIPES = {
    f"miais-{name}": RecipeEntry(
        MiaisBaseline,
        recipe,
        f"{recipe.network} with a recogniser, a baseline of MIAIS: faces in textures; --data has both",
        read=partial(faces.faces, pool="textures"),
        inherit=MiaisBaseline.inherit,
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
