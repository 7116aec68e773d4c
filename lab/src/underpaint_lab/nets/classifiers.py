"""Small classifiers of unlike kinds: the machines that a container should leave unimpressed.

A change that one network does not notice is a finding about that network. So there are four, of which two are
:data:`UNSEEN`: nothing is ever trained against them, they only judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from underpaint_lab.nets.resnet import ResNet18, normalised

if TYPE_CHECKING:
    from collections.abc import Callable


class Inverted(nn.Module):
    """MobileNetV2's block: widen, look around in each channel by itself, narrow."""

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
        """``(B, outputs, H / stride, W / stride)`` of ``(B, inputs, H, W)``."""
        y: Tensor = self.body(x)
        return x + y if self.shortcut else y


class Mixing(nn.Module):
    """ConvMixer's block: look around beside a shortcut, then mix the channels."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        look = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)
        self.look = nn.Sequential(look, nn.GELU(), nn.BatchNorm2d(width))
        self.mix = nn.Sequential(nn.Conv2d(width, width, 1), nn.GELU(), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, width, H, W)`` of the same."""
        y: Tensor = self.mix(x + self.look(x))
        return y


class Stack(nn.Module):
    """A network that is one layer after the other.

    Args:
        early: from a picture, ``(B, 3, H, W)``, to :meth:`features`.
        late: from there to ``(B, maps, …)``.
        maps: how many, whose means are classified.
        classes: to tell apart.
    """

    def __init__(self, early: nn.Sequential, late: nn.Sequential, maps: int, classes: int) -> None:
        super().__init__()
        self.early, self.late = early, late
        self.classify = nn.Linear(maps, classes)

    def features(self, images: Tensor) -> Tensor:
        """The maps between *early* and *late* of *images*, ``(B, 3, H, W)`` in [0, 1]."""
        found: Tensor = self.early(normalised(images))
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Log-odds, ``(B, classes)``."""
        return self.judged(self.features(images))

    def judged(self, features: Tensor) -> Tensor:
        """The log-odds of what :meth:`features` returned."""
        odds: Tensor = self.classify(self.maps(features).mean(dim=(2, 3)))
        return odds

    def maps(self, features: Tensor) -> Tensor:
        """The last maps, of what :meth:`features` returned."""
        found: Tensor = self.late(features)
        return found


def mobile(classes: int) -> Stack:
    """After M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018)."""
    early = (*_conv(3, 24, 3, 2), Inverted(24, 32, 2), Inverted(32, 32, 1), Inverted(32, 48, 2), Inverted(48, 48, 1))
    late = (Inverted(48, 80, 1), Inverted(80, 80, 1), Inverted(80, 128, 2), Inverted(128, 128, 1))
    return Stack(nn.Sequential(*early), nn.Sequential(*late, *_conv(128, 320, 1)), 320, classes)


def vgg(classes: int) -> Stack:
    """After K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks" (ICLR 2015), with normalisation."""
    early = (*_conv(3, 24, 3), nn.MaxPool2d(2), *_conv(24, 48, 3), nn.MaxPool2d(2), *_conv(48, 96, 3), nn.MaxPool2d(2))
    late = (*_conv(96, 96, 3), *_conv(96, 192, 3), nn.MaxPool2d(2), *_conv(192, 192, 3), *_conv(192, 192, 3))
    return Stack(nn.Sequential(*early), nn.Sequential(*late), 192, classes)


def mixer(classes: int) -> Stack:
    """After A. Trockman and J. Z. Kolter, "Patches Are All You Need?" (TMLR 2023)."""
    patches = nn.Conv2d(3, 128, 4, stride=4), nn.GELU(), nn.BatchNorm2d(128)
    early, late = ([Mixing(128, 5) for _ in range(3)] for _ in range(2))
    return Stack(nn.Sequential(*patches, *early), nn.Sequential(*late), 128, classes)


def resnet(classes: int) -> ResNet18:
    """:class:`~underpaint_lab.nets.resnet.ResNet18` at half the width."""
    return ResNet18(classes, width=32)


#: Each has ``features``, and sorts pictures of any size of at least 32×32.
Classifier = ResNet18 | Stack
#: What makes each, of a number of classes.
CLASSIFIERS: dict[str, Callable[[int], Classifier]] = {
    "resnet": resnet,
    "mobile": mobile,
    "vgg": vgg,
    "mixer": mixer,
}
#: Those that no attention is trained against.
HELD_OUT = ("vgg", "mixer")


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return conv, nn.BatchNorm2d(outputs), nn.ReLU()
