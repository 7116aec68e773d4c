"""DMV-JND: the most that a picture may change before a panel of classifiers answers otherwise.

J. Jin, X. Zhang, X. Fu, H. Zhang, W. Lin, J. Lou and Y. Zhao, "Just Noticeable Difference for Deep Machine Vision",
IEEE Transactions on Circuits and Systems for Video Technology (2022), arXiv:2102.08168. Numbers in brackets are its
equations. As published::

    x ─► 4 frozen classifiers ─► maps of what they went by ─► mean c (2) ─┐
    └──────────────────────────────────────────────────────────────────── E(x, c) = e (3) ─► x + e (4) ─► labels kept?

Corrections to what is printed, each of which a recipe can take back: ``q`` of (13) is 1e-10, for the printed 1^-10 is 1
and bounds the loss; (15) takes |e|, for a signed sum has no lower end; and its weights may be sharpened by a
temperature, for those of a softmax of values in [0, 1] are nearly level. Pictures, and so e, are in [-1, 1].

Ours differs in what it learns and in what it is told. It is a direction; its length follows from the PSNR that is asked
for, after clamping and rounding to 8 bits, so no loss has to hold a magnitude. It is told that PSNR and every
classifier's log-odds. It learns to keep answers (distillation: the divergence of the classifiers' answers, and the
label's cross-entropy), on pictures cut and mirrored anew each time, and behind factors in [0, 1] that are drawn for
each picture or for each pixel: what is below a threshold must not be noticed either. Some changed pictures are shaken
before classifiers see them, moved a little and with noise: what holds then holds for more than these classifiers.
For each answer of each classifier there is a pattern that speaks for it: where they disagree, each hears its own.
There are eight directions to choose from, which begin with more or less light and contrast. In training each picture
takes one by chance, mostly one of which the network expects that it keeps the answer; so each becomes good at the
pictures that take it.

Deviations from the paper, beside those: no attention in the losses, which held e back where classifiers look.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint.errors import UsageError
from underpaint.models.jnd_networks import PANELS
from underpaint_lab.data.cifar import Cifar
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.export.from_zoo import from_zoo, from_zoo_cifar
from underpaint_lab.noise_layers.rounding import round_8_bit
from underpaint_lab.papers.dmvjnd.moving import jitter, missing_headroom, move_to_psnr
from underpaint_lab.papers.dmvjnd.nets import EncoderDecoder, JndGenerator, Panel
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.recipe import Recipe
from underpaint_lab.training.trainable import RecipeEntry, channels_last

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

_SMALLEST = 1e-6


@dataclass(frozen=True, kw_only=True)
class PanelRecipe(Recipe):
    """What both ways have: a panel of classifiers.

    Raises:
        UsageError: a value is out of range.
    """

    #: Classifiers of the zoo.
    classifiers: tuple[str, ...] = PANELS["dmvjnd-cifar"]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.classifiers:
            raise UsageError("there must be a classifier at least")


@dataclass(frozen=True, kw_only=True)
class JndPublishedRecipe(PanelRecipe):
    """What the published network is trained by.

    Raises:
        UsageError: a value is out of range.
    """

    #: Channels of the network's first layer.
    width: int = 64
    #: Weights of the second and the third loss, (7).
    alpha: float = 1.0
    beta: float = 1.0
    #: Of (13); 1 as printed.
    q: float = 1e-10
    #: (15) takes the change's absolute value; false as printed.
    absolute: bool = True
    #: Of the softmax of (14); 1 as printed.
    temperature: float = 1.0
    #: The squares of all weights count with half of this.
    weight_decay: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.q > 0 and self.temperature > 0 and self.width > 0):
            raise UsageError("q, temperature and width must be above 0")


@dataclass(frozen=True, kw_only=True)
class JndOursRecipe(PanelRecipe):
    """What our generator is trained by.

    Raises:
        UsageError: a value is out of range.
    """

    #: PSNR in dB to train at: from the first to the second, evenly, and this share at the first, which
    #: is a little below the paper's 9.56: some pictures have no room to get there.
    lowest_psnr: float = 9.2
    highest_psnr: float = 24.0
    at_lowest: float = 0.5
    #: Share of the pictures whose change gets one factor in [0, 1], and share with a factor for each pixel.
    scaled: float = 0.15
    scattered: float = 0.15
    #: Share of the batches that are shaken.
    shaken: float = 0.3
    #: Share of the pictures that take any way alike, and how much a promise counts for the others.
    explored: float = 0.1
    trusted: float = 2.0
    #: Run whose generator training begins with; nothing if it begins anew.
    before: str = ""
    #: Classifiers, drawn anew in each step, whose answers count.
    asked: int = 1
    #: Weights of divergence and cross-entropy.
    answers: float = 1.0
    labels: float = 0.5
    #: Weight of what is missing in a direction that leads out of what 8 bits hold before it gets far enough.
    room: float = 10.0
    #: Weight of the squared logarithm of a direction's length: it is of no account, but layers that grow without end
    #: learn ever more slowly.
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


class PanelStudent(nn.Module):
    """What is taught by a panel of frozen classifiers: that of *recipe*, out of the zoo, unless *panel* is given."""

    def __init__(self, recipe: PanelRecipe, panel: Panel | None) -> None:
        super().__init__()
        self._panel = [panel or load_panel(recipe.classifiers)]  # a list: it is no part to be trained

    @property
    def panel(self) -> Panel:
        """Its classifiers."""
        return self._panel[0]


class JndPublished(PanelStudent):
    """The paper's network and losses.

    Args:
        recipe: what it is trained by.
        panel: its classifiers, of the zoo by default.

    Raises:
        ModelError: the zoo has no such classifier.
    """

    def __init__(self, recipe: JndPublishedRecipe, panel: Panel | None = None) -> None:
        super().__init__(recipe, panel)
        self.recipe = recipe
        self.network = EncoderDecoder(recipe.width)

    def change(self, images: Tensor) -> Tensor:
        """The change e of *images*, ``(B, 3, H, W)`` in [0, 1]; it is in [-1, 1], in units of half the full scale."""
        _, attention = self.panel.to(images.device)(images)
        change: Tensor = self.network(2 * images - 1, attention)
        return change

    def losses(self, images: Tensor, _step: int, _rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``network``: ``labels`` (9), ``magnitude`` (13), ``place`` (15) and ``decay``.

        *images* may have a fourth channel, with labels, which is not looked at: what counts is what classifiers say.
        """
        recipe, images = self.recipe, images[:, :3]
        panel = self.panel.to(images.device)
        with torch.no_grad():
            odds, attention = panel(images)
        change = self.network(2 * images - 1, attention)
        seen, parts = images + change / 2, odds.chunk(len(panel.members), dim=1)
        surprises = [_surprise(panel.odds(member, seen), before) for member, before in enumerate(parts)]
        weights = torch.stack([weight.square().sum() for weight in self.network.parameters()])
        yield (
            "network",
            {
                "labels": torch.stack(surprises).mean(),
                "magnitude": recipe.alpha * magnitude_loss(change, attention, recipe.q),
                "place": recipe.beta * place_loss(change, attention, recipe.temperature, absolute=recipe.absolute),
                "decay": 0.5 * recipe.weight_decay * weights.sum(),
            },
        )


def magnitude_loss(change: Tensor, attention: Tensor, q: float) -> Tensor:
    """(13), the mean over pictures: how far the mean |e| (12) is from what attention leaves over (11)."""
    wanted = 1 - attention.mean(dim=(1, 2, 3))
    found = change.abs().mean(dim=(1, 2, 3))
    return torch.log((wanted**2 + found**2 + q) / (2 * wanted * found + q)).mean()


def place_loss(change: Tensor, attention: Tensor, temperature: float, *, absolute: bool) -> Tensor:
    """(15), the mean over pictures: how much change lies where attention is, by the weights of (14)."""
    weights = torch.softmax(attention.flatten(1) / temperature, dim=1)
    size = (change.abs() if absolute else change).mean(dim=1).flatten(1)
    return (weights * size).sum(dim=1).mean()


class JndOurs(PanelStudent):
    """Our generator, and how it is taught to keep answers.

    Args:
        recipe: what it is trained by.
        panel: its classifiers, of the zoo by default.

    Raises:
        ModelError: the zoo has no such classifier.
    """

    def __init__(self, recipe: JndOursRecipe, panel: Panel | None = None) -> None:
        super().__init__(recipe, panel)
        self.recipe = recipe
        self.generator = JndGenerator(self.panel.answers, len(self.panel.members))
        for network in (self.generator, self.panel):
            channels_last(network)

    def inherit(self) -> None:
        """Take over what the recipe's run before learned, if it names one.

        Raises:
            ModelError: it has not.
        """
        if self.recipe.before:
            run = Path(self.recipe.before)
            folder.load_weights(self.generator, folder.learned(run, "generator"), run)

    def changed(self, images: Tensor, psnr: float) -> Tensor:
        """*images*, ``(B, 3, H, W)`` in [0, 1], each as far as *psnr* dB leaves it; whole levels of 8 bits.

        Each takes the way that promises most.
        """
        panel = self.panel.to(images.device)
        levels = images.new_full((len(images), 1), psnr)
        odds, attention = panel(images)
        seen = self.generator.seen(images, attention, odds, levels)
        way = _one_hot(self.generator.promises(*seen[1:]).argmax(dim=1))
        return move_to_psnr(images, self.generator.direction(images, odds, way, *seen), levels)

    def losses(self, images: Tensor, _step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield part ``generator``: ``answers``, their divergence, ``labels``, ``room``, ``length`` and ``promise``.

        *images* may have a fourth channel, with labels, which is not looked at: what counts is what classifiers say.
        """
        recipe, images = self.recipe, images[:, :3].contiguous(memory_format=torch.channels_last)
        panel = self.panel.to(images.device)
        with torch.no_grad():
            odds, attention = panel(images)
        drawn = rng.uniform(recipe.lowest_psnr, recipe.highest_psnr, len(images))
        drawn[rng.random(len(images)) < recipe.at_lowest] = recipe.lowest_psnr
        levels = torch.from_numpy(drawn).to(images)[:, None]
        seen = self.generator.seen(images, attention, odds, levels)
        promises = self.generator.promises(*seen[1:])
        way = self._way(promises.detach())
        direction = self.generator.direction(images, odds, way, *seen)
        changed = round_8_bit(images + self._factors(images, rng) * (move_to_psnr(images, direction, levels) - images))
        if rng.random() < recipe.shaken:
            changed = jitter(changed, rng)
        parts = odds.chunk(len(panel.members), dim=1)
        asked = rng.choice(len(parts), recipe.asked, replace=False).tolist()
        found = [(panel.odds(member, changed), parts[member]) for member in asked]
        kept = torch.stack([after.argmax(dim=1) == before.argmax(dim=1) for after, before in found]).float().mean(dim=0)
        promised = (promises * way).sum(dim=1)
        yield (
            "generator",
            {
                "answers": recipe.answers * torch.stack([_divergence(after, before) for after, before in found]).mean(),
                "labels": recipe.labels * torch.stack([_surprise(after, before) for after, before in found]).mean(),
                "room": recipe.room * missing_headroom(images, direction, levels),
                "length": recipe.length * direction.square().mean(dim=(1, 2, 3)).log().square().mean(),
                "promise": functional.binary_cross_entropy_with_logits(promised, kept),
            },
        )

    def _way(self, promises: Tensor) -> Tensor:
        """The way that each picture takes, ``(B, ways)``: by chance, those that promise more sooner."""
        trust = (torch.rand(len(promises), 1, device=promises.device) >= self.recipe.explored) * self.recipe.trusted
        luck = -torch.log(-torch.log(torch.rand_like(promises).clamp(min=_SMALLEST)))
        return _one_hot((trust * promises + luck).argmax(dim=1))

    def _factors(self, images: Tensor, rng: np.random.Generator) -> Tensor:
        """What changes are multiplied by, ``(B, 1, H, W)``: mostly 1, else one factor or one for each pixel."""
        kind = torch.from_numpy(rng.random(len(images))).to(images).view(-1, 1, 1, 1)
        one = torch.rand_like(kind)
        many = torch.rand_like(images[:, :1])
        scattered = torch.where(kind > 1 - self.recipe.scattered, many, torch.ones_like(many))
        return torch.where(kind < self.recipe.scaled, one, scattered)


def _one_hot(chosen: Tensor) -> Tensor:
    return functional.one_hot(chosen, JndGenerator.ways).float()


def load_panel(names: tuple[str, ...]) -> Panel:
    """The panel of classifiers of the zoo.

    Raises:
        ModelError: the zoo has no such classifier.
    """
    small, large = "cifar-", "classifier-"
    return Panel(
        [
            from_zoo_cifar(name.removeprefix(small)) if name.startswith(small) else from_zoo(name.removeprefix(large))
            for name in names
        ]
    )


def _surprise(after: Tensor, before: Tensor) -> Tensor:
    """The cross-entropy of answers with the most likely class of those before, (8)."""
    return functional.cross_entropy(after, before.argmax(dim=1))


def _divergence(after: Tensor, before: Tensor) -> Tensor:
    """The Kullback–Leibler divergence of answers from those before."""
    return functional.kl_div(after.log_softmax(1), before.log_softmax(1), log_target=True, reduction="batchmean")


_PUBLISHED = JndPublishedRecipe(steps=200 * 500, batch=50, crop=32, learning_rate=1e-5)
_OURS = JndOursRecipe(steps=8000, batch=64, crop=32, learning_rate=2e-3, warmup=100, decay="cosine", clip=1.0, ema=0.995)
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
RECIPES = {
    "dmvjnd-published": RecipeEntry(
        JndPublished, _PUBLISHED, "the paper's JND of machines; --data has CIFAR-10", read=Cifar.of
    ),
    "dmvjnd-cifar": RecipeEntry(
        JndOurs,
        _OURS,
        "our JND of machines, by pictures of 32×32; --data has CIFAR-10",
        read=Cifar.of,
        inherit=JndOurs.inherit,
    ),
    "dmvjnd": RecipeEntry(
        JndOurs,
        _PHOTO,
        "our JND of machines, for photographs; --data has labels.csv",
        read=Labelled.of,
        inherit=JndOurs.inherit,
    ),
}
