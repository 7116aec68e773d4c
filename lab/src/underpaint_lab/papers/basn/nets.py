"""BASN's networks and fixed operators, layer by layer as published; :mod:`underpaint_lab.papers.basn.published` has the citation.

All convolutions are 3×3. Attention has three channels, one number in (0, 1) for each colour value of a picture.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad

from underpaint.errors import UsageError
from underpaint_lab.training.trainable import channels_last

#: What paper and code tell differently is called by where it stands.
Version = Literal["paper", "code"]

#: Side of the windows that variance and median are taken of.
WINDOW = 7


def variance_pool(images: Tensor) -> Tensor:
    """``VarPool2d``, eq. 1: the variance in each 7×7 window, of the shape of *images*, ``(B, C, H, W)``.

    The paper prints the square of the mean inside the outer mean, which would be the mean of the rows' variances. The
    code, and this, takes the square of the whole window's mean.
    """
    padded = _padded(images)
    mean, square = (avg_pool2d(x, WINDOW, stride=1) for x in (padded, padded.square()))
    return square - mean.square()


def median_filter(images: Tensor) -> Tensor:
    """The smoother C_θ: the median of each 7×7 window, in [0, 1], of the shape of *images*, ``(B, C, H, W)``."""
    batch, channels, height, width = images.shape
    windows = _padded(images).unfold(2, WINDOW, 1).unfold(3, WINDOW, 1)
    medians = windows.reshape(batch, channels, height, width, WINDOW**2).median(dim=-1).values
    return medians.clamp(0, 1)


def _padded(images: Tensor) -> Tensor:
    return pad(images, [WINDOW // 2] * 4, mode="reflect")


class ItcNet(nn.Module):
    """Finds texture that the eye does not watch: inverse texture complexity. Paper and code agree on it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, 32, 3, padding=1), nn.ELU()),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ELU()),
            *(nn.Conv2d(64, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ELU()),
            *(nn.Conv2d(32, 3, 3, padding=1), nn.Sigmoid()),
        )
        _begin(self)

    def forward(self, images: Tensor) -> Tensor:
        """Attention, ``(B, 3, H, W)``, of *images*, in [0, 1]."""
        found: Tensor = self.layers(images)
        return found


class Residual(nn.Module):
    """EncBasic, or with transposed convolutions DecBasic: two convolutions beside a shortcut."""

    def __init__(self, channels: int, *, transposed: bool) -> None:
        super().__init__()
        kind = nn.ConvTranspose2d if transposed else nn.Conv2d
        self.body = nn.Sequential(
            *(kind(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ELU()),
            *(kind(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)),
        )
        self.elu = nn.ELU()

    def forward(self, x: Tensor) -> Tensor:
        """``(B, channels, H, W)`` of the same."""
        y: Tensor = self.elu(x + self.body(x))
        return y


class MfdNet(nn.Module):
    """Finds values that a classifier does not watch: minimising feature distortion.

    Args:
        width: channels after the first layer, 64 as published.
        version: ``code`` has a residual block after the first layer, ``paper`` has none.
        autoencoder: end in an ELU, as the paper's first phase does, instead of a sigmoid.
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
        _begin(self)

    def forward(self, images: Tensor) -> Tensor:
        """Attention, ``(B, 3, H, W)``, of *images*, in [0, 1], of which a side is a multiple of 8.

        Raises:
            UsageError: a side is not.
        """
        return _through(self.encoder, self.decoder, images, 8)


class Autoencoder(nn.Module):
    """What the code trains in the first phase, and then does not use: deeper than the attention network."""

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
        _begin(self)

    def forward(self, images: Tensor) -> Tensor:
        """*images*, ``(B, 3, H, W)`` in [0, 1], as well as they can be had back; a side is a multiple of 16.

        Raises:
            UsageError: a side is not.
        """
        return _through(self.encoder, self.decoder, images, 16)


def _through(encoder: nn.Module, decoder: nn.Module, images: Tensor, step: int) -> Tensor:
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


def _begin(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    channels_last(network)
