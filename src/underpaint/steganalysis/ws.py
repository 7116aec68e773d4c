"""Weighted stego: what replaced bits do to values that their neighbours foretell."""

from __future__ import annotations

from itertools import islice, product
from typing import TYPE_CHECKING

import numpy as np

from underpaint.steganalysis import planes, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from underpaint.steganalysis.planes import Plane

#: What is added to the error around a value before it weighs: places foretold well do not outweigh all others.
_MODERATION = np.float32(1)
#: At most so many values of each plane teach the predictor, at least so many per coefficient.
_TEACHERS, _FEWEST = 1 << 19, 10
#: Eigenvalues below this part of the largest are none: planes may be flat, or alike.
_RANK = 1e-9


def weighted_stego(image: Plane) -> float | None:
    """Estimate by how far, in the direction of their lowest bit, values lie from what is foretold of them.

    After J. Fridrich, M. Goljan: On estimation of secret message length in LSB steganography in spatial domain, 2004,
    and A. Ker, R. Böhme: Revisiting weighted stego-image steganalysis, 2008. A value is foretold by its eight
    neighbours and, in a colour picture, by the nine values there of each other colour, by least squares over the
    picture. It weighs 1 / (1 + the mean squared error of its neighbours); clipped values and their neighbours weigh
    nothing. Where lowest bits resemble their neighbours', as in flat places, the estimate is too large, and is divided
    by what they make of it. None below about 260 pixels in colour and 80 in grey.

    Raises:
        UsageError: *image* is no picture.
    """
    found = planes.of(image)
    height, width = found[0].shape
    if min(height, width) < 5 or (height - 4) * (width - 4) < _FEWEST * (9 * len(found) - 1):
        return None
    predictor = _predictor(found)
    total, alike, weights = (np.zeros(len(found)) for _ in range(3))
    for strip in _strips(found, 4):
        values, signs = _centred(strip), np.where(strip & 1, np.float32(1), np.float32(-1))
        error = values[:, 1:-1, 1:-1] - _foretold(values, predictor)
        weight = 1 / (_MODERATION + _neighbours(error * error) / 8)
        clipped = planes.clipped(strip[:, 1:-1, 1:-1]).astype(np.float32)
        weight[clipped[:, 1:-1, 1:-1] + _neighbours(clipped) > 0] = 0
        signed = weight * signs[:, 2:-2, 2:-2]  # 1 for an odd value, -1 for an even one: the way a flip would have come
        total += (signed * error[:, 1:-1, 1:-1]).sum(axis=(1, 2), dtype=np.float64)
        alike += (signed * _foretold(signs[:, 1:-1, 1:-1], predictor)).sum(axis=(1, 2), dtype=np.float64)
        weights += weight.sum(axis=(1, 2), dtype=np.float64)
    # Below 0, as only a pattern of lowest bits can be, what is alike could make the divisor 0.
    return share.mean([2 * t / (w + max(a, 0.0)) if w else None for t, a, w in zip(total, alike, weights, strict=True)])


def _predictor(found: list[Plane]) -> NDArray[np.float32]:
    """Coefficients ``(C, 9 C)`` that foretell each of C planes from all of :func:`_around` but itself."""
    colours = len(found)
    gram = np.zeros((9 * colours, 9 * colours))
    for strip in islice(_strips(found, 2), 0, None, -(-found[0].size // _TEACHERS)):
        columns = _around(_centred(strip)).astype(np.float64)
        gram += columns @ columns.T
    predictor = np.zeros_like(gram[:colours])
    for colour in range(colours):
        itself = 4 * colours + colour
        others = np.delete(np.arange(9 * colours), itself)
        inverse = np.linalg.pinv(gram[np.ix_(others, others)], rcond=_RANK, hermitian=True)
        predictor[colour, others] = inverse @ gram[others, itself]
    return predictor.astype(np.float32)


def _strips(found: list[Plane], overlap: int) -> Iterator[Plane]:
    """Strips of all planes, ``(C, h, W)``."""
    for strip in zip(*(planes.strips(plane, overlap) for plane in found), strict=True):
        yield np.stack(strip)


def _centred(strip: Plane) -> NDArray[np.float32]:
    """A predictor has no constant, and needs none around the middle of the range."""
    return strip.astype(np.float32) - np.float32(128)


def _foretold(values: NDArray[np.float32], predictor: NDArray[np.float32]) -> NDArray[np.float32]:
    """What *predictor* says of each inner place, ``(C, H, W)`` to ``(C, H - 2, W - 2)``."""
    colours, height, width = values.shape
    foretold: NDArray[np.float32] = predictor @ _around(values)
    return foretold.reshape(colours, height - 2, width - 2)


def _around(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each inner place's 3×3 values of all planes: ``(C, H, W)`` to ``(9 C, (H - 2) (W - 2))``."""
    _, height, width = values.shape
    parts = [values[:, y : y + height - 2, x : x + width - 2] for y, x in product(range(3), repeat=2)]
    return np.concatenate(parts).reshape(9 * len(values), -1)


def _neighbours(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sum over each inner place's eight neighbours, ``(C, H, W)`` to ``(C, H - 2, W - 2)``."""
    rows = values[:, :-2] + values[:, 1:-1] + values[:, 2:]
    total: NDArray[np.float32] = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    return total - values[:, 1:-1, 1:-1]
