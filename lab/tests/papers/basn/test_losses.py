"""BASN's published losses and the simulation of embedding."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch

from lab_support.basn import losses_of, published
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.papers.basn.losses import FUSIONS, itc_penalty, mfd_penalty, simulate_embedding
from underpaint_lab.papers.basn.nets import median_filter, variance_pool
from underpaint_lab.papers.basn.published import Itc


@pytest.mark.parametrize(
    ("area", "itc", "mfd"),
    [
        *((0.001, 0, 0.936), (0.01, 0, 0.547), (0.05, 0.0002, None), (0.1, None, 0.107), (0.2, 0.015, 0.052)),
        *((0.347, None, 0.038), (0.5, 0.25, 0.049), (0.6, None, 0.071), (0.8, 0.7317, 0.224), (0.9, None, 0.466)),
        (1.0, 1.0, 1.06),
    ],
)
def test_penalties_have_the_values_of_their_formulas(area: float, itc: float | None, mfd: float | None) -> None:
    attention = torch.full((2, 3, 4, 5), area)
    if itc is not None:
        assert itc_penalty(attention).item() == pytest.approx(itc, abs=5e-4)
    if mfd is not None:
        assert mfd_penalty(attention).item() == pytest.approx(mfd, abs=1e-3 if area < 1 else 6e-3)


def test_penalty_has_a_finite_gradient_at_zero_attention() -> None:
    attention = torch.zeros(1, 3, 2, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(mfd_penalty(attention), attention)
    assert gradient.isfinite().all()


def test_simulated_embedding_replaces_the_released_bits_by_noise() -> None:
    values = torch.arange(256).view(1, 1, 16, 16).expand(1, 3, -1, -1)
    for planes in range(9):
        attention = torch.full(values.shape, planes / 8)
        stego = 255 * simulate_embedding(values / 255, attention)
        torch.testing.assert_close(stego, stego.round(), atol=1e-3, rtol=0)
        stego = stego.round().long()
        assert torch.equal(stego >> planes, values >> planes)
        if planes:
            assert len((stego % 2**planes).unique()) > 0.9 * 2**planes


def test_simulated_embedding_has_straight_through_gradients() -> None:
    """S = (floor(x / p) p + noise) / 255 with p = 2^k: by p it grows by floor(x / p) - x / p, and p by ln 2 · p."""
    image, attention = torch.tensor([[[[200 / 255]]]]), torch.tensor([[[[0.4]]]], requires_grad=True)
    (gradient,) = torch.autograd.grad(simulate_embedding(image, attention).sum(), attention)
    power = 2 ** round(8 * 0.4)
    wanted = (200 // power - 200 / power) * np.log(2) * power * 8 / 255
    assert gradient.item() == pytest.approx(wanted, rel=1e-4)


def test_fusions_are_minimum_and_mean() -> None:
    itc, mfd = torch.tensor([0.2, 0.8]), torch.tensor([0.6, 0.5])
    assert FUSIONS["min"](itc, mfd).tolist() == pytest.approx([0.2, 0.5])
    assert FUSIONS["mean"](itc, mfd).tolist() == pytest.approx([0.4, 0.65])


def test_stages_have_the_losses_of_the_equations(sample_photographs: Photographs) -> None:
    images = sample_photographs.batch(0, size=2, crop=32, seed=0)
    model = cast("Itc", published("itc"))
    attention = model.itc(images)
    mixed = attention * median_filter(images) + (1 - attention) * images
    _, found = losses_of(model, images)
    assert found["variance"].item() == pytest.approx(0.99 * variance_pool(mixed).mean().item(), rel=1e-4)
    assert found["area"].item() == pytest.approx(0.01 * itc_penalty(attention).item(), rel=1e-4)
    _, found = losses_of(published("mfd-auto"), images)
    auto = cast("Any", published("mfd-auto"))
    wanted = (auto.auto(images) - images).square().sum() / 2
    assert found["error"].item() == pytest.approx(wanted.item(), rel=1e-4)
    _, found = losses_of(published("mfd"), images)
    assert list(found) == ["features", "cover", "attention", "area"]
    assert all(0 < loss.item() < 1 for loss in found.values())
