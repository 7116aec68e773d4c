"""Networks of MIAIS, as published and ours: secrets are recognised in the container without being restored.

::

    published   cover, secret ─► Generator ─► container ─► Recogniser ─► embedding ─► log-odds
                                                        └► Restorer ─► secret
    ours        secret ─► Recogniser ─► embedding ─► permuted by a key ─► MiaisEmbedder ◄─ cover
                container ─► MiaisExtractor ─► permuted embedding
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint.methods.miais import BLOCK, SIGNS
from underpaint_lab.nets.colour_dct import colour_dct
from underpaint_lab.nets.resnet import BasicBlock, normalise_imagenet
from underpaint_lab.nets.unet import zero_initialised

#: Euclidean norm of an embedding.
LENGTH = 10.0
#: Dropout rate before and after the embedding layer.
_DROPOUT = 0.2
#: Values of a block, the channels of our networks' input.
_VALUES = 3 * BLOCK**2
#: Squared frequency below which pictures have most of their energy.
_LOW_FREQUENCY = 8
#: Initial change of a picture along a carrier for a number of 1, as a share of the full scale: 46 dB for 128 numbers.
#: Carriers that codecs preserve lie where pictures have more energy, so their change is larger.
_UNIT, _PRESERVED_UNIT = 1 / 160, 1 / 40


class StegGenerator(nn.Module):
    """The steg-generator: a U-Net that generates the container, without a shortcut from the cover.

    P. Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR 2017), without dropout.

    Args:
        width: channels of the first level, 64 in the paper; they double three times.
        downs: halvings, 7 in the paper; sides are multiples of ``2 ** downs``.
        pictures: number of input pictures, 2 in the paper.
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
        self.apply(_initialise)

    def forward(self, *pictures: Tensor) -> Tensor:
        """Return containers, ``(B, 3, H, W)`` in [0, 1], of covers and secrets of the same shape and range."""
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
    """A steg-classifier: embeddings of fixed norm, by which pictures are compared, and logits of the classes.

    The paper's is an Inception-v3 with 22 million weights for 256×256; this one is a small residual network with the
    published head.

    Args:
        classes: number of people or kinds of objects in the training data.
        width: channels of the first of four stages; they double from stage to stage.
        size: length of the embedding vector, 128 in the paper.
    """

    def __init__(self, classes: int, width: int = 16, size: int = 128) -> None:
        super().__init__()
        first = nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        stages = [BasicBlock(width * 2**level, width * 2 ** (level + 1), 2) for level in range(3)]
        self.trunk = nn.Sequential(*first, BasicBlock(width, width, 1), *stages)
        self.head = nn.Sequential(nn.Dropout(_DROPOUT), nn.Linear(8 * width, size), nn.Dropout(_DROPOUT))
        self.classify = nn.Linear(size, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings, ``(B, size)`` of norm 10, of *images*, ``(B, 3, H, W)`` in [0, 1]."""
        images = normalise_imagenet(images).contiguous(memory_format=torch.channels_last)
        return LENGTH * functional.normalize(self.head(self.trunk(images).mean(dim=(2, 3))), dim=1)


class Restorer(nn.Module):
    """The steg-restorer, table II of the paper.

    Args:
        width: channels of the first layer, 64 in the paper.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        widths = [3, width, 2 * width, 4 * width, 2 * width, width]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 3, 3, padding=1), nn.Sigmoid())

    def forward(self, containers: Tensor) -> Tensor:
        """Return secrets, ``(B, 3, H, W)`` in [0, 1], of *containers* of the same shape and range."""
        found: Tensor = self.layers(containers)
        return found


class EmbeddingDecoder(nn.Module):
    """Reconstructs a picture from an embedding, for the recovery attack.

    Args:
        size: length of the embedding vector.
        width: channels of the last level; they double from level to level before it.
        side: side of the picture in pixels, a multiple of 16.
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
        """Return pictures, ``(B, 3, side, side)`` in [0, 1], of *embeddings*, ``(B, size)``."""
        drawn: Tensor = self.layers(embeddings)
        return drawn


class MiaisExtractor(nn.Module):
    """Our extractor: reads numbers from each block of 8×8 and returns the mean over the blocks.

    Initially each number is the projection on one cosine (its carrier).

    Args:
        count: how many numbers, at most 192.
        width: channels.
        kept: begin with carriers that codecs preserve, instead of the highest frequencies, where pictures have little
            energy.
    """

    def __init__(self, count: int, width: int, kept: bool = False) -> None:
        super().__init__()
        self.unit = _PRESERVED_UNIT if kept else _UNIT
        self.carriers = nn.Parameter(_carriers(count, kept))
        self.layers = nn.Sequential(
            *(nn.Conv2d(_VALUES, width, 1), nn.GELU(), nn.Conv2d(width, width, 3, padding=1), nn.GELU()),
            zero_initialised(nn.Conv2d(width, count, 1)),
        )

    def forward(self, containers: Tensor) -> Tensor:
        """Return the numbers, ``(B, count)``, of *containers*, ``(B, 3, H, W)`` in [0, 1]; sides are multiples of 8."""
        return self.blocks(containers).mean(dim=(2, 3))

    def blocks(self, containers: Tensor) -> Tensor:
        """Return the numbers of each block, ``(B, count, H / 8, W / 8)``."""
        blocks = functional.pixel_unshuffle(containers - 0.5, BLOCK)
        numbers: Tensor = self.layers(blocks)
        return numbers + functional.conv2d(blocks, self.carriers[:, :, None, None] / self.unit)


class MiaisEmbedder(nn.Module):
    """Our embedder: returns the cover plus a bounded change.

    Its inputs include the numbers that the extractor reads from the cover. It embeds the difference, initially along
    the extractor's carriers.

    Args:
        count: how many numbers, at most 192.
        width: channels.
        reach: largest change of a value, as a share of the full scale.
        kept: as for :class:`MiaisExtractor`.
    """

    def __init__(self, count: int, width: int, reach: float, kept: bool = False) -> None:
        super().__init__()
        self.reach, self.unit = reach, _PRESERVED_UNIT if kept else _UNIT
        self.carriers = nn.Parameter(_carriers(count, kept))
        self.see = nn.Conv2d(_VALUES, width, 3, padding=1)
        self.hear = nn.Linear(2 * count, width)
        self.layers = nn.Sequential(
            *(nn.GELU(), nn.Conv2d(width, width, 3, padding=1), nn.GELU()),
            zero_initialised(nn.Conv2d(width, _VALUES, 1)),
        )

    def forward(self, covers: Tensor, numbers: Tensor, said: Tensor) -> Tensor:
        """Return containers, ``(B, 3, H, W)``, not clamped.

        Args:
            covers: ``(B, 3, H, W)`` in [0, 1]; sides are multiples of 8.
            numbers: numbers to be embedded, ``(B, count)``.
            said: numbers that the extractor reads from *covers*, ``(B, count)``.
        """
        missing = numbers - said
        seen = self.see(functional.pixel_unshuffle(covers - 0.5, BLOCK))
        wanted = self.hear(torch.cat([numbers, missing], dim=1))
        change = self.layers(seen + wanted[:, :, None, None])
        change = change + (missing @ self.carriers * (self.unit / self.reach))[:, :, None, None]
        return covers + self.reach * torch.tanh(functional.pixel_shuffle(change, BLOCK))


class Keys:
    """Random keys of a batch of containers: each permutes a code and flips signs, and adds random signs to identify it.

    With a wrong key a code is as dissimilar as a random one. Every container must have its own key: codes under one
    wrong key would still be comparable with each other. The runtime's counterpart is
    :mod:`underpaint.coding.template`.

    Args:
        count: number of containers; a single key applies to any number of codes.
        size: length of a code.
        rng: draws the keys.
    """

    def __init__(self, count: int, size: int, rng: np.random.Generator) -> None:
        self.places = torch.from_numpy(rng.permuted(np.tile(np.arange(size), (count, 1)), axis=1))
        self.signs = torch.from_numpy(rng.integers(2, size=(count, size)) * 2 - 1)
        self.announced = torch.from_numpy(rng.integers(2, size=(count, SIGNS)) * 2 - 1)

    def rotate(self, codes: Tensor) -> Tensor:
        """Return the numbers to be embedded, ``(count, size + SIGNS)``, of *codes*, ``(count, size)``."""
        rotated = codes.gather(1, self.places.to(codes.device).expand(len(codes), -1)) * self.signs.to(codes)
        return torch.cat([rotated, self.announced.to(codes).expand(len(codes), -1)], dim=1)

    def rotate_back(self, numbers: Tensor) -> Tensor:
        """Return the codes, ``(count, size)``, of extracted *numbers*: the inverse of :meth:`rotate`."""
        signed = numbers[:, : self.signs.shape[1]] * self.signs.to(numbers)
        return torch.zeros_like(signed).scatter(1, self.places.to(numbers.device).expand(len(numbers), -1), signed)


def _carriers(count: int, kept: bool) -> Tensor:
    """Return cosines of a block as carriers, ``(count, 192)``, of norm 1: the highest frequencies, colours first.

    If *kept*, the lowest ones that codecs preserve, except those where pictures have most energy; colour frequencies
    count twice.
    """
    across = torch.arange(BLOCK)
    frequency = (across[:, None] ** 2 + across**2).flatten().repeat(3)
    frequency[BLOCK**2 :] *= 4
    if kept:
        frequency = -torch.where(frequency >= _LOW_FREQUENCY, frequency, 8 * BLOCK**2)
    return colour_dct()[frequency.argsort(descending=True, stable=True)[:count]]


def _initialise(layer: nn.Module) -> None:
    """Initialise the weights of *layer* as in the authors' code."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(layer.weight)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
