"""Classifiers of 32×32 pictures with class activation maps: each ends in a global mean and one linear layer.

Applied to the last maps instead of their means, the linear layer yields the class activation map (B. Zhou et al.,
"Learning Deep Features for Discriminative Localization", CVPR 2016). The just noticeable difference of machines
(DMV-JND) is trained against four of the networks; the other three, :data:`HELD_OUT`, are used for evaluation only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint_lab.nets.classifiers import InvertedResidual, MixerBlock
from underpaint_lab.nets.resnet import BasicBlock, normalise_imagenet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: A map whose range is below this is constant and taken as 0.
_MIN_RANGE = 1e-6


class CamClassifier(nn.Module):
    """A classifier whose last maps are averaged and classified by a linear layer, for pictures of at least 32×32.

    Args:
        trunk: maps pictures, ``(B, 3, H, W)``, to the last feature maps, ``(B, maps, h, w)``.
        maps: number of these maps.
        classes: number of classes.
    """

    def __init__(self, trunk: nn.Sequential, maps: int, classes: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.classify = nn.Linear(maps, classes)

    def maps(self, images: Tensor) -> Tensor:
        """Return the last feature maps, ``(B, maps, h, w)``, of *images*, ``(B, 3, H, W)`` in [0, 1]."""
        found: Tensor = self.trunk(normalise_imagenet(images))
        return found

    def classify_maps(self, maps: Tensor) -> Tensor:
        """Return logits, ``(B, classes)``, of the output of :meth:`maps`."""
        odds: Tensor = self.classify(maps.mean(dim=(2, 3)))
        return odds

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, ``(B, classes)``, of *images*, ``(B, 3, H, W)`` in [0, 1]."""
        return self.classify_maps(self.maps(images))


class WithCam(nn.Module):
    """A classifier that returns class activation maps beside its logits."""

    def __init__(self, classifier: CamClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits, ``(B, classes)``, and class activation maps, ``(B, 1, H, W)`` in [0, 1], of *images*.

        The map is that of the most likely class, enlarged bilinearly and scaled to [0, 1]; a constant map is 0.
        """
        maps = self.classifier.maps(images)
        odds = self.classifier.classify_maps(maps)
        return odds, activation_map(maps, odds, self.classifier.classify.weight, images.shape[2:])


def activation_map(maps: Tensor, odds: Tensor, weight: Tensor, size: Sequence[int]) -> Tensor:
    """Return the class activation map of the most likely class, ``(B, 1, *size)``: see :meth:`WithCam.forward`.

    Args:
        maps: the last feature maps, ``(B, maps, h, w)``.
        odds: the logits of the classes, ``(B, classes)``.
        weight: weight of the linear layer that classifies the maps' means, ``(classes, maps)``.
        size: height and width of the pictures.
    """
    weights = weight[odds.argmax(dim=1)]  # (B, maps)
    small = (weights[:, :, None, None] * maps).sum(dim=1, keepdim=True)
    large = functional.interpolate(small, list(size), mode="bilinear", align_corners=False)
    low, high = large.amin(dim=(2, 3), keepdim=True), large.amax(dim=(2, 3), keepdim=True)
    return (large - low) / (high - low).clamp_min(_MIN_RANGE)


class DenseLayer(nn.Module):
    """DenseNet's layer: its new maps are concatenated with its input.

    Maps are normalised once, where they are computed; in the paper, again in each layer that reads them.
    """

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_conv(inputs, growth, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, inputs, H, W)`` to ``(B, inputs + growth, H, W)``."""
        return torch.cat([x, self.body(x)], dim=1)


def alexnet(classes: int) -> CamClassifier:
    """After A. Krizhevsky, I. Sutskever and G. Hinton, "ImageNet Classification with Deep CNNs" (NeurIPS 2012).

    With batch normalisation where the paper has local response normalisation.
    """
    early = (*_conv(3, 32, 5), nn.MaxPool2d(3, 2, 1), *_conv(32, 64, 5), nn.MaxPool2d(3, 2, 1))
    late = (*_conv(64, 128, 3), *_conv(128, 128, 3), *_conv(128, 128, 3))
    return CamClassifier(nn.Sequential(*early, *late), 128, classes)


def vgg(classes: int) -> CamClassifier:
    """After K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks" (ICLR 2015), with normalisation."""
    early = (*_conv(3, 32, 3), nn.MaxPool2d(2), *_conv(32, 64, 3), *_conv(64, 64, 3), nn.MaxPool2d(2))
    late = (*_conv(64, 128, 3), *_conv(128, 128, 3), nn.MaxPool2d(2), *_conv(128, 192, 3))
    return CamClassifier(nn.Sequential(*early, *late), 192, classes)


def resnet(classes: int) -> CamClassifier:
    """After K. He, X. Zhang, S. Ren and J. Sun, "Deep Residual Learning for Image Recognition" (CVPR 2016)."""
    return CamClassifier(nn.Sequential(*_conv(3, 32, 3), BasicBlock(32, 64, 2), BasicBlock(64, 128, 2)), 128, classes)


def densenet(classes: int) -> CamClassifier:
    """After G. Huang et al., "Densely Connected Convolutional Networks" (CVPR 2017)."""
    early = [DenseLayer(32 + layer * 16, 16) for layer in range(5)]
    late = [DenseLayer(64 + layer * 32, 32) for layer in range(6)]
    between = *_conv(112, 64, 1), nn.AvgPool2d(2)
    return CamClassifier(nn.Sequential(*_conv(3, 32, 3), nn.AvgPool2d(2), *early, *between, *late), 256, classes)


def mobile(classes: int) -> CamClassifier:
    """After M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018)."""
    early = (*_conv(3, 32, 3, 2), InvertedResidual(32, 48, 1, 3), InvertedResidual(48, 64, 2, 3))
    late = (InvertedResidual(64, 64, 1), InvertedResidual(64, 64, 1), InvertedResidual(64, 64, 1), *_conv(64, 256, 1))
    return CamClassifier(nn.Sequential(*early, *late), 256, classes)


def mixer(classes: int) -> CamClassifier:
    """After A. Trockman and J. Z. Kolter, "Patches Are All You Need?" (TMLR 2023)."""
    patches = nn.Conv2d(3, 160, 4, stride=4), nn.GELU(), nn.BatchNorm2d(160)
    return CamClassifier(nn.Sequential(*patches, *(MixerBlock(160, 5) for _ in range(6))), 160, classes)


def plain(classes: int) -> CamClassifier:
    """After D.-A. Clevert et al., "Fast and Accurate Deep Network Learning by Exponential Linear Units" (ICLR 2016).

    No shortcuts, normalisation or pooling; strides reduce the resolution.
    """
    shapes = ((3, 32, 1), (32, 48, 2), (48, 64, 1), (64, 96, 2), (96, 128, 1), (128, 128, 1))
    convolutions = [nn.Conv2d(inputs, outputs, 3, stride, 1) for inputs, outputs, stride in shapes]
    for convolution in convolutions:
        # Keeps the variance of activations equal from layer to layer.
        nn.init.normal_(convolution.weight, std=(1.5 / (9 * convolution.in_channels)) ** 0.5)
    layers = [layer for convolution in convolutions for layer in (convolution, nn.ELU())]
    return CamClassifier(nn.Sequential(*layers), 128, classes)


#: Builders by name; each takes the number of classes.
NETWORKS: dict[str, Callable[[int], CamClassifier]] = {
    "alexnet": alexnet,
    "vgg": vgg,
    "resnet": resnet,
    "densenet": densenet,
    "mobile": mobile,
    "mixer": mixer,
    "plain": plain,
}
#: Classifiers that nothing is trained against.
HELD_OUT = ("mobile", "mixer", "plain")


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return conv, nn.BatchNorm2d(outputs), nn.ReLU()
