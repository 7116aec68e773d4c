"""What is common to those that recognise secrets in containers: whom there is to know, and a teacher who knows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from torch import Tensor, nn
from torch.nn import functional

from underpaint.errors import UsageError
from underpaint_lab.data.augment import erased, toned
from underpaint_lab.papers.miais.nets import LENGTH, Recogniser
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.losses import triplet
from underpaint_lab.training.recipe import Recipe
from underpaint_lab.training.trainable import channels_last

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

#: What a recipe has otherwise where secrets are the objects of Tiny-ImageNet.
OBJECTS: dict[str, Any] = {"classes": 50, "triplet": 0.0}


@dataclass(frozen=True, kw_only=True)
class RecognitionRecipe(Recipe):
    """What all have: whom there is to know, and what makes an embedding.

    Raises:
        UsageError: a value is out of range.
    """

    #: People, or kinds of objects, in the data.
    classes: int = 98
    #: Channels of a classifier's first stage.
    width: int = 16
    #: Of an embedding; 128 as published, for 1,662 people.
    size: int = 64
    #: Weight of the triplet loss beside cross-entropy: alpha. The paper has none for objects.
    triplet: float = 2.0
    #: By how much others shall be farther, at embeddings of length 10: gamma.
    margin: float = 1.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.classes, self.size) < 2 or self.width < 1 or min(self.triplet, self.margin) < 0:
            raise UsageError("classes and size must be at least 2, width at least 1, triplet and margin at least 0")


class LabelledBatch(NamedTuple):
    """A batch of :class:`~underpaint_lab.data.faces.KnownCouples`."""

    covers: Tensor
    secrets: Tensor
    labels: Tensor

    @classmethod
    def of(cls, images: Tensor, recipe: RecognitionRecipe) -> LabelledBatch:
        """Take apart *images*, ``(B, 7, H, W)``, or ``(B, 4, H, W)`` without covers.

        Raises:
            UsageError: a class is beyond those of the recipe.
        """
        labels = images[:, -1, 0, 0].round().long()
        if int(labels.max()) >= recipe.classes:
            hint = f"set classes={int(labels.max()) + 1}, or more"
            raise UsageError(f"the pictures have more than {recipe.classes} classes", hint=hint)
        return cls(images[:, :3], images[:, -4:-1], labels)


@dataclass(frozen=True, kw_only=True)
class TeacherRecipe(RecognitionRecipe):
    """How a plain classifier is trained.

    Raises:
        UsageError: a value is out of range.
    """

    #: How far brightness, contrast and saturation go: see :func:`~underpaint_lab.data.augment.toned`.
    tones: float = 0.0
    #: Share of secrets of which a rectangle is erased.
    erased: float = 0.0
    #: By how much the cosine of the right class must be the largest, and what cosines are multiplied by; without a lead
    #: there are no cosines, and the loss is the paper's.
    lead: float = 0.0
    scale: float = 20.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.tones <= 1 or not 0 <= self.erased <= 1 or not 0 <= self.lead < 1 or self.scale <= 0:
            raise UsageError("tones and erased must be 0–1, lead at least 0 and below 1, scale above 0")


class Teacher(nn.Module):
    """The plain classifier v: it learns from secrets as they are."""

    def __init__(self, recipe: TeacherRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = recogniser(recipe)

    def losses(self, images: Tensor, step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``network`` of *images*, ``(B, 4, H, W)``, colour and class: ``surprise``, and maybe ``triplet``.

        With a lead, cross-entropy is of cosines (H. Wang et al., "CosFace: Large Margin Cosine Loss for Deep Face
        Recognition", CVPR 2018); the lead grows over the warmup.
        """
        recipe, known = self.recipe, LabelledBatch.of(images, self.recipe)
        made = self.network(self.shown(known.secrets, rng))
        if recipe.lead:
            cosines = functional.normalize(made, dim=1) @ functional.normalize(self.network.classify.weight, dim=1).T
            lead = recipe.lead * min(1.0, (step + 1) / (recipe.warmup + 1))
            odds = recipe.scale * (cosines - lead * functional.one_hot(known.labels, recipe.classes))
        else:
            odds = self.network.classify(made)
        yield "network", identity_losses(made, odds, known.labels, recipe)

    def shown(self, secrets: Tensor, rng: np.random.Generator) -> Tensor:
        """What the network learns from: *secrets*, ``(B, 3, H, W)`` in [0, 1], as they might have been."""
        return erased(toned(secrets, self.recipe.tones, rng), self.recipe.erased, rng)


class Student(nn.Module):
    """What has a teacher that learns no more."""

    def __init__(self, recipe: RecognitionRecipe) -> None:
        super().__init__()
        self.teacher = recogniser(recipe).requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """As of a module; the teacher stays as it is."""
        super().train(mode)
        self.teacher.eval()
        return self

    def learn_from(self, run: str) -> None:
        """Take over the teacher of *run*.

        Raises:
            ModelError: there is none, or it is another network.
        """
        folder.load_weights(self.teacher, folder.learned(Path(run), "network"), Path(run))


def recogniser(recipe: RecognitionRecipe) -> Recogniser:
    """A new network of the recipe's size."""
    network = Recogniser(recipe.classes, recipe.width, recipe.size)
    channels_last(network)
    return network


def embed_with_mirror(network: nn.Module, images: Tensor) -> Tensor:
    """Embeddings of *images*, ``(B, 3, H, W)`` in [0, 1], together with their mirror images."""
    return LENGTH * functional.normalize(network(images) + network(images.flip(3)), dim=1)


def identity_losses(embeddings: Tensor, odds: Tensor, labels: Tensor, recipe: RecognitionRecipe) -> dict[str, Tensor]:
    """``surprise``, cross-entropy, and if the recipe has it ``triplet``, weighted."""
    parts = {"surprise": functional.cross_entropy(odds, labels)}
    if recipe.triplet:
        parts["triplet"] = recipe.triplet * triplet(embeddings, labels, recipe.margin)
    return parts
