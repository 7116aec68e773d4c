"""ResNet-18, whose tensors are called what torchvision calls them, so that the weights everyone knows fit.

K. He, X. Zhang, S. Ren and J. Sun, "Deep Residual Learning for Image Recognition" (CVPR 2016). A narrow one, trained
on small pictures, is what the lab uses where nobody has brought the official file.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from underpaint.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

#: Mean and standard deviation of ImageNet's colour values, in [0, 1].
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def normalised(images: Tensor) -> Tensor:
    """*images*, ``(B, 3, H, W)`` in [0, 1], as networks trained on ImageNet want them."""
    mean, std = (torch.tensor(values).to(images).view(3, 1, 1) for values in (MEAN, STD))
    return (images - mean) / std


class BasicBlock(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, outputs, H / stride, W / stride)`` of ``(B, inputs, H, W)``."""
        y = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
        return relu(y + self.downsample(x))


class Trunk(nn.Module):
    """As far as the second layer.

    Args:
        width: channels of the first layer, 64 in the official weights.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _layer(width, width, 1)
        self.layer2 = _layer(width, 2 * width, 2)

    def features(self, images: Tensor) -> Tensor:
        """What it makes of *images*, ``(B, 3, H, W)`` in [0, 1]: ``(B, 2 · width, H / 8, W / 8)``."""
        found: Tensor = self.layer2(self.layer1(self.maxpool(relu(self.bn1(self.conv1(normalised(images)))))))
        return found


class ResNet18(Trunk):
    """A classifier of pictures of any size.

    Args:
        classes: 1,000 in the official weights.
        width: as for :class:`Trunk`.
    """

    def __init__(self, classes: int = 1000, width: int = 64) -> None:
        super().__init__(width)
        self.layer3 = _layer(2 * width, 4 * width, 2)
        self.layer4 = _layer(4 * width, 8 * width, 2)
        self.fc = nn.Linear(8 * width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Log-odds, ``(B, classes)``, of *images*, ``(B, 3, H, W)`` in [0, 1]."""
        return self.judged(self.features(images))

    def judged(self, features: Tensor) -> Tensor:
        """The log-odds of what :meth:`features` returned."""
        odds: Tensor = self.fc(self.maps(features).mean(dim=(2, 3)))
        return odds

    def maps(self, features: Tensor) -> Tensor:
        """The last maps, of what :meth:`features` returned."""
        found: Tensor = self.layer4(self.layer3(features))
        return found

    @property
    def classify(self) -> nn.Linear:
        """What classifies the maps' means."""
        return self.fc


def _layer(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock(inputs, outputs, stride), BasicBlock(outputs, outputs, 1))


def resnet18(file: Path) -> ResNet18:
    """Return the ResNet-18 whose weights are in *file*, as torchvision publishes them; width and classes follow.

    Raises:
        ModelError: the file is missing, damaged, or of another network.
    """
    try:
        weights = torch.load(file, map_location="cpu", weights_only=True)
        network = ResNet18(classes=len(weights["fc.weight"]), width=len(weights["conv1.weight"]))
        network.load_state_dict(weights)
    except (OSError, pickle.UnpicklingError, KeyError, TypeError, RuntimeError, ValueError) as error:
        hint = "torchvision's resnet18-f37072fd.pth is one"
        raise ModelError(f"{file} has no weights of a ResNet-18", hint=hint) from error
    return network.eval()
