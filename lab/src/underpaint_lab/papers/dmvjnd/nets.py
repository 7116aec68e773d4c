"""Networks that say how far a picture may change before classifiers answer otherwise: as published, and ours.

::

    published   picture, attention ─► encoder, 1/8 ─► decoder ─► change, -1…1
    ours        picture, attention, level ─► 1/2 ─► 1/4 ─► blocks ─┬─► 1/2 ─► detail ───────────┐
                                    answers ─► a pattern for each, repeated ──────────────────── + ─► direction
                                    answers ─► each block's gain ──┘ ├─► gain, offset of colours ─┘
                                        which of eight ways to take ─┘ └─► what each way promises
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint_lab.nets.cifar_classifiers import CamClassifier, activation_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint_lab.nets.classifiers import Classifier


class EncoderDecoder(nn.Module):
    """The paper's network, as a third party has reconstructed it: the paper prints its shape, but no numbers.

    Args:
        width: channels after the first layer.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        down = [(4, width, False), (width, 2 * width, True), (2 * width, 4 * width, True), (4 * width, width, True)]
        up = [(width, 4 * width), (4 * width, 2 * width), (2 * width, width)]
        layers: list[nn.Module] = []
        for inputs, outputs, halved in down:
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), *([nn.MaxPool2d(2)] if halved else [])]
            layers += [nn.BatchNorm2d(outputs), nn.LeakyReLU()]
        for inputs, outputs in up:
            layers += [nn.ConvTranspose2d(inputs, outputs, 2, stride=2), nn.BatchNorm2d(outputs), nn.LeakyReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 3, 3, padding=1), nn.Tanh())

    def forward(self, images: Tensor, attention: Tensor) -> Tensor:
        """The change, ``(B, 3, H, W)`` in [-1, 1], of *images* of that shape in [-1, 1]; sides are multiples of 8.

        Args:
            images: to be changed.
            attention: ``(B, 1, H, W)`` in [0, 1], where classifiers look.
        """
        change: Tensor = self.layers(torch.cat([images, attention], dim=1))
        return change


class UnitRangeChange(nn.Module):
    """The published network for pictures in [0, 1], in whose units its change is."""

    def __init__(self, network: EncoderDecoder) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, attention: Tensor) -> Tensor:
        """The change, ``(B, 3, H, W)`` in [-0.5, 0.5], of *images* of that shape in [0, 1]."""
        change: Tensor = self.network(2 * images - 1, attention)
        return change / 2


class ConditionedBlock(nn.Module):
    """Two convolutions beside a shortcut, whose channels are amplified by what is told of the whole picture."""

    def __init__(self, width: int, told: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        self.amplify = nn.Linear(told, 2 * width)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """``(B, width, H, W)`` of the same, and of ``(B, told)``."""
        gain, offset = self.amplify(told)[:, :, None, None].chunk(2, dim=1)
        y: Tensor = self.second(functional.silu(self.first(x) * (1 + gain) + offset))
        return functional.silu(x + y)


#: Gain and offset of colours that each way begins with: up, down; towards black, white; with more contrast.
_STARTS = torch.tensor(
    [(0.0, 0.3), (0.0, -0.3), (-0.3, -0.3), (-0.3, 0.3), (0.15, 0.3), (0.15, -0.3), (0.3, 0.15), (0.3, -0.15)]
)


#: Side of a pattern in pixels, after which it is repeated; the runtime's tiles begin at multiples of it.
PATTERN = 32


class JndGenerator(nn.Module):
    """Which way a picture may change, by how much where: a direction, whose length is of no account.

    It has two parts. Colours around mid-grey get a gain and an offset, both smooth over the picture: contrast,
    brightness and tint are what any classifier is used to. Detail is added on top, and for each answer of each
    classifier a pattern that speaks for it. A picture that may not become brighter may become darker: there are
    several ways, and the network says what it expects of each.

    Args:
        answers: how many log-odds of all classifiers together it is told.
        members: how many classifiers, each with as many answers as any other.
        width: channels at half the resolution; there are twice as many at a quarter.
    """

    ways = len(_STARTS)

    def __init__(self, answers: int, members: int, width: int = 32) -> None:
        super().__init__()
        told, self.members = 2 * width, members
        self.told = nn.Sequential(nn.Linear(answers + 1, told), nn.SiLU(), nn.Linear(told, told), nn.SiLU())
        self.fine = nn.Sequential(
            *(nn.PixelUnshuffle(2), nn.Conv2d(4 * 4, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)), nn.SiLU()
        )
        self.coarse = nn.Sequential(
            *(nn.Conv2d(width, 2 * width, 2, stride=2, bias=False), nn.BatchNorm2d(2 * width), nn.SiLU())
        )
        self.blocks = nn.ModuleList(ConditionedBlock(2 * width, told) for _ in range(2))
        self.promise = nn.Linear(2 * width + told, self.ways)
        self.colours = nn.Conv2d(2 * width, 6 * self.ways, 3, padding=1)
        self.up = nn.Sequential(nn.Conv2d(2 * width, 4 * width, 1), nn.PixelShuffle(2))
        self.last = ConditionedBlock(width, told + self.ways)
        detail = nn.Conv2d(width, 12, 3, padding=1)
        self.detail = nn.Sequential(detail, nn.PixelShuffle(2))
        self.patterns = nn.Parameter(torch.zeros(answers, 3, PATTERN, PATTERN))
        self.loudness = nn.Linear(told, members)
        with torch.no_grad():
            for head, start in ((self.colours, _STARTS.repeat_interleave(3)), (detail, torch.zeros(12))):
                head.weight.mul_(0.1)
                head.bias = nn.Parameter(start.clone())

    def forward(
        self, images: Tensor, attention: Tensor, answers: Tensor, level: Tensor, way: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The direction, ``(B, 3, H, W)``, of *images* of that shape in [0, 1], and what all ways promise, ``(B, 8)``.

        Sides are multiples of 4. A promise is the log-odds that a classifier keeps its answer.

        Args:
            images: to be changed.
            attention: ``(B, 1, H, W)`` in [0, 1], where classifiers look.
            answers: ``(B, answers)``, each classifier's log-odds of each class.
            level: ``(B, 1)``, the PSNR in dB that is to be left.
            way: ``(B, 8)``, 1 for the way to be taken, else 0.
        """
        seen = self.seen(images, attention, answers, level)
        return self.direction(images, answers, way, *seen), self.promises(*seen[1:])

    def seen(self, images: Tensor, attention: Tensor, answers: Tensor, level: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What there is to know before a way is chosen: maps at half and at quarter resolution, and what was told."""
        told = self.told(torch.cat([answers / 4, level / 10 - 1.5], dim=1))
        fine = self.fine(torch.cat([images - 0.5, attention - 0.5], dim=1))
        coarse = self.coarse(fine)
        for block in self.blocks:
            coarse = block(coarse, told)
        return fine, coarse, told

    def promises(self, coarse: Tensor, told: Tensor) -> Tensor:
        """What all ways promise, which teaches nothing but itself."""
        found: Tensor = self.promise(torch.cat([coarse.mean(dim=(2, 3)), told], dim=1).detach())
        return found

    def direction(
        self, images: Tensor, answers: Tensor, way: Tensor, fine: Tensor, coarse: Tensor, told: Tensor
    ) -> Tensor:
        """The direction of one way."""
        all_colours = self.colours(coarse).unflatten(1, (self.ways, 6))
        chosen = (all_colours * way[:, :, None, None, None]).sum(dim=1)
        colours = functional.interpolate(chosen, scale_factor=4.0, mode="bilinear", align_corners=False)
        gain, offset = colours.chunk(2, dim=1)
        detail: Tensor = self.detail(self.last(fine + self.up(coarse), torch.cat([told, way], dim=1)))
        return gain * 2 * (images - 0.5) + offset + detail + self.spoken(answers, told, *images.shape[2:])

    def spoken(self, answers: Tensor, told: Tensor, height: int, width: int) -> Tensor:
        """The patterns of all answers, each as loud as it is likely, ``(B, 3, height, width)``."""
        likely = answers.view(len(answers), self.members, -1).softmax(dim=2)
        loud = (likely * (1 + self.loudness(told))[:, :, None]).flatten(1)
        pattern = (loud @ self.patterns.flatten(1)).view(-1, 3, PATTERN, PATTERN)
        rows, columns = (torch.arange(side, device=answers.device) % PATTERN for side in (height, width))
        repeated: Tensor = pattern[:, :, rows][:, :, :, columns]
        return repeated


class Panel(nn.Module):
    """Frozen classifiers, asked together.

    Args:
        classifiers: each sorts pictures into the same classes.
    """

    def __init__(self, classifiers: Sequence[CamClassifier | Classifier]) -> None:
        super().__init__()
        self.members = nn.ModuleList(classifiers)
        self._classifiers = list(classifiers)
        self.eval().requires_grad_(False)

    @property
    def answers(self) -> int:
        """How many log-odds there are of one picture."""
        return sum(each.classify.out_features for each in self._classifiers)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What all say of *images*, ``(B, 3, H, W)`` in [0, 1], and where they look on average.

        Returns:
            Log-odds, ``(B, members · classes)``, and attention, ``(B, 1, H, W)`` in [0, 1].
        """
        odds, looked = zip(*(_attentive(each, images) for each in self._classifiers), strict=True)
        return torch.cat(odds, dim=1), torch.stack(looked).mean(dim=0)

    def odds(self, member: int, images: Tensor) -> Tensor:
        """Log-odds of one of them, ``(B, classes)``."""
        found: Tensor = self._classifiers[member](images)
        return found


def _attentive(classifier: CamClassifier | Classifier, images: Tensor) -> tuple[Tensor, Tensor]:
    """Log-odds and class activation map of one classifier."""
    maps = classifier.maps(images if isinstance(classifier, CamClassifier) else classifier.features(images))
    odds: Tensor = classifier.classify(maps.mean(dim=(2, 3)))
    return odds, activation_map(maps, odds, classifier.classify.weight, images.shape[2:])
