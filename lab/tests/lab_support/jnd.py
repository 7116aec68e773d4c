"""Classifiers, pictures and measures for tests of DMV-JND."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from underpaint_lab.nets.cifar_classifiers import NETWORKS, CamClassifier
from underpaint_lab.papers.dmvjnd.nets import Panel


def half_classifier() -> CamClassifier:
    """Return a classifier whose logits are the brightness of the left and the right half."""
    halves = nn.Conv2d(3, 2, 8, stride=8)
    network = CamClassifier(nn.Sequential(halves, nn.ReLU()), 2, 2)
    with torch.no_grad():
        halves.weight.zero_()
        halves.weight[0, :, :, :4] = 0.1
        halves.weight[1, :, :, 4:] = 0.1
        assert halves.bias is not None
        halves.bias.fill_(5.0)
        network.classify.weight.copy_(torch.eye(2))
        network.classify.bias.zero_()
    return network


def panel() -> Panel:
    """Return a panel of the classifier of halves and three untrained ones, of two classes each."""
    torch.manual_seed(0)
    return Panel([half_classifier(), *(NETWORKS["plain"](2) for _ in range(3))])


def untrained_panel() -> Panel:
    """Return a panel of four untrained classifiers of ten classes."""
    torch.manual_seed(0)
    return Panel([NETWORKS["plain"](10) for _ in range(4)])


def pictures(count: int = 4) -> Tensor:
    """Return pictures of noise, ``(count, 3, 32, 32)``, of 8-bit values in [0, 1]."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (count, 3, 32, 32), generator=generator) / 255


def psnrs(a: Tensor, b: Tensor) -> Tensor:
    """Return the PSNR of each picture in dB."""
    return -10 * (a - b).square().mean(dim=(1, 2, 3)).log10()
