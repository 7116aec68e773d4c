"""The attention of exact BASN: where a picture hides change, in whole numbers, from bits that embedding leaves alone.

::

    image & 0xF0 ─► stem, 1/2 ─► texture, 1/2 ─┬────────────────────────────── + ─► head, 1/2 ─► attention, 0…255
                                               └─► 1/4, 1/4 ─┬──────── + ─► 1/4 ┘    bilinear     per colour value
                                                             └─► 1/8 ──┘

Attention is a logarithm: 32 more means that a value takes twice the change. In the published system (Yang,
arXiv:1907.04362) two networks in floats see the whole picture, so that cover and container, or two machines, disagree
on some values, and a single one shifts all bits that follow. Here one network of integer convolutions
(:mod:`underpaint_lab.nets.integer`) sees the upper four bits, and embedding changes only the lower four. It is shown
whole pictures as well, for coders whose receiver needs no attention.

What it learns is to allocate: a payload drawn at random is embedded in thought, with the noise that disturbs least for
the costs that attention says, and the noise is to fall

* where features of frozen task networks do not follow it (the paper's MFD). To first order the squared change of
  features is the noise's variance times the squared gradient of their random projections, summed over all values;
* where the picture is busy by itself (the paper's ITC), by a cost like HILL's (Li et al., ICIP 2014);
* and nowhere much, as PSNR counts.

Each part is the logarithm of such a sum, so that their weights are those of decibels. The first two disagree: networks
follow textures more than smooth places.

Deviations from the paper: no smoother, no area penalty (the payload is fixed instead), one network for both
attentions, the features' gradients in place of a simulated embedding, HILL's measure in place of pooled variance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint.errors import UsageError
from underpaint_lab.export.from_zoo import from_zoo
from underpaint_lab.nets.classifiers import InvertedResidual, MixerBlock
from underpaint_lab.nets.integer import PEAK, IntegerConv
from underpaint_lab.nets.resnet import BasicBlock
from underpaint_lab.training.recipe import Recipe
from underpaint_lab.training.trainable import RecipeEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Low bits of a value that embedding may change, so that attention must not see them.
LOW_BITS = 4
#: Attention that doubles the change a value takes.
STEPS_PER_OCTAVE = 32
#: Channels: after the stem and the texture layer, at a quarter and at an eighth of the resolution.
_STEM, _TEXTURE, _QUARTER, _EIGHTH = 32, 40, 48, 64
#: Pixels at the border of what is seen in which, at least, nothing counts: padding disturbs attention there.
_MARGIN = 8
#: Parts of a task network after each of which its features are looked at, of whatever kind it is.
_DEPTHS = (BasicBlock, InvertedResidual, MixerBlock, nn.Linear)
#: Logarithms of costs that are tabulated: from all changes alike to none.
_LOWEST, _HIGHEST, _POINTS = -8.0, 4.0, 400


@dataclass(frozen=True, kw_only=True)
class ExactRecipe(Recipe):
    """What attention is trained by.

    Raises:
        UsageError: a value is out of range.
    """

    #: Classifiers of the zoo whose features are to stay.
    teachers: tuple[str, ...] = ("resnet", "mobile")
    #: Payloads, in bits per pixel of three values, drawn evenly on a logarithmic scale.
    lowest_payload: float = 0.4
    highest_payload: float = 8.0
    #: Weights of the parts.
    features: float = 1.0
    texture: float = 4.0
    error: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop < 2 * _MARGIN + 40 or self.crop % 8:
            raise UsageError(f"crop must be a multiple of 8, and at least {2 * _MARGIN + 40}, not {self.crop}")


class IntegerAttention(nn.Module):
    """The network: about 10,000 multiply–adds per pixel. Sides are multiples of 8."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = IntegerConv(3, _STEM, 6, stride=2)
        self.texture = IntegerConv(_STEM, _TEXTURE, 3)
        self.quarter = nn.Sequential(IntegerConv(_TEXTURE, _QUARTER, 2, stride=2), IntegerConv(_QUARTER, _QUARTER, 3))
        self.eighth = nn.Sequential(
            *(IntegerConv(_QUARTER, _EIGHTH, 2, stride=2), IntegerConv(_EIGHTH, _EIGHTH, 3)),
            *(IntegerConv(_EIGHTH, _EIGHTH, 3), IntegerConv(_EIGHTH, 4 * _QUARTER, 1), nn.PixelShuffle(2)),
        )
        self.up = nn.Sequential(
            IntegerConv(_QUARTER, _QUARTER, 3, peak=2 * PEAK),
            *(IntegerConv(_QUARTER, 4 * _TEXTURE, 1), nn.PixelShuffle(2)),
        )
        self.head = IntegerConv(_TEXTURE, 3, 3, peak=2 * PEAK)
        self.smooth = IntegerConv(3, 12, 3).requires_grad_(False)
        with torch.no_grad():
            # The same everywhere, in the middle of the range: only differences allocate.
            self.head.weight.zero_()
            self.head.bias.fill_(2.0)
            self.smooth.weight.zero_()
            for value in range(12):  # between four places of half the resolution: 9, 3, 3 and 1 sixteenth
                rows, columns = (torch.tensor([1.0 - far, 3, far]) / 4 for far in divmod(value % 4, 2))
                self.smooth.weight[value, value // 4] = torch.outer(rows, columns)
            self.smooth.bias.fill_(2.0)

    def forward(self, view: Tensor) -> Tensor:
        """Integers 0…255, ``(B, 3, H, W)``, of a picture in levels, its low bits cleared or not, ``(B, 3, H, W)``."""
        texture = self.texture(self.stem(view))
        quarter = self.quarter(texture)
        detail = self.up(quarter + self.eighth(quarter))
        attention: Tensor = functional.pixel_shuffle(self.smooth(self.head(texture + detail)), 2)
        return attention


class TaskNetwork:
    """A frozen task network, and how far its features follow the values of a picture.

    Args:
        name: of a classifier of the zoo.

    Raises:
        ModelError: there is none of that name.
    """

    def __init__(self, name: str) -> None:
        self._network = from_zoo(name).requires_grad_(False)
        self._found: list[Tensor] = []
        for module in self._network.modules():
            if isinstance(module, _DEPTHS):
                module.register_forward_hook(lambda _module, _inputs, output: self._found.append(output))

    def sensitivity(self, images: Tensor) -> Tensor:
        """An estimate of how far features follow each value of *images*, ``(B, 3, H, W)`` in [0, 1]; of that shape.

        Its expectation is the squared change of the features at every depth in units of their own square, in sum over
        all depths, to first order and for a change of 1 in that value. It costs one forward and one backward pass:
        the squared gradient of the features' projection on random directions.
        """
        self._network.to(images.device)
        self._found.clear()
        images = images.detach().requires_grad_()
        self._network(images)
        scale = [features.detach().flatten(1).norm(dim=1).clamp(min=1e-6) for features in self._found]
        seen = [(features * torch.randn_like(features)).flatten(1).sum(1) for features in self._found]
        total = torch.stack([(x / y).sum() for x, y in zip(seen, scale, strict=True)]).sum()
        (gradient,) = torch.autograd.grad(total, images)
        return gradient.square()


class ExactBasn(nn.Module):
    """The network beside what it is taught by.

    Raises:
        ModelError: there is no such teacher.
    """

    def __init__(self, recipe: ExactRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.attention = IntegerAttention()
        self._teachers = [TaskNetwork(name) for name in recipe.teachers]  # a list: they are no part to be trained

    def losses(self, images: Tensor, _step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Embed payloads in *images* in thought, and yield what that disturbs.

        Every second picture is seen whole, the others with their low bits cleared. What disturbs is counted in a part
        of each that lies anywhere, so that attention learns no grid of the teachers', and no border.

        Part ``attention``: ``features``, unless there are no teachers, ``texture`` and ``error``.
        """
        recipe = self.recipe
        low, high = math.log(recipe.lowest_payload), math.log(recipe.highest_payload)
        payload = torch.from_numpy(np.exp(rng.uniform(low, high, len(images)))).to(images)
        levels = torch.round(255 * images)
        view = levels.clone()
        view[::2] -= view[::2] % 2**LOW_BITS
        y, x = rng.integers(_MARGIN, _MARGIN + 8, 2)
        part = (..., slice(y, y + images.shape[2] - 2 * _MARGIN - 8), slice(x, x + images.shape[3] - 2 * _MARGIN - 8))
        attention = self.attention(view)[part]
        change = noise_variance(attention, payload)
        losses = {
            "texture": recipe.texture * _logarithm(change * smoothness_cost(levels)[part]),
            "error": recipe.error * _logarithm(change),
        }
        if self._teachers:
            followed = torch.stack([teacher.sensitivity(images[part]) for teacher in self._teachers]).sum(0)
            losses["features"] = recipe.features * _logarithm(change * followed)
        yield "attention", losses


def smoothness_cost(levels: Tensor) -> Tensor:
    """What change costs by the texture around it, as HILL has it, but at most 1.

    Of pictures in levels, ``(B, 3, H, W)``, and of that shape. B. Li, M. Wang, J. Huang and X. Li, "A new cost function
    for spatial image steganography" (ICIP 2014), with a level added before the reciprocal: what is flat must not cost
    so much that nothing else counts.
    """
    high_pass = torch.tensor([-1.0, 2.0, -1.0]).to(levels)
    kernel = (high_pass[:, None] * high_pass).expand(3, 1, 3, 3)
    residual = functional.conv2d(_mirrored(levels, 1), kernel, groups=3).abs()
    suitable = functional.avg_pool2d(_mirrored(residual, 1), 3, stride=1)
    return functional.avg_pool2d(_mirrored(1 / (1 + suitable), 7), 15, stride=1)


def _mirrored(planes: Tensor, reach: int) -> Tensor:
    return functional.pad(planes, (reach, reach, reach, reach), mode="reflect")


def noise_variance(attention: Tensor, payload: Tensor) -> Tensor:
    """The variance of the noise that carries *payload* at the least cost, in squared levels.

    A change by *d* levels costs d² · 2^(-attention / 16), and is drawn with a probability that falls exponentially with
    its cost (Filler and Fridrich 2010): no other noise of that entropy costs less. It stays inside the bin of values
    that share their upper bits, and where in its bin a value lies is not known to attention: the mean over all places.

    Args:
        attention: ``(B, 3, H, W)``; gradients reach it at the fixed payload.
        payload: bits per pixel of each picture, ``(B,)``, above 0 and below 12.
    """
    entropies, variances = _gibbs()
    scores = attention.flatten(1) * (-2 * math.log(2) / STEPS_PER_OCTAVE)
    wanted = payload[:, None] / 3
    with torch.no_grad():
        low = _LOWEST - scores.amax(1, keepdim=True)
        high = _HIGHEST - scores.amin(1, keepdim=True)
        for _ in range(20):
            middle = (low + high) / 2
            more = _interpolated(entropies, middle + scores).mean(1, keepdim=True) > wanted
            low, high = torch.where(more, middle, low), torch.where(more, high, middle)
        scale = (low + high) / 2
        above, below = (_interpolated(entropies, scale + step + scores).mean(1, keepdim=True) for step in (0.1, -0.1))
    # A step of Newton's that goes nowhere: its gradient is how the scale gives way to attention at this payload.
    carried = _interpolated(entropies, scale + scores).mean(1, keepdim=True)
    scale = scale - (carried - carried.detach()) * 0.2 / (above - below)
    return _interpolated(variances, scale + scores).view_as(attention)


@cache
def _gibbs() -> tuple[Tensor, Tensor]:
    """Entropy in bits and variance of the least costly noise, by the logarithm of the cost of one squared level."""
    weights = np.exp(np.linspace(_LOWEST, _HIGHEST, _POINTS))
    places = np.arange(1 << LOW_BITS)
    changes = places - places[:, None]  # (places, changes)
    chances = np.exp(-weights[:, None, None] * changes**2)
    chances /= chances.sum(2, keepdims=True)
    entropy = -(chances * np.log2(np.maximum(chances, 1e-300))).sum(2).mean(1)
    variance = (chances * changes**2).sum(2).mean(1)
    return torch.from_numpy(entropy).float(), torch.from_numpy(variance).float()


def _interpolated(table: Tensor, x: Tensor) -> Tensor:
    """The values of one of :func:`_gibbs`'s tables at *x*."""
    table = table.to(x.device)
    place = ((x - _LOWEST) * ((_POINTS - 1) / (_HIGHEST - _LOWEST))).clamp(0, _POINTS - 1.001)
    index = place.detach().long()
    low, high = table[index], table[index + 1]
    return low + (place - index) * (high - low)


def _logarithm(disturbed: Tensor) -> Tensor:
    """The logarithm of each picture's mean, averaged."""
    return torch.log(disturbed.flatten(1).mean(1).clamp(min=1e-30)).mean()


#: Of the four classifiers two teach it, the others judge it.
_RECIPE = ExactRecipe(steps=3000, batch=8, crop=80, learning_rate=1e-3, warmup=100, decay="cosine", clip=1.0, ema=0.99)
RECIPES = {"basn-exact": RecipeEntry(ExactBasn, _RECIPE, "our exact attention, in whole numbers, from the upper four bits")}
