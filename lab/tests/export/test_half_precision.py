"""Weights stored in 16 bits."""

from __future__ import annotations

import torch
from torch import nn

from underpaint_lab.export.half_precision import HalfPrecision


def test_large_weights_are_rounded_and_others_are_not() -> None:
    torch.manual_seed(0)
    last = nn.Conv2d(160, 2, 1)
    network = nn.Sequential(nn.Conv2d(3, 160, 3, padding=1), nn.BatchNorm2d(160), last).eval()
    small = last.weight.detach().clone()
    halved, images = HalfPrecision(network), torch.rand(2, 3, 8, 8)
    assert [(name, tensor.dtype) for name, tensor in halved.named_buffers(recurse=False)] == [
        ("0_weight", torch.float16)
    ]
    with torch.inference_mode():
        assert torch.equal(halved(images), network(images)), "the network itself is rounded"
    assert torch.equal(last.weight, small)
