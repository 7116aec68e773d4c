"""The lapped transform on tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lab_support.robust import CALM, PICTURES, flat, images
from underpaint.embedding import lapped as lattice
from underpaint_lab.benchmarks.core.tensors import to_tensor
from underpaint_lab.papers.robust import lapped


@pytest.mark.parametrize("shape", [(16, 16), (16, 64), (48, 32), (128, 160)])
@pytest.mark.parametrize("count", [1, 2, 14, 35])
def test_transform_equals_the_runtimes(shape: tuple[int, int], count: int) -> None:
    picture = PICTURES[0][50 : 50 + shape[0], 90 : 90 + shape[1]]
    light = lapped.luma(to_tensor([picture]))
    maps = lapped.analyse(light, count)
    assert maps.shape == (1, count, shape[0] // 16, shape[1] // 16)
    assert flat(maps) == pytest.approx(lattice.analyse(picture, count), abs=1e-3)
    change = np.random.default_rng(0).normal(0, 40, maps.numel()).astype(np.float32)
    there = torch.from_numpy(change).reshape(shape[0] // 16, shape[1] // 16, count).permute(2, 0, 1)[None]
    painted = lapped.synthesise(there)
    assert painted[0].numpy() == pytest.approx(lattice.inverse(change, *lattice.grid(picture), count), abs=1e-3)
    assert flat(lapped.analyse(painted, count)) == pytest.approx(change, abs=1e-3)


def test_local_activity_equals_the_runtimes() -> None:
    for picture in (PICTURES[0][:64, :96], np.full((32, 32, 3), 70, np.uint8), CALM):
        busy = lapped.local_activity(lapped.luma(to_tensor([picture])))
        assert flat(busy) == pytest.approx(lattice.activity(picture), abs=1e-3)


def test_pictures_of_a_batch_are_independent() -> None:
    batch = images(3)
    light = lapped.luma(batch)
    for one in range(3):
        alone = lapped.luma(batch[one : one + 1])
        assert torch.allclose(lapped.analyse(light, 14)[one : one + 1], lapped.analyse(alone, 14), atol=1e-3)
        assert torch.allclose(lapped.local_activity(light)[one : one + 1], lapped.local_activity(alone), atol=1e-3)


def test_gradients_pass_through_the_transform() -> None:
    coefficients = torch.randn(1, 5, 3, 2, dtype=torch.float64, requires_grad=True)
    # The transform is orthonormal and linear: the gradient of half the energy is the coefficients themselves.
    (lapped.synthesise(coefficients.float()).square().sum() / 2).backward()  # type: ignore[no-untyped-call]
    assert coefficients.grad is not None
    assert torch.allclose(coefficients.grad, coefficients, atol=1e-4)
