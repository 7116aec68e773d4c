"""Networks for secrets that are recognised without being restored: as published, and ours.

::

    published   cover, secret ─► Generator ─► container ─► Recogniser ─► embedding ─► log-odds
                                                        └► Restorer ─► secret
    ours        secret ─► Recogniser ─► embedding ─► keyed ─► Writer ◄─ cover
                                                              container ─► Reader ─► keyed embedding
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint.methods.miais import BLOCK, SIGNS
from underpaint_lab.nets.resnet import BasicBlock, normalise_imagenet
from underpaint_lab.nets.unet import colour_dct, zero_initialised

#: The length of an embedding.
LENGTH = 10.0
#: What is dropped before and after the embedding's layer.
_DROPPED = 0.2
#: What ours sees at once, as channels: a block.
_VALUES = 3 * BLOCK**2
#: Fineness of waves below which pictures have most.
_MUCH = 8
#: By how much a number of 1 changes a picture along its wave at first, of the full scale: 46 dB for 128 numbers. Where
#: pictures have more it must be more.
_UNIT, _KEPT_UNIT = 1 / 160, 1 / 40


class StegGenerator(nn.Module):
    """The steg-generator: a U-Net that paints the container anew, without a shortcut from the cover.

    P. Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR 2017), without dropout.

    Args:
        width: channels of the first level, 64 as published; they double three times.
        downs: halvings, 7 as published; sides are multiples of ``2 ** downs``.
        pictures: that it sees, 2 as published.
    """

    def __init__(self, width: int = 64, downs: int = 7, pictures: int = 2) -> None:
        super().__init__()
        widths = [3 * pictures, *(width * 2 ** min(level, 3) for level in range(downs))]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, (outer, inner) in enumerate(pairwise(widths)):
            first, last = level == 0, level == downs - 1
            before: list[nn.Module] = [] if first else [nn.LeakyReLU(0.2)]
            after: list[nn.Module] = [] if first or last else [nn.BatchNorm2d(inner)]
            self.down.append(nn.Sequential(*before, nn.Conv2d(outer, inner, 4, 2, 1, bias=not after), *after))
            made: list[nn.Module] = [nn.Sigmoid()] if first else [nn.BatchNorm2d(outer)]
            joined = inner if last else 2 * inner
            grow = nn.ConvTranspose2d(joined, 3 if first else outer, 4, 2, 1, bias=first)
            self.up.append(nn.Sequential(nn.ReLU(), grow, *made))
        self.apply(_begin)

    def forward(self, *pictures: Tensor) -> Tensor:
        """Containers, ``(B, 3, H, W)`` in [0, 1], of covers and secrets of the same."""
        x: Tensor = torch.cat(pictures, dim=1)
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = self.up[-1](skips.pop())
        for up, skip in zip(reversed(self.up[:-1]), reversed(skips), strict=True):
            x = up(torch.cat([skip, x], dim=1))
        return x


class Recogniser(nn.Module):
    """A steg-classifier: embeddings of one length, by which pictures are compared, and the log-odds of classes.

    The paper's is an Inception-v3 of 22 million weights for 256×256; this one is a small residual network, with the
    published head.

    Args:
        classes: people, or kinds of objects, to learn from.
        width: channels of the first of four stages; each next has twice as many.
        size: of an embedding, 128 as published.
    """

    def __init__(self, classes: int, width: int = 16, size: int = 128) -> None:
        super().__init__()
        first = nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        stages = [BasicBlock(width * 2**level, width * 2 ** (level + 1), 2) for level in range(3)]
        self.trunk = nn.Sequential(*first, BasicBlock(width, width, 1), *stages)
        self.head = nn.Sequential(nn.Dropout(_DROPPED), nn.Linear(8 * width, size), nn.Dropout(_DROPPED))
        self.classify = nn.Linear(size, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings, ``(B, size)`` of length 10, of *images*, ``(B, 3, H, W)`` in [0, 1]."""
        images = normalise_imagenet(images).contiguous(memory_format=torch.channels_last)
        return LENGTH * functional.normalize(self.head(self.trunk(images).mean(dim=(2, 3))), dim=1)


class Restorer(nn.Module):
    """The steg-restorer, table II of the paper.

    Args:
        width: channels of the first layer, 64 as published.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        widths = [3, width, 2 * width, 4 * width, 2 * width, width]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 3, 3, padding=1), nn.Sigmoid())

    def forward(self, containers: Tensor) -> Tensor:
        """Secrets, ``(B, 3, H, W)`` in [0, 1], of containers of the same."""
        found: Tensor = self.layers(containers)
        return found


class EmbeddingDecoder(nn.Module):
    """What somebody who has an embedding, and no picture, draws by it.

    Args:
        size: of an embedding.
        width: channels of the last level; each before has twice as many.
        side: of the picture, a multiple of 16.
    """

    def __init__(self, size: int, width: int, side: int) -> None:
        super().__init__()
        widths, start = [width * 2**level for level in (3, 2, 1, 0)], side // 16
        layers: list[nn.Module] = [nn.Linear(size, widths[0] * start**2), nn.Unflatten(1, (-1, start, start))]
        for inputs, outputs in pairwise([widths[0], *widths]):
            grow = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
            layers += [nn.BatchNorm2d(inputs), nn.ReLU(), grow]
        layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 3, 3, padding=1), nn.Sigmoid()]
        self.layers = nn.Sequential(*layers)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Pictures, ``(B, 3, side, side)`` in [0, 1], by *embeddings*, ``(B, size)``."""
        drawn: Tensor = self.layers(embeddings)
        return drawn


class MiaisExtractor(nn.Module):
    """Ours: what a container says, the mean of what its blocks say.

    At first that is what lies along one wave of a cosine transform for each number.

    Args:
        count: of numbers, at most 192.
        width: channels.
        kept: begin with waves that codecs keep, not with the finest, where pictures have little.
    """

    def __init__(self, count: int, width: int, kept: bool = False) -> None:
        super().__init__()
        self.unit = _KEPT_UNIT if kept else _UNIT
        self.carriers = nn.Parameter(_waves(count, kept))
        self.layers = nn.Sequential(
            *(nn.Conv2d(_VALUES, width, 1), nn.GELU(), nn.Conv2d(width, width, 3, padding=1), nn.GELU()),
            zero_initialised(nn.Conv2d(width, count, 1)),
        )

    def forward(self, containers: Tensor) -> Tensor:
        """Numbers, ``(B, count)``, of *containers*, ``(B, 3, H, W)`` in [0, 1]; sides are multiples of 8."""
        return self.blocks(containers).mean(dim=(2, 3))

    def blocks(self, containers: Tensor) -> Tensor:
        """What each block says, ``(B, count, H / 8, W / 8)``."""
        blocks = functional.pixel_unshuffle(containers - 0.5, BLOCK)
        said: Tensor = self.layers(blocks)
        return said + functional.conv2d(blocks, self.carriers[:, :, None, None] / self.unit)


class MiaisEmbedder(nn.Module):
    """Ours: the cover and a change of at most *reach*.

    It is told what the cover says by itself, and writes what is missing: along the reader's waves at first, then as it
    learns to.

    Args:
        count: of numbers, at most 192.
        width: channels.
        reach: the largest change of a value, of the full scale.
        kept: as of the reader.
    """

    def __init__(self, count: int, width: int, reach: float, kept: bool = False) -> None:
        super().__init__()
        self.reach, self.unit = reach, _KEPT_UNIT if kept else _UNIT
        self.carriers = nn.Parameter(_waves(count, kept))
        self.see = nn.Conv2d(_VALUES, width, 3, padding=1)
        self.hear = nn.Linear(2 * count, width)
        self.layers = nn.Sequential(
            *(nn.GELU(), nn.Conv2d(width, width, 3, padding=1), nn.GELU()),
            zero_initialised(nn.Conv2d(width, _VALUES, 1)),
        )

    def forward(self, covers: Tensor, numbers: Tensor, said: Tensor) -> Tensor:
        """Containers, ``(B, 3, H, W)``, not clamped.

        Args:
            covers: ``(B, 3, H, W)`` in [0, 1]; sides are multiples of 8.
            numbers: what they shall say, ``(B, count)``.
            said: what they say, as of :class:`Reader`.
        """
        missing = numbers - said
        seen = self.see(functional.pixel_unshuffle(covers - 0.5, BLOCK))
        told = self.hear(torch.cat([numbers, missing], dim=1))
        change = self.layers(seen + told[:, :, None, None])
        change = change + (missing @ self.carriers * (self.unit / self.reach))[:, :, None, None]
        return covers + self.reach * torch.tanh(functional.pixel_shuffle(change, BLOCK))


class Keys:
    """Keys of some containers: each turns codes in a way of its own, and announces itself by signs beside them.

    Places change and signs turn, so that by a wrong key a code is as unlike as any two that are drawn at random. Two
    containers shall never have the same one: codes by one wrong key would still tell who is alike. The runtime's are
    :mod:`underpaint.coding.template`.

    Args:
        count: containers; a single key turns any number of codes.
        size: of a code.
        rng: draws them.
    """

    def __init__(self, count: int, size: int, rng: np.random.Generator) -> None:
        self.places = torch.from_numpy(rng.permuted(np.tile(np.arange(size), (count, 1)), axis=1))
        self.signs = torch.from_numpy(rng.integers(2, size=(count, size)) * 2 - 1)
        self.announced = torch.from_numpy(rng.integers(2, size=(count, SIGNS)) * 2 - 1)

    def turned(self, codes: Tensor) -> Tensor:
        """What containers are to say of *codes*, ``(count, size)``: ``(count, size + SIGNS)``."""
        turned = codes.gather(1, self.places.to(codes.device).expand(len(codes), -1)) * self.signs.to(codes)
        return torch.cat([turned, self.announced.to(codes).expand(len(codes), -1)], dim=1)

    def back(self, numbers: Tensor) -> Tensor:
        """The codes that :meth:`turned` made *numbers* of."""
        signed = numbers[:, : self.signs.shape[1]] * self.signs.to(numbers)
        return torch.zeros_like(signed).scatter(1, self.places.to(numbers.device).expand(len(numbers), -1), signed)


def _waves(count: int, kept: bool) -> Tensor:
    """The *count* finest waves of the cosine transform of a block, of colours first, ``(count, 192)``, of length 1.

    Or the coarsest but those that pictures have most of, colours at half resolution, if they are to be *kept*.
    """
    across = torch.arange(BLOCK)
    fineness = (across[:, None] ** 2 + across**2).flatten().repeat(3)
    fineness[BLOCK**2 :] *= 4
    if kept:
        fineness = -torch.where(fineness >= _MUCH, fineness, 8 * BLOCK**2)
    return colour_dct()[fineness.argsort(descending=True, stable=True)[:count]]


def _begin(layer: nn.Module) -> None:
    """As published."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(layer.weight)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
