"""The planes of a picture, and strips of them, so that memory stays bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Plane = NDArray[np.uint8]

#: How many values a strip has at most, unless one row has more.
STRIP = 1 << 17


def of(image: Plane) -> list[Plane]:
    """Return the planes ``(H, W)`` of a picture ``uint8 (H, W, 3)``; one if it is ``(H, W)`` or all three are alike.

    Raises:
        UsageError: *image* is anything else, or has no pixels.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
        raise UsageError(f"expected a picture, uint8 (H, W, 3) or (H, W), not {image.dtype} {image.shape}")
    if not image.size:
        raise UsageError("the image has no pixels")
    if image.ndim == 2:
        return [image]
    found = [image[..., colour] for colour in range(3)]
    return found[:1] if all(np.array_equal(found[0], other) for other in found[1:]) else found


def strips(plane: Plane, overlap: int) -> Iterator[Plane]:
    """Cut *plane* into contiguous strips of rows; each but the first begins with the last *overlap* rows before it.

    All but the last have an even number of rows beside these.
    """
    height, width = plane.shape
    rows = max(2, STRIP // max(1, width) & ~1)
    for top in range(0, height - overlap, rows):
        yield np.ascontiguousarray(plane[top : top + rows + overlap])


def clipped(plane: Plane) -> NDArray[np.bool_]:
    """Where *plane* may have been cut off at black or white, or may look so by a flip of its lowest bit.

    There the picture itself has no symmetry between 2k and 2k + 1, and all estimates go astray.
    """
    return (plane < 2) | (plane > 253)
