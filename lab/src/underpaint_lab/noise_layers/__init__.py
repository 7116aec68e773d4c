"""Attack layers: what may happen to a container, with a gradient; one class per layer, one entry each in LAYERS.

Every layer is called as ``layer(x, rng)`` with ``x`` of ``float (B, 3, H, W)`` in [0, 1] and returns the same shape.
A layer that stands for one of the runtime's channels has its name and its parameters.
"""

from __future__ import annotations

from underpaint_lab.noise_layers.from_channels import NOISE_LAYERS_OF, Sequence, from_channel
from underpaint_lab.noise_layers.geometry import Cropout, Flip, Resize, Rotate
from underpaint_lab.noise_layers.jpeg import DiffJpeg, FourierQuantise, JpegDrop, JpegMask
from underpaint_lab.noise_layers.layer import NoiseLayer
from underpaint_lab.noise_layers.pixel import Blur, Brightness, Contrast, Noise
from underpaint_lab.noise_layers.pseudo_differentiable import PseudoDifferentiable

__all__ = [
    "LAYERS",
    "NOISE_LAYERS_OF",
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
    "from_channel",
]

LAYERS: dict[str, type[NoiseLayer]] = {
    "pseudo": PseudoDifferentiable,
    "jpeg-mask": JpegMask,
    "jpeg-drop": JpegDrop,
    "fourier-quantise": FourierQuantise,
    **NOISE_LAYERS_OF,
}
