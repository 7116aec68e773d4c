"""ResNet-18 with torchvision's tensor names, so that its published weights can be loaded.

K. He, X. Zhang, S. Ren and J. Sun, "Deep Residual Learning for Image Recognition" (CVPR 2016). The lab uses a
narrow one, trained on small pictures, unless the user brings the official file.
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

#: Mean and standard deviation of ImageNet's red, green and blue values, in [0, 1].
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def normalise_imagenet(images: Tensor) -> Tensor:
    """Normalise *images*, ``(B, 3, H, W)`` in [0, 1], by ImageNet's mean and standard deviation."""
    mean, std = (torch.tensor(values).to(images).view(3, 1, 1) for values in (MEAN, STD))
    return (images - mean) / std


class BasicBlock(nn.Module):
    """Residual block of two 3×3 convolutions."""

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
        """Map ``(B, inputs, H, W)`` to ``(B, outputs, H / stride, W / stride)``."""
        y = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
        return relu(y + self.downsample(x))


class Trunk(nn.Module):
    """ResNet-18 up to its second layer.

    Args:
        width: channels of the first layer; 64 in the official weights.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _layer(width, width, 1)
        self.layer2 = _layer(width, 2 * width, 2)

    def features(self, images: Tensor) -> Tensor:
        """Return the feature maps, ``(B, 2 · width, H / 8, W / 8)``, of *images*, ``(B, 3, H, W)`` in [0, 1]."""
        found: Tensor = self.layer2(self.layer1(self.maxpool(relu(self.bn1(self.conv1(normalise_imagenet(images)))))))
        return found


class ResNet18(Trunk):
    """ResNet-18, a classifier for pictures of any size of at least 32×32.

    Args:
        classes: number of classes; 1,000 in the official weights.
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
        """Return logits, ``(B, classes)``, of *images*, ``(B, 3, H, W)`` in [0, 1]."""
        return self.classify_features(self.features(images))

    def classify_features(self, features: Tensor) -> Tensor:
        """Return logits, ``(B, classes)``, of the output of :meth:`features`."""
        odds: Tensor = self.fc(self.maps(features).mean(dim=(2, 3)))
        return odds

    def maps(self, features: Tensor) -> Tensor:
        """Return the last feature maps, computed from the output of :meth:`features`."""
        found: Tensor = self.layer4(self.layer3(features))
        return found

    @property
    def classify(self) -> nn.Linear:
        """The linear layer that classifies the means of the last maps."""
        return self.fc


def _layer(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock(inputs, outputs, stride), BasicBlock(outputs, outputs, 1))


def resnet18(file: Path) -> ResNet18:
    """Load a ResNet-18 in evaluation mode from a file of torchvision's weights.

    Args:
        file: the weights; width and number of classes follow from them.

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
