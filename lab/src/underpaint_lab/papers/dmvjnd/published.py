"""DMV-JND as published: the largest change of a picture that leaves the answers of a panel of classifiers unchanged.

J. Jin, X. Zhang, X. Fu, H. Zhang, W. Lin, J. Lou and Y. Zhao, "Just Noticeable Difference for Deep Machine Vision",
IEEE Transactions on Circuits and Systems for Video Technology (2022), arXiv:2102.08168. Numbers in brackets are its
equations::

    x ─► 4 frozen classifiers ─► class activation maps ─► mean c (2) ─┐
    └──────────────────────────────────────────────────────────────── E(x, c) = e (3) ─► x + e (4) ─► labels kept?

Corrections of what is printed, each of which a recipe can switch off: ``q`` of (13) is 1e-10, since the printed 1^-10
is 1 and bounds the loss; (15) takes |e|, since a signed sum has no lower bound; and a temperature may sharpen its
weights, since a softmax of values in [0, 1] is nearly uniform. Pictures, and so e, are in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from underpaint.errors import UsageError
from underpaint_lab.data.cifar import Cifar
from underpaint_lab.papers.dmvjnd.nets import EncoderDecoder, Panel
from underpaint_lab.papers.dmvjnd.panel import PanelRecipe, PanelStudent, label_loss
from underpaint_lab.training.trainable import RecipeEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np


@dataclass(frozen=True, kw_only=True)
class JndPublishedRecipe(PanelRecipe):
    """Settings of the published network.

    Raises:
        UsageError: a value is out of range.
    """

    #: Channels of the network's first layer.
    width: int = 64
    #: alpha: weight of the magnitude loss (7).
    alpha: float = 1.0
    #: beta: weight of the place loss (7).
    beta: float = 1.0
    #: q of (13); 1 as printed.
    q: float = 1e-10
    #: (15) takes the absolute value of the change; false as printed.
    absolute: bool = True
    #: Temperature of the softmax of (14); 1 as printed.
    temperature: float = 1.0
    #: Weight decay: half of it times the sum of the squared weights is added to the loss.
    weight_decay: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.q > 0 and self.temperature > 0 and self.width > 0):
            raise UsageError("q, temperature and width must be above 0")


class JndPublished(PanelStudent):
    """The paper's network and losses.

    Args:
        recipe: settings.
        panel: the panel; loaded from the zoo by default.

    Raises:
        ModelError: the zoo has no such classifier.
    """

    former_name: ClassVar[str] = "Published"

    def __init__(self, recipe: JndPublishedRecipe, panel: Panel | None = None) -> None:
        super().__init__(recipe, panel)
        self.recipe = recipe
        self.network = EncoderDecoder(recipe.width)

    def change(self, images: Tensor) -> Tensor:
        """Return the change e of *images*, ``(B, 3, H, W)`` in [0, 1], in units of half the full scale."""
        _, attention = self.panel.to(images.device)(images)
        change: Tensor = self.network(2 * images - 1, attention)
        return change

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``network`` with ``labels`` (9), ``magnitude`` (13), ``place`` (15) and ``decay``.

        Args:
            images: ``(B, 3, H, W)`` in [0, 1]; a fourth channel with labels is ignored, since the labels are the
                classifiers' own answers.
        """
        recipe, images = self.recipe, images[:, :3]
        panel = self.panel.to(images.device)
        with torch.no_grad():
            logits, attention = panel(images)
        change = self.network(2 * images - 1, attention)
        changed, parts = images + change / 2, logits.chunk(len(panel.members), dim=1)
        labels = [label_loss(panel.logits(member, changed), before) for member, before in enumerate(parts)]
        weights = torch.stack([weight.square().sum() for weight in self.network.parameters()])
        yield (
            "network",
            {
                "labels": torch.stack(labels).mean(),
                "magnitude": recipe.alpha * magnitude_loss(change, attention, recipe.q),
                "place": recipe.beta * place_loss(change, attention, recipe.temperature, absolute=recipe.absolute),
                "decay": 0.5 * recipe.weight_decay * weights.sum(),
            },
        )


def magnitude_loss(change: Tensor, attention: Tensor, q: float) -> Tensor:
    """Return the mean over pictures of (13): the difference of the mean |e| (12) from one minus mean attention (11).

    Args:
        change: e, ``(B, 3, H, W)``.
        attention: c, ``(B, 1, H, W)`` in [0, 1].
        q: the constant of (13).
    """
    wanted = 1 - attention.mean(dim=(1, 2, 3))
    found = change.abs().mean(dim=(1, 2, 3))
    return torch.log((wanted**2 + found**2 + q) / (2 * wanted * found + q)).mean()


def place_loss(change: Tensor, attention: Tensor, temperature: float, *, absolute: bool) -> Tensor:
    """Return the mean over pictures of (15): the change, weighted by attention with the weights of (14).

    Args:
        change: e, ``(B, 3, H, W)``.
        attention: c, ``(B, 1, H, W)`` in [0, 1].
        temperature: of the softmax of (14).
        absolute: take |e|.
    """
    weights = torch.softmax(attention.flatten(1) / temperature, dim=1)
    size = (change.abs() if absolute else change).mean(dim=1).flatten(1)
    return (weights * size).sum(dim=1).mean()


_PUBLISHED = JndPublishedRecipe(steps=200 * 500, batch=50, crop=32, learning_rate=1e-5)
#: Recipes of the published system by name.
RECIPES = {
    "dmvjnd-published": RecipeEntry(
        JndPublished, _PUBLISHED, "DMV-JND as published; --data has CIFAR-10", read=Cifar.of
    ),
}
