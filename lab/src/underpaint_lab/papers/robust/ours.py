"""Our robust watermarking with two small networks, trained behind real codecs.

::

    cover ─┬─ embedder ─► share of a change that survives ─► change allowed per coefficient ─┐
           └─ lapped transform ─► keyed projections ─► nearest lattice point of the bit ──────┴─► container
    container ─real codec─► lapped transform ─ + extractor's correction ─► keyed projections ─► soft bits

Before training the pair is spread-transform dither modulation (STDM; Chen & Wornell 2001): the last layers of both
networks are zero. The networks do not depend on key, message or its length, so they serve any payload and any canvas.

The codec's error is treated as additive noise (Zhang et al., arXiv:2101.00973). That gradient does not tell which
changes a codec removes, so the embedder learns to forecast it: for each coefficient the share of a change that
survives, and the variance of the remaining error. In a margin loss the forecast replaces the codec; through it the
allocation of change is trained at a fixed PSNR, with a penalty for visible changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint.embedding.lapped import BLOCK, dct
from underpaint_lab.noise_layers import PseudoDifferentiable
from underpaint_lab.papers.robust.lapped import analyse, local_activity, luma, synthesise
from underpaint_lab.papers.robust.network_canvas import COUNT
from underpaint_lab.training.recipe import Recipe
from underpaint_lab.training.trainable import RecipeEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Numbers of coefficients per block that carry bits in training; one is drawn for each batch.
_CARRIERS = (2, 2, 2, 5, 5, 9, 14)
#: Before training the change of a coefficient is proportional to (local activity + offset) ** exponent, as in the
#: runtime.
ACTIVITY_OFFSET, ACTIVITY_EXPONENT = 2.0, 0.4
#: Standard deviation of a codec's error in a coefficient that the networks forecast before training.
_INITIAL_NOISE = 8.0


@dataclass(frozen=True)
class RobustOursRecipe(Recipe):
    """Settings of the embedder and the extractor."""

    #: Channels.
    width: int = 64
    #: Residual blocks at a sixteenth of the resolution.
    depth: int = 3
    #: Range of the containers' PSNR in dB, drawn uniformly.
    lowest_psnr: float = 36.0
    highest_psnr: float = 45.0
    #: Factor of the forecast noise in the margin loss: strong codecs count, not the average.
    harshness: float = 2.5
    #: Weight of the margin loss, relative to the forecast's.
    margin: float = 1.0
    #: Weight of the penalty for visible changes.
    mask: float = 0.003


class Backbone(nn.Module):
    """Features of both networks: 8×8 DCT blocks and lapped coefficients, then residual blocks.

    Args:
        width: channels.
        depth: residual blocks.
        outputs: output maps, all 0 before training.
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
        """Return maps ``(B, outputs, H / 16, W / 16)``.

        Args:
            luma: ``(B, 1, H, W)`` in grey levels.
            coefficients: lapped coefficients, ``(B, COUNT, H / 16, W / 16)``.
        """
        blocks = functional.conv2d(luma - 128, self.kernel, stride=8)
        x = self.fine(_compress_range(blocks)) + self.lapped(_compress_range(coefficients / 8))
        for block in self.blocks:
            x = x + block(x)
        maps: Tensor = self.out(x)
        return maps


class RobustEmbedder(nn.Module):
    """Forecasts the codec's effect on a change and allocates the change to coefficients."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.sight = Backbone(width, depth, 3 * COUNT)

    def forward(self, luma: Tensor, coefficients: Tensor) -> Tensor:
        """Return the exported output: the logarithm of each coefficient's change, relative to its local activity's."""
        maps: Tensor = self.sight(luma, coefficients)
        return maps[:, :COUNT]

    def forecast(self, luma: Tensor, coefficients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the output of :meth:`forward`, the share of a change that survives, and the error's log variance."""
        allocation, surviving, log_variance = self.sight(luma, coefficients).split(COUNT, dim=1)
        return allocation, torch.sigmoid(surviving + 1.5), log_variance + 2 * math.log(_INITIAL_NOISE)


class RobustExtractor(nn.Module):
    """Estimates the change of each coefficient by the codec, to be added back."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.sight = Backbone(width, depth, 2 * COUNT)

    def forward(self, luma: Tensor, coefficients: Tensor) -> Tensor:
        """Return the exported output: the correction of each coefficient, ``(B, COUNT, H / 16, W / 16)``."""
        maps: Tensor = self.sight(luma, coefficients)
        return _INITIAL_NOISE * maps[:, :COUNT]

    def estimate(self, luma: Tensor, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output of :meth:`forward` and the log variance of the remaining error."""
        correction, log_variance = self.sight(luma, coefficients).split(COUNT, dim=1)
        return _INITIAL_NOISE * correction, log_variance + 2 * math.log(_INITIAL_NOISE)


@dataclass(frozen=True)
class RandomKeys:
    """Random spreading sequences for a batch: the coefficients of each bit and their signs, ``(share, bits)`` each."""

    order: Tensor
    signs: Tensor

    @classmethod
    def draw(cls, rng: np.random.Generator, blocks: int, carriers: int) -> RandomKeys:
        """Draw keys with 2 to 8 coefficients per bit.

        Args:
            rng: the random generator.
            blocks: number of blocks of a picture.
            carriers: coefficients per block that carry bits.
        """
        pool = blocks * carriers
        share = int(rng.integers(2, 9))
        order = rng.permutation(pool)[: pool // share * share].reshape(share, -1)
        signs = rng.choice(np.array([-1, 1], np.float32), order.shape)
        return cls(torch.from_numpy(order), torch.from_numpy(signs))

    def project(self, coefficients: Tensor) -> Tensor:
        """Project *coefficients*, ``(B, carriers, down, across)``, to one number per bit, ``(B, bits)``."""
        return (self.signs * coefficients.flatten(1)[:, self.order]).sum(1) / math.sqrt(len(self.order))

    def change(self, moves: Tensor, weights: Tensor) -> Tensor:
        """Return the change of the coefficients with the least weighted cost that moves the projections.

        Args:
            moves: change of each projection, ``(B, bits)``.
            weights: change that each coefficient takes, relative to the others, ``(B, carriers, down, across)``.
        """
        own = weights.flatten(1)[:, self.order]
        values = own * self.signs * (moves * math.sqrt(len(self.order)) / own.sum(1))[:, None]
        change = torch.zeros_like(weights.flatten(1)).index_add(1, self.order.flatten(), values.flatten(1))
        return change.view_as(weights)


class RobustOurs(nn.Module):
    """The embedder and the extractor, trained behind codecs of random strength."""

    former_name: ClassVar[str] = "Ours"

    def __init__(self, recipe: RobustOursRecipe) -> None:
        super().__init__()
        self._recipe = recipe
        self.writer = RobustEmbedder(recipe.width, recipe.depth)
        self.reader = RobustExtractor(recipe.width, recipe.depth)
        self.channel = PseudoDifferentiable(random_channel, workers=2)

    @property
    def recipe(self) -> RobustOursRecipe:
        """The recipe of this model."""
        return self._recipe

    def losses(self, images: Tensor, _step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Embed random bits, send the containers through codecs and yield the losses.

        Args:
            images: covers, ``(B, 3, H, W)`` in [0, 1].
            rng: draws keys, bits, PSNRs and codecs.

        Yields:
            Part ``writer`` (``forecast``, ``margin``, ``mask``), then part ``reader`` (``correction``).
        """
        recipe = self.recipe
        cover = luma(images)
        hosts, activity = analyse(cover, COUNT), local_activity(cover)
        carriers = int(rng.choice(_CARRIERS))
        keys = RandomKeys.draw(rng, hosts[0, 0].numel(), carriers)
        psnr = torch.from_numpy(rng.uniform(recipe.lowest_psnr, recipe.highest_psnr, len(images))).to(cover)
        energy = cover[0].numel() * 255**2 / 10 ** (psnr / 10)
        allocation, surviving, log_variance = self.writer.forecast(cover[:, None], hosts)
        weights = torch.exp(allocation.clamp(-4, 4)[:, :carriers]) * (activity + ACTIVITY_OFFSET) ** ACTIVITY_EXPONENT
        # Random changes of the allocation, so that the embedder learns the codecs' effect on other allocations too.
        varied = weights.detach() * torch.from_numpy(np.exp(0.5 * rng.standard_normal(weights.shape))).to(weights)
        offsets = torch.from_numpy(rng.random((len(images), keys.order.shape[1]))).to(cover)
        change, _ = embed_stdm(hosts[:, :carriers], varied, keys, offsets, energy)
        sent = torch.round((images + synthesise(change)[:, None] / 255).clamp(0, 1) * 255) / 255
        received = luma(self.channel(sent, rng))
        marked, arrived = analyse(luma(sent), COUNT), analyse(received, COUNT)

        lost = functional.pad((1 - surviving[:, :carriers]) * change, (0, 0, 0, 0, 0, COUNT - carriers))
        wanted, size = embed_stdm(hosts[:, :carriers], weights, keys, offsets, energy)
        bias = keys.project((1 - surviving[:, :carriers].detach()) * wanted).abs()
        noise = recipe.harshness * log_variance[:, :carriers].detach().exp().flatten(1)[:, keys.order].mean(1).sqrt()
        yield (
            "writer",
            {
                "forecast": _gaussian_nll(arrived - marked + lost, log_variance),
                "margin": -recipe.margin * torch.special.log_ndtr((size[:, None] / 4 - bias) / noise).mean(),
                "mask": recipe.mask * (wanted / (activity + ACTIVITY_OFFSET)).square().mean(),
            },
        )
        correction, remaining = self.reader.estimate(received[:, None], arrived)
        yield "reader", {"correction": _gaussian_nll(arrived + correction - marked, remaining)}


def embed_stdm(
    hosts: Tensor, weights: Tensor, keys: RandomKeys, offsets: Tensor, energy: Tensor
) -> tuple[Tensor, Tensor]:
    """Move every projection to the nearest lattice point of its bit, with a given squared change.

    Args:
        hosts: coefficients, ``(B, carriers, down, across)``.
        weights: change that each coefficient takes, relative to the others, of the same shape.
        keys: coefficients and signs of the bits.
        offsets: offset of each bit's lattice in steps, ``(B, bits)``: the sum of dither and message.
        energy: sum of the squared change of each picture, ``(B,)``.

    Returns:
        The change of the coefficients, and the step of the lattice, ``(B,)``. The step's gradient is its dependence on
        the weights at this energy.
    """
    projections = keys.project(hosts)
    with torch.no_grad():
        cost = keys.change(torch.ones_like(projections), weights).square().flatten(1).sum(1)
        step = torch.sqrt(12 * energy / cost)
        for _ in range(6):
            moves = step[:, None] * (torch.round(projections / step[:, None] - offsets) + offsets) - projections
            step = step * torch.sqrt(energy / keys.change(moves, weights).square().flatten(1).sum(1))
        moves = step[:, None] * (torch.round(projections / step[:, None] - offsets) + offsets) - projections
    change = keys.change(moves, weights)
    spent = change.square().flatten(1).sum(1)
    return change, step * torch.sqrt(spent.detach() / spent)


def random_channel(rng: np.random.Generator) -> str:
    """Draw the channel of a container, in the grammar of :func:`underpaint.channels.parse`: mostly one codec."""
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


def _compress_range(x: Tensor) -> Tensor:
    """Map x to sign(x) · log(1 + |x|): coefficients span three decades."""
    return torch.sign(x) * torch.log1p(x.abs())


def _gaussian_nll(error: Tensor, log_variance: Tensor) -> Tensor:
    """Half the negative log-likelihood of a Gaussian *error*; lower frequencies have larger weights."""
    weights = torch.linspace(2, 0.5, COUNT).to(error)[:, None, None]
    return (weights * (error.square() * torch.exp(-log_variance) + log_variance)).mean() / 2


#: The recipe of the released model, about 0.45 M weights. Crops of 128×128 have eight blocks in each direction.
_RECIPE = RobustOursRecipe(
    steps=5000, batch=16, crop=8 * BLOCK, learning_rate=2e-3, warmup=100, decay="cosine", clip=1.0, ema=0.998
)
#: Recipes of our robust watermarking by name.
RECIPES = {"robust": RecipeEntry(RobustOurs, _RECIPE, "our robust watermarking: STDM with trained networks")}
