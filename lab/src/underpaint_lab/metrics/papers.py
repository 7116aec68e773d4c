"""Image quality metrics as papers and their code define them, where that differs from the standard definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import UsageError
from underpaint.metrics import SSIM_WINDOW, check_pair, halve, ms_ssim_weights, ssim_terms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from underpaint.types import Image


def mse(a: Image, b: Image) -> float:
    """Return the mean squared error of all RGB values, relative to full scale: 0–1."""
    check_pair(a, b)
    distance = np.maximum(a, b) - np.minimum(a, b)
    return float(np.square(distance, dtype=np.uint16).mean(dtype=np.float64)) / 255**2


def pooled_psnr(pairs: Iterable[tuple[Image, Image]]) -> float:
    """Return the PSNR in dB of the mean :func:`mse` over *pairs*, as some papers report it; infinity if all are equal.

    It is at most the mean of :func:`underpaint.metrics.psnr`.

    Raises:
        UsageError: the pictures of a pair differ in shape, or there are no pairs.
    """
    errors = [mse(*pair) for pair in pairs]
    if not errors:
        raise UsageError("there are no pictures to compare")
    return float(-10 * np.log10(np.mean(errors))) if any(errors) else float("inf")


def ms_ssim_normalised(a: Image, b: Image, scales: int = 5) -> float:
    """Return MS-SSIM as ``pytorch_msssim`` has it with ``normalize=True``: about 0.38 for unrelated pictures, to 1.

    Many papers report this variant: means over colours, each mapped from -1…1 to 0–1, and the similarity at the last
    scale multiplied in once for each of the other scales. An odd last row or column is left out.

    Args:
        a: a picture.
        b: another one of the same shape.
        scales: number of scales, 1–5.

    Raises:
        UsageError: as of :func:`underpaint.metrics.ms_ssim`.
    """
    weights = ms_ssim_weights(scales)
    check_pair(a, b, SSIM_WINDOW * 2 ** (scales - 1))
    x, y = (np.moveaxis(each, 2, 0).astype(np.float32) - np.float32(128) for each in (a, b))
    product = 1.0
    for scale, weight in enumerate(weights):
        similarity, structure = np.mean([ssim_terms(*planes) for planes in zip(x, y, strict=True)], axis=0)
        last = scale == scales - 1
        product *= ((1 + (similarity if last else structure)) / 2) ** (weight * (max(1, scales - 1) if last else 1))
        x, y = (np.stack([halve(plane) for plane in _even(each)]) for each in (x, y))
    return float(product)


def _even(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return *planes*, ``(n, H, W)``, without an odd last row or column."""
    height, width = planes.shape[1:]
    return planes[:, : height // 2 * 2, : width // 2 * 2]
