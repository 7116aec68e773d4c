"""Colour planes of a picture, strips of them for bounded memory, and the mean of their estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint import types
from underpaint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Plane = NDArray[np.uint8]

#: Most values of a strip, unless one row has more.
STRIP = 1 << 17


def colour_planes(image: Plane) -> list[Plane]:
    """Split a picture into its colour planes.

    Args:
        image: ``uint8 (H, W, 3)`` or ``(H, W)``.

    Returns:
        Three planes ``(H, W)``, or one if *image* is ``(H, W)`` or its three planes are equal.

    Raises:
        UsageError: *image* is anything else, or has no pixels.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
        raise UsageError(f"expected a picture, uint8 (H, W, 3) or (H, W), not {image.dtype} {image.shape}")
    if not image.size:
        raise UsageError("the image has no pixels")
    if image.ndim == 2:
        return [image]
    planes = [image[..., colour] for colour in range(3)]
    return planes[:1] if all(np.array_equal(planes[0], other) for other in planes[1:]) else planes


def strips(plane: Plane, overlap: int) -> Iterator[Plane]:
    """Cut *plane* into contiguous strips of rows; each but the first begins with the last *overlap* rows before it.

    All but the last have an even number of rows beside the overlap.
    """
    height, width = plane.shape
    rows = max(2, STRIP // max(1, width) & ~1)
    for strip in types.strips(height - overlap, rows):
        yield np.ascontiguousarray(plane[strip.start : strip.stop + overlap])


def clipped(plane: Plane) -> NDArray[np.bool_]:
    """Return which values may have been clipped at black or white, before or after a flip of the lowest bit.

    The estimators leave these out: clipping breaks the symmetry between 2k and 2k + 1 that they assume of a cover.
    """
    return (plane < 2) | (plane > 253)


def mean_estimate(estimates: Sequence[float | None]) -> float | None:
    """Return the mean of the *estimates* that are not None, clipped to 0–1; None if all are."""
    known = [estimate for estimate in estimates if estimate is not None]
    return min(1.0, max(0.0, float(sum(known) / len(known)))) if known else None
