"""Integer convolutions computed in float32, with bit-identical results on every machine.

Activations are the integers 0…255. A layer multiplies them by integers, adds an integer, divides by 2^8, rounds down
and clips to 0…255. Every intermediate number is a multiple of 2^-9, and the sum of absolute products stays below 2^14,
so float32 with its 24 bits makes no rounding error, in any order of addition. J. Ballé, N. Johnston and D. Minnen,
"Integer Networks for Data Compression with Latent-Variable Models" (ICLR 2019) describe the failure that this prevents.
Each bias has an extra half: an algorithm with other intermediate numbers, such as Winograd's, may err by nearly half a
unit and still rounds down to the same integer.

In training, weights are floats that are rounded before use, with a straight-through gradient. :func:`freeze` rounds
them once for export and proves that sums stay within the bound.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint.errors import ModelError

#: The largest activation.
PEAK = 255
#: Weights are multiples of 2^-SHIFT.
SHIFT = 8
#: Upper bound of a sum of absolute products, in units of 2^-SHIFT.
BOUND = 1 << 22
#: Upper bound of a bias, in the same units.
_MAX_BIAS = 1 << 21
#: Update rate of the running means of inputs.
_MEAN_RATE = 0.1
#: Share of the gradient that passes clipped activations; without it a unit that is always clipped would never recover.
_LEAK = 0.01
#: Activation levels that a bias parameter of 1 adds, so that biases learn as fast as weights.
_LEVELS_PER_BIAS = 64


class IntegerConv(nn.Module):
    """Trainable convolution from integers 0…*peak* to integers 0…255, padded with zeros.

    Args:
        inputs: input channels.
        outputs: output channels.
        kernel: side of the kernel; the stride plus an even number, so that output sides are input sides / stride.
        stride: stride in both directions.
        peak: the largest input value.
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
        """Return the integer weights and biases in units of 2^-SHIFT, with the gradient of the parameters.

        The weights of an output are scaled down if its sum could exceed :data:`BOUND`. The bias parameter is the output
        for inputs equal to their running mean (mean-only batch normalisation, Salimans and Kingma 2016): inputs are
        never negative, so without it small changes of weights would shift all outputs.
        """
        room = (BOUND - _MAX_BIAS) / self.peak - self.weight[0].numel()  # rounding adds at most a half for each
        weight = self.weight * 2**SHIFT
        total = weight.detach().abs().sum((1, 2, 3), keepdim=True)
        weight = weight * (room / total.clamp(min=room))
        weight = _straight_through(weight, weight.round())
        bias = self.bias * (_LEVELS_PER_BIAS << SHIFT) - weight.sum((2, 3)) @ self.middle
        return weight, _straight_through(bias, bias.round()).clamp(1 - _MAX_BIAS, _MAX_BIAS - 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, inputs, H, W)`` to ``(B, outputs, H / stride, W / stride)``."""
        if self.training:
            self.middle.lerp_(x.detach().mean((0, 2, 3)), _MEAN_RATE)
        weight, bias = self.integers()
        x = functional.conv2d(x, weight / 2**SHIFT, (bias + 0.5) / 2**SHIFT, self.stride, self.padding)
        clipped, beyond = _straight_through(x, x.floor()).clamp(0, PEAK), x - x.clamp(0, PEAK)
        return _straight_through(clipped + _LEAK * beyond, clipped)


class FrozenConv(nn.Module):
    """An :class:`IntegerConv` for inference, with integer weights.

    Raises:
        ModelError: a sum could exceed :data:`BOUND`.
    """

    def __init__(self, layer: IntegerConv) -> None:
        super().__init__()
        weight, bias = (parameter.detach() for parameter in layer.integers())
        largest = largest_sum(weight, bias, layer.peak)
        if not largest < BOUND:
            raise ModelError(f"sums of up to {largest:.0f} are not exact", hint=f"they must stay below {BOUND}")
        self.weight: Tensor
        self.bias: Tensor
        self.register_buffer("weight", weight / 2**SHIFT)
        self.register_buffer("bias", (bias + 0.5) / 2**SHIFT)
        self.stride, self.padding = layer.stride, layer.padding

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, inputs, H, W)`` to ``(B, outputs, H / stride, W / stride)``."""
        return functional.conv2d(x, self.weight, self.bias, self.stride, self.padding).floor().clamp(0, PEAK)


def largest_sum(weight: Tensor, bias: Tensor, peak: int) -> float:
    """Return the largest possible sum of absolute products of a layer, computed exactly in float64.

    Args:
        weight: integer weights, ``(O, I, K, K)``.
        bias: integer biases, ``(O,)``.
        peak: the largest input value.
    """
    return float((weight.double().abs().sum((1, 2, 3)) * peak + bias.double().abs()).max())


def freeze(network: nn.Module) -> nn.Module:
    """Return a copy of *network* for inference, with a :class:`FrozenConv` for every :class:`IntegerConv`.

    Raises:
        ModelError: a sum could exceed :data:`BOUND`.
    """
    network = copy.deepcopy(network).eval()
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, IntegerConv):
                setattr(module, name, FrozenConv(child))
    return network


def _straight_through(x: Tensor, rounded: Tensor) -> Tensor:
    """Return *rounded* with the gradient of *x*."""
    return rounded.detach() + (x - x.detach())
