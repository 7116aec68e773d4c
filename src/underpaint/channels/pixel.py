"""Channels that change pixel values but no positions.

Noise, blur, sharpening, moiré, brightness, contrast, gamma, quantisation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint.channels.base import BaseChannel, real, whole
from underpaint.types import LUMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Image

#: Luma weights (ITU-R BT.601) in double precision.
_LUMA_WEIGHTS = np.array(LUMA)
#: All 8-bit values.
_LEVELS = np.arange(256, dtype=np.float64)


@dataclass(frozen=True)
class Identity(BaseChannel):
    """The picture is not changed."""

    name = "none"

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        return image.copy()


@dataclass(frozen=True)
class Noise(BaseChannel):
    """Gaussian noise, independent per value; sigma is a share of full scale (255)."""

    name = "noise"
    random = True
    sigma: float = real(0, 1)

    def _apply(self, image: Image, rng: np.random.Generator) -> Image:
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        return to_8_bits(image + noise * np.float32(255 * self.sigma))


@dataclass(frozen=True)
class Blur(BaseChannel):
    """Gaussian blur; sigma in pixels, edges mirrored."""

    name = "blur"
    sigma: float = real(0, 20)

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        return to_8_bits(_blurred(image, self.sigma))


@dataclass(frozen=True)
class Sharpen(BaseChannel):
    """Unsharp mask: a share (amount) of what a Gaussian blur takes away is added.

    ``v + amount * (v - blurred)``, where *blurred* is the Gaussian blur of sigma *radius* in pixels, edges mirrored,
    before rounding.
    """

    name = "sharpen"
    radius: float = real(0, 20, default=1.0)
    amount: float = real(0, 10, default=1.0)

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        values = image.astype(np.float32)
        return to_8_bits(values + np.float32(self.amount) * (values - _blurred(image, self.radius)))


@dataclass(frozen=True)
class Moire(BaseChannel):
    """A sinusoidal grid is added, as in photographs of screens.

    Two perpendicular gratings of the same *period* in pixels: ``amplitude / 2 * (sin(u + a) + sin(v + b))`` grey levels
    are added to all three colours. ``u`` and ``v`` are the coordinates turned by an angle of 0 to 90 degrees, times
    2 π / period. The angle and the phases a and b are uniform, from the seed.
    """

    name = "moire"
    random = True
    amplitude: float = real(0, 128, default=4.0)
    period: float = real(2, 100, default=3.0)

    def _apply(self, image: Image, rng: np.random.Generator) -> Image:
        angle = rng.uniform(0, np.pi / 2)
        phases = rng.uniform(0, 2 * np.pi, 2)
        y, x = (np.arange(side) * 2 * np.pi / self.period for side in image.shape[:2])
        grid = np.zeros(image.shape[:2], np.float32)
        for turn, phase in zip((angle, angle + np.pi / 2), phases, strict=True):
            wave_y = np.exp(1j * (np.sin(turn) * y + phase)).astype(np.complex64)
            wave_x = np.exp(1j * np.cos(turn) * x).astype(np.complex64)
            grid += np.float32(self.amplitude / 2) * np.outer(wave_y, wave_x).imag
        return to_8_bits(image + grid[..., None])


@dataclass(frozen=True)
class Brightness(BaseChannel):
    """Values multiplied by a factor and clipped, as in torchvision; 0 is black."""

    name = "brightness"
    factor: float = real(0, 10)

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        return _mapped(image, _LEVELS * self.factor)


@dataclass(frozen=True)
class Contrast(BaseChannel):
    """Distances from the mean grey multiplied by a factor, as in torchvision."""

    name = "contrast"
    factor: float = real(0, 10)

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        mean = float(image.mean(axis=(0, 1)) @ _LUMA_WEIGHTS)
        return _mapped(image, mean + self.factor * (_LEVELS - mean))


@dataclass(frozen=True)
class Gamma(BaseChannel):
    """Gamma correction: values (0–1) to the power of an exponent; above 1 is darker."""

    name = "gamma"
    exponent: float = real(0.05, 20)

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        return _mapped(image, 255 * (_LEVELS / 255) ** self.exponent)


@dataclass(frozen=True)
class Quantise(BaseChannel):
    """Values quantised uniformly to 1–8 bits; 8 changes nothing."""

    name = "quantise"
    bits: int = whole(1, 8)

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        steps = 2**self.bits - 1
        return _mapped(image, np.rint(_LEVELS / 255 * steps) / steps * 255)


def _blurred(image: Image, sigma: float) -> NDArray[np.float32]:
    """Return the Gaussian blur of *image* before rounding, ``float32 (H, W, 3)``: cut at 4 sigma, edges mirrored."""
    radius = int(np.ceil(4 * sigma))
    offsets = np.arange(-radius, radius + 1)
    # At sigma 0 the kernel is the single tap exp(0).
    kernel = np.exp(-0.5 * (offsets / max(sigma, 1e-9)) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    blurred = image.astype(np.float32)
    for axis in (0, 1):
        padding = [(radius, radius) if axis == this else (0, 0) for this in range(3)]
        padded, size = np.pad(blurred, padding, mode="symmetric"), image.shape[axis]
        blurred = np.zeros_like(blurred)
        for start, weight in enumerate(kernel):
            window = slice(start, start + size)
            blurred += weight * (padded[window] if axis == 0 else padded[:, window])
    return blurred


def to_8_bits(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return *values* rounded and clipped to 0–255."""
    rounded: NDArray[np.uint8] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded


def _mapped(image: Image, curve: NDArray[np.float64]) -> Image:
    """Replace each value v by ``curve[v]``; *curve* is ``(256,)``."""
    return to_8_bits(curve)[image]
