"""Bits where neither eye nor classifier looks, as published: two networks say how many low bits of a value may go.

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

Every stage is a recipe, each reads the runs of the stages before it, and all in a row are::

    for stage in basn-itc basn-mfd-auto basn-mfd basn-tune-itc basn-tune-mfd; do
        underpaint train $stage --data PHOTOGRAPHS
    done

after ``underpaint train classifier-resnet --data LABELLED``, or with ``--set task=resnet18-f37072fd.pth``, the file of
torchvision's, and ``--set task_width=64``.

Where paper and code differ, ``--set version=`` chooses; published figures are the code's:

=====================  ==========================================  ================================================
what                   ``code``                                    ``paper``
=====================  ==========================================  ================================================
attention network MFD  a residual block after the first layer      none
phase 1                a deeper autoencoder, which nothing uses    the same trunk, whose encoder phase 2 begins with
fine-tuning of ITC     mean square of the attentions' difference   mean absolute difference
=====================  ==========================================  ================================================

In both, eq. 6 and 12 are not enforced: bounds that have no value are replaced by penalties; eq. 16 adds its two terms.

Deviations from paper and code:

1. ``basn-…`` is reduced: crops of 64×64, few steps, half the width for MFD, gradients clipped, a learning rate that
   falls. ``basn-published-…`` has the published numbers.
2. Photographs are cut and reduced at random instead of being ImageNet's.
3. The first phase is trained by Adam, not by gradient descent with momentum 0.9, weight decay 1e-4 and a rate of 1e-5.
4. The mean of attention is kept at or above 1e-6, without which P_mfd is undefined.
5. Stego images of the last stage are embedded by the fused attention; neither text nor code decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from underpaint.errors import UsageError
from underpaint_lab.nets.resnet import Trunk, resnet18
from underpaint_lab.papers.basn.nets import Autoencoder, ItcNet, MfdNet, Version, median_filter, variance_pool
from underpaint_lab.training.recipe import Recipe
from underpaint_lab.training.run_folder import learned, load_weights
from underpaint_lab.training.trainable import RecipeEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from underpaint.types import Image

#: Pictures that the published epochs go through.
_IMAGENET = 1_281_167
#: Bits in a colour value, all of which attention may give away.
_BITS = 8

Fusion = Literal["min", "mean"]
#: Eq. 15 and 16.
FUSIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "min": torch.minimum,
    "mean": lambda itc, mfd: (itc + mfd) / 2,
}


@dataclass(frozen=True, kw_only=True)
class BasnRecipe(Recipe):
    """What every stage is told; the defaults are the published numbers.

    Raises:
        UsageError: a value is out of range.
    """

    steps: int
    batch: int = 32
    crop: int = 224
    learning_rate: float = 1e-2
    version: Version = "code"
    #: λ, in [0, 1].
    variance_weight: float = 0.99
    #: Channels of the MFD networks after their first layer.
    width: int = 64
    fusion: Fusion = "mean"
    #: The task network: the run of ``classifier-resnet``, or a file of torchvision's weights; and its width.
    task: str = "resnet18-f37072fd.pth"
    task_width: int = 64
    #: Runs of the stages before this one.
    auto: str = "runs/basn-published-mfd-auto"
    itc: str = "runs/basn-published-itc"
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


class _Rounded(torch.autograd.Function):
    """A step function with the gradient of the identity."""

    @staticmethod
    def forward(_context: object, x: Tensor, step: Callable[[Tensor], Tensor]) -> Tensor:
        return step(x)

    @staticmethod
    def backward(_context: object, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def simulate_embedding(images: Tensor, attention: Tensor) -> Tensor:
    """Return *images* with noise in all low bits that *attention* gives away, as training simulates it.

    Masked bits are not simulated. Gradients reach *attention* as though nothing were rounded.

    Args:
        images: ``(B, 3, H, W)`` in [0, 1].
        attention: of the same shape, in [0, 1].
    """
    planes = _stepped(_BITS * attention, torch.round)
    size = 2**planes
    kept = _stepped(_stepped(255 * images, torch.round) / size, torch.floor) * size
    with torch.no_grad():
        noise = torch.floor(255 * torch.rand_like(images) / 2 ** (_BITS - planes))
    return (kept + noise) / 255


def _stepped(x: Tensor, step: Callable[[Tensor], Tensor]) -> Tensor:
    y: Tensor = _Rounded.apply(x, step)  # type: ignore[no-untyped-call]
    return y


def itc_penalty(attention: Tensor) -> Tensor:
    """P_itc, eq. 7, of the mean of *attention*: the more, the worse."""
    area = attention.mean()
    return area ** (3 - 2 * area)


def mfd_penalty(attention: Tensor) -> Tensor:
    """P_mfd, eq. 14, of the mean of *attention*: lowest, 0.038, at 0.347, for little attention carries nothing."""
    area = attention.mean().clamp_min(1e-6)
    return (1.1 * area) ** (8 * area - 0.1) / 2


def texture_losses(images: Tensor, attention: Tensor, weight: float) -> dict[str, Tensor]:
    """Eq. 8 and 9: texture that is left where *attention* smooths, and the penalty for its area."""
    mixed = attention * median_filter(images) + (1 - attention) * images
    return {
        "variance": weight * variance_pool(mixed).mean(),
        "area": (1 - weight) * itc_penalty(attention),
    }


def distortion_losses(task: Trunk, mfd: MfdNet, images: Tensor, attention: Tensor, stego: Tensor) -> dict[str, Tensor]:
    """Eq. 13: what *task* notices, what the picture changes by, what *attention* changes by, and its area."""
    return {
        "features": mse_loss(task.features(stego), task.features(images)),
        "cover": l1_loss(stego, images),
        "attention": l1_loss(mfd(stego), attention),
        "area": mfd_penalty(attention),
    }


class _Stage(nn.Module):
    """One stage: networks that are trained, and others, which stay as they are."""

    _frozen: tuple[nn.Module, ...] = ()

    def __init__(self, recipe: BasnRecipe) -> None:
        super().__init__()
        self.recipe = recipe

    def _freeze(self, *networks: nn.Module) -> None:
        self._frozen = networks
        for network in networks:
            network.requires_grad_(False)

    def train(self, mode: bool = True) -> _Stage:
        """Set to training, but for what is frozen."""
        super().train(mode)
        for network in self._frozen:
            network.eval()
        return self


def _take_task(task: Trunk, source: Path) -> None:
    """Give *task* the first layers of *source*: a file of torchvision's weights, or a run of ``classifier-resnet``.

    Raises:
        ModelError: it is missing, damaged or of another network.
    """
    weights = resnet18(source).state_dict() if source.is_file() else learned(source, "network")
    load_weights(task, {name: weight for name, weight in weights.items() if name in task.state_dict()}, source)


def _take(network: nn.Module, run: Path, part: str) -> None:
    load_weights(network, learned(run, part), run)


class Itc(_Stage):
    """The attention that is hard to see."""

    def __init__(self, recipe: BasnRecipe) -> None:
        super().__init__(recipe)
        self.itc = ItcNet()

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield eq. 9."""
        yield "itc", texture_losses(images, self.itc(images), self.recipe.variance_weight)


class Auto(_Stage):
    """The first phase of MFD."""

    def __init__(self, recipe: BasnRecipe) -> None:
        super().__init__(recipe)
        paper = recipe.version == "paper"
        self.auto = MfdNet(recipe.width, "paper", autoencoder=True) if paper else Autoencoder(recipe.width)

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield the squared error, summed over each picture."""
        yield "auto", {"error": (self.auto(images) - images).square().sum(dim=(1, 2, 3)).mean()}


class Mfd(_Stage):
    """The attention that a classifier does not mind."""

    def __init__(self, recipe: BasnRecipe) -> None:
        super().__init__(recipe)
        self.mfd = MfdNet(recipe.width, recipe.version)
        self.task = Trunk(recipe.task_width)
        self._freeze(self.task)

    def inherit(self) -> None:
        """Take the task network, and in the paper's version the encoder of the first phase.

        Raises:
            ModelError: a run is missing, damaged or of another network; as in the later stages.
        """
        _take_task(self.task, Path(self.recipe.task))
        if self.recipe.version == "paper":
            _take(self.mfd.encoder, Path(self.recipe.auto), "auto.encoder")

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield eq. 13."""
        attention = self.mfd(images)
        yield "mfd", distortion_losses(self.task, self.mfd, images, attention, simulate_embedding(images, attention))


class TuneItc(_Stage):
    """ITC again, for its attention to stay as it was when the fused one has been used."""

    def __init__(self, recipe: BasnRecipe) -> None:
        super().__init__(recipe)
        self.itc, self.mfd = ItcNet(), MfdNet(recipe.width, recipe.version)
        self._freeze(self.mfd)

    def inherit(self) -> None:
        """Take both networks from earlier runs."""
        _take(self.itc, Path(self.recipe.itc), "itc")
        _take(self.mfd, Path(self.recipe.mfd), "mfd")

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield half of eq. 9, and half of what the attention of the stego image differs by."""
        recipe = self.recipe
        attention = self.itc(images)
        stego = simulate_embedding(images, FUSIONS[recipe.fusion](attention, self.mfd(images)))
        distance = mse_loss if recipe.version == "code" else l1_loss
        parts = texture_losses(images, attention, recipe.variance_weight)
        parts["reconstruction"] = distance(self.itc(stego), attention)
        yield "itc", {name: loss / 2 for name, loss in parts.items()}


class TuneMfd(_Stage):
    """MFD again, beside the ITC that was tuned."""

    def __init__(self, recipe: BasnRecipe) -> None:
        super().__init__(recipe)
        self.itc, self.mfd = ItcNet(), MfdNet(recipe.width, recipe.version)
        self.task = Trunk(recipe.task_width)
        self._freeze(self.itc, self.task)

    def inherit(self) -> None:
        """Take both attention networks and the task network from earlier runs."""
        _take(self.itc, Path(self.recipe.itc), "itc")
        _take(self.mfd, Path(self.recipe.mfd), "mfd")
        _take_task(self.task, Path(self.recipe.task))

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield eq. 13, with the stego image that the fused attention makes."""
        attention = self.mfd(images)
        stego = simulate_embedding(images, FUSIONS[self.recipe.fusion](self.itc(images), attention))
        yield "mfd", distortion_losses(self.task, self.mfd, images, attention, stego)


def attention(itc: ItcNet, mfd: MfdNet, fusion: Fusion, image: Image) -> NDArray[np.float32]:
    """The fused attention of *image*, in [0, 1] and of its shape, by networks set to evaluate.

    Raises:
        UsageError: a side is no multiple of 8.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].float() / 255
    with torch.inference_mode():
        fused = FUSIONS[fusion](itc(pixels), mfd(pixels))
    return fused[0].permute(1, 2, 0).numpy()


def _published(epochs: int, batch: int, **changes: Any) -> BasnRecipe:
    return BasnRecipe(steps=epochs * _IMAGENET // batch, batch=batch, **changes)


#: What one processor core can bear.
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


RECIPES = {
    **_entries("itc", Itc, "attention that is hard to see", _REDUCED, _published(3, 32)),
    **_entries(
        *("mfd-auto", Auto, "an autoencoder, the first phase of basn-mfd"),
        *(replace(_REDUCED, learning_rate=1e-3), _published(10, 32, learning_rate=1e-3)),
    ),
    **_entries("mfd", Mfd, "attention that a classifier does not mind", _REDUCED, _published(5, 32)),
    **_entries("tune-itc", TuneItc, "basn-itc, tuned", _TUNED, _published(2, 16)),
    **_entries(
        *("tune-mfd", TuneMfd, "basn-mfd, tuned beside basn-tune-itc"),
        *(replace(_TUNED, itc="runs/basn-tune-itc"), _published(2, 16, itc="runs/basn-published-tune-itc")),
    ),
}
