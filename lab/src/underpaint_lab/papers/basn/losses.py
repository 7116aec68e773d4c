"""Losses of BASN as published (equations 7 to 16), and the differentiable simulation of embedding.

:mod:`underpaint_lab.papers.basn.published` has the citation and the deviations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch.nn.functional import l1_loss, mse_loss

from underpaint_lab.noise_layers.layer import straight_through
from underpaint_lab.papers.basn.nets import median_filter, variance_pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from underpaint_lab.nets.resnet import Trunk
    from underpaint_lab.papers.basn.nets import MfdNet

#: Bits of a colour value, all of which attention may release for embedding.
BITS = 8
#: Lower bound of the mean of attention; eq. 14 is undefined at 0.
_MIN_AREA = 1e-6

Fusion = Literal["min", "mean"]
#: Fusion of the two attentions, eq. 15 and 16.
FUSIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "min": torch.minimum,
    "mean": lambda itc, mfd: (itc + mfd) / 2,
}


def simulate_embedding(images: Tensor, attention: Tensor) -> Tensor:
    """Replace all low bits that *attention* releases by noise, as the authors' training code does.

    Masked bits are not simulated. Gradients reach *attention* with the roundings taken as the identity.

    Args:
        images: ``(B, 3, H, W)`` in [0, 1].
        attention: of the same shape, in [0, 1]; round(8 · attention) low bits of a value are replaced.

    Returns:
        Stego images of the same shape, not clamped.
    """
    bits = BITS * attention
    planes = straight_through(torch.round(bits), bits)
    size = 2**planes
    levels = 255 * images
    bins = straight_through(torch.round(levels), levels) / size
    kept = straight_through(torch.floor(bins), bins) * size
    with torch.no_grad():
        noise = torch.floor(255 * torch.rand_like(images) / 2 ** (BITS - planes))
    return (kept + noise) / 255


def itc_penalty(attention: Tensor) -> Tensor:
    """Return P_itc (eq. 7) of the mean of *attention*, which grows with it from 0 to 1."""
    area = attention.mean()
    return area ** (3 - 2 * area)


def mfd_penalty(attention: Tensor) -> Tensor:
    """Return P_mfd (eq. 14) of the mean of *attention*; its minimum is 0.038 at 0.347.

    Unlike P_itc it also penalises small attention, which leaves no capacity.
    """
    area = attention.mean().clamp_min(_MIN_AREA)
    return (1.1 * area) ** (8 * area - 0.1) / 2


def texture_losses(images: Tensor, attention: Tensor, weight: float) -> dict[str, Tensor]:
    """Return the losses of ITC (eq. 8 and 9).

    Args:
        images: covers, ``(B, 3, H, W)`` in [0, 1].
        attention: of the same shape.
        weight: lambda.

    Returns:
        ``variance``, of the texture that remains where attention smooths, and ``area``, the penalty.
    """
    mixed = attention * median_filter(images) + (1 - attention) * images
    return {
        "variance": weight * variance_pool(mixed).mean(),
        "area": (1 - weight) * itc_penalty(attention),
    }


def distortion_losses(task: Trunk, mfd: MfdNet, images: Tensor, attention: Tensor, stego: Tensor) -> dict[str, Tensor]:
    """Return the losses of MFD (eq. 13).

    Args:
        task: the task network.
        mfd: the attention network.
        images: covers, ``(B, 3, H, W)`` in [0, 1].
        attention: attention of the covers.
        stego: stego images.

    Returns:
        ``features``, ``cover`` and ``attention`` (errors between cover and stego image), and ``area`` (the penalty).
    """
    return {
        "features": mse_loss(task.features(stego), task.features(images)),
        "cover": l1_loss(stego, images),
        "attention": l1_loss(mfd(stego), attention),
        "area": mfd_penalty(attention),
    }
