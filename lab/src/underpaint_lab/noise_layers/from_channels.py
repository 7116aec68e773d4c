"""Noise layers of the runtime's channels: the same names and parameters, with a gradient."""

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

#: The noise layer of a channel, by the channel's name.
CHANNEL_LAYERS: dict[str, type[NoiseLayer]] = {
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
    """Layers applied one after the other; an empty sequence changes nothing."""

    layers: tuple[NoiseLayer, ...]

    def _apply(self, x: Tensor, rng: np.random.Generator) -> Tensor:
        for layer in self.layers:
            x = layer(x, rng)
        return x


def from_chain(chain: Chain) -> Sequence:
    """Return the noise layers of a chain of channels.

    Given one picture and a generator in the same state, they draw the same noise and the same window as the channels.

    Args:
        chain: of the runtime's channels; those without a noise layer, such as webp, are skipped.

    Returns:
        The layers in the order of the channels.
    """
    return Sequence(
        tuple(
            CHANNEL_LAYERS[channel.name](
                **{parameter.name: getattr(channel, parameter.name) for parameter in fields(channel)}
            )
            for channel in chain.channels
            if channel.name in CHANNEL_LAYERS
        )
    )
