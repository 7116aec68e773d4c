"""Convolutions in whole numbers, held in floats: the same result on every machine, whatever it adds up first.

Activations are the integers 0…255. A layer multiplies them by integers, adds an integer, divides by 2^8, rounds down
and clips to 0…255 again. Every number on the way is a multiple of 2^-9, and with the signs left out all that is ever
added together stays below 2^14: float32, which holds 24 bits, makes no error, in any order (Ballé, Johnston and Minnen,
"Integer Networks for Data Compression with Latent-Variable Models", ICLR 2019, name the failure this prevents). The
half that each bias has beside its integer rounds as well: an algorithm that multiplies by numbers of its own, such as
Winograd's, may err by nearly half a unit and still ends at the same integer.

In training the weights are floats that are rounded before use, and roundings have the gradient 1. What is exported is
:func:`frozen`: rounded once, and proved to stay inside the bound.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint.errors import ModelError

#: The largest activation.
PEAK = 255
#: Weights are multiples of 1 / 2^8.
SHIFT = 8
#: What the products of one sum, signs left out, stay below, in units of 2^-SHIFT.
BOUND = 1 << 22
#: Of which a bias takes this at most.
_BIAS = 1 << 21
#: How fast running means follow.
_MEMORY = 0.1
#: Share of the gradient that also reaches what is clipped, or what is clipped everywhere would never change again.
_LEAK = 0.01
#: Levels of an activation that a bias parameter of 1 adds, so that biases learn as fast as weights.
_LEVELS = 64


class IntegerConv(nn.Module):
    """A convolution of integers 0…*peak* to integers 0…255, in training.

    Padded with zeros, so that a stride divides the sides: use a kernel of the stride plus an even number.

    Args:
        inputs: channels.
        outputs: channels.
        kernel: its side.
        stride: of both sides.
        peak: the largest input.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, peak: int = PEAK) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.stride, self.padding, self.peak = stride, (kernel - stride) // 2, peak
        self.middle: Tensor
        self.register_buffer("middle", torch.full((inputs,), peak / 2))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def integers(self) -> tuple[Tensor, Tensor]:
        """The integer weights and biases, in units of 2^-SHIFT, with the gradient of the parameters.

        Weights of an output whose sum might leave the bound are scaled down. The bias parameter is what comes out where
        all inputs are as their running mean (mean-only batch normalisation, Salimans and Kingma 2016): inputs are never
        negative, and weights that change a little would else shift all outputs.
        """
        room = (BOUND - _BIAS) / self.peak - self.weight[0].numel()  # rounding adds at most a half for each
        weight = self.weight * 2**SHIFT
        total = weight.detach().abs().sum((1, 2, 3), keepdim=True)
        weight = weight * (room / total.clamp(min=room))
        weight = _straight_through(weight, weight.round())
        bias = self.bias * (_LEVELS << SHIFT) - weight.sum((2, 3)) @ self.middle
        return weight, _straight_through(bias, bias.round()).clamp(1 - _BIAS, _BIAS - 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, outputs, H / stride, W / stride)`` of ``(B, inputs, H, W)``."""
        if self.training:
            self.middle.lerp_(x.detach().mean((0, 2, 3)), _MEMORY)
        weight, bias = self.integers()
        x = functional.conv2d(x, weight / 2**SHIFT, (bias + 0.5) / 2**SHIFT, self.stride, self.padding)
        clipped, beyond = _straight_through(x, x.floor()).clamp(0, PEAK), x - x.clamp(0, PEAK)
        return _straight_through(clipped + _LEAK * beyond, clipped)


class FrozenConv(nn.Module):
    """What an :class:`IntegerConv` computes, with its weights rounded once and for all.

    Raises:
        ModelError: a sum could leave :data:`BOUND`.
    """

    def __init__(self, layer: IntegerConv) -> None:
        super().__init__()
        weight, bias = (parameter.detach() for parameter in layer.integers())
        largest = reach(weight, bias, layer.peak)
        if not largest < BOUND:
            raise ModelError(f"sums of up to {largest:.0f} are not exact", hint=f"they must stay below {BOUND}")
        self.weight: Tensor
        self.bias: Tensor
        self.register_buffer("weight", weight / 2**SHIFT)
        self.register_buffer("bias", (bias + 0.5) / 2**SHIFT)
        self.stride, self.padding = layer.stride, layer.padding

    def forward(self, x: Tensor) -> Tensor:
        """As the layer's own."""
        return functional.conv2d(x, self.weight, self.bias, self.stride, self.padding).floor().clamp(0, PEAK)


def reach(weight: Tensor, bias: Tensor, peak: int) -> float:
    """The largest sum of absolute products that integer weights ``(O, I, K, K)`` and biases ``(O,)`` can make.

    Inputs are 0…*peak*. The answer is exact: it is computed in float64.
    """
    return float((weight.double().abs().sum((1, 2, 3)) * peak + bias.double().abs()).max())


def frozen(network: nn.Module) -> nn.Module:
    """Return a copy of *network*, set to evaluate, whose integer convolutions are :class:`FrozenConv`.

    Raises:
        ModelError: a sum could leave :data:`BOUND`.
    """
    network = copy.deepcopy(network).eval()
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, IntegerConv):
                setattr(module, name, FrozenConv(child))
    return network


def _straight_through(x: Tensor, rounded: Tensor) -> Tensor:
    """Return *rounded*, with the gradient of *x*."""
    return rounded.detach() + (x - x.detach())
