"""Published image-hiding networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from underpaint_lab.nets.image_hiding import ParallelConv

if TYPE_CHECKING:
    pass


def test_parallel_convolutions_concatenate_three_kernel_sizes() -> None:
    assert ParallelConv(3, 5)(torch.zeros(1, 3, 9, 11)).shape == (1, 15, 9, 11)
