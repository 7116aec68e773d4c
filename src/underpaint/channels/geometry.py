"""Geometric channels: resizing, cropping, dropout, rotation, shear, perspective, mirroring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint.channels.base import BaseChannel, choice, real, switch, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Image

#: Value of pixels outside the window of ``cropout``: middle grey.
_GREY = 128
_FILTERS = ("nearest", "box", "bilinear", "bicubic", "lanczos")


@dataclass(frozen=True)
class Resize(BaseChannel):
    """Resized by a factor per side, then back."""

    name = "resize"
    geometric = resamples = True
    factor: float = real(0.01, 4)
    filter: str = choice(*_FILTERS, default="bicubic")

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        height, width = image.shape[:2]
        return scaled(scaled(image, *scaled_sides(self.factor, height, width), self.filter), height, width, self.filter)


@dataclass(frozen=True)
class Rescale(BaseChannel):
    """Resized by a factor; the size changes."""

    name = "rescale"
    geometric = resamples = True
    factor: float = real(0.01, 4)
    filter: str = choice(*_FILTERS, default="bicubic")

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        return scaled(image, *scaled_sides(self.factor, *image.shape[:2]), self.filter)


@dataclass(frozen=True)
class Fit(BaseChannel):
    """Scaled down to at most so many pixels on the longest side; the size changes.

    Both sides are multiplied by longest / (longest side) and rounded. A picture that fits is not changed.
    """

    name = "fit"
    geometric = resamples = True
    longest: int = whole(1, 65535)
    filter: str = choice(*_FILTERS, default="bicubic")

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        height, width = image.shape[:2]
        factor = self.longest / max(height, width)
        return scaled(image, *scaled_sides(factor, height, width), self.filter) if factor < 1 else image.copy()


@dataclass(frozen=True)
class Crop(BaseChannel):
    """Cropped to a window with a share of the area; the result is smaller.

    The window has the picture's proportions. The share is defined as in HiDDeN (Zhu et al. 2018): H'W' / HW.
    """

    name = "crop"
    geometric = True
    random = True
    area: float = real(0.0001, 1)
    at: str = choice("random", "centre", default="random")

    @property
    def shown(self) -> float:
        """Share of the picture's area that is left."""
        return self.area

    def _apply(self, image: Image, rng: np.random.Generator) -> Image:
        return image[_window(image, self.area, self.at, rng)].copy()


@dataclass(frozen=True)
class Cut(BaseChannel):
    """Cut off at one side; the result is smaller.

    Of the picture's height (top, bottom) or width (left, right), the share is cut off: rounded, and at least one row or
    column.
    """

    name = "cut"
    geometric = True
    share: float = real(0, 0.99)
    side: str = choice("left", "right", "top", "bottom")

    @property
    def shown(self) -> float:
        """Share of the picture's area that is left."""
        return 1 - self.share

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        length = image.shape[self.side in ("left", "right")]
        lost = min(max(1, round(self.share * length)), length - 1)
        kept = slice(lost, None) if self.side in ("left", "top") else slice(length - lost)
        return (image[:, kept] if self.side in ("left", "right") else image[kept]).copy()


@dataclass(frozen=True)
class Cropout(BaseChannel):
    """All but a window with a share of the area becomes grey; the size stays.

    HiDDeN's Cropout fills in the cover, which is not available outside training.
    """

    name = "cropout"
    geometric = True
    random = True
    area: float = real(0.0001, 1)
    at: str = choice("random", "centre", default="random")

    @property
    def shown(self) -> float:
        """Share of the picture's area that is left."""
        return self.area

    def _apply(self, image: Image, rng: np.random.Generator) -> Image:
        window = _window(image, self.area, self.at, rng)
        result = np.full_like(image, _GREY)
        result[window] = image[window]
        return result


@dataclass(frozen=True)
class Dropout(BaseChannel):
    """A random share of the pixels becomes the mean of their eight neighbours.

    HiDDeN's Dropout replaces them by the cover's, which is not available outside training. HiDDeN's parameter is the
    share of pixels that are kept.
    """

    name = "dropout"
    random = True
    share: float = real(0, 1)

    def _apply(self, image: Image, rng: np.random.Generator) -> Image:
        lost = rng.random(image.shape[:2], dtype=np.float32) < self.share
        height, width = image.shape[:2]
        padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge").astype(np.uint16)
        total = sum(padded[y : y + height, x : x + width] for y in range(3) for x in range(3) if (y, x) != (1, 1))
        # Adding half the divisor makes the integer division round.
        return np.where(lost[..., None], (total + np.uint16(4)) // np.uint16(8), image).astype(np.uint8)


@dataclass(frozen=True)
class Rotate(BaseChannel):
    """Rotated counter-clockwise by degrees about the centre; corners become black.

    The filter is bicubic. The size stays, and what leaves it is cut off; with ``expand`` the picture grows to the whole
    sides that hold all of it. With ``expand``, turns by 90, 180 and 270 degrees move pixels without resampling.
    """

    name = "rotate"
    geometric = True
    degrees: float = real(-180, 180)
    expand: str = switch()

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        from PIL import Image as Pillow

        picture = Pillow.fromarray(image)
        return np.array(picture.rotate(self.degrees, Pillow.Resampling.BICUBIC, expand=self.expand == "yes"))


@dataclass(frozen=True)
class Shear(BaseChannel):
    """Sheared horizontally about the centre; the size stays, corners become black.

    A pixel at a distance of y rows below the middle moves to the right by factor × y pixels. The filter is bicubic.
    """

    name = "shear"
    geometric = True
    factor: float = real(-0.5, 0.5)

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        from PIL import Image as Pillow

        height, width = image.shape[:2]
        source = (1, -self.factor, self.factor * height / 2, 0, 1, 0)
        method, cubic = Pillow.Transform.AFFINE, Pillow.Resampling.BICUBIC
        return np.array(Pillow.fromarray(image).transform((width, height), method, source, cubic))


@dataclass(frozen=True)
class Perspective(BaseChannel):
    """Each corner moved by a share of the root of the area, in a random direction.

    The directions are uniform and independent. The size stays; what leaves it is cut off, and what is not covered
    becomes black. The filter is bicubic.
    """

    name = "perspective"
    geometric = True
    random = True
    share: float = real(0, 0.1)

    def _apply(self, image: Image, rng: np.random.Generator) -> Image:
        from PIL import Image as Pillow

        height, width = image.shape[:2]
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
        angles = rng.uniform(0, 2 * np.pi, 4)
        moved = corners + self.share * (height * width) ** 0.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        method, cubic = Pillow.Transform.PERSPECTIVE, Pillow.Resampling.BICUBIC
        source = _projective(moved, corners)
        return np.array(Pillow.fromarray(image).transform((width, height), method, source, cubic))


@dataclass(frozen=True)
class Flip(BaseChannel):
    """Mirrored: left and right swapped (horizontal) or top and bottom (vertical)."""

    name = "flip"
    geometric = True
    axis: str = choice("horizontal", "vertical", default="horizontal")

    def _apply(self, image: Image, _rng: np.random.Generator) -> Image:
        return (image[:, ::-1] if self.axis == "horizontal" else image[::-1]).copy()


def scaled_sides(factor: float, height: int, width: int) -> tuple[int, int]:
    """Return height and width times *factor*, rounded, at least one pixel each."""
    return max(1, round(height * factor)), max(1, round(width * factor))


def scaled(image: Image, height: int, width: int, name: str) -> Image:
    """Return *image* resampled to *height* × *width* by the filter of this name."""
    from PIL import Image as Pillow

    # Pillow widens the filter when it scales down, so nothing aliases.
    return np.array(Pillow.fromarray(image).resize((width, height), Pillow.Resampling[name.upper()]))


def _projective(points: NDArray[np.float64], images: NDArray[np.float64]) -> list[float]:
    """Return the eight coefficients of the projective map that takes four *points* to *images*, both ``(4, 2)``."""
    equations = []
    for (x, y), (u, v) in zip(points, images, strict=True):
        equations += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    coefficients: list[float] = np.linalg.solve(np.array(equations), images.ravel()).tolist()
    return coefficients


def _window(image: Image, area: float, at: str, rng: np.random.Generator) -> tuple[slice, slice]:
    """Return rows and columns of a window with the share *area* of *image*, in its proportions."""
    height, width = image.shape[:2]
    inner_height, inner_width = scaled_sides(area**0.5, height, width)
    spare = height - inner_height, width - inner_width
    top, left = rng.integers(0, spare, endpoint=True) if at == "random" else (side // 2 for side in spare)
    return slice(top, top + inner_height), slice(left, left + inner_width)
