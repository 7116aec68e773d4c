"""Pictures that are moved by a known projective map, and the error of a placement that was found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image as Pillow

from underpaint.embedding.placement import Matrix, Placement, transform
from underpaint.types import Image

#: Moves a picture; returns it with the map from its pixels to those of the result.
Move = Callable[[Image], tuple[Image, Matrix]]


def shifted(x: float, y: float) -> Matrix:
    """Return the map that moves points by *x* and *y* pixels."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)


def warped(image: Image, matrix: Matrix) -> tuple[Image, Matrix]:
    """Return the picture moved by *matrix*, at its size, black where nothing is seen."""
    inverse = np.linalg.inv(matrix)
    data = tuple((inverse / inverse[2, 2]).ravel()[:8])
    size = (image.shape[1], image.shape[0])
    moved = Pillow.fromarray(image).transform(size, Pillow.Transform.PERSPECTIVE, data, Pillow.Resampling.BICUBIC)
    return np.asarray(moved), matrix


def about_the_centre(image: Image, linear: Matrix) -> tuple[Image, Matrix]:
    """Return the picture moved by a *linear* map ``(2, 2)`` about its centre."""
    height, width = image.shape[:2]
    full = np.eye(3)
    full[:2, :2] = linear
    return warped(image, shifted(width / 2, height / 2) @ full @ shifted(-width / 2, -height / 2))


def rotated(degrees: float) -> Move:
    """Return a rotation about the centre."""
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return lambda image: about_the_centre(image, matrix)


def sheared(share: float) -> Move:
    """Return a horizontal shear."""
    return lambda image: about_the_centre(image, np.array([[1, share], [0, 1]]))


def tilted(share: float) -> Move:
    """Return a perspective that moves two opposite corners by a *share* of the width."""

    def move(image: Image) -> tuple[Image, Matrix]:
        height, width = image.shape[:2]
        matrix = np.array([[1, 0, 0], [0, 1, 0], [share / width, -share / height, 1]])
        return warped(image, matrix)

    return move


def cropped(top: float, left: float, share: float) -> Move:
    """Return the crop of a window that has *share* of each side, after shares *top* and *left* of the sides."""

    def move(image: Image) -> tuple[Image, Matrix]:
        height, width = image.shape[:2]
        y, x = round(top * height), round(left * width)
        part = image[y : y + round(share * height), x : x + round(share * width)]
        return part.copy(), shifted(-x, -y)

    return move


def bordered(width: int, level: int) -> Move:
    """Return a border of *width* pixels of one grey level."""
    return lambda image: (
        np.pad(image, ((width, width), (width, width), (0, 0)), constant_values=level),
        shifted(width, width),
    )


def transposed(image: Image) -> tuple[Image, Matrix]:
    """Return the picture with rows and columns exchanged."""
    return image.transpose(1, 0, 2).copy(), np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]], float)


def half_turned(image: Image) -> tuple[Image, Matrix]:
    """Return the picture turned by 180 degrees."""
    height, width = image.shape[:2]
    return image[::-1, ::-1].copy(), np.array([[-1, 0, width], [0, -1, height], [0, 0, 1]], float)


def error(placement: Placement, image: Image, cover: Image, matrix: Matrix) -> float:
    """Return the root mean square of the errors of *placement* over the seen part, in pixels of a canvas of 512."""
    height, width = cover.shape[:2]
    at = np.linspace(0.05, 0.95, 9)
    true = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
    seen = transform(matrix, true * [width, height])
    inside = ((seen > 0) & (seen < [image.shape[1], image.shape[0]])).all(axis=1)
    found = transform(np.asarray(np.linalg.inv(placement.matrix), np.float64), seen[inside])
    return float(np.sqrt(np.square(512 * (found - true[inside])).sum(axis=1).mean()))
