"""BASN's networks and fixed operators as published; :mod:`underpaint_lab.papers.basn.published` has the citation.

All convolutions are 3×3. Attention has three channels, one number in (0, 1) for each value of a picture.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad

from underpaint.errors import UsageError
from underpaint_lab.training.trainable import channels_last

#: The paper or the authors' code, where they differ.
Version = Literal["paper", "code"]

#: Side of the windows of variance and median, in pixels.
WINDOW = 7


def variance_pool(images: Tensor) -> Tensor:
    """Return the variance in each 7×7 window of *images*, ``(B, C, H, W)``, of that shape (``VarPool2d``, eq. 1).

    The paper prints the square inside the outer mean, which would be a mean of squared row means. The code, and this
    function, squares the mean of the whole window.
    """
    padded = _padded(images)
    mean, square = (avg_pool2d(x, WINDOW, stride=1) for x in (padded, padded.square()))
    return square - mean.square()


def median_filter(images: Tensor) -> Tensor:
    """Return the smoother C_θ: the median of each 7×7 window of *images*, ``(B, C, H, W)``, clamped to [0, 1]."""
    batch, channels, height, width = images.shape
    windows = _padded(images).unfold(2, WINDOW, 1).unfold(3, WINDOW, 1)
    medians = windows.reshape(batch, channels, height, width, WINDOW**2).median(dim=-1).values
    return medians.clamp(0, 1)


def _padded(images: Tensor) -> Tensor:
    return pad(images, [WINDOW // 2] * 4, mode="reflect")


class ItcNet(nn.Module):
    """The ITC network (inverse texture complexity); paper and code agree on it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, 32, 3, padding=1), nn.ELU()),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ELU()),
            *(nn.Conv2d(64, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ELU()),
            *(nn.Conv2d(32, 3, 3, padding=1), nn.Sigmoid()),
        )
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return attention, ``(B, 3, H, W)`` in (0, 1), of *images* of that shape in [0, 1]."""
        found: Tensor = self.layers(images)
        return found


class Residual(nn.Module):
    """Residual block of two convolutions: EncBasic, or DecBasic with transposed convolutions."""

    def __init__(self, channels: int, *, transposed: bool) -> None:
        super().__init__()
        kind = nn.ConvTranspose2d if transposed else nn.Conv2d
        self.body = nn.Sequential(
            *(kind(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ELU()),
            *(kind(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)),
        )
        self.elu = nn.ELU()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, channels, H, W)`` to the same shape."""
        y: Tensor = self.elu(x + self.body(x))
        return y


class MfdNet(nn.Module):
    """The MFD network (minimising feature distortion).

    Args:
        width: channels of the first layer's output, 64 in the paper.
        version: ``code`` has a residual block after the first layer, ``paper`` has none.
        autoencoder: end in an ELU, as in phase 1 of the paper, instead of a sigmoid.
    """

    def __init__(self, width: int = 64, version: Version = "code", *, autoencoder: bool = False) -> None:
        super().__init__()
        first = [Residual(width, transposed=False)] if version == "code" else []
        self.encoder = nn.Sequential(
            *(nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False), nn.ELU(), *first),
            *(*_down(width, 2 * width), Residual(2 * width, transposed=False)),
            *(*_down(2 * width, 4 * width), Residual(4 * width, transposed=False)),
        )
        self.decoder = nn.Sequential(
            *(*_up(4 * width, 2 * width), Residual(2 * width, transposed=True)),
            *(*_up(2 * width, width), Residual(width, transposed=True)),
            nn.ConvTranspose2d(width, 3, 3, stride=2, padding=1, output_padding=1, bias=False),
            nn.ELU() if autoencoder else nn.Sigmoid(),
        )
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return attention, ``(B, 3, H, W)`` in (0, 1), of *images* of that shape in [0, 1].

        Raises:
            UsageError: a side is no multiple of 8.
        """
        return _encode_decode(self.encoder, self.decoder, images, 8)


class Autoencoder(nn.Module):
    """Autoencoder of phase 1 in the authors' code, deeper than the MFD network; its result is not used there."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *(nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False), nn.ELU(), Residual(width, transposed=False)),
            *(*_down(width, 2 * width), Residual(2 * width, transposed=False)),
            *(*_down(2 * width, 4 * width), Residual(4 * width, transposed=False)),
            *_down(4 * width, 8 * width),
        )
        self.decoder = nn.Sequential(
            *_up(8 * width, 4 * width),
            *(*_up(4 * width, 2 * width), Residual(2 * width, transposed=True)),
            *(*_up(2 * width, width), Residual(width, transposed=True)),
            *(*_up(width, 3), Residual(3, transposed=True)),
            *(nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.Sigmoid()),
        )
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruct *images*, ``(B, 3, H, W)`` in [0, 1].

        Raises:
            UsageError: a side is no multiple of 16.
        """
        return _encode_decode(self.encoder, self.decoder, images, 16)


def _encode_decode(encoder: nn.Module, decoder: nn.Module, images: Tensor, step: int) -> Tensor:
    height, width = images.shape[2:]
    if height % step or width % step:
        raise UsageError(f"a side must be a multiple of {step}, not {height}×{width}", hint="cut the picture")
    made: Tensor = decoder(encoder(images))
    return made


def _down(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
    return conv, nn.BatchNorm2d(outputs), nn.ELU()


def _up(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    conv = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1, bias=False)
    return conv, nn.BatchNorm2d(outputs), nn.ELU()


def _initialise(network: nn.Module) -> None:
    """Initialise the convolutions as in the authors' code."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    channels_last(network)
