"""Weighted stego image (WS): LSB replacement from the error of a linear prediction by neighbouring values."""

from __future__ import annotations

from itertools import islice, product
from typing import TYPE_CHECKING

import numpy as np

from underpaint.steganalysis import planes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from underpaint.steganalysis.planes import Plane

#: Added to the mean squared error around a value before the reciprocal becomes its weight: a few values that are
#: predicted very well do not outweigh all others.
_WEIGHT_OFFSET = np.float32(1)
#: Most values of a plane that the predictor is fitted to.
_MAX_SAMPLES = 1 << 19
#: Least values per coefficient of the predictor.
_MIN_SAMPLES_PER_COEFFICIENT = 10
#: Eigenvalues below this part of the largest count as zero: planes may be flat, or equal.
_RANK_TOLERANCE = 1e-9


def ws(image: Plane) -> float | None:
    """Estimate the payload of LSB replacement from prediction errors in the direction of the lowest bits.

    A value is predicted from its eight neighbours and, in a colour picture, from the 3×3 values of the other colours,
    by least squares over the picture. Its weight is 1 / (1 + mean squared error of its neighbours); clipped values
    and their neighbours have weight 0. Where lowest bits correlate with their neighbours', as in flat regions, the
    estimate would be too large: it is divided by the prediction of the bits themselves.

    Example:
        ``ws(stego)`` returns about 0.3 after LSB replacement in 30 % of the values.

    Args:
        image: ``uint8 (H, W, 3)`` or ``(H, W)``.

    Returns:
        Share of values that carry a bit, 0–1, mean over colours; None below about 260 pixels in colour, 80 in grey.

    Raises:
        UsageError: *image* is no picture.

    Source: J. Fridrich, M. Goljan, "On estimation of secret message length in LSB steganography in spatial domain",
    2004; A. Ker, R. Böhme, "Revisiting weighted stego-image steganalysis", 2008.
    """
    found = planes.colour_planes(image)
    height, width = found[0].shape
    coefficients = 9 * len(found) - 1
    if min(height, width) < 5 or (height - 4) * (width - 4) < _MIN_SAMPLES_PER_COEFFICIENT * coefficients:
        return None
    predictor = _fit_predictor(found)
    total, bias, weights = (np.zeros(len(found)) for _ in range(3))
    for strip in _strips(found, 4):
        values, signs = _centred(strip), np.where(strip & 1, np.float32(1), np.float32(-1))
        error = values[:, 1:-1, 1:-1] - _predict(values, predictor)
        weight = 1 / (_WEIGHT_OFFSET + _sum_of_neighbours(error * error) / 8)
        clipped = planes.clipped(strip[:, 1:-1, 1:-1]).astype(np.float32)
        weight[clipped[:, 1:-1, 1:-1] + _sum_of_neighbours(clipped) > 0] = 0
        signed = weight * signs[:, 2:-2, 2:-2]  # 1 for an odd value, -1 for an even one: the way a flip would have come
        total += (signed * error[:, 1:-1, 1:-1]).sum(axis=(1, 2), dtype=np.float64)
        bias += (signed * _predict(signs[:, 1:-1, 1:-1], predictor)).sum(axis=(1, 2), dtype=np.float64)
        weights += weight.sum(axis=(1, 2), dtype=np.float64)
    # A negative bias, which only a regular pattern of lowest bits has, could make the divisor 0.
    estimates = [2 * t / (w + max(b, 0.0)) if w else None for t, b, w in zip(total, bias, weights, strict=True)]
    return planes.mean_estimate(estimates)


def _fit_predictor(found: list[Plane]) -> NDArray[np.float32]:
    """Return coefficients ``(C, 9 C)`` that predict each of C planes from :func:`_neighbourhoods` without itself."""
    colours = len(found)
    gram = np.zeros((9 * colours, 9 * colours))
    for strip in islice(_strips(found, 2), 0, None, -(-found[0].size // _MAX_SAMPLES)):
        columns = _neighbourhoods(_centred(strip)).astype(np.float64)
        gram += columns @ columns.T
    predictor = np.zeros_like(gram[:colours])
    for colour in range(colours):
        itself = 4 * colours + colour
        others = np.delete(np.arange(9 * colours), itself)
        inverse = np.linalg.pinv(gram[np.ix_(others, others)], rcond=_RANK_TOLERANCE, hermitian=True)
        predictor[colour, others] = inverse @ gram[others, itself]
    return predictor.astype(np.float32)


def _strips(found: list[Plane], overlap: int) -> Iterator[Plane]:
    """Yield strips of all planes, ``(C, h, W)``."""
    for strip in zip(*(planes.strips(plane, overlap) for plane in found), strict=True):
        yield np.stack(strip)


def _centred(strip: Plane) -> NDArray[np.float32]:
    """Shift values to around 0: the predictor has no constant term."""
    return strip.astype(np.float32) - np.float32(128)


def _predict(values: NDArray[np.float32], predictor: NDArray[np.float32]) -> NDArray[np.float32]:
    """Predict all inner values, ``(C, H, W)`` to ``(C, H - 2, W - 2)``."""
    colours, height, width = values.shape
    predicted: NDArray[np.float32] = predictor @ _neighbourhoods(values)
    return predicted.reshape(colours, height - 2, width - 2)


def _neighbourhoods(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the 3×3 values of all planes around each inner place: ``(C, H, W)`` to ``(9 C, (H - 2) (W - 2))``."""
    _, height, width = values.shape
    parts = [values[:, y : y + height - 2, x : x + width - 2] for y, x in product(range(3), repeat=2)]
    return np.concatenate(parts).reshape(9 * len(values), -1)


def _sum_of_neighbours(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum the eight neighbours of each inner place, ``(C, H, W)`` to ``(C, H - 2, W - 2)``."""
    rows = values[:, :-2] + values[:, 1:-1] + values[:, 2:]
    total: NDArray[np.float32] = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    return total - values[:, 1:-1, 1:-1]
