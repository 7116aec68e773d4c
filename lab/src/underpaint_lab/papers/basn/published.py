"""BASN as published: two attention networks determine how many low bits of each value carry the payload.

Y. Yang, "BASN – Learning Steganography with Binary Attention Mechanism" (arXiv:1907.04362; Future Internet 12(3),
2020); the code is adamcavendish/BASN-Learning-Steganography-with-Binary-Attention-Mechanism.

::

    cover C ─┬─► ITC ─► A_itc ─┐
             └─► MFD ─► A_mfd ─┴─ fusion ─► A ─► k = round(8 A) low bits of each value ─► stego S
    receiver: S ─► the same networks ─► A' ─► k' ─► bits

    basn-itc       λ E(VarPool2d(A C_θ + (1 - A) C)) + (1 - λ) P_itc(E(A))
    basn-mfd-auto  |autoencoder(C) - C|²
    basn-mfd       |f(C) - f(S)|² + |C - S| + |A(C) - A(S)| + P_mfd(E(A)), f a ResNet-18 as far as its second layer
    basn-tune-itc  half of basn-itc's + half of (A_itc(C) - A_itc(S))², S embedded by the fused attention
    basn-tune-mfd  basn-mfd's, S embedded by the fused attention

Every stage is a recipe that reads the runs of the stages before it. To train all::

    for stage in basn-itc basn-mfd-auto basn-mfd basn-tune-itc basn-tune-mfd; do
        underpaint-lab train $stage --data PHOTOGRAPHS
    done

after ``underpaint-lab train classifier-resnet --data LABELLED``, or with torchvision's weights,
``--set task=resnet18-f37072fd.pth`` and ``--set task_width=64``.

Where paper and code differ, ``--set version=`` selects one; the published figures are the code's:

=====================  ==========================================  ================================================
what                   ``code``                                    ``paper``
=====================  ==========================================  ================================================
attention network MFD  a residual block after the first layer      none
phase 1                a deeper autoencoder, which nothing uses    the same trunk, whose encoder phase 2 begins with
fine-tuning of ITC     mean square of the attentions' difference   mean absolute difference
=====================  ==========================================  ================================================

In both, eq. 6 and 12 are not enforced: their bounds have no value and are replaced by penalties; eq. 16 adds its two
terms, which are printed with a comma.

Deviations from paper and code:

1. ``basn-…`` is reduced: crops of 64×64, few steps, half the width for MFD, gradient clipping, a decaying learning
   rate. ``basn-published-…`` has the published numbers.
2. The data are random crops of reduced photographs instead of ImageNet.
3. The first phase is trained by Adam, not by gradient descent with momentum 0.9, weight decay 1e-4 and a rate of 1e-5.
4. The mean of attention is at least 1e-6; P_mfd is undefined at 0.
5. Stego images of the last stage are embedded by the fused attention; text and code leave this open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.nn.functional import l1_loss, mse_loss

from underpaint.errors import UsageError
from underpaint_lab.nets.resnet import Trunk, resnet18
from underpaint_lab.papers.basn.losses import FUSIONS, Fusion, distortion_losses, simulate_embedding, texture_losses
from underpaint_lab.papers.basn.nets import Autoencoder, ItcNet, MfdNet, Version
from underpaint_lab.training.recipe import Recipe
from underpaint_lab.training.run_folder import learned, load_weights
from underpaint_lab.training.trainable import RecipeEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from torch import Tensor


#: Training pictures of ImageNet, for the published number of epochs.
_IMAGENET_SIZE = 1_281_167


@dataclass(frozen=True, kw_only=True)
class BasnRecipe(Recipe):
    """Settings of every stage; the defaults are the published numbers.

    Raises:
        UsageError: a value is out of range.
    """

    steps: int
    batch: int = 32
    crop: int = 224
    learning_rate: float = 1e-2
    #: Follow the paper or the authors' code where they differ.
    version: Version = "code"
    #: λ of eq. 9, 0–1.
    variance_weight: float = 0.99
    #: Channels of the MFD networks after their first layer.
    width: int = 64
    #: Fusion of the two attentions.
    fusion: Fusion = "mean"
    #: Task network: the run of ``classifier-resnet``, or a file of torchvision's weights.
    task: str = "resnet18-f37072fd.pth"
    #: Channels of the task network's first layer.
    task_width: int = 64
    #: Run of the autoencoder.
    auto: str = "runs/basn-published-mfd-auto"
    #: Run of the ITC network.
    itc: str = "runs/basn-published-itc"
    #: Run of the MFD network.
    mfd: str = "runs/basn-published-mfd"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "task_width"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not 0 <= self.variance_weight <= 1:
            raise UsageError(f"variance_weight must be 0–1, not {self.variance_weight}")
        if self.crop % 16:
            raise UsageError(f"crop must be a multiple of 16, not {self.crop}")


class _Stage(nn.Module):
    """One training stage, with trained and frozen networks."""

    _frozen: tuple[nn.Module, ...] = ()

    def __init__(self, recipe: BasnRecipe) -> None:
        super().__init__()
        self.recipe = recipe

    def _freeze(self, *networks: nn.Module) -> None:
        """Keep *networks* in evaluation mode and without gradients."""
        self._frozen = networks
        for network in networks:
            network.requires_grad_(False)

    def train(self, mode: bool = True) -> _Stage:
        """Set the training mode of the networks that are not frozen."""
        super().train(mode)
        for network in self._frozen:
            network.eval()
        return self


def _load_task(task: Trunk, source: Path) -> None:
    """Load *task* from *source*: a file of torchvision's weights, or a run of ``classifier-resnet``.

    Raises:
        ModelError: it is missing, damaged or of another network.
    """
    weights = resnet18(source).state_dict() if source.is_file() else learned(source, "network")
    load_weights(task, {name: weight for name, weight in weights.items() if name in task.state_dict()}, source)


def _load_part(network: nn.Module, run: Path, part: str) -> None:
    load_weights(network, learned(run, part), run)


class Itc(_Stage):
    """Training of the ITC network (inverse texture complexity): attention to texture that hides changes visually."""

    def __init__(self, recipe: BasnRecipe) -> None:
        super().__init__(recipe)
        self.itc = ItcNet()

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``itc`` with the losses of eq. 9 for *images*, ``(B, 3, H, W)`` in [0, 1]."""
        yield "itc", texture_losses(images, self.itc(images), self.recipe.variance_weight)


class Auto(_Stage):
    """Phase 1 of MFD: an autoencoder."""

    def __init__(self, recipe: BasnRecipe) -> None:
        super().__init__(recipe)
        paper = recipe.version == "paper"
        self.auto = MfdNet(recipe.width, "paper", autoencoder=True) if paper else Autoencoder(recipe.width)

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``auto`` with ``error``, the squared error summed over each of *images*, ``(B, 3, H, W)``."""
        yield "auto", {"error": (self.auto(images) - images).square().sum(dim=(1, 2, 3)).mean()}


class Mfd(_Stage):
    """Phase 2 of MFD (minimising feature distortion): attention to values that hardly affect a task network."""

    def __init__(self, recipe: BasnRecipe) -> None:
        super().__init__(recipe)
        self.mfd = MfdNet(recipe.width, recipe.version)
        self.task = Trunk(recipe.task_width)
        self._freeze(self.task)

    def inherit(self) -> None:
        """Load the task network, and in the paper's version the encoder of phase 1.

        Raises:
            ModelError: a run is missing, damaged or of another network.
        """
        _load_task(self.task, Path(self.recipe.task))
        if self.recipe.version == "paper":
            _load_part(self.mfd.encoder, Path(self.recipe.auto), "auto.encoder")

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``mfd`` with the losses of eq. 13 for *images*, ``(B, 3, H, W)`` in [0, 1]."""
        attention = self.mfd(images)
        yield "mfd", distortion_losses(self.task, self.mfd, images, attention, simulate_embedding(images, attention))


class TuneItc(_Stage):
    """Fine-tuning of ITC: its attention shall not change when the fused attention embeds."""

    def __init__(self, recipe: BasnRecipe) -> None:
        super().__init__(recipe)
        self.itc, self.mfd = ItcNet(), MfdNet(recipe.width, recipe.version)
        self._freeze(self.mfd)

    def inherit(self) -> None:
        """Load both networks from their runs. Raises ModelError as :meth:`Mfd.inherit`."""
        _load_part(self.itc, Path(self.recipe.itc), "itc")
        _load_part(self.mfd, Path(self.recipe.mfd), "mfd")

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``itc``: half of eq. 9, and half of the attention's error in the stego images.

        Args:
            images: covers, ``(B, 3, H, W)`` in [0, 1].
        """
        recipe = self.recipe
        attention = self.itc(images)
        stego = simulate_embedding(images, FUSIONS[recipe.fusion](attention, self.mfd(images)))
        distance = mse_loss if recipe.version == "code" else l1_loss
        parts = texture_losses(images, attention, recipe.variance_weight)
        parts["reconstruction"] = distance(self.itc(stego), attention)
        yield "itc", {name: loss / 2 for name, loss in parts.items()}


class TuneMfd(_Stage):
    """Fine-tuning of MFD together with the fine-tuned ITC, which is frozen."""

    def __init__(self, recipe: BasnRecipe) -> None:
        super().__init__(recipe)
        self.itc, self.mfd = ItcNet(), MfdNet(recipe.width, recipe.version)
        self.task = Trunk(recipe.task_width)
        self._freeze(self.itc, self.task)

    def inherit(self) -> None:
        """Load both attention networks and the task network. Raises ModelError as :meth:`Mfd.inherit`."""
        _load_part(self.itc, Path(self.recipe.itc), "itc")
        _load_part(self.mfd, Path(self.recipe.mfd), "mfd")
        _load_task(self.task, Path(self.recipe.task))

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``mfd``: eq. 13, with stego images embedded by the fused attention.

        Args:
            images: covers, ``(B, 3, H, W)`` in [0, 1].
        """
        attention = self.mfd(images)
        stego = simulate_embedding(images, FUSIONS[self.recipe.fusion](self.itc(images), attention))
        yield "mfd", distortion_losses(self.task, self.mfd, images, attention, stego)


def _published(epochs: int, batch: int, **changes: Any) -> BasnRecipe:
    return BasnRecipe(steps=epochs * _IMAGENET_SIZE // batch, batch=batch, **changes)


#: A reduced recipe for one processor core.
_REDUCED = BasnRecipe(
    steps=1500,
    batch=16,
    crop=64,
    warmup=50,
    decay="cosine",
    clip=1.0,
    width=32,
    task="runs/classifier-resnet",
    task_width=32,
    auto="runs/basn-mfd-auto",
    itc="runs/basn-itc",
    mfd="runs/basn-mfd",
)
_TUNED = replace(_REDUCED, steps=300)


def _entries(
    name: str, build: type[Any], summary: str, reduced: BasnRecipe, published: BasnRecipe
) -> dict[str, RecipeEntry]:
    inherit = getattr(build, "inherit", None)
    return {
        f"basn-{name}": RecipeEntry(build, reduced, f"{summary}, reduced", inherit=inherit),
        f"basn-published-{name}": RecipeEntry(build, published, f"{summary}, as published", inherit=inherit),
    }


#: Recipes of the published system by name.
RECIPES = {
    **_entries("itc", Itc, "BASN's ITC attention, by texture", _REDUCED, _published(3, 32)),
    **_entries(
        *("mfd-auto", Auto, "an autoencoder, phase 1 of basn-mfd"),
        *(replace(_REDUCED, learning_rate=1e-3), _published(10, 32, learning_rate=1e-3)),
    ),
    **_entries("mfd", Mfd, "BASN's MFD attention, by feature distortion", _REDUCED, _published(5, 32)),
    **_entries("tune-itc", TuneItc, "fine-tuning of basn-itc", _TUNED, _published(2, 16)),
    **_entries(
        *("tune-mfd", TuneMfd, "fine-tuning of basn-mfd with basn-tune-itc"),
        *(replace(_TUNED, itc="runs/basn-tune-itc"), _published(2, 16, itc="runs/basn-published-tune-itc")),
    ),
}
