"""Exact BASN, ours: attention as integers, computed from the upper bits that embedding does not change.

::

    image & 0xF0 ─► stem, 1/2 ─► texture, 1/2 ─┬────────────────────────────── + ─► head, 1/2 ─► attention, 0…255
                                               └─► 1/4, 1/4 ─┬──────── + ─► 1/4 ┘    bilinear     per colour value
                                                             └─► 1/8 ──┘

Attention is logarithmic: 32 more means that a value takes twice the change. In the published system (Yang,
arXiv:1907.04362) two floating-point networks take the whole picture, so the attentions of cover and container, or of
two machines, differ in some values, and a single difference shifts all following bits. Here one network of integer
convolutions (:mod:`underpaint_lab.nets.integer`) takes the upper four bits, and embedding changes only the lower four.
In training it is given whole pictures as well, for methods whose receiver needs no attention (STC).

It learns to allocate the change: embedding of a random payload is modelled by the noise of least cost for the costs
that follow from attention, and the losses are

* the change of the features of frozen task networks (the paper's MFD): to first order the noise's variance times the
  squared gradient of random projections of the features, summed over all values;
* the change of smooth regions (the paper's ITC), with a cost like HILL's (Li et al., ICIP 2014);
* the mean squared error.

Each loss is the logarithm of its sum, so that weights are those of decibels. The first two conflict: the features of
networks react more to changes of textures than of smooth regions.

Deviations from the paper: no smoother, no area penalty (the payload is fixed instead), one network for both
attentions, gradients of the features instead of a simulated embedding, HILL's cost instead of pooled variance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

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

#: Low bits of a value that embedding may change and attention must not depend on.
LOW_BITS = 4
#: Difference of attention that doubles the change of a value.
STEPS_PER_OCTAVE = 32
#: Channels after the stem and the texture layer, and at a quarter and an eighth of the resolution.
_STEM, _TEXTURE, _QUARTER, _EIGHTH = 32, 40, 48, 64
#: Minimum width in pixels of the border that the losses leave out: padding affects attention there.
_MARGIN = 8
#: Kinds of modules whose outputs are taken as features of a task network.
_FEATURE_LAYERS = (BasicBlock, InvertedResidual, MixerBlock, nn.Linear)
#: Range and number of the tabulated log costs: from uniform noise to no change.
_LOWEST, _HIGHEST, _POINTS = -8.0, 4.0, 400


@dataclass(frozen=True, kw_only=True)
class ExactRecipe(Recipe):
    """Settings of the attention network's training.

    Raises:
        UsageError: a value is out of range.
    """

    #: Classifiers of the zoo that are the task networks.
    teachers: tuple[str, ...] = ("resnet", "mobile")
    #: Range of the payload in bits per pixel of three values, drawn uniformly on a logarithmic scale.
    lowest_payload: float = 0.4
    highest_payload: float = 8.0
    #: Weight of the features' change.
    features: float = 1.0
    #: Weight of the change of smooth regions.
    texture: float = 4.0
    #: Weight of the mean squared error.
    error: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop < 2 * _MARGIN + 40 or self.crop % 8:
            raise UsageError(f"crop must be a multiple of 8, and at least {2 * _MARGIN + 40}, not {self.crop}")


class IntegerAttention(nn.Module):
    """The integer attention network, about 10,000 multiply–adds per pixel."""

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
            # Constant and in the middle of the range at first: only differences matter.
            self.head.weight.zero_()
            self.head.bias.fill_(2.0)
            self.smooth.weight.zero_()
            for value in range(12):  # bilinear from half the resolution: 9, 3, 3 and 1 sixteenth
                rows, columns = (torch.tensor([1.0 - far, 3, far]) / 4 for far in divmod(value % 4, 2))
                self.smooth.weight[value, value // 4] = torch.outer(rows, columns)
            self.smooth.bias.fill_(2.0)

    def forward(self, view: Tensor) -> Tensor:
        """Return attention, integers 0…255, ``(B, 3, H, W)``.

        Args:
            view: pictures in levels 0…255, with or without their low bits, ``(B, 3, H, W)``; sides are multiples of 8.
        """
        texture = self.texture(self.stem(view))
        quarter = self.quarter(texture)
        detail = self.up(quarter + self.eighth(quarter))
        attention: Tensor = functional.pixel_shuffle(self.smooth(self.head(texture + detail)), 2)
        return attention


class TaskNetwork:
    """A frozen task network, for the sensitivity of its features.

    Args:
        name: a classifier of the zoo.

    Raises:
        ModelError: the zoo has no such classifier.
    """

    def __init__(self, name: str) -> None:
        self._network = from_zoo(name).requires_grad_(False)
        self._found: list[Tensor] = []
        for module in self._network.modules():
            if isinstance(module, _FEATURE_LAYERS):
                module.register_forward_hook(lambda _module, _inputs, output: self._found.append(output))

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the features of *images*, ``(B, 3, H, W)`` in [0, 1], at every depth."""
        self._found.clear()
        self._network.to(images.device)(images)
        return list(self._found)

    def sensitivity(self, images: Tensor) -> Tensor:
        """Estimate the sensitivity of the features to each value, in one forward and one backward pass.

        The estimate is the squared gradient of random projections of the features. To first order, its expectation is
        the squared relative change of the features for a change of 1 in that value, summed over all depths.

        Args:
            images: ``(B, 3, H, W)`` in [0, 1].

        Returns:
            Sensitivities of the same shape.
        """
        images = images.detach().requires_grad_()
        found = self.features(images)
        scale = [features.detach().flatten(1).norm(dim=1).clamp(min=1e-6) for features in found]
        projected = [(features * torch.randn_like(features)).flatten(1).sum(1) for features in found]
        total = torch.stack([(x / y).sum() for x, y in zip(projected, scale, strict=True)]).sum()
        (gradient,) = torch.autograd.grad(total, images)
        return gradient.square()


class ExactBasn(nn.Module):
    """The attention network with its losses.

    Args:
        recipe: settings.

    Raises:
        ModelError: the zoo has no such task network.
    """

    former_name: ClassVar[str] = "Exact"

    def __init__(self, recipe: ExactRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.attention = IntegerAttention()
        self._teachers = [
            TaskNetwork(name) for name in recipe.teachers
        ]  # a list, so that they are no submodules and not trained

    def losses(self, images: Tensor, _step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Model the embedding of random payloads and yield the losses.

        The network is given every second picture whole, the others with their low bits cleared. The losses are taken in
        a part of the pictures at a random position, so that attention learns neither the task networks' grid nor the
        border.

        Args:
            images: covers, ``(B, 3, H, W)`` in [0, 1].
            rng: draws payloads and positions.

        Yields:
            Part ``attention`` with ``texture``, ``error`` and, if there are task networks, ``features``.
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
            "texture": recipe.texture * _log_mean(change * smoothness_cost(levels)[part]),
            "error": recipe.error * _log_mean(change),
        }
        if self._teachers:
            sensitivity = torch.stack([teacher.sensitivity(images[part]) for teacher in self._teachers]).sum(0)
            losses["features"] = recipe.features * _log_mean(change * sensitivity)
        yield "attention", losses


def smoothness_cost(levels: Tensor) -> Tensor:
    """Return HILL's embedding cost of each value, bounded by 1.

    B. Li, M. Wang, J. Huang and X. Li, "A new cost function for spatial image steganography" (ICIP 2014), with 1 added
    before the reciprocal, so that flat regions do not dominate the sum.

    Args:
        levels: pictures in levels, ``(B, 3, H, W)``.

    Returns:
        Costs in (0, 1], of the same shape.
    """
    high_pass = torch.tensor([-1.0, 2.0, -1.0]).to(levels)
    kernel = (high_pass[:, None] * high_pass).expand(3, 1, 3, 3)
    residual = functional.conv2d(_reflect_pad(levels, 1), kernel, groups=3).abs()
    suitable = functional.avg_pool2d(_reflect_pad(residual, 1), 3, stride=1)
    return functional.avg_pool2d(_reflect_pad(1 / (1 + suitable), 7), 15, stride=1)


def _reflect_pad(planes: Tensor, reach: int) -> Tensor:
    return functional.pad(planes, (reach, reach, reach, reach), mode="reflect")


def noise_variance(attention: Tensor, payload: Tensor) -> Tensor:
    """Return the variance of the cheapest change that carries a payload, in squared levels.

    A change by d levels costs d² · 2^(-attention / 16). Its probability falls exponentially with its cost (Gibbs
    distribution, Filler and Fridrich 2010): no other distribution of the same entropy costs less. A change keeps the
    upper bits of a value; the variance is the mean over all values with the same upper bits, since attention depends on
    the upper bits alone.

    Args:
        attention: ``(B, 3, H, W)``; it gets gradients at the fixed payload.
        payload: bits per pixel of each picture, ``(B,)``, above 0 and below 12.

    Returns:
        Variances, ``(B, 3, H, W)``.
    """
    entropies, variances = gibbs_tables()
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
    # A Newton step of length 0, whose gradient is the derivative of the scale by attention at this payload.
    carried = _interpolated(entropies, scale + scores).mean(1, keepdim=True)
    scale = scale - (carried - carried.detach()) * 0.2 / (above - below)
    return _interpolated(variances, scale + scores).view_as(attention)


@cache
def gibbs_tables() -> tuple[Tensor, Tensor]:
    """Return entropy in bits and variance of the cheapest change of a value, by the log cost of a change by one level.

    Both are ``(400,)``, at evenly spaced log costs from -8 to 4; :func:`noise_variance` describes the distribution.
    """
    weights = np.exp(np.linspace(_LOWEST, _HIGHEST, _POINTS))
    places = np.arange(1 << LOW_BITS)
    changes = places - places[:, None]  # (places, changes)
    chances = np.exp(-weights[:, None, None] * changes**2)
    chances /= chances.sum(2, keepdims=True)
    entropy = -(chances * np.log2(np.maximum(chances, 1e-300))).sum(2).mean(1)
    variance = (chances * changes**2).sum(2).mean(1)
    return torch.from_numpy(entropy).float(), torch.from_numpy(variance).float()


def _interpolated(table: Tensor, x: Tensor) -> Tensor:
    """Interpolate a table of :func:`gibbs_tables` linearly at *x*."""
    table = table.to(x.device)
    place = ((x - _LOWEST) * ((_POINTS - 1) / (_HIGHEST - _LOWEST))).clamp(0, _POINTS - 1.001)
    index = place.detach().long()
    low, high = table[index], table[index + 1]
    return low + (place - index) * (high - low)


def _log_mean(cost: Tensor) -> Tensor:
    """Return the mean over pictures of the logarithm of each picture's mean."""
    return torch.log(cost.flatten(1).mean(1).clamp(min=1e-30)).mean()


#: Two of the four classifiers are task networks; the others are for evaluation only.
_RECIPE = ExactRecipe(steps=3000, batch=8, crop=80, learning_rate=1e-3, warmup=100, decay="cosine", clip=1.0, ema=0.99)
#: Recipes of exact BASN by name.
RECIPES = {"basn-exact": RecipeEntry(ExactBasn, _RECIPE, "our exact BASN: integer attention from the upper four bits")}
