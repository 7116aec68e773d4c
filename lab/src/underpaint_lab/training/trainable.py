"""The interface between papers and the training loop: models that yield losses, and an entry for each recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    from torch import Tensor

    from underpaint_lab.training.recipe import Recipe

#: Convolutions with fewer channels must not be channels-last if they are 1×1 and strided.
MIN_CHANNELS_LAST = 8


class Trainable(Protocol):
    """A ``torch.nn.Module`` that computes its losses.

    Its parts are its direct submodules; each part with parameters has its own Adam optimiser.
    """

    @property
    def recipe(self) -> Recipe:
        """Settings of the training."""

    def losses(self, images: Tensor, step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield the parts that are trained in this step, one after the other, with their losses.

        After each yield the part takes its optimiser step, so that the next losses are computed with its new weights.

        Args:
            images: ``float32 (B, 3, H, W)`` in [0, 1].
            step: counted from 0.
            rng: random generator for this step. It and PyTorch's global generator are seeded anew at every step, so
                that a resumed run draws the same numbers.

        Yields:
            Name of the part, and its weighted losses by name; their sum is minimised.
        """


@dataclass(frozen=True)
class RecipeEntry:
    """A recipe that ``underpaint-lab train`` offers."""

    #: Makes the model of a recipe of the same class as :attr:`recipe`.
    build: Callable[[Any], Trainable]
    #: Default settings.
    recipe: Recipe
    #: One line for the list of recipes.
    summary: str
    #: Reads the training data at the path of ``--data``; None for photographs, of which a tenth is held out.
    read: Callable[[Path], Any] | None = None
    #: Loads into a new model what other runs learned, such as a teacher; not called for a run with ``start``.
    inherit: Callable[[Any], None] | None = None

    def model(self, recipe: Recipe) -> Trainable:
        """Return a new model; its initial weights follow from the recipe's seed."""
        torch.manual_seed(recipe.seed)
        return self.build(recipe)


def channels_last(network: nn.Module) -> nn.Module:
    """Store the weights of convolutions channels-last, which makes training about a third faster on a CPU.

    The exceptions are those of :func:`guard_narrow_convolutions`.

    Args:
        network: changed in place.

    Returns:
        The same network.
    """
    for weight in network.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return guard_narrow_convolutions(network)


def guard_narrow_convolutions(network: nn.Module) -> nn.Module:
    """Let narrow strided 1×1 convolutions compute in NCHW order, whatever order their input has.

    On a CPU with AVX2 and without AVX-512, oneDNN as of torch 2.13.0 writes beyond its buffers in the backward pass of
    a 1×1 convolution with an even stride and 2–7 input channels (a transposed one: output channels) whose input is
    channels-last: the process aborts, or goes on with a damaged heap. In NCHW order it does not. Shortcuts of residual
    networks narrower than 8 channels are such convolutions. The training loop guards every submodule it trains.

    Args:
        network: changed in place; its weights stay the same numbers. Calling again changes nothing.

    Returns:
        The same network.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and _is_narrow_strided_1x1(layer):
            layer.weight.data = layer.weight.data.clone(memory_format=torch.contiguous_format)
            if _in_nchw_order not in layer._forward_pre_hooks.values():
                layer.register_forward_pre_hook(_in_nchw_order)
    return network


def _is_narrow_strided_1x1(layer: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    narrow = min(layer.in_channels, layer.out_channels) < MIN_CHANNELS_LAST
    return narrow and layer.kernel_size == (1, 1) and layer.stride != (1, 1)


def _in_nchw_order(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return inputs[0].contiguous(), *inputs[1:]
