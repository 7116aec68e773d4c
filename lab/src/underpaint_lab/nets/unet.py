"""A U-Net for pictures, and convolutions that begin at zero."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Channels of the encoder's levels, and of the decoder's, both from the full resolution down.
_ENCODER_WIDTHS = (16, 32, 64, 128, 256)
_DECODER_WIDTHS = (16, 16, 32, 64, 128)


class UNet(nn.Module):
    """U-Net with five halvings and 16 to 256 channels, as in the PixInPix paper.

    Args:
        inputs: input channels.
        normalised: use batch normalisation, which the paper does not mention.
    """

    def __init__(self, inputs: int, *, normalised: bool) -> None:
        super().__init__()
        before = (inputs, *_ENCODER_WIDTHS[:-1])
        self.down = nn.ModuleList(_twice(*pair, normalised) for pair in zip(before, _ENCODER_WIDTHS, strict=True))
        below = (*_DECODER_WIDTHS[1:], _ENCODER_WIDTHS[-1])
        pairs = zip(below, _DECODER_WIDTHS, strict=True)
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(*pair, 2, 2) for pair in pairs)
        joined = [skip + width for skip, width in zip(_ENCODER_WIDTHS, _DECODER_WIDTHS, strict=True)]
        self.up = nn.ModuleList(_twice(*pair, normalised) for pair in zip(joined, _DECODER_WIDTHS, strict=True))
        self.head = nn.Conv2d(_DECODER_WIDTHS[0], 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, inputs, H, W)`` to ``(B, 3, H, W)`` of any range; H and W must be multiples of 32."""
        skips = []
        for block in self.down:
            skips.append(block(x))
            x = functional.max_pool2d(skips[-1], 2)
        for enlarge, block, skip in reversed(list(zip(self.enlarge, self.up, skips, strict=True))):
            x = block(torch.cat([enlarge(x), skip], dim=1))
        made: Tensor = self.head(x)
        return made


def zero_initialised(layer: nn.Conv2d) -> nn.Conv2d:
    """Set the weights and the bias of *layer* to 0 and return it: its output is 0 until it has learned."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def _twice(inputs: int, outputs: int, normalised: bool) -> nn.Sequential:
    """Two convolutions with ReLU."""
    layers: list[nn.Module] = []
    for before in (inputs, outputs):
        layers += [nn.Conv2d(before, outputs, 3, padding=1), *([nn.BatchNorm2d(outputs)] if normalised else [])]
        layers += [nn.ReLU()]
    return nn.Sequential(*layers)
