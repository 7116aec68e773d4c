"""Classifiers of 32×32 pictures that show what they went by: each ends in mean maps and one linear layer.

Such a network is its own class activation map (B. Zhou et al., "Learning Deep Features for Discriminative
Localization", CVPR 2016): what the linear layer does to the means, it does to the maps as well. Four kinds are those
that the machine's just noticeable difference is trained against; three more, the :data:`UNSEEN`, only judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint_lab.nets.classifiers import Inverted, Mixing
from underpaint_lab.nets.resnet import BasicBlock, normalised

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: The spread of a map below which it is level, and shows nothing.
_LEVEL = 1e-6


class Mapped(nn.Module):
    """A network whose last maps are averaged and classified. It sorts pictures of any size of at least 32×32.

    Args:
        trunk: from a picture, ``(B, 3, H, W)``, to its last maps, ``(B, maps, h, w)``.
        maps: how many.
        classes: to tell apart.
    """

    def __init__(self, trunk: nn.Sequential, maps: int, classes: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.classify = nn.Linear(maps, classes)

    def maps(self, images: Tensor) -> Tensor:
        """The last maps, ``(B, maps, h, w)``, of *images*, ``(B, 3, H, W)`` in [0, 1]."""
        found: Tensor = self.trunk(normalised(images))
        return found

    def judged(self, maps: Tensor) -> Tensor:
        """The log-odds of what :meth:`maps` returned."""
        odds: Tensor = self.classify(maps.mean(dim=(2, 3)))
        return odds

    def forward(self, images: Tensor) -> Tensor:
        """Log-odds, ``(B, classes)``, of *images*, ``(B, 3, H, W)`` in [0, 1]."""
        return self.judged(self.maps(images))


class WithCam(nn.Module):
    """A classifier that says what it sees, and where."""

    def __init__(self, classifier: Mapped) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Log-odds, ``(B, classes)``, and class activation maps, ``(B, 1, H, W)`` in [0, 1], of *images*.

        The map is that of the most likely class, enlarged bilinearly, with 0 and 1 for its smallest and largest value;
        one that is level is 0 throughout.
        """
        maps = self.classifier.maps(images)
        odds = self.classifier.judged(maps)
        return odds, activation(maps, odds, self.classifier.classify.weight, images.shape[2:])


def activation(maps: Tensor, odds: Tensor, weight: Tensor, size: Sequence[int]) -> Tensor:
    """The activation map of the most likely class, ``(B, 1, *size)``: see :meth:`Attentive.forward`.

    Args:
        maps: the last maps of a network, ``(B, maps, h, w)``, whose means are classified.
        odds: as which classes, ``(B, classes)``.
        weight: by what linear layer, ``(classes, maps)``.
        size: of the pictures.
    """
    weights = weight[odds.argmax(dim=1)]  # (B, maps)
    small = (weights[:, :, None, None] * maps).sum(dim=1, keepdim=True)
    large = functional.interpolate(small, list(size), mode="bilinear", align_corners=False)
    low, high = large.amin(dim=(2, 3), keepdim=True), large.amax(dim=(2, 3), keepdim=True)
    return (large - low) / (high - low).clamp_min(_LEVEL)


def cam(network: Mapped, images: Tensor) -> Tensor:
    """The class activation map of what *network* takes each of *images* for: see :meth:`Attentive.forward`."""
    shown: Tensor = WithCam(network)(images)[1]
    return shown


class Dense(nn.Module):
    """DenseNet's layer: its few new maps are put beside all that there were.

    They are normalised once, where they are made; in the paper, anew by each layer that reads them.
    """

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_conv(inputs, growth, 3))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs + growth, H, W)`` of ``(B, inputs, H, W)``."""
        return torch.cat([x, self.body(x)], dim=1)


def alexnet(classes: int) -> Mapped:
    """After A. Krizhevsky, I. Sutskever and G. Hinton, "ImageNet Classification with Deep CNNs" (NeurIPS 2012).

    Batches are normalised where theirs has a local response normalisation.
    """
    early = (*_conv(3, 32, 5), nn.MaxPool2d(3, 2, 1), *_conv(32, 64, 5), nn.MaxPool2d(3, 2, 1))
    late = (*_conv(64, 128, 3), *_conv(128, 128, 3), *_conv(128, 128, 3))
    return Mapped(nn.Sequential(*early, *late), 128, classes)


def vgg(classes: int) -> Mapped:
    """After K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks" (ICLR 2015), with normalisation."""
    early = (*_conv(3, 32, 3), nn.MaxPool2d(2), *_conv(32, 64, 3), *_conv(64, 64, 3), nn.MaxPool2d(2))
    late = (*_conv(64, 128, 3), *_conv(128, 128, 3), nn.MaxPool2d(2), *_conv(128, 192, 3))
    return Mapped(nn.Sequential(*early, *late), 192, classes)


def resnet(classes: int) -> Mapped:
    """After K. He, X. Zhang, S. Ren and J. Sun, "Deep Residual Learning for Image Recognition" (CVPR 2016)."""
    return Mapped(nn.Sequential(*_conv(3, 32, 3), BasicBlock(32, 64, 2), BasicBlock(64, 128, 2)), 128, classes)


def densenet(classes: int) -> Mapped:
    """After G. Huang et al., "Densely Connected Convolutional Networks" (CVPR 2017)."""
    early = [Dense(32 + layer * 16, 16) for layer in range(5)]
    late = [Dense(64 + layer * 32, 32) for layer in range(6)]
    between = *_conv(112, 64, 1), nn.AvgPool2d(2)
    return Mapped(nn.Sequential(*_conv(3, 32, 3), nn.AvgPool2d(2), *early, *between, *late), 256, classes)


def mobile(classes: int) -> Mapped:
    """After M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018)."""
    early = (*_conv(3, 32, 3, 2), Inverted(32, 48, 1, 3), Inverted(48, 64, 2, 3))
    late = (Inverted(64, 64, 1), Inverted(64, 64, 1), Inverted(64, 64, 1), *_conv(64, 256, 1))
    return Mapped(nn.Sequential(*early, *late), 256, classes)


def mixer(classes: int) -> Mapped:
    """After A. Trockman and J. Z. Kolter, "Patches Are All You Need?" (TMLR 2023)."""
    patches = nn.Conv2d(3, 160, 4, stride=4), nn.GELU(), nn.BatchNorm2d(160)
    return Mapped(nn.Sequential(*patches, *(Mixing(160, 5) for _ in range(6))), 160, classes)


def plain(classes: int) -> Mapped:
    """After D.-A. Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units" (ICLR 2016).

    Neither shortcuts nor normalisation nor pooling: strides make maps smaller.
    """
    shapes = ((3, 32, 1), (32, 48, 2), (48, 64, 1), (64, 96, 2), (96, 128, 1), (128, 128, 1))
    convolutions = [nn.Conv2d(inputs, outputs, 3, stride, 1) for inputs, outputs, stride in shapes]
    for convolution in convolutions:
        # Keeps the spread from layer to layer.
        nn.init.normal_(convolution.weight, std=(1.5 / (9 * convolution.in_channels)) ** 0.5)
    layers = [layer for convolution in convolutions for layer in (convolution, nn.ELU())]
    return Mapped(nn.Sequential(*layers), 128, classes)


#: What makes each, of a number of classes.
NETWORKS: dict[str, Callable[[int], Mapped]] = {
    "alexnet": alexnet,
    "vgg": vgg,
    "resnet": resnet,
    "densenet": densenet,
    "mobile": mobile,
    "mixer": mixer,
    "plain": plain,
}
#: Those that nothing is trained against.
HELD_OUT = ("mobile", "mixer", "plain")


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return conv, nn.BatchNorm2d(outputs), nn.ReLU()
