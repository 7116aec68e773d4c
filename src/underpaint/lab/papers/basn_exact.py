"""The attention of exact BASN: where a picture hides change, in whole numbers, from bits that embedding leaves alone.

::

    image >> 4 ─► stem, 1/2 ─► texture, 1/2 ─┬────────────────────────────── + ─► head ─► attention, 0…255
                                             └─► 1/4, 1/4 ─┬──────── + ─► 1/4 ┘            per colour value
                                                           └─► 1/8 ──┘

Attention is a logarithm: 32 more means that a value takes twice the change. In the published system (Yang,
arXiv:1907.04362) two networks in floats see the whole picture, so that cover and container, or two machines, disagree
on some values, and a single one shifts all bits that follow. Here one network of integer convolutions
(:mod:`underpaint.lab.nets.integer`) sees the upper four bits, and embedding changes only the lower four.

Before training it is a measure of texture: the logarithm of the mean size of the Laplacian in a window of 6×6. What it
learns is to allocate: a payload drawn at random is embedded in thought, with the noise that disturbs least for the
costs that attention says, and the noise is to fall

* where features of frozen task networks do not follow it (the paper's MFD). To first order the squared change of
  features is the noise's variance times the squared gradient of their random projections, summed over all values;
* where the picture varies by itself (the paper's ITC);
* and nowhere much, as PSNR counts.

Each part is the logarithm of such a sum, so that their weights are those of decibels.

Deviations from the paper: no smoother, no area penalty (the payload is fixed instead), one network for both
attentions, and the features' gradients in place of a simulated embedding.
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

from underpaint.lab.model import Entry
from underpaint.lab.nets.integer import PEAK, IntegerConv
from underpaint.lab.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Low bits of a value that embedding may change, so that attention must not see them.
LOW_BITS = 4
#: Attention that doubles the change a value takes.
OCTAVE = 32
#: Channels: after the stem and the texture layer, at a quarter and at an eighth of the resolution.
_STEM, _TEXTURE, _QUARTER, _EIGHTH = 32, 40, 48, 64
#: Side of the window that texture is measured in.
_WINDOW = 7


@dataclass(frozen=True)
class ExactRecipe(Recipe):
    """What attention is trained by."""

    #: Run folders of the task networks whose features are to stay.
    teachers: tuple[str, ...] = ()
    #: Payloads, in bits per pixel of three values, drawn evenly on a logarithmic scale.
    lowest_payload: float = 0.4
    highest_payload: float = 8.0
    #: Weights of the parts.
    features: float = 1.0
    texture: float = 0.5
    error: float = 0.5


class Attention(nn.Module):
    """The network: about 10,000 multiply–adds per pixel. Sides are multiples of 8."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = IntegerConv(3, _STEM, 6, stride=2)
        self.texture = IntegerConv(_STEM, _TEXTURE, 3)
        self.quarter = nn.Sequential(
            IntegerConv(_TEXTURE, _QUARTER, 2, stride=2), IntegerConv(_QUARTER, _QUARTER, 3)
        )
        self.eighth = nn.Sequential(
            *(IntegerConv(_QUARTER, _EIGHTH, 2, stride=2), IntegerConv(_EIGHTH, _EIGHTH, 3)),
            *(IntegerConv(_EIGHTH, _EIGHTH, 3), IntegerConv(_EIGHTH, 4 * _QUARTER, 1), nn.PixelShuffle(2)),
        )
        self.up = nn.Sequential(
            IntegerConv(_QUARTER, _QUARTER, 3, peak=2 * PEAK),
            *(IntegerConv(_QUARTER, 4 * _TEXTURE, 1), nn.PixelShuffle(2)),
        )
        self.head = IntegerConv(_TEXTURE, 12, 3, peak=2 * PEAK)
        self._measure_texture()

    def forward(self, view: Tensor) -> Tensor:
        """Integers 0…255, ``(B, 3, H, W)``, of the upper bits of each value, integers 0…15, ``(B, 3, H, W)``."""
        texture = self.texture(self.stem(view * 2**LOW_BITS))
        quarter = self.quarter(texture)
        detail = self.up(quarter + self.eighth(quarter))
        attention: Tensor = functional.pixel_shuffle(self.head(texture + detail), 2)
        return attention

    @torch.no_grad()
    def _measure_texture(self) -> None:
        """Make it the logarithm of the mean size of the Laplacian around each value, by three slopes that end."""
        stem, texture, head = self.stem.weight, self.texture.weight, self.head.weight
        for layer in (self.up[1], self.head):
            layer.weight.zero_()
        self.up[1].bias.fill_(1.0)  # the same everywhere, from where it can rise and fall
        self.head.bias.fill_(-0.25)  # takes it away again, but for 32
        texture[:36] = 0
        for value in range(12):  # colour and place in a square of 2×2, as PixelShuffle counts them
            colour, (down, across) = value // 4, divmod(value % 4, 2)
            for sign in (0, 1):
                kernel = stem[2 * value + sign]
                kernel.zero_()
                kernel[colour, 2 + down, 2 + across] = 1.0
                for y, x in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                    kernel[colour, 2 + down + y, 2 + across + x] = -0.25
                kernel *= 1 - 2 * sign
            for slope in range(3):
                texture[12 * slope + value, 8 * colour : 8 * colour + 8] = 4.0**slope / 32
                head[value, 12 * slope + value, 1, 1] = 0.25


class Exact(nn.Module):
    """The network beside what it is taught by."""

    def __init__(self, recipe: ExactRecipe) -> None:
        super().__init__()
        self._recipe = recipe
        self.attention = Attention()

    @property
    def recipe(self) -> ExactRecipe:
        """What it is trained by."""
        return self._recipe
