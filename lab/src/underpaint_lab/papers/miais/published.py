"""MIAIS as published: a face or an object hidden in a picture and recognised there without being restored.

J. Cui, P. Zhang, S. Li, L. Zheng, C. Bao, J. Xia and X. Li, "Multitask Identity-Aware Image Steganography via Minimax
Optimization" (IEEE Transactions on Image Processing, 2021). As published::

    cover, secret ─► generator h ─► container ─┬► classifiers f₁, f₂    identity (6, 7), discrepancy (11)
                                               ├► plain classifier v    content (5): distance from the secret
                                               └► restorer r            restored (8), if multitask
    joint   min h, f, r   visual (4) + identity + content + restored                   (9), (10)
    stage A min f₁, f₂    identity - discrepancy                                       (12)
    stage B min h, r      visual + identity + content + discrepancy + restored         (13), (14)

Numbers in brackets are the paper's equations. After a share of joint steps, stages A and B alternate. In both, the
weight of a term is one minus its share of the sum of all terms. The visual loss has a large weight as long as it
exceeded the hiding threshold in the last stage B, or in as many joint steps, and a small weight afterwards.

v is ``miais-teacher``. Ours is :mod:`underpaint_lab.papers.miais.ours`; docs/methods/miais.md lists the deviations from
the paper.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import torch
from torch import Tensor, nn

from underpaint.errors import UsageError
from underpaint_lab.data import faces
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.papers.miais.nets import Restorer, StegGenerator
from underpaint_lab.papers.miais.obfuscated_teacher import ObfuscatedTeacher, ObfuscatedTeacherRecipe
from underpaint_lab.papers.miais.teacher import (
    OBJECTS,
    LabelledBatch,
    RecognitionRecipe,
    Student,
    Teacher,
    TeacherRecipe,
    identity_losses,
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


@dataclass(frozen=True)
class _Factors:
    """Factors of the loss terms in the authors' code."""

    discrepancy: float = 1000 / 1662  # of |f₁ - f₂| summed over classes; theirs is 1,000 times the mean over 1,662
    joint_content: float = 1.0
    classify: tuple[tuple[str, float], ...] = (("identity", 10.0), ("discrepancy", -1.0))  # stage A
    hide: tuple[tuple[str, float], ...] = (("discrepancy", 5.0), ("content", 2.0), ("identity", 0.1))  # stage B
    hide_multitask: tuple[tuple[str, float], ...] = (("discrepancy", 15.0), ("content", 0.1), ("identity", 0.1))
    # Of the visual loss above and below the hiding threshold: in stage B, in multitask stage B, and in joint steps,
    # whose script has the lower one alone.
    visual: tuple[float, float] = (130.0, 10.0)
    visual_multitask: tuple[float, float] = (50.0, 1.0)
    visual_joint: tuple[float, float] = (39.0, 3.0)
    restored: float = 0.75  # of the restoration loss, relative to the visual loss


_FACTORS = _Factors()


@dataclass(frozen=True, kw_only=True)
class MiaisPublishedRecipe(RecognitionRecipe):
    """Settings of the published networks; without minimax and content they are the paper's baseline.

    Raises:
        UsageError: a value is out of range.
    """

    #: Two classifiers and alternating stages.
    minimax: bool = True
    #: Content loss: the plain classifier's embedding of the container shall equal that of the secret.
    content: bool = True
    #: Train a restorer.
    multitask: bool = False
    #: Run of ``miais-teacher`` whose network is the plain classifier.
    teacher: str = "runs/miais-teacher"
    #: Share of the steps that are joint, before stages alternate.
    joint: float = 0.6
    #: Steps of a stage.
    epoch: int = 50
    #: Hiding threshold of the visual loss 1 - MS-SSIM.
    threshold: float = 0.02
    #: Channels of the generator's first level.
    generator: int = 16
    #: Halvings in the generator.
    downs: int = 5
    #: Channels of the restorer's first layer.
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
        """Return the stage of *step*; after the joint steps stage A comes first, as in the paper's algorithm."""
        turn = step - round(self.joint * self.steps)
        if not self.minimax or turn < 0:
            return "joint"
        return "hide" if turn // self.epoch % 2 else "classify"


class MiaisPublished(Student):
    """The paper's networks, losses and stages."""

    former_name: ClassVar[str] = "Published"

    def __init__(self, recipe: MiaisPublishedRecipe) -> None:
        super().__init__(recipe)
        self.recipe = recipe
        self.networks = nn.ModuleDict({"generator": StegGenerator(recipe.generator, recipe.downs)})
        self.networks["classifiers"] = nn.ModuleList(recogniser(recipe) for _ in range(1 + recipe.minimax))
        if recipe.multitask:
            self.networks["restorer"] = Restorer(recipe.restorer)
        channels_last(self.networks)
        # Visual loss: its sum and number of steps in this stage, and its mean in the last stage (0: unknown).
        self.visible: Tensor
        self.register_buffer("visible", torch.zeros(3))

    def inherit(self) -> None:
        """Load the recipe's teacher and initialise the classifiers' trunks with it.

        Raises:
            ModelError: there is none.
        """
        self.learn_from(self.recipe.teacher)
        for classifier in self.classifiers():
            classifier.trunk.load_state_dict(self.teacher.trunk.state_dict())

    def container(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """Embed *secrets* in *covers*, all ``(B, 3, H, W)`` in [0, 1]; not rounded, as in the authors' code."""
        made: Tensor = self.networks["generator"](covers, secrets)
        return made

    def restored(self, containers: Tensor) -> Tensor:
        """Restore the secrets from *containers*, ``(B, 3, H, W)`` in [0, 1]; only with ``multitask``."""
        found: Tensor = self.networks["restorer"](containers)
        return found

    def embedding(self, containers: Tensor) -> Tensor:
        """Return the concatenated embeddings of all classifiers, ``(B, classifiers · size)``, of *containers*."""
        return torch.cat([classifier(containers) for classifier in self.classifiers()], dim=1)

    def losses(self, images: Tensor, step: int, _rng: np.random.Generator) -> Iterator[tuple[str, Parts]]:
        """Yield part ``networks`` with the weighted terms of the stage; networks it does not train get no gradient.

        Args:
            images: covers, secrets and classes, ``(B, 7, H, W)``.
            step: determines the stage.
        """
        known, stage = LabelledBatch.of(images, self.recipe), self.recipe.stage(step)
        self.networks["classifiers"].requires_grad_(stage != "hide")
        with torch.set_grad_enabled(stage != "classify"):
            containers = self.container(known.covers, known.secrets)
        parts = self._classifier_terms(containers, known.labels)
        if stage != "classify":
            parts |= self._picture_terms(containers, known)
        if stage == "joint":
            factors = {"content": _FACTORS.joint_content, "identity": 1 / len(self.classifiers())}
            factors |= self.visual_factors(step, parts["visual"], _FACTORS.visual_joint)
            yield "networks", {name: factors[name] * part for name, part in parts.items() if name in factors}
        elif stage == "classify":
            yield "networks", balanced(parts, dict(_FACTORS.classify))
        else:
            multitask = self.recipe.multitask
            factors = dict(_FACTORS.hide_multitask if multitask else _FACTORS.hide)
            visual = _FACTORS.visual_multitask if multitask else _FACTORS.visual
            factors |= self.visual_factors(step, parts["visual"], visual)
            yield "networks", balanced(parts, factors)

    def _classifier_terms(self, containers: Tensor, labels: Tensor) -> Parts:
        """Return ``identity`` and, of two classifiers, ``discrepancy``."""
        classifiers = self.classifiers()
        made = [classifier(containers) for classifier in classifiers]
        logits = [classifier.classify(each) for classifier, each in zip(classifiers, made, strict=True)]
        losses = [identity_losses(*both, labels, self.recipe) for both in zip(made, logits, strict=True)]
        parts = {"identity": torch.stack([part for loss in losses for part in loss.values()]).sum()}
        if self.recipe.minimax:
            one, other = (each.softmax(dim=1) for each in logits)
            parts["discrepancy"] = _FACTORS.discrepancy * (one - other).abs().sum(dim=1).mean()
        return parts

    def _picture_terms(self, containers: Tensor, known: LabelledBatch) -> Parts:
        """Return ``visual`` and, if the recipe has them, ``content`` and ``restored``."""
        parts = {"visual": 1 - ms_ssim_normalised(containers, known.covers).mean()}
        if self.recipe.content:
            parts["content"] = (self.teacher(containers) - self.teacher(known.secrets)).square().mean()
        if self.recipe.multitask:
            parts["restored"] = 1 - ms_ssim_normalised(self.restored(containers), known.secrets).mean()
        return parts

    def visual_factors(self, step: int, visual: Tensor, factors: tuple[float, float]) -> dict[str, float]:
        """Return the factors of ``visual`` and ``restored`` and record the visual loss of this step.

        Args:
            step: number of the step.
            visual: visual loss of this step.
            factors: factors of the visual loss above and below the hiding threshold in the last stage.
        """
        turn = step - round(self.recipe.joint * self.recipe.steps)
        total, count, last = self.visible.tolist()
        if turn % self.recipe.epoch == 0 and count:
            total, count, last = 0.0, 0.0, total / count
        self.visible.copy_(torch.tensor([total + float(visual.detach()), count + 1, last]))
        factor = factors[0 < last <= self.recipe.threshold]
        return {"visual": factor, "restored": _FACTORS.restored * factor}

    def classifiers(self) -> list[Recogniser]:
        """Return f₁ and, with ``minimax``, f₂."""
        return cast("list[Recogniser]", list(cast("nn.ModuleList", self.networks["classifiers"])))


def balanced(parts: Parts, factors: dict[str, float]) -> Parts:
    """Weight each of *parts* by its factor and by one minus its share of their sum; the share has no gradient."""
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
_OBFUSCATED = ObfuscatedTeacherRecipe(**asdict(_TEACHER) | {"steps": 250, "warmup": 50, "ema": 0.98})
_PUBLISHED = MiaisPublishedRecipe(
    steps=1500, batch=32, crop=64, learning_rate=1e-3, warmup=100, decay="cosine", clip=5.0
)


def _teacher(folder: str, read: Callable[[Path], Labelled], **changes: Any) -> RecipeEntry:
    summary = f"the plain classifier of {folder} that MIAIS needs; --data has '{folder}'"
    return RecipeEntry(Teacher, replace(_TEACHER, **changes), summary, read=lambda path: read(path / folder))


def _published(pool: str, read: Callable[..., faces.KnownPairs], **changes: Any) -> RecipeEntry:
    return RecipeEntry(
        MiaisPublished,
        replace(_PUBLISHED, **changes),
        f"MIAIS as published: {read.__name__} recognised in {pool}; --data has both",
        read=partial(read, pool=pool),
        inherit=MiaisPublished.inherit,
    )


#: Suffix of a recipe's name, by kind of covers.
_POOLS = {"": "textures", "-photographs": "photographs", "-faces": "faces"}
_OBJECTS: dict[str, Any] = {"teacher": "runs/miais-objects-teacher", **OBJECTS}
#: Recipes of the published system and its teachers by name.
RECIPES = {
    "miais-teacher": _teacher("faces", faces.Faces.of),
    "miais-obscured": RecipeEntry(
        ObfuscatedTeacher,
        _OBFUSCATED,
        "a plain classifier of faces obfuscated as in table V; --data has 'faces'",
        read=lambda path: faces.Faces.of(path / "faces"),
    ),
    "miais-objects-teacher": _teacher("tiny-imagenet", Labelled.of, lead=0.0, **OBJECTS),
    **{f"miais-published{end}": _published(pool, faces.faces) for end, pool in _POOLS.items()},
    **{f"miais-objects-published{end}": _published(pool, faces.objects, **_OBJECTS) for end, pool in _POOLS.items()},
}
