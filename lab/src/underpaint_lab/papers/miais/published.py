"""MIAIS: a face or an object hidden in a picture, and recognised there without being restored.

J. Cui, P. Zhang, S. Li, L. Zheng, C. Bao, J. Xia and X. Li, "Multitask Identity-Aware Image Steganography via Minimax
Optimization" (IEEE Transactions on Image Processing, 2021). As published::

    cover, secret ─► generator h ─► container ─┬► classifiers f₁, f₂    identity, discrepancy
                                               ├► a plain classifier v  content: as it sees the secret
                                               └► restorer r            if multitask
    joint   min h, f, r   visual + identity + content + restored                       (9), (10)
    stage A min f₁, f₂    identity - discrepancy                                       (12)
    stage B min h, r      visual + identity + content + discrepancy + restored         (13), (14)

Stages take turns, after a share of joint steps. In both the weight of a term is the share of all others in their sum;
and what is visible weighs much as long as it exceeded the hiding threshold in the last stage B, or as many joint steps,
little afterwards.

v is ``miais-teacher``. Ours is :mod:`underpaint_lab.papers.miais.ours`.

Deviations from the paper are in docs/methods/miais.md.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import Tensor, nn

from underpaint.errors import UsageError
from underpaint_lab.data import faces
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.papers.miais.nets import Generator, Restorer
from underpaint_lab.papers.miais.obfuscated_teacher import Obscured, ObscuredRecipe
from underpaint_lab.papers.miais.teacher import (
    OBJECTS,
    KnownRecipe,
    LabelledBatch,
    Student,
    Teacher,
    TeacherRecipe,
    identity,
    recogniser,
)
from underpaint_lab.training.losses import ms_ssim_normalised
from underpaint_lab.training.trainable import RecipeEntry, channels_last

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np

    from underpaint_lab.papers.miais.nets import Recogniser

    Parts = dict[str, Tensor]

Stage = Literal["joint", "classify", "hide"]

#: By how much f₁ and f₂ differ, summed over classes, times this: the authors take 1,000 times the mean over 1,662.
_DISCREPANCY = 1000 / 1662
#: Factors of terms in joint steps, as in the paper; 1 of what one classifier makes of identity.
_JOINT = {"content": 1.0}
#: In stage A.
_CLASSIFY = {"identity": 10.0, "discrepancy": -1.0}
#: In stage B, without a restorer and with one; of what is visible see :data:`_PRESSURE`.
_HIDE = {"discrepancy": 5.0, "content": 2.0, "identity": 0.1}
_HIDE_MULTITASK = {"discrepancy": 15.0, "content": 0.1, "identity": 0.1}
#: Of what is visible above the hiding threshold, and below it; of what is restored, three quarters of it. In stage B
#: without a restorer and with one; in joint steps, whose script has the lower one alone, by the same measure.
_PRESSURE = {False: (130.0, 10.0), True: (50.0, 1.0)}
_JOINT_PRESSURE = (39.0, 3.0)
_RESTORED = 0.75


@dataclass(frozen=True, kw_only=True)
class PublishedRecipe(KnownRecipe):
    """What the published networks are trained by. Without minimax and content they are the paper's baseline.

    Raises:
        UsageError: a value is out of range.
    """

    #: Two classifiers and stages that take turns.
    minimax: bool = True
    #: To a plain classifier, the container shall look like the secret.
    content: bool = True
    #: The secret can be restored.
    multitask: bool = False
    #: Run of ``miais-teacher`` whose network is the plain classifier.
    teacher: str = "runs/miais-teacher"
    #: Share of the steps that are joint, before stages take turns, and steps of a stage.
    joint: float = 0.6
    epoch: int = 50
    #: The hiding threshold, of 1 - MS-SSIM.
    threshold: float = 0.02
    #: Channels of the generator's first level, and halvings; channels of the restorer's first layer.
    generator: int = 16
    downs: int = 5
    restorer: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.downs, self.epoch, self.generator, self.restorer) < 1:
            raise UsageError("downs, epoch, generator and restorer must be at least 1")
        if self.crop % 2**self.downs:
            raise UsageError(f"a crop must be a multiple of {2**self.downs}, not {self.crop}")
        if not 0 <= self.joint <= 1 or not 0 <= self.threshold <= 1:
            raise UsageError("joint and threshold must be 0–1")

    def stage(self, step: int) -> Stage:
        """Which stage *step* is of: the first that is not joint is A, as in the paper's algorithm."""
        turn = step - round(self.joint * self.steps)
        if not self.minimax or turn < 0:
            return "joint"
        return "hide" if turn // self.epoch % 2 else "classify"


class Published(Student):
    """The paper's networks, losses and stages."""

    def __init__(self, recipe: PublishedRecipe) -> None:
        super().__init__(recipe)
        self.recipe = recipe
        self.networks = nn.ModuleDict({"generator": Generator(recipe.generator, recipe.downs)})
        self.networks["classifiers"] = nn.ModuleList(recogniser(recipe) for _ in range(1 + recipe.minimax))
        if recipe.multitask:
            self.networks["restorer"] = Restorer(recipe.restorer)
        channels_last(self.networks)
        # How visible containers were: sum and number of steps of this stage, and the mean of the last; 0 is unknown.
        self.visible: Tensor
        self.register_buffer("visible", torch.zeros(3))

    def inherit(self) -> None:
        """Take over the recipe's teacher, and its sight for classifiers to begin with.

        Raises:
            ModelError: there is none.
        """
        self.learn_from(self.recipe.teacher)
        for classifier in self._classifiers():
            classifier.trunk.load_state_dict(self.teacher.trunk.state_dict())

    def container(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """What *secrets* are hidden in, all ``(B, 3, H, W)`` in [0, 1]; not rounded, as in the authors' code."""
        made: Tensor = self.networks["generator"](covers, secrets)
        return made

    def restored(self, containers: Tensor) -> Tensor:
        """The secrets in *containers*, ``(B, 3, H, W)`` in [0, 1]; only if multitask."""
        found: Tensor = self.networks["restorer"](containers)
        return found

    def embedding(self, containers: Tensor) -> Tensor:
        """What *containers* are recognised by, ``(B, classifiers · size)``: what each makes of them, side by side."""
        return torch.cat([classifier(containers) for classifier in self._classifiers()], dim=1)

    def losses(self, images: Tensor, step: int, _rng: np.random.Generator) -> Iterator[tuple[str, Parts]]:
        """Yield part ``networks``: the terms of the stage of *step*, weighted.

        *images* are couples of known classes, ``(B, 7, H, W)``. What the stage does not train gets no gradient.
        """
        known, stage = LabelledBatch.of(images, self.recipe), self.recipe.stage(step)
        self.networks["classifiers"].requires_grad_(stage != "hide")
        with torch.set_grad_enabled(stage != "classify"):
            containers = self.container(known.covers, known.secrets)
        parts = self._told(containers, known.labels)
        if stage != "classify":
            parts |= self._seen(containers, known)
        if stage == "joint":
            factors = _JOINT | {"identity": 1 / len(self._classifiers())}
            factors |= self._pressure(step, parts["visual"], _JOINT_PRESSURE)
            yield "networks", {name: factors[name] * part for name, part in parts.items() if name in factors}
        elif stage == "classify":
            yield "networks", balanced(parts, _CLASSIFY)
        else:
            factors = _HIDE_MULTITASK if self.recipe.multitask else _HIDE
            factors |= self._pressure(step, parts["visual"], _PRESSURE[self.recipe.multitask])
            yield "networks", balanced(parts, factors)

    def _told(self, containers: Tensor, labels: Tensor) -> Parts:
        """What classifiers make of *containers*: ``identity``, and of two of them ``discrepancy``."""
        classifiers = self._classifiers()
        made = [classifier(containers) for classifier in classifiers]
        odds = [classifier.classify(each) for classifier, each in zip(classifiers, made, strict=True)]
        losses = [identity(*both, labels, self.recipe) for both in zip(made, odds, strict=True)]
        parts = {"identity": torch.stack([part for loss in losses for part in loss.values()]).sum()}
        if self.recipe.minimax:
            one, other = (each.softmax(dim=1) for each in odds)
            parts["discrepancy"] = _DISCREPANCY * (one - other).abs().sum(dim=1).mean()
        return parts

    def _seen(self, containers: Tensor, known: LabelledBatch) -> Parts:
        """What became of cover and secret: ``visual``, and what the recipe asks of ``content`` and ``restored``."""
        parts = {"visual": 1 - ms_ssim_normalised(containers, known.covers).mean()}
        if self.recipe.content:
            parts["content"] = (self.teacher(containers) - self.teacher(known.secrets)).square().mean()
        if self.recipe.multitask:
            parts["restored"] = 1 - ms_ssim_normalised(self.restored(containers), known.secrets).mean()
        return parts

    def _pressure(self, step: int, visual: Tensor, factors: tuple[float, float]) -> dict[str, float]:
        """Which of *factors*, by how visible containers were in the last stage; takes note of this one."""
        turn = step - round(self.recipe.joint * self.recipe.steps)
        total, count, last = self.visible.tolist()
        if turn % self.recipe.epoch == 0 and count:
            total, count, last = 0.0, 0.0, total / count
        self.visible.copy_(torch.tensor([total + float(visual.detach()), count + 1, last]))
        pressure = factors[0 < last <= self.recipe.threshold]
        return {"visual": pressure, "restored": _RESTORED * pressure}

    def _classifiers(self) -> list[Recogniser]:
        return cast("list[Recogniser]", list(cast("nn.ModuleList", self.networks["classifiers"])))


def balanced(parts: Parts, factors: dict[str, float]) -> Parts:
    """*parts*, each times its factor and the share of all others in their sum, through which no gradient goes."""
    total = torch.stack([part.detach() for part in parts.values()]).sum().clamp(min=1e-9)
    return {name: factors[name] * (1 - part.detach() / total) * part for name, part in parts.items()}


_TEACHER = TeacherRecipe(
    steps=2000,
    batch=64,
    crop=64,
    learning_rate=1e-3,
    warmup=300,
    decay="cosine",
    clip=5.0,
    ema=0.998,
    triplet=0.0,
    tones=0.3,
    erased=0.4,
    lead=0.3,
)
_OBSCURED = ObscuredRecipe(**asdict(_TEACHER) | {"steps": 250, "warmup": 50, "ema": 0.98})
_PUBLISHED = PublishedRecipe(steps=1500, batch=32, crop=64, learning_rate=1e-3, warmup=100, decay="cosine", clip=5.0)


def _teacher(folder: str, read: Callable[[Path], Labelled], **otherwise: Any) -> RecipeEntry:
    summary = f"what tells {folder} apart, which miais learns from; --data has '{folder}'"
    return RecipeEntry(Teacher, replace(_TEACHER, **otherwise), summary, read=lambda path: read(path / folder))


def _published(pool: str, read: Callable[..., faces.KnownPairs], **otherwise: Any) -> RecipeEntry:
    return RecipeEntry(
        Published,
        replace(_PUBLISHED, **otherwise),
        f"the paper's networks, {read.__name__} in {pool}, recognised there; --data has both",
        read=partial(read, pool=pool),
        inherit=Published.inherit,
    )


#: What follows the name of a recipe, by pool of covers; objects otherwise.
_POOLS = {"": "textures", "-photographs": "photographs", "-faces": "faces"}
_THINGS: dict[str, Any] = {"teacher": "runs/miais-objects-teacher", **OBJECTS}
RECIPES = {
    "miais-teacher": _teacher("faces", faces.Faces.of),
    "miais-obscured": RecipeEntry(
        Obscured,
        _OBSCURED,
        "the teacher's kind, of faces obscured by a way of table V; --data has 'faces'",
        read=lambda path: faces.Faces.of(path / "faces"),
    ),
    "miais-objects-teacher": _teacher("tiny-imagenet", Labelled.of, lead=0.0, **OBJECTS),
    **{f"miais-published{end}": _published(pool, faces.faces) for end, pool in _POOLS.items()},
    **{f"miais-objects-published{end}": _published(pool, faces.objects, **_THINGS) for end, pool in _POOLS.items()},
}
