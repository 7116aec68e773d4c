"""Changes along a direction to a given PSNR."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lab_support.jnd import pictures, psnrs
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.papers.dmvjnd.moving import jitter, missing_headroom, move_to_psnr


@pytest.mark.parametrize("psnr", [9.56, 14.0, 20.0, 40.0])
def test_pictures_are_changed_to_the_psnr(psnr: float) -> None:
    images, direction = pictures(), torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    changed = move_to_psnr(images, direction, torch.full((4, 1), psnr))
    levels = 255 * changed
    assert torch.equal(levels, levels.round().clamp(0, 255)), "8-bit pictures"
    found = psnrs(images, changed)
    assert (found <= psnr + 1e-3).all()
    assert (found > psnr - 0.1).all()
    twice = move_to_psnr(images, 2 * direction, torch.full((4, 1), psnr))
    assert torch.equal(changed, twice), "the length does not matter"


def test_small_components_grow_when_large_ones_are_clipped() -> None:
    images, direction = torch.full((1, 3, 8, 8), 0.2), torch.full((1, 3, 8, 8), 0.003)
    direction[:, :, :4] = -1
    changed = move_to_psnr(images, direction, torch.full((1, 1), 6.0))
    assert psnrs(images, changed) <= 6.001


def test_directions_out_of_range_leave_the_picture_unchanged() -> None:
    white = torch.ones(2, 3, 8, 8)
    assert torch.equal(move_to_psnr(white, white, torch.full((2, 1), 10.0)), white)
    assert torch.equal(move_to_psnr(white, torch.zeros_like(white), torch.full((2, 1), 10.0)), white)


def test_missing_headroom_penalises_directions_out_of_range() -> None:
    images, levels = 0.9 * torch.ones(2, 3, 8, 8), torch.full((2, 1), 10.0)
    assert missing_headroom(images, -torch.ones_like(images), levels) == 0
    up = torch.ones_like(images, requires_grad=True)
    lack = missing_headroom(images, up, levels)
    assert lack.detach() == pytest.approx(0.12 - 0.01, abs=0.02)
    mixed = torch.ones_like(images)
    mixed[:, 0] = 0.2
    mixed.requires_grad_()
    (gradient,) = torch.autograd.grad(missing_headroom(images, mixed, levels), mixed)
    assert (gradient[:, 0] > 0).all(), "darker is where there is headroom"


def test_rounding_has_a_straight_through_gradient_inside_the_range() -> None:
    images = torch.tensor([-0.1, 0.501, 1.2], requires_grad=True)
    (gradient,) = torch.autograd.grad(round_8_bit(images).sum(), images)
    assert gradient.tolist() == [0, 1, 0]


def test_gradient_along_the_direction_is_zero() -> None:
    images = pictures()
    direction = torch.randn(images.shape, generator=torch.Generator().manual_seed(1)).requires_grad_()
    changed = move_to_psnr(images, direction, torch.full((4, 1), 20.0))
    (gradient,) = torch.autograd.grad(changed.square().sum(), direction)
    along = (direction * gradient).sum(dim=(1, 2, 3)) / gradient.norm() / direction.norm()
    assert along.abs().max() < 1e-5


def test_jitter_shifts_all_pictures_alike() -> None:
    images = torch.zeros(2, 3, 16, 16)
    images[:, :, 8, 8] = 1
    seen = jitter(images, np.random.default_rng(3))
    assert seen.shape == images.shape
    assert not torch.equal(seen, images)
    places = seen.mean(dim=1).flatten(1).argmax(dim=1)
    assert places[0] == places[1]
    assert ((places // 16 - 8).abs() <= 2).all()
    assert ((places % 16 - 8).abs() <= 2).all()
