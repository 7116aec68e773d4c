"""MIAIS, ours: the embedding of a face or an object is hidden in a picture and recognised there, only with the key.

It has two losses, the error of the container and the error of the extracted embedding::

    secret ─► teacher ─► embedding ─► permuted by a key ─► embedder ─► container (8 bits) ─► JPEG ─► extractor
    w_c · mean (container - cover)² + w_i · mean (extracted - permuted embedding)²

The teacher is the paper's plain classifier, trained on the same people (``miais-teacher``). The container is the cover
plus a bounded change. Each container has its own key; with any other key nobody is recognised. The secret picture is
not in the container, so no attacker can learn to restore more than the embedding holds.

The published system is :mod:`underpaint_lab.papers.miais.published`; docs/methods/miais.md lists the deviations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from underpaint.errors import UsageError
from underpaint.methods.miais import BLOCK, SIGNS, dither
from underpaint_lab.data import faces
from underpaint_lab.noise_layers import DiffJpeg
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.papers.miais.nets import LENGTH, Keys, MiaisEmbedder, MiaisExtractor
from underpaint_lab.papers.miais.teacher import OBJECTS, LabelledBatch, RecognitionRecipe, Student, embed_with_mirror
from underpaint_lab.training.trainable import RecipeEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

#: Highest JPEG quality in training.
_MAX_QUALITY = 95


@dataclass(frozen=True, kw_only=True)
class MiaisOursRecipe(RecognitionRecipe):
    """Settings of our embedder and extractor.

    Raises:
        UsageError: a value is out of range.
    """

    #: Run of ``miais-teacher`` whose embedding is hidden.
    teacher: str = "runs/miais-teacher"
    #: w_c: weight of the container's mean squared error.
    cover: float = 100.0
    #: w_i: weight of the extracted embedding's mean squared error.
    identity: float = 4.0
    #: Largest change of a value, as a share of the full scale.
    reach: float = 12 / 255
    #: Channels of embedder and extractor.
    hidden: int = 64
    #: Lowest JPEG quality, up to 95, that containers are compressed with before extraction; 0 for no JPEG.
    jpeg: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop % BLOCK:
            raise UsageError(f"a crop must be a multiple of {BLOCK}, not {self.crop}")
        if self.size > 3 * BLOCK**2 - SIGNS:
            raise UsageError(f"size must be at most {3 * BLOCK**2 - SIGNS}, not {self.size}")
        if min(self.cover, self.identity) <= 0 or not 0 < self.reach <= 1 or self.hidden < 1:
            raise UsageError("weights must be above 0, reach above 0 and at most 1, hidden at least 1")
        if not 0 <= self.jpeg <= _MAX_QUALITY:
            raise UsageError(f"jpeg must be 0–{_MAX_QUALITY}, not {self.jpeg}")


class MiaisOurs(Student):
    """Our embedder and extractor with their two losses."""

    former_name: ClassVar[str] = "Ours"

    def __init__(self, recipe: MiaisOursRecipe) -> None:
        super().__init__(recipe)
        self.recipe = recipe
        count, kept = recipe.size + SIGNS, recipe.jpeg > 0
        writer = MiaisEmbedder(count, recipe.hidden, recipe.reach, kept)
        self.networks = nn.ModuleDict({"writer": writer, "reader": MiaisExtractor(count, recipe.hidden, kept)})

    def inherit(self) -> None:
        """Load the recipe's teacher.

        Raises:
            ModelError: there is none.
        """
        self.learn_from(self.recipe.teacher)

    def code(self, secrets: Tensor) -> Tensor:
        """Return the codes of *secrets*, ``(B, 3, H, W)`` in [0, 1]: embeddings with a mean square of 1."""
        return embed_with_mirror(self.teacher, secrets) * float(self.recipe.size**0.5 / LENGTH)

    def container(self, covers: Tensor, codes: Tensor, keys: Keys) -> Tensor:
        """Embed *codes* in *covers*, ``(B, 3, H, W)`` in [0, 1], with *keys*; containers are rounded to 8 bits."""
        said = self.networks["reader"](covers)
        written: Tensor = self.networks["writer"](covers, keys.rotate(codes), said)
        return round_8_bit(written + torch.from_numpy(dither(*covers.shape[2:])).to(written) / 255)

    def embedding(self, containers: Tensor, keys: Keys) -> Tensor:
        """Extract the codes of *containers*, ``(B, size)``, to be compared with :meth:`code`."""
        return keys.rotate_back(self.networks["reader"](containers))

    def losses(self, images: Tensor, _step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``networks`` with the weighted mean squared errors ``cover`` and ``identity``.

        Args:
            images: covers, secrets and classes, ``(B, 7, H, W)``; the classes are not used.
            rng: draws the keys and the JPEG quality.
        """
        recipe, (covers, secrets, _) = self.recipe, LabelledBatch.of(images, self.recipe)
        keys, codes = Keys(len(images), recipe.size, rng), self.code(secrets)
        containers = self.container(covers, codes, keys)
        received = containers
        if recipe.jpeg:
            quality = int(rng.integers(recipe.jpeg, _MAX_QUALITY + 1))
            received = DiffJpeg(quality, rounding="straight-through")(containers, rng)
        yield (
            "networks",
            {
                "cover": recipe.cover * (containers - covers).square().mean(),
                "identity": recipe.identity * (self.networks["reader"](received) - keys.rotate(codes)).square().mean(),
            },
        )


_FACES = MiaisOursRecipe(
    steps=2000, batch=32, crop=64, learning_rate=2e-4, warmup=100, decay="cosine", clip=1.0, ema=0.995
)
_OBJECTS = replace(_FACES, teacher="runs/miais-objects-teacher", **OBJECTS)
#: Recipes of our MIAIS by name.
RECIPES = {
    name: RecipeEntry(
        MiaisOurs,
        recipe,
        f"our MIAIS: {secrets} recognised in photographs with a key; --data has both",
        read=partial(read, pool="photographs"),
        inherit=MiaisOurs.inherit,
    )
    for name, recipe, secrets, read in (
        ("miais", _FACES, "faces", faces.faces),
        ("miais-objects", _OBJECTS, "objects", faces.objects),
    )
}
