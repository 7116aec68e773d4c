"""The base class of noise layers, and the operations that several of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch

from underpaint.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


class NoiseLayer(ABC):
    """A differentiable distortion of a batch of pictures (HiDDeN's noise layer).

    A layer has no state: its parameters are fixed by the constructor, and all randomness comes from the generator. It
    takes any number of pictures of any size.
    """

    def __call__(self, x: Tensor, rng: np.random.Generator) -> Tensor:
        """Return *x* after the distortion.

        Layers compute in 32 bits at least, also under autocast: the rounding of a codec is finer than bfloat16.

        Args:
            x: pictures, ``float (B, 3, H, W)`` in [0, 1].
            rng: draws all that is random.

        Returns:
            The same shape; values leave [0, 1] only where the docstring of the layer says so.

        Raises:
            UsageError: *x* is not a batch of RGB pictures.
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


def round_8_bit(images: Tensor) -> Tensor:
    """Return *images* clamped to [0, 1] and rounded to 8 bits, with the gradient of clamping alone."""
    clamped = images.clamp(0, 1)
    return straight_through(torch.round(255 * clamped) / 255, clamped)


def separable(planes: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Apply a separable linear filter given as two matrices.

    Training pictures are small: products with full matrices are as fast as filtering, and deterministic on a GPU.

    Args:
        planes: ``(…, H, W)``.
        rows: applied to columns of values, ``(H', H)``.
        columns: applied to rows of values, ``(W', W)``.

    Returns:
        ``(…, H', W')``.
    """
    return rows.to(planes) @ planes @ columns.to(planes).mT
