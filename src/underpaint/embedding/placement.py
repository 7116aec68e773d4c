"""Place of a marked picture in a received one: a projective map, and the picture straightened by it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from underpaint.types import Image

Matrix = NDArray[np.float64]

#: A received picture is reduced first if a pixel of the straightened one shows more than this many of its pixels.
_MAX_REDUCTION = 1.3
#: Levels by which pixels of a flat border differ at most, and share of its pixels that may differ more.
_MAX_DIFFERENCE, _MAX_OTHER = 12, 0.01


def transform(matrix: Matrix, points: Matrix) -> Matrix:
    """Return *points*, ``(n, 2)``, moved by a projective map, ``(3, 3)``."""
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(moved[:, :2] / moved[:, 2:])


def corners(width: float, height: float) -> Matrix:
    """Return the corners of a rectangle at the origin, ``(4, 2)``, in turn."""
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], float)


@dataclass(frozen=True, eq=False)
class Placement:
    """Place of a marked picture in a received one.

    Attributes:
        matrix: projective map ``(3, 3)`` from the unit square, which the marked picture fills, to pixels of the
            received one, both with the origin in the upper left corner.
    """

    matrix: Matrix

    def straightened(self, image: Image, side: int) -> Image:
        """Return the marked picture stretched to a square, ``uint8 (side, side, 3)``; black where it is not seen."""
        from PIL import Image as Pillow

        pixels = Pillow.fromarray(image)
        a, b = transform(self.matrix, corners(1, 1)), np.roll(transform(self.matrix, corners(1, 1)), -1, axis=0)
        area = abs(float(np.sum(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]))) / 2
        reduction = math.sqrt(area) / side
        scale = np.diag([1.0, 1.0, 1.0])
        if reduction > _MAX_REDUCTION:
            size = max(1, round(pixels.width / reduction)), max(1, round(pixels.height / reduction))
            scale = np.diag([size[0] / pixels.width, size[1] / pixels.height, 1.0])
            pixels = pixels.resize(size, Pillow.Resampling.BICUBIC, reducing_gap=3.0)
        inverse = scale @ self.matrix @ np.diag([1 / side, 1 / side, 1.0])
        data = tuple((inverse / inverse[2, 2]).ravel()[:8])
        return np.asarray(pixels.transform((side, side), Pillow.Transform.PERSPECTIVE, data, Pillow.Resampling.BICUBIC))

    def outline(self, image: Image) -> Matrix:
        """Return the corners of the received picture in coordinates of the unit square, ``(4, 2)``, in turn."""
        height, width = image.shape[:2]
        return transform(np.asarray(np.linalg.inv(self.matrix), np.float64), corners(width, height))


def trimmed(image: Image) -> Image:
    """Return *image* without flat borders: rows and columns at the edges that have the colour of their corner.

    A row counts if at most :data:`_MAX_OTHER` of its pixels differ by more than :data:`_MAX_DIFFERENCE` levels.
    """
    height, width = image.shape[:2]
    top, bottom = _flat_rows(image), _flat_rows(image[::-1])
    if top + bottom >= height:
        return image
    inner = image[top : height - bottom].transpose(1, 0, 2)
    left, right = _flat_rows(inner), _flat_rows(inner[::-1])
    if left + right >= width:
        return image
    return image[top : height - bottom, left : width - right]


def _flat_rows(image: Image) -> int:
    """Return the number of flat rows at the top."""
    colour = image[0, 0].astype(np.int16)
    for number, row in enumerate(image):
        different = np.abs(row - colour).max(axis=1) > _MAX_DIFFERENCE
        if different.mean() > _MAX_OTHER:
            return number
    return len(image)
