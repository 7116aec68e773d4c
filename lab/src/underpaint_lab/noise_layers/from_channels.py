"""Layers that stand for the runtime's channels, by the channels' names and with their parameters."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from underpaint_lab.noise_layers.geometry import Cropout, Flip, Resize, Rotate
from underpaint_lab.noise_layers.jpeg import DiffJpeg
from underpaint_lab.noise_layers.layer import NoiseLayer
from underpaint_lab.noise_layers.pixel import Blur, Brightness, Contrast, Noise

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from underpaint.channels import Chain

#: By the name of the channel.
NOISE_LAYERS_OF: dict[str, type[NoiseLayer]] = {
    "jpeg": DiffJpeg,
    "noise": Noise,
    "blur": Blur,
    "brightness": Brightness,
    "contrast": Contrast,
    "resize": Resize,
    "cropout": Cropout,
    "rotate": Rotate,
    "flip": Flip,
}


@dataclass(frozen=True)
class Sequence(NoiseLayer):
    """Layers one after the other; none change nothing."""

    layers: tuple[NoiseLayer, ...]

    def _apply(self, x: Tensor, rng: np.random.Generator) -> Tensor:
        for layer in self.layers:
            x = layer(x, rng)
        return x


def from_channel(chain: Chain) -> Sequence:
    """The differentiable twin of a *chain*; channels that have none, such as webp, are passed over.

    One picture and a generator in the same state get the same noise and lose the same places as in the runtime.
    """
    return Sequence(
        tuple(
            NOISE_LAYERS_OF[channel.name](
                **{parameter.name: getattr(channel, parameter.name) for parameter in fields(channel)}
            )
            for channel in chain.channels
            if channel.name in NOISE_LAYERS_OF
        )
    )
