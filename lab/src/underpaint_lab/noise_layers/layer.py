"""What an attack layer is: parameters in the constructor, a batch in, a batch of the same shape out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch

from underpaint.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class NoiseLayer(ABC):
    """One thing that may happen to a batch of pictures on its way, through which gradients find back.

    A layer is pure: its parameters are fixed by the constructor and all chance comes from the generator. It takes any
    number of pictures of any size.
    """

    def __call__(self, x: Tensor, rng: np.random.Generator) -> Tensor:
        """Return what arrives of *x*, ``float (B, 3, H, W)`` in [0, 1], in the same shape.

        The layer computes in 32 bits at least, also under autocast: a codec's rounding is finer than bfloat16. Results
        leave [0, 1] only where a layer's docstring says so.

        Raises:
            UsageError: *x* is no batch of RGB pictures.
        """
        if x.ndim != 4 or x.shape[1] != 3 or not x.is_floating_point():
            raise UsageError(f"expected RGB pictures, float (B, 3, H, W), not {x.dtype} {tuple(x.shape)}")
        with torch.autocast(x.device.type, enabled=False):
            return self._apply(x.to(torch.promote_types(x.dtype, torch.float32)), rng)

    @abstractmethod
    def _apply(self, x: Tensor, rng: np.random.Generator) -> Tensor: ...


def straight_through(forward: Tensor, backward: Tensor) -> Tensor:
    """Return the values of *forward*, exactly, with the gradient of *backward*."""
    return forward.detach() + (backward - backward.detach())


def separable(planes: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Apply one matrix down and one across: ``(…, H, W)`` to ``(…, H', W')`` by ``(H', H)`` and ``(W', W)``.

    Pictures in training are small: products with full matrices are as fast as filtering, and deterministic on a GPU.
    """
    return rows.to(planes) @ planes @ columns.to(planes).mT
