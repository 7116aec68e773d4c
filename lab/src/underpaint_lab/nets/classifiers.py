"""Four small image classifiers of different architectures, to measure the effect of embedding on classifiers.

A change that leaves one network's answers as they are may still change another's. So there are four, two of which are
:data:`HELD_OUT`: nothing is trained against them; they are used for evaluation only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from underpaint_lab.nets.resnet import ResNet18, normalise_imagenet

if TYPE_CHECKING:
    from collections.abc import Callable


class InvertedResidual(nn.Module):
    """MobileNetV2's inverted residual: expand by a 1×1 convolution, filter each channel (depthwise), project."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int = 4) -> None:
        super().__init__()
        inner = expansion * inputs
        self.body = nn.Sequential(
            *(nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU6()),
            *(nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False), nn.BatchNorm2d(inner), nn.ReLU6()),
            *(nn.Conv2d(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs)),
        )
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, inputs, H, W)`` to ``(B, outputs, H / stride, W / stride)``."""
        y: Tensor = self.body(x)
        return x + y if self.shortcut else y


class MixerBlock(nn.Module):
    """ConvMixer's block: a depthwise convolution with a shortcut, then a 1×1 convolution."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        look = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)
        self.look = nn.Sequential(look, nn.GELU(), nn.BatchNorm2d(width))
        self.mix = nn.Sequential(nn.Conv2d(width, width, 1), nn.GELU(), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, width, H, W)`` to the same shape."""
        y: Tensor = self.mix(x + self.look(x))
        return y


class SequentialClassifier(nn.Module):
    """A classifier without branches: two sequences of layers, a global mean and a linear layer.

    Args:
        early: maps pictures, ``(B, 3, H, W)``, to :meth:`features`.
        late: maps the features to ``(B, maps, h, w)``.
        maps: number of the last feature maps, whose means are classified.
        classes: number of classes.
    """

    def __init__(self, early: nn.Sequential, late: nn.Sequential, maps: int, classes: int) -> None:
        super().__init__()
        self.early, self.late = early, late
        self.classify = nn.Linear(maps, classes)

    def features(self, images: Tensor) -> Tensor:
        """Return the output of *early* for *images*, ``(B, 3, H, W)`` in [0, 1]."""
        found: Tensor = self.early(normalise_imagenet(images))
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, ``(B, classes)``, of *images*, ``(B, 3, H, W)`` in [0, 1]."""
        return self.classify_features(self.features(images))

    def classify_features(self, features: Tensor) -> Tensor:
        """Return logits, ``(B, classes)``, of the output of :meth:`features`."""
        odds: Tensor = self.classify(self.maps(features).mean(dim=(2, 3)))
        return odds

    def maps(self, features: Tensor) -> Tensor:
        """Return the last feature maps, ``(B, maps, h, w)``, computed from the output of :meth:`features`."""
        found: Tensor = self.late(features)
        return found


def mobile(classes: int) -> SequentialClassifier:
    """After M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018)."""
    early = (
        *_conv(3, 24, 3, 2),
        InvertedResidual(24, 32, 2),
        InvertedResidual(32, 32, 1),
        InvertedResidual(32, 48, 2),
        InvertedResidual(48, 48, 1),
    )
    late = (
        InvertedResidual(48, 80, 1),
        InvertedResidual(80, 80, 1),
        InvertedResidual(80, 128, 2),
        InvertedResidual(128, 128, 1),
    )
    return SequentialClassifier(nn.Sequential(*early), nn.Sequential(*late, *_conv(128, 320, 1)), 320, classes)


def vgg(classes: int) -> SequentialClassifier:
    """After K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks" (ICLR 2015), with normalisation."""
    early = (*_conv(3, 24, 3), nn.MaxPool2d(2), *_conv(24, 48, 3), nn.MaxPool2d(2), *_conv(48, 96, 3), nn.MaxPool2d(2))
    late = (*_conv(96, 96, 3), *_conv(96, 192, 3), nn.MaxPool2d(2), *_conv(192, 192, 3), *_conv(192, 192, 3))
    return SequentialClassifier(nn.Sequential(*early), nn.Sequential(*late), 192, classes)


def mixer(classes: int) -> SequentialClassifier:
    """After A. Trockman and J. Z. Kolter, "Patches Are All You Need?" (TMLR 2023)."""
    patches = nn.Conv2d(3, 128, 4, stride=4), nn.GELU(), nn.BatchNorm2d(128)
    early, late = ([MixerBlock(128, 5) for _ in range(3)] for _ in range(2))
    return SequentialClassifier(nn.Sequential(*patches, *early), nn.Sequential(*late), 128, classes)


def resnet(classes: int) -> ResNet18:
    """A :class:`~underpaint_lab.nets.resnet.ResNet18` of half the width."""
    return ResNet18(classes, width=32)


#: A classifier with ``features`` for pictures of any size of at least 32×32.
Classifier = ResNet18 | SequentialClassifier
#: Builders by name; each takes the number of classes.
CLASSIFIERS: dict[str, Callable[[int], Classifier]] = {
    "resnet": resnet,
    "mobile": mobile,
    "vgg": vgg,
    "mixer": mixer,
}
#: Classifiers that no attention is trained against.
HELD_OUT = ("vgg", "mixer")


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return conv, nn.BatchNorm2d(outputs), nn.ReLU()
