"""Attention of BASN: how much change each value of a picture hides.

The network sees the upper 4 bits of each value. Embedding changes only the lower 4, so that sender and receiver see the
same. Its arithmetic is on whole numbers that 32-bit floats hold exactly in any order of summation (proof in
``underpaint_lab.nets.integer``). So both compute the same attention on any processor, with any number of threads, with
and without graph optimisation, whole or in tiles.

Where the receiver needs no attention, the sender may use all 8 bits: they show texture that the upper 4 do not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint import models
from underpaint.embedding.bit_planes import CONFINED_PLANES
from underpaint.models.session import default_threads
from underpaint.types import as_cover

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.models import Session
    from underpaint.types import Image

#: Steps of attention for one octave: the allowed change doubles.
STEPS_PER_OCTAVE = 32
#: Name of the model in the zoo.
MODEL = "basn"
#: The bits of a value that embedding leaves alone.
_UPPER_BITS = np.uint8(256 - (1 << CONFINED_PLANES))


@dataclass(frozen=True)
class _Tiling:
    """Tiles that a picture is cut into for the network; lengths in pixels."""

    multiple: int = 8  # the network halves a side at most three times
    overlap: int = 48  # at least the radius of the network's receptive field
    padding: int = 16  # mirrored beyond the border, which would otherwise look like an edge
    side: int = 512  # large enough that the overlap costs little, small enough for a processor's cache


_TILING = _Tiling()


#: The result for the last picture, by the shape and the digest of the pixels that the network sees.
_cached: dict[tuple[tuple[int, ...], bytes], NDArray[np.uint8]] = {}


def attention(image: Image, *, whole: bool = False) -> NDArray[np.uint8]:
    """Compute how much change each value of *image* hides.

    The result for the last picture is cached: measuring, embedding and verifying one payload ask for it several times.

    Args:
        image: ``uint8 (H, W, 3)``, at least 32×32.
        whole: use all bits, which embedding may change, instead of the upper 4.

    Returns:
        ``uint8 (H, W, 3)``, read-only, 0 for no change to 255. An increase by :data:`STEPS_PER_OCTAVE` allows twice the
        change.

    Raises:
        UsageError: no image, or a side is below 32 pixels.
        ModelError: the network is missing or altered.
    """
    pixels = as_cover(image) if whole else as_cover(image) & _UPPER_BITS
    key = pixels.shape, hashlib.blake2b(pixels.tobytes()).digest()
    found = _cached.get(key)
    if found is None:
        found = attend(pixels, models.load(MODEL, threads=1).graphs["attention"])
        found.flags.writeable = False
        _cached.clear()
        _cached[key] = found
    return found


def attend(pixels: Image, graph: Session, tile: int = _TILING.side) -> NDArray[np.uint8]:
    """Run the attention network *graph* on *pixels*, tile by tile.

    Args:
        pixels: the bits that the network may see, ``uint8 (H, W, 3)``.
        graph: one input, one output.
        tile: side of a tile in pixels.

    Returns:
        ``uint8 (H, W, 3)``.
    """
    height, width = pixels.shape[:2]
    border = _TILING.padding
    padding = [(border, border + -side % _TILING.multiple) for side in (height, width)]
    planes = np.pad(pixels, [*padding, (0, 0)], mode="reflect").transpose(2, 0, 1)[None]
    found = graph.tiled(planes, overlap=_TILING.overlap, tile=tile, workers=default_threads())[0].transpose(1, 2, 0)
    return np.ascontiguousarray(found[border : border + height, border : border + width])
