"""The classifiers of :mod:`underpaint_lab.nets.classifiers` and :mod:`~underpaint_lab.nets.cifar_classifiers`, trained.

The former are what attention is asked to leave alone; the latter, of 32×32 pictures, what the machine's just
noticeable difference is about.

No paper's own: the published systems take ImageNet's official weights, which are another 45 MB, and are of one kind.

::

    pictures of known classes ─► other tones ─► a part of each pasted over from another (CutMix) ─► network
                              ─► cross-entropy with the share of each class in what is seen, smoothed,
                                 and with what teachers make of it

CutMix is S. Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features"
(ICCV 2019). The learning rate rises, then falls along a cosine; what is kept is the running mean of the weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

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

    AnyClassifier = Classifier | cifar_classifiers.Mapped

#: What makes each network that can be trained here, by the name of its recipe.
NETWORKS: dict[str, Callable[[int], AnyClassifier]] = {
    **{f"classifier-{name}": build for name, build in CLASSIFIERS.items()},
    **{f"cifar-{name}": build for name, build in cifar_classifiers.NETWORKS.items()},
}
#: What the sides of reduced pictures are multiples of.
_BY = 4
#: Pictures that are classified at once where nothing is trained.
_AT_ONCE = 100


@dataclass(frozen=True, kw_only=True)
class ClassifierRecipe(Recipe):
    """How a classifier is trained.

    Raises:
        UsageError: no such network, or a value is out of range.
    """

    #: Key of :data:`NETWORKS`.
    network: str = "classifier-resnet"
    classes: int = 50
    #: Side in pixels, at most the crop's, that pictures are reduced to at first; 0 leaves them as they are.
    first: int = 0
    #: Share of the steps after which they no longer are.
    grown: float = 0.5
    #: Share of the batches in which parts are pasted over.
    pasted: float = 0.7
    #: Share of the answer that is spread over all classes.
    smoothing: float = 0.1
    #: How far the brightness, contrast and saturation of each picture go at random: see :func:`toned`.
    tones: float = 0.0
    #: Classifiers of CIFAR-10 in the zoo; the mean of what they say is half of the answer.
    teachers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network not in NETWORKS:
            there_are = f"there are {', '.join(NETWORKS)}"
            raise UsageError(f"no classifier is called '{self.network}'", hint=there_are)
        if self.classes < 2:
            raise UsageError(f"classes must be at least 2, not {self.classes}")
        if self.first and not _BY <= self.first <= self.crop:
            raise UsageError(f"first must be 0, or {_BY}–{self.crop}, not {self.first}")
        for name in ("grown", "pasted", "smoothing", "tones"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} must be 0–1, not {getattr(self, name)}")

    def side(self, step: int) -> int:
        """Return the side in pixels of pictures in *step*: small ones teach the first things at less cost."""
        if not self.first or step >= self.grown * self.steps:
            return self.crop
        larger = step / (self.grown * self.steps) * (self.crop - self.first)
        return self.first + int(larger) // _BY * _BY


class Trained(nn.Module):
    """A classifier, as the training loop wants it."""

    def __init__(self, recipe: ClassifierRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.network: AnyClassifier = NETWORKS[recipe.network](recipe.classes)
        self._teachers = [[from_zoo_cifar(name) for name in recipe.teachers]]  # a list: they are no part to be trained
        channels_last(self)

    def losses(self, images: Tensor, step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield the cross-entropy of labelled *images*, ``(B, 4, H, W)``: colour, and the class of each pixel.

        Raises:
            UsageError: a class is beyond those of the recipe.
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
            images = pasted(images, rng)
        wanted = functional.one_hot(images[:, 3].round().long(), recipe.classes).float().mean(dim=(1, 2))
        if recipe.teachers:
            with torch.no_grad():
                said = [teacher(images[:, :3]).softmax(dim=1) for teacher in self._teachers[0]]
            wanted = (wanted + torch.stack(said).mean(dim=0)) / 2
        odds = self.network(images[:, :3].contiguous(memory_format=torch.channels_last))
        yield (
            "network",
            {"surprise": functional.cross_entropy(odds, wanted, label_smoothing=recipe.smoothing)},
        )


def pasted(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Return *images*, ``(B, C, H, W)``, with one rectangle of each from the picture before it.

    Its area is uniform in 0–1 of the picture's, less what lies beyond the border.
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
    """Return the share, 0–1, of *pictures*, all of one size, whose class is *network*'s first answer."""
    images = torch.from_numpy(np.stack(pictures.pictures)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        found = torch.cat([network(batch.float() / 255).argmax(dim=1) for batch in torch.split(images, _AT_ONCE)])
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
#: What some of them need otherwise; without normalisation, the highest rate does not hold.
_OTHERWISE: dict[str, dict[str, Any]] = {
    "alexnet": {"steps": 1400},
    "densenet": {"steps": 2200},
    "vgg": {"first": 16, "grown": 0.8},
    "resnet": {"first": 16, "grown": 0.8},
    "mobile": {"steps": 1200, "warmup": 200},
    "mixer": {"steps": 450, "warmup": 80, "first": 16, "grown": 0.8},
    "plain": {"steps": 500, "warmup": 80, "learning_rate": 1.5e-3, "first": 16, "grown": 0.8},
}
#: Steps of those that go on from there, at full size.
_MORE = {"resnet": 2000, "vgg": 800, "alexnet": 250, "densenet": 600, "mixer": 200, "plain": 250}


def _photographs(network: str) -> RecipeEntry:
    role = "which only judges" if network in HELD_OUT else "which attention is trained against"
    summary = f"the classifier '{network}', {role}; --data has labels.csv"
    return RecipeEntry(Trained, replace(_PHOTOGRAPHS, network=f"classifier-{network}"), summary, read=Labelled.of)


def _cifar(network: str, **otherwise: Any) -> RecipeEntry:
    role = "which only judges" if network in cifar_classifiers.HELD_OUT else "whose just noticeable difference is asked"
    summary = f"the classifier '{network}' of CIFAR-10, {role}; --data has labels.npz"
    recipe = replace(_CIFAR, network=f"cifar-{network}", **otherwise)
    return RecipeEntry(Trained, recipe, summary, read=Cifar.of)


def _more(network: str, steps: int) -> RecipeEntry:
    rate = 0.75 * _OTHERWISE.get(network, {}).get("learning_rate", _CIFAR.learning_rate)
    entry = _cifar(network, steps=steps, learning_rate=rate, warmup=80, first=0, start=f"runs/cifar-{network}")
    return replace(entry, summary=f"{entry.summary}; goes on from cifar-{network}")


RECIPES = {
    **{f"classifier-{network}": _photographs(network) for network in CLASSIFIERS},
    **{f"cifar-{network}": _cifar(network, **_OTHERWISE.get(network, {})) for network in cifar_classifiers.NETWORKS},
    **{f"cifar-{network}-more": _more(network, steps) for network, steps in _MORE.items()},
}
