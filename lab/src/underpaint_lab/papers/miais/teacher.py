"""Recipes and networks that all MIAIS models share: labelled batches, and the plain classifier (teacher)."""

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

#: Settings that differ where secrets are objects of Tiny-ImageNet.
OBJECTS: dict[str, Any] = {"classes": 50, "triplet": 0.0}


@dataclass(frozen=True, kw_only=True)
class RecognitionRecipe(Recipe):
    """Settings of the classes and the embedding, for all models.

    Raises:
        UsageError: a value is out of range.
    """

    #: Number of people, or kinds of objects, in the data.
    classes: int = 98
    #: Channels of a classifier's first stage.
    width: int = 16
    #: Length of the embedding vector; in the paper 128, for 1,662 people.
    size: int = 64
    #: alpha: weight of the triplet loss relative to cross-entropy. The paper has none for objects.
    triplet: float = 2.0
    #: gamma: margin of the triplet loss, for embeddings of norm 10.
    margin: float = 1.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.classes, self.size) < 2 or self.width < 1 or min(self.triplet, self.margin) < 0:
            raise UsageError("classes and size must be at least 2, width at least 1, triplet and margin at least 0")


class LabelledBatch(NamedTuple):
    """A batch of :class:`~underpaint_lab.data.faces.KnownPairs`: covers, secrets and the secrets' classes."""

    covers: Tensor
    secrets: Tensor
    labels: Tensor

    @classmethod
    def of(cls, images: Tensor, recipe: RecognitionRecipe) -> LabelledBatch:
        """Split *images*, ``(B, 7, H, W)``, or ``(B, 4, H, W)`` without covers.

        Raises:
            UsageError: a class is not below the recipe's number of classes.
        """
        labels = images[:, -1, 0, 0].round().long()
        if int(labels.max()) >= recipe.classes:
            hint = f"set classes={int(labels.max()) + 1}, or more"
            raise UsageError(f"the pictures have more than {recipe.classes} classes", hint=hint)
        return cls(images[:, :3], images[:, -4:-1], labels)


@dataclass(frozen=True, kw_only=True)
class TeacherRecipe(RecognitionRecipe):
    """Settings of the plain classifier.

    Raises:
        UsageError: a value is out of range.
    """

    #: Strength of random brightness, contrast and saturation: see :func:`~underpaint_lab.data.augment.toned`.
    tones: float = 0.0
    #: Share of the secrets with a random rectangle erased.
    erased: float = 0.0
    #: Margin m of the CosFace loss; with 0 the loss is the paper's cross-entropy.
    lead: float = 0.0
    #: Scale s of the CosFace loss.
    scale: float = 20.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.tones <= 1 or not 0 <= self.erased <= 1 or not 0 <= self.lead < 1 or self.scale <= 0:
            raise UsageError("tones and erased must be 0–1, lead at least 0 and below 1, scale above 0")


class Teacher(nn.Module):
    """The plain classifier v of the paper, trained on secrets, not on containers."""

    def __init__(self, recipe: TeacherRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = recogniser(recipe)

    def losses(self, images: Tensor, step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``network`` with ``cross_entropy`` and, if the recipe has it, ``triplet``.

        With a margin the cross-entropy is the CosFace loss (H. Wang et al., "CosFace: Large Margin Cosine Loss for Deep
        Face Recognition", CVPR 2018); the margin grows over the warmup.

        Args:
            images: secrets and classes, ``(B, 4, H, W)``.
            step: for the margin.
            rng: draws the augmentation.
        """
        recipe, known = self.recipe, LabelledBatch.of(images, self.recipe)
        made = self.network(self.shown(known.secrets, rng))
        if recipe.lead:
            cosines = functional.normalize(made, dim=1) @ functional.normalize(self.network.classify.weight, dim=1).T
            lead = recipe.lead * min(1.0, (step + 1) / (recipe.warmup + 1))
            logits = recipe.scale * (cosines - lead * functional.one_hot(known.labels, recipe.classes))
        else:
            logits = self.network.classify(made)
        yield "network", identity_losses(made, logits, known.labels, recipe)

    def shown(self, secrets: Tensor, rng: np.random.Generator) -> Tensor:
        """Augment *secrets*, ``(B, 3, H, W)`` in [0, 1]."""
        return erased(toned(secrets, self.recipe.tones, rng), self.recipe.erased, rng)


class Student(nn.Module):
    """A model with a frozen teacher."""

    def __init__(self, recipe: RecognitionRecipe) -> None:
        super().__init__()
        self.teacher = recogniser(recipe).requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Set the training mode; the teacher stays in evaluation mode."""
        super().train(mode)
        self.teacher.eval()
        return self

    def learn_from(self, run: str) -> None:
        """Load the teacher from *run*.

        Raises:
            ModelError: there is none, or it is another network.
        """
        folder.load_weights(self.teacher, folder.learned(Path(run), "network"), Path(run))


def recogniser(recipe: RecognitionRecipe) -> Recogniser:
    """Return a new network of the recipe's size."""
    network = Recogniser(recipe.classes, recipe.width, recipe.size)
    channels_last(network)
    return network


def embed_with_mirror(network: nn.Module, images: Tensor) -> Tensor:
    """Return the normalised sum of the embeddings of *images*, ``(B, 3, H, W)``, and of their mirror images."""
    return LENGTH * functional.normalize(network(images) + network(images.flip(3)), dim=1)


def identity_losses(embeddings: Tensor, logits: Tensor, labels: Tensor, recipe: RecognitionRecipe) -> dict[str, Tensor]:
    """Return the losses of recognition: ``cross_entropy`` and, if the recipe has it, the weighted ``triplet``.

    Args:
        embeddings: ``(B, size)``.
        logits: ``(B, classes)``.
        labels: classes, ``(B,)``.
        recipe: weight and margin of the triplet loss.

    Source: MIAIS, equations 6 and 7; docs/methods/miais.md.
    """
    parts = {"cross_entropy": functional.cross_entropy(logits, labels)}
    if recipe.triplet:
        parts["triplet"] = recipe.triplet * triplet(embeddings, labels, recipe.margin)
    return parts
