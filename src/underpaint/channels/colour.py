"""Channels that change colours: saturation, hue, histogram, palette, greyscale, transparency, colour profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint.channels.base import BaseChannel, choice, real, switch, whole
from underpaint.channels.pixel import to_8_bits
from underpaint.types import LUMA, luma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Image

#: RGB to luma and the two colour differences, ITU-R BT.601: Cb = (B - Y) / 1.772, Cr = (R - Y) / 1.402.
_TO_YCC = np.array([LUMA, (np.array([0, 0, 1]) - LUMA) / 1.772, (np.array([1, 0, 0]) - LUMA) / 1.402])
#: Linear Display P3 to linear sRGB (CSS Color Module Level 4, section 18). Each row sums to 1: greys stay.
_P3_TO_SRGB = np.array(
    [
        (1.2249401762805598, -0.2249401762805598, 0.0),
        (-0.0420569547096882, 1.0420569547096882, 0.0),
        (-0.0196375545903344, -0.0786360455506319, 1.0982736001409663),
    ]
)
_LEVELS = np.arange(256) / 255
#: Linear light, 0–1, of each 8-bit value by the transfer function of sRGB (IEC 61966-2-1), which P3 shares.
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)


@dataclass(frozen=True)
class Saturation(BaseChannel):
    """Distances from luma multiplied by a factor, as in torchvision; 0 is grey."""

    name = "saturation"
    factor: float = real(0, 10)

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        grey = luma(image)[..., None]
        return to_8_bits(grey + np.float32(self.factor) * (image - grey))


@dataclass(frozen=True)
class Hue(BaseChannel):
    """The colour differences Cb and Cr rotated by degrees; luma stays.

    Cb' = Cb cos - Cr sin and Cr' = Cb sin + Cr cos, both in full range (ITU-R BT.601). Values out of range are clipped.
    """

    name = "hue"
    degrees: float = real(-180, 180)

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        angle = np.deg2rad(self.degrees)
        cosine, sine = np.cos(angle), np.sin(angle)
        rotation = np.array([(1, 0, 0), (0, cosine, -sine), (0, sine, cosine)])
        return to_8_bits(_multiplied(image, np.linalg.inv(_TO_YCC) @ rotation @ _TO_YCC))


@dataclass(frozen=True)
class Equalise(BaseChannel):
    """Histogram equalisation of luma; colour differences stay.

    With N pixels, of which n(k) have a luma (rounded) of at most k, luma k becomes 255 (n(k) - n(lowest)) / (N -
    n(lowest)), rounded. Red, green and blue change by as much as luma, and are clipped. A flat picture does not change.
    """

    name = "equalise"

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        before = np.rint(luma(image)).astype(np.uint8)
        count = np.cumsum(np.bincount(before.ravel(), minlength=256))
        lowest = count[before.min()]
        if lowest == before.size:
            return image.copy()
        after = np.rint(255 * (count - lowest) / (before.size - lowest))
        change = (after - np.arange(256)).astype(np.float32)
        return to_8_bits(image + change[before][..., None])


@dataclass(frozen=True)
class Palette(BaseChannel):
    """Reduced to a palette of so many colours, as GIF and small PNG files are.

    The palette is made from the picture by median cut, as in Pillow; each pixel takes the nearest colour. With
    ``dither`` the error is diffused (Floyd and Steinberg).
    """

    name = "palette"
    colours: int = whole(2, 256)
    dither: str = switch()

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        from PIL import Image as Pillow

        picture = Pillow.fromarray(image)
        reduced = picture.quantize(self.colours, Pillow.Quantize.MEDIANCUT)
        if self.dither == "yes":
            reduced = picture.quantize(palette=reduced, dither=Pillow.Dither.FLOYDSTEINBERG)
        return np.array(reduced.convert("RGB"))


@dataclass(frozen=True)
class Grey(BaseChannel):
    """Greyscale: red, green and blue become luma (ITU-R BT.601), rounded."""

    name = "grey"

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        return np.repeat(to_8_bits(luma(image))[..., None], 3, axis=2)


@dataclass(frozen=True)
class Flatten(BaseChannel):
    """Transparency replaced by a background; without transparency nothing changes.

    A picture of three colours has none, so only ``underpaint attack`` of a file with transparency shows an effect:
    (alpha × v + (255 - alpha) × background) / 255, rounded.
    """

    name = "flatten"
    colour: str = choice("white", "black", default="white")

    def compose(self, pixels: Image, alpha: NDArray[np.uint8]) -> Image:
        """Return a picture on the background.

        Args:
            pixels: ``uint8 (H, W, 3)``.
            alpha: ``uint8 (H, W)``, 0 transparent to 255 opaque.
        """
        share = alpha[..., None] / np.float32(255)
        background = np.float32(255 if self.colour == "white" else 0)
        return to_8_bits(background + share * (pixels - background))

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        return image.copy()


@dataclass(frozen=True)
class Icc(BaseChannel):
    """Values in another colour space (Display P3) converted to sRGB, as by browsers.

    Values are decoded by the transfer function of sRGB, which Display P3 shares, multiplied by the 3×3 matrix from P3
    to sRGB, clipped to 0–1 and encoded again.
    """

    name = "icc"
    profile: str = choice("p3", default="p3")

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        linear = np.clip(_multiplied(_LINEAR[image], _P3_TO_SRGB), 0, 1)
        encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** np.float32(1 / 2.4) - 0.055)
        return to_8_bits(255 * encoded)


def _multiplied(colours: Image | NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the product of *matrix* and every colour, ``float32 (H, W, 3)``."""
    return np.asarray(colours @ matrix.T.astype(np.float32))
