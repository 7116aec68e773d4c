"""Training of the classifiers that BASN and DMV-JND need.

The networks are those of :mod:`underpaint_lab.nets.classifiers` (for BASN's attention) and
:mod:`~underpaint_lab.nets.cifar_classifiers` (32×32 pictures, for the just noticeable difference of machines). They
belong to no paper: the published systems use ImageNet's official weights, 45 MB of one architecture.

::

    labelled pictures ─► colour jitter ─► CutMix ─► network ─► cross-entropy with the classes' shares of the picture,
                                                                smoothed, or half of it with the teachers' answers

CutMix is S. Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features"
(ICCV 2019). The learning rate rises linearly and falls along a cosine; the running mean of the weights is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint.errors import UsageError
from underpaint_lab.data.augment import toned
from underpaint_lab.data.cifar import Cifar
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.export.from_zoo import from_zoo_cifar
from underpaint_lab.nets import cifar_classifiers
from underpaint_lab.nets.classifiers import CLASSIFIERS, HELD_OUT
from underpaint_lab.training.recipe import Recipe
from underpaint_lab.training.trainable import RecipeEntry, channels_last

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from underpaint_lab.nets.classifiers import Classifier

    AnyClassifier = Classifier | cifar_classifiers.CamClassifier

#: Builders of the networks by name; each takes the number of classes.
NETWORKS: dict[str, Callable[[int], AnyClassifier]] = {
    **{f"classifier-{name}": build for name, build in CLASSIFIERS.items()},
    **{f"cifar-{name}": build for name, build in cifar_classifiers.NETWORKS.items()},
}
#: Sides of reduced pictures are multiples of this.
_SIDE_STEP = 4
#: Batch size of :func:`accuracy`.
_BATCH = 100


@dataclass(frozen=True, kw_only=True)
class ClassifierRecipe(Recipe):
    """Settings of a classifier's training.

    Raises:
        UsageError: no such network, or a value is out of range.
    """

    #: Key of :data:`NETWORKS`.
    network: str = "classifier-resnet"
    #: Number of classes.
    classes: int = 50
    #: Side in pixels of the reduced pictures that training begins with, at most the crop's; 0 does not reduce them.
    first: int = 0
    #: Share of the steps after which pictures have their full size.
    grown: float = 0.5
    #: Share of the batches with CutMix.
    pasted: float = 0.7
    #: Label smoothing.
    smoothing: float = 0.1
    #: Strength of the random brightness, contrast and saturation: see :func:`~underpaint_lab.data.augment.toned`.
    tones: float = 0.0
    #: CIFAR-10 classifiers of the zoo; the mean of their answers is half of the target (distillation).
    teachers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network not in NETWORKS:
            there_are = f"there are {', '.join(NETWORKS)}"
            raise UsageError(f"no classifier is called '{self.network}'", hint=there_are)
        if self.classes < 2:
            raise UsageError(f"classes must be at least 2, not {self.classes}")
        if self.first and not _SIDE_STEP <= self.first <= self.crop:
            raise UsageError(f"first must be 0, or {_SIDE_STEP}–{self.crop}, not {self.first}")
        for name in ("grown", "pasted", "smoothing", "tones"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} must be 0–1, not {getattr(self, name)}")

    def side(self, step: int) -> int:
        """Return the side in pixels of the pictures in *step*: training begins with small ones, which cost less."""
        if not self.first or step >= self.grown * self.steps:
            return self.crop
        larger = step / (self.grown * self.steps) * (self.crop - self.first)
        return self.first + int(larger) // _SIDE_STEP * _SIDE_STEP


class TrainableClassifier(nn.Module):
    """A classifier with its losses."""

    former_name: ClassVar[str] = "Trained"

    def __init__(self, recipe: ClassifierRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.network: AnyClassifier = NETWORKS[recipe.network](recipe.classes)
        self._teachers = [
            [from_zoo_cifar(name) for name in recipe.teachers]
        ]  # a list, so that they are no submodules and not trained
        channels_last(self)

    def losses(self, images: Tensor, step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``network`` with ``cross_entropy``.

        Args:
            images: ``(B, 4, H, W)``: colours in [0, 1], and the class of each pixel.
            step: for the size of the pictures.
            rng: draws the augmentation.

        Raises:
            UsageError: a class is not below the recipe's number of classes.
        """
        recipe = self.recipe
        if int(images[:, 3].max()) >= recipe.classes:
            hint = f"set classes={int(images[:, 3].max()) + 1}, or more"
            raise UsageError(f"the pictures have more than {recipe.classes} classes", hint=hint)
        if recipe.side(step) < images.shape[3]:
            images = functional.interpolate(images, (recipe.side(step),) * 2, mode="bilinear", antialias=True)
        if recipe.tones:
            images = torch.cat([toned(images[:, :3], recipe.tones, rng), images[:, 3:]], dim=1)
        if rng.random() < recipe.pasted:
            images = cutmix(images, rng)
        target = functional.one_hot(images[:, 3].round().long(), recipe.classes).float().mean(dim=(1, 2))
        if recipe.teachers:
            with torch.no_grad():
                answers = [teacher(images[:, :3]).softmax(dim=1) for teacher in self._teachers[0]]
            target = (target + torch.stack(answers).mean(dim=0)) / 2
        logits = self.network(images[:, :3].contiguous(memory_format=torch.channels_last))
        yield (
            "network",
            {"cross_entropy": functional.cross_entropy(logits, target, label_smoothing=recipe.smoothing)},
        )


def cutmix(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Replace one rectangle of each picture by that of the picture before it (CutMix).

    The rectangle's area is uniform in 0–1 of the picture's, before it is clipped at the borders.

    Args:
        images: ``(B, C, H, W)``.
        rng: draws the rectangle, the same for all pictures.
    """
    height, width = images.shape[2:]
    share = np.sqrt(rng.random())
    middles = rng.integers((height, width))
    top, left = np.maximum(middles - np.rint(share * np.array((height, width)) / 2).astype(int), 0)
    low, right = middles + np.rint(share * np.array((height, width)) / 2).astype(int)
    mixed = images.clone()
    mixed[:, :, top:low, left:right] = images.roll(1, dims=0)[:, :, top:low, left:right]
    return mixed


def accuracy(network: AnyClassifier, pictures: Labelled) -> float:
    """Return the top-1 accuracy, 0–1, of *network* on *pictures*, which all have one size."""
    images = torch.from_numpy(np.stack(pictures.pictures)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        found = torch.cat([network(batch.float() / 255).argmax(dim=1) for batch in torch.split(images, _BATCH)])
    return float((found.numpy() == pictures.labels).mean())


_PHOTOGRAPHS = ClassifierRecipe(
    steps=6000, batch=64, crop=64, learning_rate=3e-3, warmup=600, decay="cosine", clip=1.0, ema=0.998, pasted=0.7
)
_CIFAR = ClassifierRecipe(
    steps=2400,
    batch=125,
    crop=32,
    learning_rate=4e-3,
    warmup=400,
    decay="cosine",
    clip=1.0,
    ema=0.995,
    classes=10,
    first=20,
    pasted=0.0,
)
#: Settings of some networks that differ; without normalisation, the highest learning rate diverges.
_DIFFERENT: dict[str, dict[str, Any]] = {
    "alexnet": {"steps": 1400},
    "densenet": {"steps": 2200},
    "vgg": {"first": 16, "grown": 0.8},
    "resnet": {"first": 16, "grown": 0.8},
    "mobile": {"steps": 1200, "warmup": 200},
    "mixer": {"steps": 450, "warmup": 80, "first": 16, "grown": 0.8},
    "plain": {"steps": 500, "warmup": 80, "learning_rate": 1.5e-3, "first": 16, "grown": 0.8},
}
#: Steps of the recipes that continue at full size, by network.
_CONTINUED_STEPS = {"resnet": 2000, "vgg": 800, "alexnet": 250, "densenet": 600, "mixer": 200, "plain": 250}


def _photographs(network: str) -> RecipeEntry:
    role = "for evaluation only" if network in HELD_OUT else "for training attention"
    summary = f"the classifier '{network}', {role}; --data has labels.csv"
    return RecipeEntry(
        TrainableClassifier, replace(_PHOTOGRAPHS, network=f"classifier-{network}"), summary, read=Labelled.of
    )


def _cifar(network: str, **changes: Any) -> RecipeEntry:
    role = "for evaluation only" if network in cifar_classifiers.HELD_OUT else "for training DMV-JND"
    summary = f"the classifier '{network}' of CIFAR-10, {role}; --data has labels.npz"
    recipe = replace(_CIFAR, network=f"cifar-{network}", **changes)
    return RecipeEntry(TrainableClassifier, recipe, summary, read=Cifar.of)


def _continued(network: str, steps: int) -> RecipeEntry:
    rate = 0.75 * _DIFFERENT.get(network, {}).get("learning_rate", _CIFAR.learning_rate)
    entry = _cifar(network, steps=steps, learning_rate=rate, warmup=80, first=0, start=f"runs/cifar-{network}")
    return replace(entry, summary=f"{entry.summary}; continues cifar-{network}")


#: Recipes of the classifiers by name.
RECIPES = {
    **{f"classifier-{network}": _photographs(network) for network in CLASSIFIERS},
    **{f"cifar-{network}": _cifar(network, **_DIFFERENT.get(network, {})) for network in cifar_classifiers.NETWORKS},
    **{f"cifar-{network}-more": _continued(network, steps) for network, steps in _CONTINUED_STEPS.items()},
}
