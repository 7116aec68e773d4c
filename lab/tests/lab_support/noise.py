"""Helpers for tests of noise layers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from underpaint.channels import parse
from underpaint.types import Image
from underpaint_lab.noise_layers import NoiseLayer


def generator() -> np.random.Generator:
    """Return a generator in the same state each time."""
    return np.random.default_rng(0)


def batch(pictures: Iterable[Image]) -> Tensor:
    """Return *pictures* as ``(B, 3, H, W)`` in [0, 1]."""
    x: Tensor = torch.from_numpy(np.stack(list(pictures))).permute(0, 3, 1, 2) / 255
    return x


def real(chain: str, x: Tensor) -> Tensor:
    """Send each picture of *x* through the real channels."""
    sent = (x * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return batch(parse(chain)(picture, generator()) for picture in sent)


def gradient(layer: NoiseLayer, x: Tensor, weights: Tensor) -> Tensor:
    """Return the gradient of the weighted sum of what *layer* returns."""
    x = x.clone().requires_grad_()
    found: Tensor = torch.autograd.grad((layer(x, generator()) * weights).sum(), x)[0]
    return found


def levels_apart(a: Tensor, b: Tensor) -> Tensor:
    """Return absolute differences in levels of 8 bits."""
    apart: Tensor = (a - b).abs() * 255
    return apart
