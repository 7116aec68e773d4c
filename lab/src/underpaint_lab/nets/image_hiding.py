"""Networks of others that hide a picture in a picture, or that hid bits in one and here hide a picture.

Each is a pair. One takes cover and secret, ``(B, 3, H, W)`` in [0, 1] each, and makes the container; the other takes a
container and makes the secret. Neither clamps what it makes. Sides may be any, but for ``udh``: multiples of 32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint_lab.nets.unet import UNet

if TYPE_CHECKING:
    from collections.abc import Callable

#: Sides of the convolutions that Baluja puts side by side.
_SIZES = (3, 4, 5)
#: How far UDH changes a value at most.
_UDH_REACH = 10 / 255


class Wide(nn.Module):
    """Baluja's layer: convolutions of three sizes side by side, ``3 * width`` channels."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.sizes = nn.ModuleList(nn.Conv2d(inputs, width, size) for size in _SIZES)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 3 * width, H, W)`` of ``(B, inputs, H, W)``."""
        padded = [functional.pad(x, ((size - 1) // 2, size // 2) * 2) for size in _SIZES]
        found = [layer(each) for layer, each in zip(self.sizes, padded, strict=True)]
        return functional.relu(torch.cat(found, dim=1))


def _wide(inputs: int, width: int, layers: int) -> nn.Sequential:
    return nn.Sequential(*(Wide(3 * width if layer else inputs, width) for layer in range(layers)))


class BalujaHide(nn.Module):
    """Prepares the secret, and hides what that makes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.prepare = _wide(3, width, 2)
        self.hide = nn.Sequential(_wide(3 + 3 * width, width, 5), nn.Conv2d(3 * width, 3, 1))

    def forward(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """The containers."""
        made: Tensor = self.hide(torch.cat([covers, self.prepare(secrets)], dim=1))
        return made


def baluja_reveal(width: int) -> nn.Module:
    """Baluja's third network."""
    return nn.Sequential(_wide(3, width, 5), nn.Conv2d(3 * width, 3, 1))


class Separable(nn.Module):
    """StegNet's residual block: normalised, ELU, a separable convolution; the shortcut is filled up with zeros."""

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
        """``(B, outputs, H, W)`` of ``(B, inputs, H, W)``."""
        made: Tensor = self.layers(x)
        return made + functional.pad(x, (0, 0, 0, 0, 0, self.surplus))


def _stegnet(inputs: int, width: int) -> nn.Sequential:
    widths = [width, width, 2 * width, 2 * width, 4 * width, 4 * width]
    blocks = [Separable(*pair) for pair in zip([width, *widths[:-1]], widths, strict=True)]
    layers: list[nn.Module] = [nn.Conv2d(inputs, width, 3, padding=1), *blocks]
    for before, outputs in ((4 * width, width), (width, 3)):
        layers += [nn.BatchNorm2d(before), nn.ELU(), nn.Conv2d(before, outputs, 3, padding=1)]
    return nn.Sequential(*layers)


class Joined(nn.Module):
    """A network that takes cover and secret as one picture of six channels."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """The containers."""
        made: Tensor = self.layers(torch.cat([covers, secrets], dim=1))
        return made


def _layer(inputs: int, outputs: int, *, leak: float) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.LeakyReLU(leak), nn.BatchNorm2d(outputs))


class Dense(nn.Module):
    """SteganoGAN's: every layer sees what all before it have made.

    Args:
        inputs: channels.
        given: channels that every layer but the first sees beside.
        width: channels of each of three layers.
    """

    def __init__(self, inputs: int, given: int, width: int) -> None:
        super().__init__()
        self.first = _layer(inputs, width, leak=0.01)
        self.second = _layer(width + given, width, leak=0.01)
        self.third = _layer(2 * width + given, width, leak=0.01)
        self.last = nn.Conv2d(3 * width + given, 3, 3, padding=1)

    def forward(self, x: Tensor, *given: Tensor) -> Tensor:
        """``(B, 3, H, W)`` of ``(B, inputs, H, W)``, and of what is given."""
        made: list[Tensor] = [self.first(x)]
        for layer in (self.second, self.third, self.last):
            made.append(layer(torch.cat([*made, *given], dim=1)))
        return made[-1]


class SteganoGan(nn.Module):
    """SteganoGAN's encoders; the secret takes the place of the data.

    Args:
        width: channels of a layer.
        kind: ``basic``, ``residual`` or ``dense``.
    """

    def __init__(self, width: int, kind: str) -> None:
        super().__init__()
        self.kind = kind
        if kind == "dense":
            self.dense = Dense(3, 3, width)
            return
        self.first = _layer(3, width, leak=0.01)
        layers = [_layer(width + 3, width, leak=0.01), _layer(width, width, leak=0.01)]
        self.rest = nn.Sequential(*layers, nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """The containers."""
        made: Tensor
        if self.kind == "dense":
            made = self.dense(covers, secrets)
            return covers + made
        made = self.rest(torch.cat([self.first(covers), secrets], dim=1))
        return covers + made if self.kind == "residual" else (torch.tanh(made) + 1) / 2


def _steganogan_reveal(width: int) -> nn.Module:
    return Dense(3, 0, width)


class HiddenHide(nn.Module):
    """HiDDeN's encoder; the secret takes the place of the message."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*(_layer(3 if not layer else width, width, leak=0.0) for layer in range(4)))
        self.rest = nn.Sequential(_layer(width + 6, width, leak=0.0), nn.Conv2d(width, 3, 1))

    def forward(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """The containers."""
        made: Tensor = self.rest(torch.cat([self.first(covers), covers, secrets], dim=1))
        return made


def _hidden_reveal(width: int) -> nn.Module:
    layers = [_layer(3 if not layer else width, width, leak=0.0) for layer in range(7)]
    return nn.Sequential(*layers, nn.Conv2d(width, 3, 1))


class Universal(nn.Module):
    """UDH: what is added to a cover follows from the secret alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = UNet(3, normalised=True)

    def forward(self, covers: Tensor, secrets: Tensor) -> Tensor:
        """The containers."""
        made: Tensor = self.layers(secrets)
        return covers + _UDH_REACH * torch.tanh(made)


def _udh_reveal(width: int) -> nn.Module:
    layers = [_layer(3 if not layer else width, width, leak=0.0) for layer in range(5)]
    return nn.Sequential(*layers, nn.Conv2d(width, 3, 3, padding=1))


class Critic(nn.Module):
    """Three convolutions and a mean: the log-odds that a picture is a container."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers = [_layer(3 if not layer else width, width, leak=0.01) for layer in range(3)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """``(B,)`` of ``(B, 3, H, W)``."""
        odds: Tensor = self.layers(pictures)
        return odds.mean(dim=(1, 2, 3))


class Pair(NamedTuple):
    """Who makes a network's two halves, of so many channels."""

    hide: Callable[[int], nn.Module]
    reveal: Callable[[int], nn.Module]


#: By name.
PAIRS = {
    "baluja": Pair(BalujaHide, baluja_reveal),
    "stegnet": Pair(lambda width: Joined(_stegnet(6, width)), lambda width: _stegnet(3, width)),
    "steganogan-basic": Pair(lambda width: SteganoGan(width, "basic"), _steganogan_reveal),
    "steganogan-residual": Pair(lambda width: SteganoGan(width, "residual"), _steganogan_reveal),
    "steganogan-dense": Pair(lambda width: SteganoGan(width, "dense"), _steganogan_reveal),
    "hidden": Pair(HiddenHide, _hidden_reveal),
    "udh": Pair(lambda _: Universal(), _udh_reveal),
}
