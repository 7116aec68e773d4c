"""Networks of DMV-JND, as published and ours: the change of a picture that keeps the labels of classifiers.

::

    published   picture, attention ─► encoder, 1/8 ─► decoder ─► change, -1…1
    ours        picture, attention, PSNR ─► 1/2 ─► 1/4 ─► blocks ─┬─► 1/2 ─► detail ────────────┐
                                    logits ─► a pattern for each, repeated ───────────────────── + ─► direction
                                    logits ─► each block's gain ──┘ ├─► gain, offset of colours ─┘
                                          one of eight ways ────────┘ └─► promise of each way
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
    """The paper's network, with the layer sizes of a third party's reconstruction: the paper prints no numbers.

    Args:
        width: channels of the first layer's output.
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
        """Return the change, ``(B, 3, H, W)`` in [-1, 1].

        Args:
            images: ``(B, 3, H, W)`` in [-1, 1]; sides are multiples of 8.
            attention: mean class activation maps of the classifiers, ``(B, 1, H, W)`` in [0, 1].
        """
        change: Tensor = self.layers(torch.cat([images, attention], dim=1))
        return change


class UnitRangeChange(nn.Module):
    """The published network for pictures and changes in units of [0, 1]."""

    def __init__(self, network: EncoderDecoder) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, attention: Tensor) -> Tensor:
        """Return the change, ``(B, 3, H, W)`` in [-0.5, 0.5], of *images* of that shape in [0, 1]."""
        change: Tensor = self.network(2 * images - 1, attention)
        return change / 2


class ConditionedBlock(nn.Module):
    """Residual block with feature-wise modulation (FiLM): a vector gives each channel a gain and an offset.

    Args:
        width: channels.
        conditions: length of the vector.
    """

    def __init__(self, width: int, conditions: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        self.amplify = nn.Linear(conditions, 2 * width)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Map ``(B, width, H, W)`` and the vector *condition*, ``(B, conditions)``, to ``(B, width, H, W)``."""
        gain, offset = self.amplify(condition)[:, :, None, None].chunk(2, dim=1)
        y: Tensor = self.second(functional.silu(self.first(x) * (1 + gain) + offset))
        return functional.silu(x + y)


#: Initial gain and offset of the colours of each way: brighter, darker; towards black, white; with more contrast.
_INITIAL_COLOURS = torch.tensor(
    [(0.0, 0.3), (0.0, -0.3), (-0.3, -0.3), (-0.3, 0.3), (0.15, 0.3), (0.15, -0.3), (0.3, 0.15), (0.3, -0.15)]
)


#: Channels of the generator at half the resolution; a quarter of the resolution has twice as many.
_WIDTH = 32
#: Side of a pattern in pixels, which is repeated over the picture; the runtime's tiles begin at multiples of it.
PATTERN = 32


class JndGenerator(nn.Module):
    """Generates the direction in which a picture may change; its length has no meaning.

    A direction has two parts. Smooth maps of gain and offset change contrast, brightness and tint, to which classifiers
    are robust. Detail is added, and for each answer of each classifier a trained pattern that supports the answer. A
    picture that cannot become brighter may become darker, so there are eight ways; for each the network returns a
    promise, the log-odds that a classifier keeps its answer.

    Args:
        answers: number of logits of all classifiers together.
        members: number of classifiers, all with the same number of classes.
    """

    ways = len(_INITIAL_COLOURS)

    def __init__(self, answers: int, members: int) -> None:
        super().__init__()
        width, conditions, self.members = _WIDTH, 2 * _WIDTH, members
        self.told = nn.Sequential(
            nn.Linear(answers + 1, conditions), nn.SiLU(), nn.Linear(conditions, conditions), nn.SiLU()
        )
        self.fine = nn.Sequential(
            *(nn.PixelUnshuffle(2), nn.Conv2d(4 * 4, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)), nn.SiLU()
        )
        self.coarse = nn.Sequential(
            *(nn.Conv2d(width, 2 * width, 2, stride=2, bias=False), nn.BatchNorm2d(2 * width), nn.SiLU())
        )
        self.blocks = nn.ModuleList(ConditionedBlock(2 * width, conditions) for _ in range(2))
        self.promise = nn.Linear(2 * width + conditions, self.ways)
        self.colours = nn.Conv2d(2 * width, 6 * self.ways, 3, padding=1)
        self.up = nn.Sequential(nn.Conv2d(2 * width, 4 * width, 1), nn.PixelShuffle(2))
        self.last = ConditionedBlock(width, conditions + self.ways)
        detail = nn.Conv2d(width, 12, 3, padding=1)
        self.detail = nn.Sequential(detail, nn.PixelShuffle(2))
        self.patterns = nn.Parameter(torch.zeros(answers, 3, PATTERN, PATTERN))
        self.loudness = nn.Linear(conditions, members)
        with torch.no_grad():
            for head, start in ((self.colours, _INITIAL_COLOURS.repeat_interleave(3)), (detail, torch.zeros(12))):
                head.weight.mul_(0.1)
                head.bias = nn.Parameter(start.clone())

    def forward(
        self, images: Tensor, attention: Tensor, answers: Tensor, level: Tensor, way: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the direction of one way and the promises of all ways.

        Args:
            images: ``(B, 3, H, W)`` in [0, 1]; sides are multiples of 4.
            attention: mean class activation maps of the classifiers, ``(B, 1, H, W)`` in [0, 1].
            answers: logits of all classifiers, ``(B, answers)``.
            level: PSNR in dB of the changed pictures, ``(B, 1)``.
            way: one-hot, ``(B, 8)``.

        Returns:
            Direction, ``(B, 3, H, W)``, and promises, ``(B, 8)``: log-odds that a classifier keeps its answer.
        """
        features = self.features(images, attention, answers, level)
        return self.direction(images, answers, way, *features), self.promises(*features[1:])

    def features(
        self, images: Tensor, attention: Tensor, answers: Tensor, level: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features that do not depend on the way: maps at 1/2 and 1/4 resolution, and the condition."""
        condition = self.told(torch.cat([answers / 4, level / 10 - 1.5], dim=1))
        fine = self.fine(torch.cat([images - 0.5, attention - 0.5], dim=1))
        coarse = self.coarse(fine)
        for block in self.blocks:
            coarse = block(coarse, condition)
        return fine, coarse, condition

    def promises(self, coarse: Tensor, condition: Tensor) -> Tensor:
        """Return the promises of all ways; their gradient reaches no other layer."""
        found: Tensor = self.promise(torch.cat([coarse.mean(dim=(2, 3)), condition], dim=1).detach())
        return found

    def direction(
        self, images: Tensor, answers: Tensor, way: Tensor, fine: Tensor, coarse: Tensor, condition: Tensor
    ) -> Tensor:
        """Return the direction of one way, from the output of :meth:`features`."""
        all_colours = self.colours(coarse).unflatten(1, (self.ways, 6))
        chosen = (all_colours * way[:, :, None, None, None]).sum(dim=1)
        colours = functional.interpolate(chosen, scale_factor=4.0, mode="bilinear", align_corners=False)
        gain, offset = colours.chunk(2, dim=1)
        detail: Tensor = self.detail(self.last(fine + self.up(coarse), torch.cat([condition, way], dim=1)))
        return gain * 2 * (images - 0.5) + offset + detail + self.pattern(answers, condition, *images.shape[2:])

    def pattern(self, answers: Tensor, condition: Tensor, height: int, width: int) -> Tensor:
        """Return the sum of all answers' patterns, weighted by their probabilities, ``(B, 3, height, width)``."""
        probabilities = answers.view(len(answers), self.members, -1).softmax(dim=2)
        weights = (probabilities * (1 + self.loudness(condition))[:, :, None]).flatten(1)
        pattern = (weights @ self.patterns.flatten(1)).view(-1, 3, PATTERN, PATTERN)
        rows, columns = (torch.arange(side, device=answers.device) % PATTERN for side in (height, width))
        repeated: Tensor = pattern[:, :, rows][:, :, :, columns]
        return repeated


class Panel(nn.Module):
    """A panel of frozen classifiers.

    Args:
        classifiers: networks with the same classes.
    """

    def __init__(self, classifiers: Sequence[CamClassifier | Classifier]) -> None:
        super().__init__()
        self.members = nn.ModuleList(classifiers)
        self._classifiers = list(classifiers)
        self.eval().requires_grad_(False)

    @property
    def answers(self) -> int:
        """Number of logits of all classifiers together."""
        return sum(each.classify.out_features for each in self._classifiers)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Classify *images*, ``(B, 3, H, W)`` in [0, 1].

        Returns:
            Logits, ``(B, members · classes)``, and attention, the mean class activation map, ``(B, 1, H, W)`` in
            [0, 1].
        """
        logits, maps = zip(*(_attentive(each, images) for each in self._classifiers), strict=True)
        return torch.cat(logits, dim=1), torch.stack(maps).mean(dim=0)

    def logits(self, member: int, images: Tensor) -> Tensor:
        """Return the logits, ``(B, classes)``, of the classifier with index *member*."""
        found: Tensor = self._classifiers[member](images)
        return found


def _attentive(classifier: CamClassifier | Classifier, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits and class activation map of one classifier."""
    maps = classifier.maps(images if isinstance(classifier, CamClassifier) else classifier.features(images))
    logits: Tensor = classifier.classify(maps.mean(dim=(2, 3)))
    return logits, activation_map(maps, logits, classifier.classify.weight, images.shape[2:])
