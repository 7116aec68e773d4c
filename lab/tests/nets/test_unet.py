"""The U-Net."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from underpaint_lab.nets.unet import UNet

if TYPE_CHECKING:
    pass


def test_unet_has_the_published_size() -> None:
    network = UNet(6, normalised=False)
    assert network(torch.zeros(1, 6, 32, 64)).shape == (1, 3, 32, 64)
    assert 1.9e6 < sum(parameter.numel() for parameter in network.parameters()) < 2.3e6
