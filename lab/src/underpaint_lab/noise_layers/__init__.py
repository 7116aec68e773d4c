"""Noise layers: differentiable distortions of containers for training (HiDDeN's term), one class and one entry each.

Every layer is called as ``layer(x, rng)`` with ``x`` of ``float (B, 3, H, W)`` in [0, 1] and returns the same shape.
A layer that stands for a channel of the runtime has the channel's name and parameters.
"""

from __future__ import annotations

from underpaint_lab.noise_layers.from_channels import CHANNEL_LAYERS, Sequence, from_chain
from underpaint_lab.noise_layers.geometry import Cropout, Flip, Resize, Rotate
from underpaint_lab.noise_layers.jpeg import DiffJpeg, FourierQuantise, JpegDrop, JpegMask
from underpaint_lab.noise_layers.layer import NoiseLayer
from underpaint_lab.noise_layers.pixel import Blur, Brightness, Contrast, Noise
from underpaint_lab.noise_layers.pseudo_differentiable import PseudoDifferentiable

__all__ = [
    "CHANNEL_LAYERS",
    "NOISE_LAYERS",
    "Blur",
    "Brightness",
    "Contrast",
    "Cropout",
    "DiffJpeg",
    "Flip",
    "FourierQuantise",
    "JpegDrop",
    "JpegMask",
    "Noise",
    "NoiseLayer",
    "PseudoDifferentiable",
    "Resize",
    "Rotate",
    "Sequence",
    "from_chain",
]

#: Every noise layer by name.
NOISE_LAYERS: dict[str, type[NoiseLayer]] = {
    "pseudo": PseudoDifferentiable,
    "jpeg-mask": JpegMask,
    "jpeg-drop": JpegDrop,
    "fourier-quantise": FourierQuantise,
    **CHANNEL_LAYERS,
}
