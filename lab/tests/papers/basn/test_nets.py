"""BASN's operators and networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from underpaint.errors import UsageError
from underpaint_lab.papers.basn.nets import Autoencoder, ItcNet, MfdNet, median_filter, variance_pool


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def by_window(images: Tensor, operator: Callable[[Any], Any]) -> Any:
    """*operator* of each 7×7 window, the picture mirrored at its borders, in plain NumPy."""
    padded = np.pad(images.numpy().astype(np.float64), ((0, 0), (0, 0), (3, 3), (3, 3)), mode="reflect")
    height, width = images.shape[2:]
    found = [[operator(padded[..., y : y + 7, x : x + 7]) for x in range(width)] for y in range(height)]
    return np.moveaxis(np.array(found), (0, 1), (2, 3))


def test_variance_pool_is_the_variance_of_each_window() -> None:
    images = torch.rand(2, 3, 12, 9)
    wanted = by_window(images, lambda window: window.var(axis=(-2, -1)))
    np.testing.assert_allclose(variance_pool(images).numpy(), wanted, atol=1e-6)
    assert variance_pool(torch.full((1, 3, 8, 8), 0.25)).abs().max() < 1e-6


def test_variance_pool_is_not_the_printed_formula() -> None:
    """The printed formula has the square of each row's mean, so that a picture of level stripes has no variance."""
    stripes = (torch.arange(12) % 2).float().view(1, 1, 12, 1).expand(1, 1, 12, 12)
    printed = by_window(stripes, lambda window: (window**2).mean((-2, -1)) - (window.mean(-1) ** 2).mean(-1))
    assert np.abs(printed).max() == 0
    np.testing.assert_allclose(variance_pool(stripes).numpy(), 12 / 49, atol=1e-6)


def test_smoother_is_the_median_of_each_window() -> None:
    images = 3 * torch.rand(2, 3, 11, 8) - 1
    wanted = by_window(images, lambda window: np.median(window, axis=(-2, -1)))
    np.testing.assert_allclose(median_filter(images).numpy(), wanted.clip(0, 1), atol=1e-7)


def test_networks_have_the_published_layers() -> None:
    def conv(a: int, b: int) -> int:
        return 9 * a * b

    itc = conv(3, 32) + conv(32, 64) + conv(64, 32) + conv(32, 3) + (32 + 64 + 32 + 3) + 2 * (64 + 32)
    assert count(ItcNet()) == itc

    def residual(c: int) -> int:
        return 2 * (conv(c, c) + 2 * c)

    ends = conv(3, 64) + conv(64, 3)
    down = conv(64, 128) + conv(128, 256) + 2 * (128 + 256) + residual(128) + residual(256)
    up = conv(256, 128) + conv(128, 64) + 2 * (128 + 64) + residual(128) + residual(64)
    assert count(MfdNet(64, "paper")) == count(MfdNet(64, "paper", autoencoder=True)) == ends + down + up
    assert count(MfdNet(64, "code")) == ends + down + up + residual(64)
    deeper = conv(256, 512) + 2 * 512 + conv(512, 256) + 2 * 256 + 2 * 3 + residual(3) + conv(3, 3)
    assert count(Autoencoder(64)) == ends + down + up + residual(64) + deeper
    biased = [m for m in MfdNet(8).modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)) and m.bias is not None]
    assert biased == []


@pytest.mark.parametrize("build", [ItcNet, lambda: MfdNet(8), lambda: MfdNet(8, "paper"), lambda: Autoencoder(8)])
def test_attention_is_between_0_and_1_for_each_value(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)  # untrained weights can saturate the sigmoid
    found = build()(torch.rand(2, 3, 32, 48))
    assert found.shape == (2, 3, 32, 48)
    assert 0 < found.min() < found.max() < 1


def test_sides_that_are_no_multiples_are_refused() -> None:
    for network, step in ((MfdNet(8), 8), (Autoencoder(8), 16)):
        with pytest.raises(UsageError, match=f"multiple of {step}, not 32×36"):
            network(torch.rand(1, 3, 32, 36))
