"""Published networks that hide a picture in a picture; those that hide bits are given a picture instead.

Each is a pair. The first network takes cover and secret, ``(B, 3, H, W)`` in [0, 1] each, and returns the container;
the second takes a container and returns the secret. Outputs are not clamped. Sides are arbitrary, except for ``udh``:
multiples of 32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint_lab.nets.unet import UNet

if TYPE_CHECKING:
    from collections.abc import Callable

#: Kernel sizes of Baluja's parallel convolutions.
_SIZES = (3, 4, 5)
#: Largest change of a value by UDH, as a share of the full scale.
_UDH_MAX_CHANGE = 10 / 255


class ParallelConv(nn.Module):
    """Baluja's layer: parallel convolutions of three kernel sizes, ``3 * width`` channels."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.sizes = nn.ModuleList(nn.Conv2d(inputs, width, size) for size in _SIZES)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, inputs, H, W)`` to ``(B, 3 * width, H, W)``."""
        padded = [functional.pad(x, ((size - 1) // 2, size // 2) * 2) for size in _SIZES]
        found = [layer(each) for layer, each in zip(self.sizes, padded, strict=True)]
        return functional.relu(torch.cat(found, dim=1))


def _wide(inputs: int, width: int, layers: int) -> nn.Sequential:
    return nn.Sequential(*(ParallelConv(3 * width if layer else inputs, width) for layer in range(layers)))


class BalujaHide(nn.Module):
    """Baluja's preparation and hiding networks."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.prepare = _wide(3, width, 2)
        self.hide = nn.Sequential(_wide(3 + 3 * width, width, 5), nn.Conv2d(3 * width, 3, 1))

    def forward(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """Return the containers, ``(B, 3, H, W)``."""
        made: Tensor = self.hide(torch.cat([covers, self.prepare(secrets)], dim=1))
        return made


def baluja_reveal(width: int) -> nn.Module:
    """Return Baluja's reveal network, of *width* channels per kernel size."""
    return nn.Sequential(_wide(3, width, 5), nn.Conv2d(3 * width, 3, 1))


class Separable(nn.Module):
    """StegNet's residual block: batch normalisation, ELU, separable convolution; the shortcut is padded with zeros."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.surplus = outputs - inputs
        self.layers = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.ELU(),
            nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
            nn.Conv2d(inputs, outputs, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, inputs, H, W)`` to ``(B, outputs, H, W)``."""
        made: Tensor = self.layers(x)
        return made + functional.pad(x, (0, 0, 0, 0, 0, self.surplus))


def _stegnet(inputs: int, width: int) -> nn.Sequential:
    widths = [width, width, 2 * width, 2 * width, 4 * width, 4 * width]
    blocks = [Separable(*pair) for pair in zip([width, *widths[:-1]], widths, strict=True)]
    layers: list[nn.Module] = [nn.Conv2d(inputs, width, 3, padding=1), *blocks]
    for before, outputs in ((4 * width, width), (width, 3)):
        layers += [nn.BatchNorm2d(before), nn.ELU(), nn.Conv2d(before, outputs, 3, padding=1)]
    return nn.Sequential(*layers)


class ConcatenatedInput(nn.Module):
    """A network that takes cover and secret concatenated to six channels."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """Return the containers, ``(B, 3, H, W)``."""
        made: Tensor = self.layers(torch.cat([covers, secrets], dim=1))
        return made


def _layer(inputs: int, outputs: int, *, leak: float) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.LeakyReLU(leak), nn.BatchNorm2d(outputs))


class DenselyConnected(nn.Module):
    """SteganoGAN's dense network: each layer takes the outputs of all layers before it.

    Args:
        inputs: input channels of the first layer.
        given: channels of further inputs to every layer but the first.
        width: output channels of each of the first three layers.
    """

    def __init__(self, inputs: int, given: int, width: int) -> None:
        super().__init__()
        self.first = _layer(inputs, width, leak=0.01)
        self.second = _layer(width + given, width, leak=0.01)
        self.third = _layer(2 * width + given, width, leak=0.01)
        self.last = nn.Conv2d(3 * width + given, 3, 3, padding=1)

    def forward(self, x: Tensor, *given: Tensor) -> Tensor:
        """Map ``(B, inputs, H, W)``, and the further inputs *given*, to ``(B, 3, H, W)``."""
        made: list[Tensor] = [self.first(x)]
        for layer in (self.second, self.third, self.last):
            made.append(layer(torch.cat([*made, *given], dim=1)))
        return made[-1]


class SteganoGan(nn.Module):
    """SteganoGAN's encoders, with the secret picture in place of the data.

    Args:
        width: channels of a layer.
        kind: ``basic``, ``residual`` or ``dense``.
    """

    def __init__(self, width: int, kind: str) -> None:
        super().__init__()
        self.kind = kind
        if kind == "dense":
            self.dense = DenselyConnected(3, 3, width)
            return
        self.first = _layer(3, width, leak=0.01)
        layers = [_layer(width + 3, width, leak=0.01), _layer(width, width, leak=0.01)]
        self.rest = nn.Sequential(*layers, nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """Return the containers, ``(B, 3, H, W)``."""
        made: Tensor
        if self.kind == "dense":
            made = self.dense(covers, secrets)
            return covers + made
        made = self.rest(torch.cat([self.first(covers), secrets], dim=1))
        return covers + made if self.kind == "residual" else (torch.tanh(made) + 1) / 2


def _steganogan_reveal(width: int) -> nn.Module:
    return DenselyConnected(3, 0, width)


class HiddenHide(nn.Module):
    """HiDDeN's encoder, with the secret picture in place of the message."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*(_layer(3 if not layer else width, width, leak=0.0) for layer in range(4)))
        self.rest = nn.Sequential(_layer(width + 6, width, leak=0.0), nn.Conv2d(width, 3, 1))

    def forward(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """Return the containers, ``(B, 3, H, W)``."""
        made: Tensor = self.rest(torch.cat([self.first(covers), covers, secrets], dim=1))
        return made


def _hidden_reveal(width: int) -> nn.Module:
    layers = [_layer(3 if not layer else width, width, leak=0.0) for layer in range(7)]
    return nn.Sequential(*layers, nn.Conv2d(width, 3, 1))


class UdhHide(nn.Module):
    """UDH's hiding network: the change that it adds to a cover depends on the secret alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = UNet(3, normalised=True)

    def forward(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """Return the containers, ``(B, 3, H, W)``."""
        made: Tensor = self.layers(secrets)
        return covers + _UDH_MAX_CHANGE * torch.tanh(made)


def _udh_reveal(width: int) -> nn.Module:
    layers = [_layer(3 if not layer else width, width, leak=0.0) for layer in range(5)]
    return nn.Sequential(*layers, nn.Conv2d(width, 3, 3, padding=1))


class Critic(nn.Module):
    """SteganoGAN's critic: three convolutions and a mean."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers = [_layer(3 if not layer else width, width, leak=0.01) for layer in range(3)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the log-odds, ``(B,)``, that each of *pictures*, ``(B, 3, H, W)``, is a container."""
        odds: Tensor = self.layers(pictures)
        return odds.mean(dim=(1, 2, 3))


class NetworkPair(NamedTuple):
    """Builders of a hiding and a revealing network; each takes the number of channels."""

    hide: Callable[[int], nn.Module]
    reveal: Callable[[int], nn.Module]


#: All pairs by name.
NETWORK_PAIRS = {
    "baluja": NetworkPair(BalujaHide, baluja_reveal),
    "stegnet": NetworkPair(lambda width: ConcatenatedInput(_stegnet(6, width)), lambda width: _stegnet(3, width)),
    "steganogan-basic": NetworkPair(lambda width: SteganoGan(width, "basic"), _steganogan_reveal),
    "steganogan-residual": NetworkPair(lambda width: SteganoGan(width, "residual"), _steganogan_reveal),
    "steganogan-dense": NetworkPair(lambda width: SteganoGan(width, "dense"), _steganogan_reveal),
    "hidden": NetworkPair(HiddenHide, _hidden_reveal),
    "udh": NetworkPair(lambda _: UdhHide(), _udh_reveal),
}
