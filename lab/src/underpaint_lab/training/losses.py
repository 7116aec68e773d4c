"""Losses that several papers share: mean errors, MS-SSIM and the triplet loss."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.nn import functional

from underpaint.errors import UsageError
from underpaint_lab.noise_layers.layer import separable

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Side of the Gaussian window in pixels.
_WINDOW = 11
#: Exponents of the five scales (Z. Wang et al., "Multiscale Structural Similarity", 2003).
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
#: Stabilising constants (K L)², with K = 0.01 and 0.03, and L = 1.
_C1, _C2 = 1e-4, 9e-4


def mean_error(error: Tensor, kind: Literal["square", "absolute"]) -> Tensor:
    """Return the mean of the squared or absolute values of *error*."""
    return (error.square() if kind == "square" else error.abs()).mean()


def error_spread(errors: Iterable[Tensor]) -> Tensor:
    """Return the variance of absolute errors within a picture (StegNet): the mean over pictures, summed over *errors*.

    Args:
        errors: ``(B, 3, H, W)`` each.
    """
    return torch.stack([error.abs().var(dim=(1, 2, 3)).mean() for error in errors]).sum()


def ms_ssim_normalised(a: Tensor, b: Tensor) -> Tensor:
    """Return the MS-SSIM of each pair, differentiable.

    Values are those of :func:`underpaint_lab.metrics.papers.ms_ssim_normalised`. Only the scales at which the window of
    11×11 fits are used, at most five.

    Args:
        a: pictures, ``(B, 3, H, W)`` in [0, 1].
        b: pictures of the same shape.

    Returns:
        ``(B,)``.

    Raises:
        UsageError: a side is below 11 pixels.
    """
    side = min(a.shape[2:])
    scales = next((count for count in range(len(_WEIGHTS), 0, -1) if side // 2 ** (count - 1) >= _WINDOW), 0)
    if not scales:
        raise UsageError(f"pictures must measure at least {_WINDOW} pixels each way, not {side}")
    weights = torch.tensor(_WEIGHTS[:scales])
    if scales < len(_WEIGHTS):
        weights = weights / weights.sum()
    product = a.new_ones(len(a))
    for scale, weight in enumerate(weights.tolist()):
        similarity, structure = _similarity(a, b)
        last = scale == scales - 1
        share = (1 + (similarity if last else structure)) / 2
        product = product * share ** (weight * (max(1, scales - 1) if last else 1))
        a, b = functional.avg_pool2d(a, 2), functional.avg_pool2d(b, 2)
    return product


def _similarity(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return SSIM and its contrast-structure part, averaged over colours and windows, ``(B,)`` each."""
    planes = torch.stack([a, b, a * a + b * b, a * b], dim=1)  # (B, 4, 3, H, W)
    planes = separable(planes, *(_windows(side) for side in a.shape[2:]))
    mean_a, mean_b, squares, cross = planes.unbind(dim=1)
    product, both = mean_a * mean_b, mean_a**2 + mean_b**2
    structure = (2 * (cross - product) + _C2) / (squares - both + _C2)
    luminance = (2 * product + _C1) / (both + _C1)
    return (luminance * structure).mean(dim=(1, 2, 3)), structure.mean(dim=(1, 2, 3))


@lru_cache(maxsize=16)
def _windows(side: int) -> Tensor:
    """Return the matrix of Gaussian means over all whole windows of *side* values, ``(side - 10, side)``."""
    places = torch.arange(side) - torch.arange(side - _WINDOW + 1)[:, None] - _WINDOW // 2
    kernel = torch.exp(-0.5 * (places / 1.5) ** 2) * (places.abs() <= _WINDOW // 2)
    return kernel / kernel.sum(dim=1, keepdim=True)


def triplet(embeddings: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Return the triplet loss: the mean of max(0, d(anchor, positive) - d(anchor, negative) + margin).

    The mean is over all triplets in the batch, which is the expectation for triplets drawn at random.

    Args:
        embeddings: ``(B, D)``.
        labels: class of each, ``(B,)``.
        margin: in units of the Euclidean distance (not squared).

    Returns:
        A scalar, 0 if there is no triplet.
    """
    # The small constant keeps the gradient of the root finite at 0.
    distances = ((embeddings[:, None] - embeddings).square().sum(dim=2) + 1e-12).sqrt()
    same = labels[:, None] == labels
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    # Axes: anchor, positive, negative.
    triplets = (same & ~itself)[:, :, None] & ~same[:, None]
    excess = functional.relu(distances[:, :, None] - distances[:, None] + margin)
    return (excess * triplets).sum() / triplets.sum().clamp(min=1)
