"""DMV-JND, ours: a generator of changes that leave the answers of a panel of classifiers unchanged, at a given PSNR.

The published system is :mod:`underpaint_lab.papers.dmvjnd.published`. Ours differs from it:

* The generator returns a direction; its length follows from the requested PSNR, after clamping and rounding to 8 bits,
  so no loss has to control a magnitude. That PSNR and the logits of all classifiers are inputs.
* It learns to keep answers (distillation): the losses are the divergence of the classifiers' answers and the
  cross-entropy with the label. Pictures are cropped and mirrored at random. Some changes are multiplied by random
  factors in [0, 1], per picture or per pixel, since smaller changes must not alter answers either. Some changed
  pictures are shifted a little and get noise before they are classified, so that results hold for other classifiers.
* A trained pattern for each answer of each classifier supports that answer, for pictures on which classifiers disagree.
* There are eight ways (directions) to choose from, which begin with more or less brightness and contrast. In training
  each picture takes a random way, more likely one that the network expects to keep the answer; so each way specialises
  on the pictures that take it.
* Attention is in no loss: it kept the change small where class activation maps are high.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from underpaint.errors import UsageError
from underpaint.models.jnd_networks import PANELS
from underpaint_lab.data.cifar import Cifar
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.papers.dmvjnd.moving import jitter, missing_headroom, move_to_psnr
from underpaint_lab.papers.dmvjnd.nets import JndGenerator, Panel
from underpaint_lab.papers.dmvjnd.panel import PanelRecipe, PanelStudent, label_loss
from underpaint_lab.training.trainable import RecipeEntry, channels_last

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

#: Lower bound of random numbers before their logarithm.
_SMALLEST = 1e-6


@dataclass(frozen=True, kw_only=True)
class JndOursRecipe(PanelRecipe):
    """Settings of our generator.

    Raises:
        UsageError: a value is out of range.
    """

    #: Lowest PSNR in dB in training, a little below the paper's 9.56: some pictures cannot be changed that much.
    lowest_psnr: float = 9.2
    #: Highest PSNR in dB; PSNRs are drawn uniformly in between.
    highest_psnr: float = 24.0
    #: Share of the pictures that get the lowest PSNR.
    at_lowest: float = 0.5
    #: Share of the pictures whose change is multiplied by one random factor in [0, 1].
    scaled: float = 0.15
    #: Share of the pictures whose change is multiplied by a random factor for each pixel.
    scattered: float = 0.15
    #: Share of the batches that are shifted and get noise before they are classified.
    shaken: float = 0.3
    #: Share of the pictures whose way is drawn uniformly.
    explored: float = 0.1
    #: Weight of the promises in drawing the way of the others.
    trusted: float = 2.0
    #: Number of classifiers, drawn in each step, whose answers count.
    asked: int = 1
    #: Weight of the Kullback–Leibler divergence of answers.
    answers: float = 1.0
    #: Weight of the cross-entropy with the label.
    labels: float = 0.5
    #: Weight of the missing headroom: see :func:`~underpaint_lab.papers.dmvjnd.moving.missing_headroom`.
    room: float = 10.0
    #: Weight of the squared logarithm of a direction's length. The length does not matter, but layers with ever larger
    #: outputs learn ever more slowly.
    length: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.lowest_psnr <= self.highest_psnr:
            raise UsageError("PSNRs must be above 0, the first not above the second")
        shares = self.at_lowest, self.scaled + self.scattered, self.scaled, self.scattered, self.shaken, self.explored
        if min(shares) < 0 or max(shares) > 1:
            raise UsageError("shares must be 0–1, also those of scaled and scattered together")
        if not 1 <= self.asked <= len(self.classifiers):
            raise UsageError(f"asked must be 1–{len(self.classifiers)}, not {self.asked}")


class JndOurs(PanelStudent):
    """Our generator with its losses.

    Args:
        recipe: settings.
        panel: the panel; loaded from the zoo by default.

    Raises:
        ModelError: the zoo has no such classifier.
    """

    former_name: ClassVar[str] = "Ours"

    def __init__(self, recipe: JndOursRecipe, panel: Panel | None = None) -> None:
        super().__init__(recipe, panel)
        self.recipe = recipe
        self.generator = JndGenerator(self.panel.answers, len(self.panel.members))
        channels_last(self.generator)
        channels_last(self.panel)

    def changed(self, images: Tensor, psnr: float) -> Tensor:
        """Change *images* until a given PSNR, each in the way with the highest promise.

        Args:
            images: ``(B, 3, H, W)`` in [0, 1].
            psnr: in dB.

        Returns:
            8-bit pictures, ``(B, 3, H, W)`` in [0, 1].
        """
        panel = self.panel.to(images.device)
        levels = images.new_full((len(images), 1), psnr)
        logits, attention = panel(images)
        features = self.generator.features(images, attention, logits, levels)
        way = _one_hot(self.generator.promises(*features[1:]).argmax(dim=1))
        return move_to_psnr(images, self.generator.direction(images, logits, way, *features), levels)

    def losses(self, images: Tensor, _step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``generator`` with ``answers`` (divergence), ``labels``, ``room``, ``length`` and ``promise``.

        Args:
            images: ``(B, 3, H, W)`` in [0, 1]; a fourth channel with labels is ignored, since the labels are the
                classifiers' own answers.
            rng: draws PSNRs, factors and classifiers.
        """
        recipe, images = self.recipe, images[:, :3].contiguous(memory_format=torch.channels_last)
        panel = self.panel.to(images.device)
        with torch.no_grad():
            logits, attention = panel(images)
        drawn = rng.uniform(recipe.lowest_psnr, recipe.highest_psnr, len(images))
        drawn[rng.random(len(images)) < recipe.at_lowest] = recipe.lowest_psnr
        levels = torch.from_numpy(drawn).to(images)[:, None]
        features = self.generator.features(images, attention, logits, levels)
        promises = self.generator.promises(*features[1:])
        way = self.draw_way(promises.detach())
        direction = self.generator.direction(images, logits, way, *features)
        changed = round_8_bit(
            images + self.draw_factors(images, rng) * (move_to_psnr(images, direction, levels) - images)
        )
        if rng.random() < recipe.shaken:
            changed = jitter(changed, rng)
        parts = logits.chunk(len(panel.members), dim=1)
        asked = rng.choice(len(parts), recipe.asked, replace=False).tolist()
        found = [(panel.logits(member, changed), parts[member]) for member in asked]
        kept = torch.stack([after.argmax(dim=1) == before.argmax(dim=1) for after, before in found]).float().mean(dim=0)
        promised = (promises * way).sum(dim=1)
        yield (
            "generator",
            {
                "answers": recipe.answers * torch.stack([_divergence(after, before) for after, before in found]).mean(),
                "labels": recipe.labels * torch.stack([label_loss(after, before) for after, before in found]).mean(),
                "room": recipe.room * missing_headroom(images, direction, levels),
                "length": recipe.length * direction.square().mean(dim=(1, 2, 3)).log().square().mean(),
                "promise": functional.binary_cross_entropy_with_logits(promised, kept),
            },
        )

    def draw_way(self, promises: Tensor) -> Tensor:
        """Draw the way of each picture, one-hot ``(B, ways)``: uniformly, or more likely with a higher promise."""
        weight = (torch.rand(len(promises), 1, device=promises.device) >= self.recipe.explored) * self.recipe.trusted
        gumbel = -torch.log(-torch.log(torch.rand_like(promises).clamp(min=_SMALLEST)))
        return _one_hot((weight * promises + gumbel).argmax(dim=1))

    def draw_factors(self, images: Tensor, rng: np.random.Generator) -> Tensor:
        """Draw factors of the changes, ``(B, 1, H, W)``: mostly 1, else one for the picture or one for each pixel."""
        kind = torch.from_numpy(rng.random(len(images))).to(images).view(-1, 1, 1, 1)
        one = torch.rand_like(kind)
        many = torch.rand_like(images[:, :1])
        scattered = torch.where(kind > 1 - self.recipe.scattered, many, torch.ones_like(many))
        return torch.where(kind < self.recipe.scaled, one, scattered)


def _one_hot(chosen: Tensor) -> Tensor:
    return functional.one_hot(chosen, JndGenerator.ways).float()


def _divergence(after: Tensor, before: Tensor) -> Tensor:
    """Return the Kullback–Leibler divergence of the answers after a change from those before it."""
    return functional.kl_div(after.log_softmax(1), before.log_softmax(1), log_target=True, reduction="batchmean")


_OURS = JndOursRecipe(
    steps=8000, batch=64, crop=32, learning_rate=2e-3, warmup=100, decay="cosine", clip=1.0, ema=0.995
)
_PHOTO = replace(
    _OURS,
    classifiers=PANELS["dmvjnd"],
    asked=2,
    crop=64,
    batch=16,
    steps=1500,
    lowest_psnr=14.0,
    highest_psnr=32.0,
)
#: Recipes of our DMV-JND by name.
RECIPES = {
    "dmvjnd-cifar": RecipeEntry(
        JndOurs,
        _OURS,
        "our DMV-JND for pictures of 32×32; --data has CIFAR-10",
        read=Cifar.of,
    ),
    "dmvjnd": RecipeEntry(
        JndOurs,
        _PHOTO,
        "our DMV-JND for photographs; --data has labels.csv",
        read=Labelled.of,
    ),
}
