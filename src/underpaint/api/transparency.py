"""Covers with transparency: a watermark lies in the picture as it is shown, on whatever background.

::

    cover on white, within the box of its visible pixels ─► method ─► marked ─► colours with that change ─► file
    file ─► on white and on black ─► message

A pixel of opacity a and colour v shows as a v + (1 - a) 255 on white. A change d of what is shown takes a change d / a
of the colour, and is the same on every background. Pixels of opacity 0 keep their colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from underpaint.channels import Flatten
from underpaint.errors import SurvivalError
from underpaint.types import SMALLEST_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Image

#: Backgrounds that a message is revealed on.
BACKGROUNDS = (Flatten("white"), Flatten("black"))
#: Opacity from which on a pixel counts as shown.
_HALF = 128


@dataclass(frozen=True, eq=False)
class Transparent:
    """A cover with transparency.

    Attributes:
        pixels: ``uint8 (H, W, 3)``.
        alpha: ``uint8 (H, W)``, 0 transparent to 255 opaque.
    """

    pixels: Image
    alpha: NDArray[np.uint8]
    #: A method that finds its container inside a larger picture marks the box of the visible pixels alone.
    boxed: bool

    @property
    def share(self) -> float:
        """Share of pixels that are less than half opaque, 0–1."""
        return float(np.mean(self.alpha < _HALF))

    @cached_property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns from the first to the last with a pixel that is half opaque; all unless :attr:`boxed`.

        Raises:
            SurvivalError: they are fewer than a watermark needs.
        """
        found = []
        for axis in (1, 0):
            shown = np.flatnonzero(self.alpha.max(axis=axis) >= _HALF)  # a soft edge lies where it is half opaque
            if len(shown) == 0 or shown[-1] - shown[0] + 1 < SMALLEST_SIDE:
                raise too_transparent(self.share)
            found.append(slice(int(shown[0]), int(shown[-1]) + 1) if self.boxed else slice(None))
        return found[0], found[1]

    @cached_property
    def cover(self) -> Image:
        """The picture on white within the box, ``uint8 (H, W, 3)``."""
        return BACKGROUNDS[0].compose(self.pixels, self.alpha)[self.box]

    @property
    def visible(self) -> NDArray[np.bool_]:
        """Pixels of :attr:`cover` that are shown."""
        return self.alpha[self.box] > 0

    def coloured(self, marked: Image) -> Image:
        """Return all pixels, with colours that look like *marked*, a changed :attr:`cover`, on white."""
        opacity = np.maximum(self.alpha[self.box], 1)[..., None] / np.float32(255)
        colours = self.pixels[self.box] + (marked.astype(np.float32) - self.cover) / opacity
        colours = np.where(self.visible[..., None], np.rint(colours).clip(0, 255), self.pixels[self.box])
        result = self.pixels.copy()
        result[self.box] = colours.astype(np.uint8)
        return result


def views(pixels: Image, alpha: NDArray[np.uint8] | None) -> list[Image]:
    """Return what is shown of a picture on each of :data:`BACKGROUNDS`; the pixels alone if all are opaque."""
    if alpha is None or (alpha == 255).all():
        return [pixels]
    return [background.compose(pixels, alpha) for background in BACKGROUNDS]


def too_transparent(share: float) -> SurvivalError:
    """Return the error for a picture of which this *share* of the pixels, 0–1, is hardly shown."""
    return SurvivalError(
        f"the picture is too transparent: {share:.0%} of its pixels are not or hardly shown",
        hint="cut its transparent margins off, take another picture, or hide a file, which needs no visible pixels",
    )
