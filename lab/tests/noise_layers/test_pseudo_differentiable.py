"""The pseudo-differentiable layer: values of the real channel, gradient of the identity or a surrogate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lab_support.noise import generator, gradient, real
from underpaint.channels import parse
from underpaint.errors import UsageError
from underpaint_lab.noise_layers import (
    DiffJpeg,
    PseudoDifferentiable,
    from_chain,
)


@pytest.mark.parametrize("chain", ["jpeg:50", "webp:30", "jpeg2000:10", "jpeg:75 | blur:1"])
def test_the_values_are_those_of_the_real_channel(photos: Tensor, chain: str) -> None:
    for written in (chain, parse(chain), [chain], lambda _rng: chain):
        assert torch.equal(PseudoDifferentiable(written)(photos, generator()), real(chain, photos))


def test_values_are_clipped_and_rounded_not_truncated() -> None:
    x = torch.tensor([-0.1, 99.6 / 255, 99.4 / 255, 1.1])[None, None, :, None].expand(1, 3, 4, 1)
    y = PseudoDifferentiable("none")(x, generator()) * 255
    torch.testing.assert_close(y[0, 0, :, 0], torch.tensor([0.0, 100, 99, 255]))


def test_the_gradient_is_that_of_the_identity(photos: Tensor) -> None:
    weights = torch.rand_like(photos)
    assert torch.equal(gradient(PseudoDifferentiable("jpeg:50"), photos, weights), weights)


@pytest.mark.parametrize("surrogate", [DiffJpeg(50), from_chain], ids=["layer", "function"])
def test_with_a_surrogate_the_gradient_is_that_of_the_surrogate(photos: Tensor, surrogate: Any) -> None:
    weights = torch.rand_like(photos)
    layer = PseudoDifferentiable("jpeg:50", surrogate=surrogate)
    assert torch.equal(layer(photos, generator()), real("jpeg:50", photos))
    torch.testing.assert_close(gradient(layer, photos, weights), gradient(DiffJpeg(50), photos, weights))


def test_random_numbers_are_the_same_forward_and_backward(photos: Tensor) -> None:
    weights = torch.rand_like(photos)
    layer = PseudoDifferentiable("cropout:0.3", surrogate=from_chain)
    left = layer(photos, generator()) == photos
    assert torch.equal(gradient(layer, photos, weights) == weights, left.all(1, keepdim=True).expand_as(left))


def test_each_picture_gets_its_own_chain_by_weight() -> None:
    x = torch.full((200, 3, 1, 1), 0.2)
    layer = PseudoDifferentiable(["brightness:2", "none", "brightness:0"], [3, 1, 0])
    doubled = (layer(x, generator())[:, 0, 0, 0] > 0.3).double().mean()
    assert 0.65 < doubled < 0.85
    drawn = PseudoDifferentiable(lambda rng: f"brightness:{rng.uniform(1, 4):.3f}")(x, generator())
    assert len(np.unique(drawn.numpy())) > 50


def test_the_number_of_threads_does_not_matter(photos: Tensor) -> None:
    one, three = (PseudoDifferentiable("noise:0.1", workers=count)(photos, generator()) for count in (1, 3))
    assert torch.equal(one, three)
    assert not torch.equal(one[0] - photos[0], one[1] - photos[1])


def test_a_chain_that_changes_the_size_is_refused(photos: Tensor) -> None:
    with pytest.raises(UsageError, match="changes the size"):
        PseudoDifferentiable("rescale:0.5")(photos, generator())


def test_weights_that_do_not_fit_are_refused() -> None:
    for weights in ([1], [0, 0], [-1, 2], [float("nan"), 1]):
        with pytest.raises(UsageError, match="cannot be drawn"):
            PseudoDifferentiable(["none", "flip"], weights)
    with pytest.raises(UsageError, match="cannot be drawn"):
        PseudoDifferentiable([])
    with pytest.raises(UsageError, match="takes no weights"):
        PseudoDifferentiable(lambda _rng: "none", [1])
