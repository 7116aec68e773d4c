"""MIAIS, ours: a face or an object that is recognised in a picture by a key, and only by it.

It has two losses: what the container loses, and how far what is read from it is from what a teacher makes of the
secret::

    secret ─► teacher ─► embedding ─► turned by a key ─► writer ─► container (8 bits) ─► JPEG ─► reader ─► turned back
    w_c · mean (container - cover)² + w_i · mean (read - embedding)²

The teacher is the paper's plain classifier, trained on the same people (``miais-teacher``). The container is the cover
and a bounded change. Each has a key of its own, by any other than which nobody is recognised. There is no picture in
it: who cannot be restored is safe from whoever learns to restore.

The published system is :mod:`underpaint_lab.papers.miais.published`; deviations from it are in docs/methods/miais.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from underpaint.errors import UsageError
from underpaint.methods.miais import BLOCK, SIGNS, dither
from underpaint_lab.data import faces
from underpaint_lab.noise_layers import DiffJpeg
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.papers.miais.nets import LENGTH, Embedder, Extractor, Keys
from underpaint_lab.papers.miais.teacher import OBJECTS, KnownRecipe, LabelledBatch, Student, both_ways
from underpaint_lab.training.trainable import RecipeEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

#: The highest quality of JPEG that a container goes through.
_FINEST = 95


@dataclass(frozen=True, kw_only=True)
class OursRecipe(KnownRecipe):
    """What ours is trained by.

    Raises:
        UsageError: a value is out of range.
    """

    #: Run of ``miais-teacher`` whose embedding is hidden.
    teacher: str = "runs/miais-teacher"
    #: Weights of what the container loses, and of what is read from it.
    cover: float = 100.0
    identity: float = 4.0
    #: The largest change of a value, of the full scale.
    reach: float = 12 / 255
    #: Channels of writer and reader.
    hidden: int = 64
    #: The lowest quality of JPEG that containers go through, up to 95, before they are read; 0 for none.
    jpeg: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop % BLOCK:
            raise UsageError(f"a crop must be a multiple of {BLOCK}, not {self.crop}")
        if self.size > 3 * BLOCK**2 - SIGNS:
            raise UsageError(f"size must be at most {3 * BLOCK**2 - SIGNS}, not {self.size}")
        if min(self.cover, self.identity) <= 0 or not 0 < self.reach <= 1 or self.hidden < 1:
            raise UsageError("weights must be above 0, reach above 0 and at most 1, hidden at least 1")
        if not 0 <= self.jpeg <= _FINEST:
            raise UsageError(f"jpeg must be 0–{_FINEST}, not {self.jpeg}")


class Ours(Student):
    """Ours: a writer, a reader, and two losses."""

    def __init__(self, recipe: OursRecipe) -> None:
        super().__init__(recipe)
        self.recipe = recipe
        count, kept = recipe.size + SIGNS, recipe.jpeg > 0
        writer = Embedder(count, recipe.hidden, recipe.reach, kept)
        self.networks = nn.ModuleDict({"writer": writer, "reader": Extractor(count, recipe.hidden, kept)})

    def inherit(self) -> None:
        """Take over the recipe's teacher.

        Raises:
            ModelError: there is none.
        """
        self.learn_from(self.recipe.teacher)

    def code(self, secrets: Tensor) -> Tensor:
        """What *secrets*, ``(B, 3, H, W)`` in [0, 1], are recognised by: ``(B, size)``, of a mean square of 1."""
        return both_ways(self.teacher, secrets) * float(self.recipe.size**0.5 / LENGTH)

    def container(self, covers: Tensor, codes: Tensor, keys: Keys) -> Tensor:
        """*covers*, ``(B, 3, H, W)`` in [0, 1], that say *codes* by *keys*; rounded to 8 bits."""
        said = self.networks["reader"](covers)
        written: Tensor = self.networks["writer"](covers, keys.turned(codes), said)
        return round_8_bit(written + torch.from_numpy(dither(*covers.shape[2:])).to(written) / 255)

    def embedding(self, containers: Tensor, keys: Keys) -> Tensor:
        """What *containers* are recognised by, ``(B, size)``: to compare with :meth:`code`."""
        return keys.back(self.networks["reader"](containers))

    def losses(self, images: Tensor, _step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``networks``: ``cover`` and ``identity``, mean squares.

        *images* are couples of known classes, ``(B, 7, H, W)``, of which no class is looked at.
        """
        recipe, (covers, secrets, _) = self.recipe, LabelledBatch.of(images, self.recipe)
        keys, codes = Keys(len(images), recipe.size, rng), self.code(secrets)
        containers = self.container(covers, codes, keys)
        arrived = containers
        if recipe.jpeg:
            quality = int(rng.integers(recipe.jpeg, _FINEST + 1))
            arrived = DiffJpeg(quality, rounding="straight-through")(containers, rng)
        yield (
            "networks",
            {
                "cover": recipe.cover * (containers - covers).square().mean(),
                "identity": recipe.identity * (self.networks["reader"](arrived) - keys.turned(codes)).square().mean(),
            },
        )


_FACES = OursRecipe(steps=2000, batch=32, crop=64, learning_rate=2e-4, warmup=100, decay="cosine", clip=1.0, ema=0.995)
_THINGS = replace(_FACES, teacher="runs/miais-objects-teacher", **OBJECTS)
RECIPES = {
    name: RecipeEntry(
        Ours,
        recipe,
        f"{secrets} in photographs, recognised there by a key; --data has both",
        read=partial(read, pool="photographs"),
        inherit=Ours.inherit,
    )
    for name, recipe, secrets, read in (
        ("miais", _FACES, "faces", faces.faces),
        ("miais-objects", _THINGS, "objects", faces.objects),
    )
}
