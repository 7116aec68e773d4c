"""Ours for the job of the robust-hiding paper: a lattice that two small networks serve, trained behind real codecs.

::

    cover ─┬─ Writer ─► where changes arrive ─► how much change each coefficient takes ─┐
           └─ lapped transform ─► keyed projections ─► nearest lattice point of the bit ┴─► container
    container ─real codec─► lapped transform ─ + Reader's correction ─► keyed projections ─► soft bits

Before training the pair *is* spread-transform dither modulation: the writer's last layer and the reader's are zero.
Neither network knows the key, the message or its length, so they serve any payload and any canvas.

The codec's error is taken as noise added to the picture (Zhang et al., arXiv:2101.00973). That gradient says nothing
about which changes a codec drops, so the writer learns to forecast it: per coefficient the share of a change that
arrives and the variance of the rest. The forecast stands in for the codec in a margin loss, through which the
allocation of change is trained at a fixed PSNR, below a just-noticeable mask.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint.embedding.lapped import BLOCK, dct
from underpaint_lab.noise_layers import PseudoDifferentiable
from underpaint_lab.papers.robust.lapped import analyse, local_activity, luma, synthesise
from underpaint_lab.training.recipe import Recipe
from underpaint_lab.training.trainable import RecipeEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Frequencies the networks know of, lowest first.
COUNT = 14
#: How many of them carry a mark, as often as listed: mostly only the lowest two.
_CARRIERS = (2, 2, 2, 5, 5, 9, 14)
#: Before training a coefficient takes change in proportion to (busyness + FLATTEST) ** ACTIVITY_EXPONENT, as the runtime does.
ACTIVITY_OFFSET, ACTIVITY_EXPONENT = 2.0, 0.4
#: Standard deviation of a codec's error that the networks begin with, in units of a coefficient.
_NOISE = 8.0


@dataclass(frozen=True)
class RobustOursRecipe(Recipe):
    """How the writer and the reader are trained."""

    #: Channels, and residual blocks at a sixteenth of the resolution.
    width: int = 64
    depth: int = 3
    #: PSNRs of the containers, drawn evenly, in dB.
    lowest_psnr: float = 36.0
    highest_psnr: float = 45.0
    #: How much harsher than its forecast a codec is for the margin: the harsh ones matter, not the average.
    harshness: float = 2.5
    #: Weights of the writer's losses beside its forecast's.
    margin: float = 1.0
    mask: float = 0.003


class Backbone(nn.Module):
    """What both networks look at a picture with: 8×8 DCT blocks and lapped coefficients, then residual blocks.

    Args:
        width: channels.
        depth: residual blocks.
        outputs: maps that come out, all 0 before training.
    """

    def __init__(self, width: int, depth: int, outputs: int) -> None:
        super().__init__()
        basis = torch.from_numpy(dct(8)).float()
        self.kernel: Tensor
        self.register_buffer("kernel", torch.einsum("ui,vj->uvij", basis, basis).reshape(64, 1, 8, 8) / 16)
        self.fine = nn.Sequential(
            *(nn.Conv2d(64, width, 1), nn.GELU(), nn.Conv2d(width, width, 3, padding=1), nn.GELU()),
            nn.Conv2d(width, width, 2, stride=2),
        )
        self.lapped = nn.Conv2d(COUNT, width, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(1, width),
                *(nn.Conv2d(width, width, 3, padding=1), nn.GELU(), nn.Conv2d(width, width, 1)),
            )
            for _ in range(depth)
        )
        self.out: nn.Module = nn.Conv2d(width, outputs, 1)
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, luma: Tensor, coefficients: Tensor) -> Tensor:
        """Maps ``(B, outputs, H / 16, W / 16)`` of luma ``(B, 1, H, W)`` and ``(B, COUNT, H / 16, W / 16)``."""
        blocks = functional.conv2d(luma - 128, self.kernel, stride=8)
        x = self.fine(_compressed(blocks)) + self.lapped(_compressed(coefficients / 8))
        for block in self.blocks:
            x = x + block(x)
        maps: Tensor = self.out(x)
        return maps


class RobustEmbedder(nn.Module):
    """Forecasts what arrives of a change, and allocates it."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.sight = Backbone(width, depth, 3 * COUNT)

    def forward(self, luma: Tensor, coefficients: Tensor) -> Tensor:
        """The logarithm of how much more change than its busyness says each coefficient takes; what is exported."""
        maps: Tensor = self.sight(luma, coefficients)
        return maps[:, :COUNT]

    def forecast(self, luma: Tensor, coefficients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same; the share of a change that arrives; the logarithm of the error's variance."""
        allocation, arriving, variance = self.sight(luma, coefficients).split(COUNT, dim=1)
        return allocation, torch.sigmoid(arriving + 1.5), variance + 2 * math.log(_NOISE)


class RobustExtractor(nn.Module):
    """Estimates what a codec took away."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.sight = Backbone(width, depth, 2 * COUNT)

    def forward(self, luma: Tensor, coefficients: Tensor) -> Tensor:
        """The correction of each coefficient; what is exported."""
        maps: Tensor = self.sight(luma, coefficients)
        return _NOISE * maps[:, :COUNT]

    def estimate(self, luma: Tensor, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and the logarithm of the variance of what is left."""
        correction, variance = self.sight(luma, coefficients).split(COUNT, dim=1)
        return _NOISE * correction, variance + 2 * math.log(_NOISE)


@dataclass(frozen=True)
class RandomKeys:
    """Random keys: which coefficients carry which bit, ``(share, bits)``, and with which sign."""

    order: Tensor
    signs: Tensor

    @classmethod
    def draw(cls, rng: np.random.Generator, blocks: int, carriers: int) -> RandomKeys:
        """As many bits as leave each of *carriers* · *blocks* coefficients a share of 2 to 8."""
        pool = blocks * carriers
        share = int(rng.integers(2, 9))
        order = rng.permutation(pool)[: pool // share * share].reshape(share, -1)
        signs = rng.choice(np.array([-1, 1], np.float32), order.shape)
        return cls(torch.from_numpy(order), torch.from_numpy(signs))

    def project(self, coefficients: Tensor) -> Tensor:
        """One number per bit, ``(B, bits)``, of ``(B, carriers, down, across)``."""
        return (self.signs * coefficients.flatten(1)[:, self.order]).sum(1) / math.sqrt(len(self.order))

    def change(self, moves: Tensor, weights: Tensor) -> Tensor:
        """The change that moves the projections so, at least weighted cost; both of the shape of *weights*."""
        own = weights.flatten(1)[:, self.order]
        values = own * self.signs * (moves * math.sqrt(len(self.order)) / own.sum(1))[:, None]
        change = torch.zeros_like(weights.flatten(1)).index_add(1, self.order.flatten(), values.flatten(1))
        return change.view_as(weights)


class RobustOurs(nn.Module):
    """The writer and the reader, behind codecs at random strengths."""

    def __init__(self, recipe: RobustOursRecipe) -> None:
        super().__init__()
        self._recipe = recipe
        self.writer = RobustEmbedder(recipe.width, recipe.depth)
        self.reader = RobustExtractor(recipe.width, recipe.depth)
        self.channel = PseudoDifferentiable(random_channel, workers=2)

    @property
    def recipe(self) -> RobustOursRecipe:
        """What it is trained by."""
        return self._recipe

    def losses(self, images: Tensor, _step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Mark *images*, send them through codecs, and say what was forecast and corrected wrongly.

        Parts ``writer`` (``forecast``, ``margin``, ``mask``) and ``reader`` (``correction``).
        """
        recipe = self._recipe
        cover = luma(images)
        hosts, busy = analyse(cover, COUNT), local_activity(cover)
        carriers = int(rng.choice(_CARRIERS))
        spreads = RandomKeys.draw(rng, hosts[0, 0].numel(), carriers)
        psnr = torch.from_numpy(rng.uniform(recipe.lowest_psnr, recipe.highest_psnr, len(images))).to(cover)
        energy = cover[0].numel() * 255**2 / 10 ** (psnr / 10)
        allocation, arriving, variance = self.writer.forecast(cover[:, None], hosts)
        weights = torch.exp(allocation.clamp(-4, 4)[:, :carriers]) * (busy + ACTIVITY_OFFSET) ** ACTIVITY_EXPONENT
        # Marks that the writer would not make, too, or it would never see what becomes of them.
        varied = weights.detach() * torch.from_numpy(np.exp(0.5 * rng.standard_normal(weights.shape))).to(weights)
        offsets = torch.from_numpy(rng.random((len(images), spreads.order.shape[1]))).to(cover)
        change, _ = embed_stdm(hosts[:, :carriers], varied, spreads, offsets, energy)
        sent = torch.round((images + synthesise(change)[:, None] / 255).clamp(0, 1) * 255) / 255
        received = luma(self.channel(sent, rng))
        marked, arrived = analyse(luma(sent), COUNT), analyse(received, COUNT)

        lost = functional.pad((1 - arriving[:, :carriers]) * change, (0, 0, 0, 0, 0, COUNT - carriers))
        wanted, size = embed_stdm(hosts[:, :carriers], weights, spreads, offsets, energy)
        bias = spreads.project((1 - arriving[:, :carriers].detach()) * wanted).abs()
        noise = recipe.harshness * variance[:, :carriers].detach().exp().flatten(1)[:, spreads.order].mean(1).sqrt()
        yield (
            "writer",
            {
                "forecast": _surprise(arrived - marked + lost, variance),
                "margin": -recipe.margin * torch.special.log_ndtr((size[:, None] / 4 - bias) / noise).mean(),
                "mask": recipe.mask * (wanted / (busy + ACTIVITY_OFFSET)).square().mean(),
            },
        )
        correction, doubt = self.reader.estimate(received[:, None], arrived)
        yield "reader", {"correction": _surprise(arrived + correction - marked, doubt)}


def embed_stdm(
    hosts: Tensor, weights: Tensor, spreads: RandomKeys, offsets: Tensor, energy: Tensor
) -> tuple[Tensor, Tensor]:
    """The change that moves every projection to its lattice point, and the step of the lattice.

    Args:
        hosts: coefficients, ``(B, carriers, down, across)``.
        weights: how much change each takes, relative to the others.
        spreads: where the bits lie.
        offsets: of each bit's lattice, in steps, ``(B, bits)``: dither and message in one.
        energy: squared change in sum, ``(B,)``.

    Returns:
        The change, and the step, ``(B,)``, whose gradient says how it gives way to costlier weights at this energy.
    """
    projections = spreads.project(hosts)
    with torch.no_grad():
        cost = spreads.change(torch.ones_like(projections), weights).square().flatten(1).sum(1)
        step = torch.sqrt(12 * energy / cost)
        for _ in range(6):
            moves = step[:, None] * (torch.round(projections / step[:, None] - offsets) + offsets) - projections
            step = step * torch.sqrt(energy / spreads.change(moves, weights).square().flatten(1).sum(1))
        moves = step[:, None] * (torch.round(projections / step[:, None] - offsets) + offsets) - projections
    change = spreads.change(moves, weights)
    spent = change.square().flatten(1).sum(1)
    return change, step * torch.sqrt(spent.detach() / spent)


def random_channel(rng: np.random.Generator) -> str:
    """A chain that a container may go through: mostly one codec, at any strength."""
    kind = rng.choice(9, p=(0.32, 0.22, 0.12, 0.1, 0.06, 0.06, 0.05, 0.04, 0.03))
    if kind == 0:
        quality = rng.integers(5, 61) if rng.random() < 0.8 else rng.integers(60, 96)
        return f"jpeg:{quality},subsampling={'444' if rng.random() < 0.2 else '420'}"
    return (
        f"webp:{rng.integers(0, 76)}",
        f"jpeg2000:{rng.uniform(5, 45):.1f}",
        f"avif:{rng.integers(15, 61)}",
        f"h264:{rng.integers(22, 37)}",
        f"{'mpeg4' if rng.random() < 0.5 else 'xvid'}:{rng.integers(3, 17)}",
        f"resize:{rng.uniform(0.3, 0.8):.2f} | jpeg:{rng.integers(20, 81)}",
        f"noise:{rng.uniform(0.01, 0.06):.3f}",
        f"blur:{rng.uniform(0.4, 1.5):.2f}",
    )[kind - 1]


def _compressed(x: Tensor) -> Tensor:
    """Large values closer together: a picture's coefficients span three decades."""
    return torch.sign(x) * torch.log1p(x.abs())


def _surprise(error: Tensor, variance: Tensor) -> Tensor:
    """Half the negative log-likelihood of a Gaussian *error*, more for the lower frequencies; *variance* is its log."""
    weights = torch.linspace(2, 0.5, COUNT).to(error)[:, None, None]
    return (weights * (error.square() * torch.exp(-variance) + variance)).mean() / 2


#: The runtime's model: about 0.45 M weights. Crops of 128×128 are eight blocks each way.
_RECIPE = RobustOursRecipe(
    steps=5000, batch=16, crop=8 * BLOCK, learning_rate=2e-3, warmup=100, decay="cosine", clip=1.0, ema=0.998
)
RECIPES = {"robust": RecipeEntry(RobustOurs, _RECIPE, "our robust hiding: a lattice with a trained writer and reader")}
