"""How far a container is from its cover, how well bits arrived, and how well a detector tells the two apart.

Pictures are ``uint8 (H, W, 3)``, both of one shape; anything else raises UsageError. All in NumPy, with memory bounded:
under 200 MB beside the pictures for 12 megapixels.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from underpaint.errors import UsageError
from underpaint.types import LUMA, as_bits, as_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import ArrayLike, NDArray

    from underpaint.types import Image

#: Side of the window of SSIM, in pixels, and of the smallest picture it takes.
SSIM_WINDOW = 11
#: The smallest side MS-SSIM takes: a window at the coarsest of its five scales.
MS_SSIM_SMALLEST_SIDE = SSIM_WINDOW * 2**4

_MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# (K L)² with K = 0.01 and 0.03 and L = 255.
_C1, _C2 = 2.55**2, 7.65**2
_ROWS_PER_STRIP = 32


def psnr(a: Image, b: Image) -> float:
    """Peak signal-to-noise ratio in dB over all RGB values, 0 to infinity; infinity when equal."""
    mse = float(np.square(_distance(a, b), dtype=np.uint16).mean(dtype=np.float64))
    return float(10 * np.log10(255**2 / mse)) if mse else float("inf")


def mse(a: Image, b: Image) -> float:
    """Mean squared error of all RGB values, of the full scale: 0–1."""
    return float(np.square(_distance(a, b), dtype=np.uint16).mean(dtype=np.float64)) / 255**2


def pooled_psnr(pairs: Iterable[tuple[Image, Image]]) -> float:
    """Peak signal-to-noise ratio in dB of the mean of :func:`mse` over *pairs*, as some papers have it.

    At most the mean of :func:`psnr`, which it is where all are alike; infinity when equal.

    Raises:
        UsageError: as of :func:`psnr`, or there are no pairs.
    """
    errors = [mse(*pair) for pair in pairs]
    if not errors:
        raise UsageError("there are no pictures to compare")
    return float(-10 * np.log10(np.mean(errors))) if any(errors) else float("inf")


def apd(a: Image, b: Image) -> float:
    """Average pixel discrepancy: the mean absolute difference of all RGB values, 0–255."""
    return float(_distance(a, b).mean(dtype=np.float64))


def ssim(a: Image, b: Image) -> float:
    """Structural similarity of the luma, -1 to 1; 1 when equal.

    Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural similarity, 2004.
    Gaussian window 11×11 with sigma 1.5; the mean goes over the windows that lie wholly within the picture, as in the
    authors' code and in scikit-image. The picture is not shrunk first, and the luma (BT.601, full range) not rounded.

    Raises:
        UsageError: a side is below 11 pixels.
    """
    return _similarity(*_lumas(a, b, SSIM_WINDOW))[0]


def ms_ssim(a: Image, b: Image, scales: int = 5) -> float:
    """Multi-scale structural similarity of the luma, 0–1; 1 when equal.

    Wang, Simoncelli, Bovik: Multi-scale structural similarity for image quality assessment, 2003: five scales, the
    published weights, halved by the mean of 2×2 pixels; an odd last row or column is repeated, as in the authors' code.
    Negative structure at any scale counts as 0. With fewer *scales*, weights are those of the first, for a sum of 1.

    Raises:
        UsageError: *scales* are not 1–5, or a side is below 176 pixels, or half as many for each scale less.
    """
    weights = _weights(scales)
    x, y = _lumas(a, b, SSIM_WINDOW * 2 ** (scales - 1))
    product = 1.0
    for weight in weights[:-1]:
        product *= max(0.0, _similarity(x, y)[1]) ** weight
        x, y = _halved(x), _halved(y)
    return float(product * max(0.0, _similarity(x, y)[0]) ** weights[-1])


def ms_ssim_normalised(a: Image, b: Image, scales: int = 5) -> float:
    """MS-SSIM as many a paper's code has it, .38 or so of unrelated pictures to 1.

    As of the much copied ``pytorch_msssim`` with ``normalize=True``: means over colours, each brought from -1…1 to 0–1,
    and the similarity at the last scale multiplied in once for each of the others. An odd last row or column is left
    out.

    Raises:
        UsageError: as of :func:`ms_ssim`.
    """
    weights = _weights(scales)
    _check_sides(a, b, SSIM_WINDOW * 2 ** (scales - 1))
    x, y = (np.moveaxis(each, 2, 0).astype(np.float32) - np.float32(128) for each in (a, b))
    product = 1.0
    for scale, weight in enumerate(weights):
        similarity, structure = np.mean([_similarity(*planes) for planes in zip(x, y, strict=True)], axis=0)
        last = scale == scales - 1
        product *= ((1 + (similarity if last else structure)) / 2) ** (weight * (max(1, scales - 1) if last else 1))
        x, y = (np.stack([_halved(plane) for plane in _even(each)]) for each in (x, y))
    return float(product)


def ber(sent: ArrayLike, received: ArrayLike) -> float:
    """Bit error rate: the share of bits that differ, 0–1. Any shape, the same for both."""
    return float(_wrong(sent, received).mean())


def exact_rate(sent: ArrayLike, received: ArrayLike) -> float:
    """Share of messages without a single wrong bit, 0–1; one message per row, ``(messages, bits)``."""
    wrong = _wrong(sent, received)
    if wrong.ndim != 2:
        raise UsageError(f"expected one message per row, not an array of shape {wrong.shape}")
    return float(1 - wrong.any(axis=1).mean())


def wilson(errors: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Confidence interval (low, high) of a share of which *errors* in *trials* were seen, within 0–1.

    Wilson: Probable inference, the law of succession, and statistical inference, 1927. Trials must be independent:
    bits of one message are not, messages are.

    Raises:
        UsageError: no trials, errors outside 0–trials, or a confidence outside 0–1.
    """
    if not 0 <= errors <= trials or trials < 1 or not 0 < confidence < 1:
        raise UsageError(f"no interval for {errors} errors in {trials} trials at confidence {confidence}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = errors / trials
    # Written so that the two cancel exactly where no errors were seen.
    unit = z / (2 * trials)
    centre = share + unit * z
    spread = unit * (4 * trials * share * (1 - share) + z * z) ** 0.5
    scale = 1 + z**2 / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


class Roc(NamedTuple):
    """The operating points of a detector, from none called a container to all; three ``float64 (n,)``."""

    #: What a score must reach to be called a container's, falling; the first is infinite.
    thresholds: NDArray[np.float64]
    #: The share of covers called containers, 0–1, rising.
    false_alarms: NDArray[np.float64]
    #: The share of containers called so, 0–1, rising.
    detections: NDArray[np.float64]


def roc(covers: ArrayLike, containers: ArrayLike) -> Roc:
    """The receiver operating characteristic of a detector by its scores, ``(n,)`` each; a higher one says container.

    Raises:
        UsageError: scores that are not finite, none, or not in one row.
    """
    clean, stego = _scores(covers), _scores(containers)
    thresholds = np.unique(np.concatenate([clean, stego]))[::-1]
    reached = [(each.size - np.searchsorted(np.sort(each), thresholds)) / each.size for each in (clean, stego)]
    return Roc(np.append(np.inf, thresholds), *(np.append(0.0, each) for each in reached))


def auc(covers: ArrayLike, containers: ArrayLike) -> float:
    """The area under :func:`roc`, 0–1: how often a container's score exceeds a cover's, ties half; .5 is a guess."""
    _, false_alarms, detections = roc(covers, containers)
    return float(np.sum(np.diff(false_alarms) * (detections[1:] + detections[:-1])) / 2)


def p_e(covers: ArrayLike, containers: ArrayLike) -> float:
    """The least mean of false alarms and missed containers over all thresholds, 0–0.5; .5 is a guess."""
    _, false_alarms, detections = roc(covers, containers)
    return float(np.min(false_alarms + 1 - detections) / 2)


def tpr_at(covers: ArrayLike, containers: ArrayLike, fpr: float = 0.01) -> float:
    """The largest share of containers found, 0–1, with false alarms in at most *fpr* of the covers, 0–1."""
    _, false_alarms, detections = roc(covers, containers)
    return float(detections[false_alarms <= fpr].max())


def bootstrap(
    metric: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
    covers: ArrayLike,
    containers: ArrayLike,
    *,
    rounds: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Confidence interval (low, high) of a *metric* such as :func:`auc`, by its percentiles over pairs drawn anew.

    B. Efron: Bootstrap methods: another look at the jackknife, 1979. A cover and its container stay together; the pairs
    must be independent, which several pieces of one photograph are not.

    Raises:
        UsageError: scores as for :func:`roc`, not as many covers as containers, or a confidence outside 0–1.
    """
    clean, stego = _scores(covers), _scores(containers)
    if clean.size != stego.size or not 0 < confidence < 1:
        raise UsageError(f"no interval for {clean.size} covers, {stego.size} containers at confidence {confidence}")
    rng = np.random.default_rng(seed)
    draws = (rng.integers(0, clean.size, clean.size) for _ in range(rounds))
    low, high = np.quantile(
        [metric(clean[drawn], stego[drawn]) for drawn in draws], [0.5 - confidence / 2, 0.5 + confidence / 2]
    )
    return float(low), float(high)


def _scores(values: ArrayLike) -> NDArray[np.float64]:
    scores = np.asarray(values, np.float64)
    if scores.ndim != 1 or not scores.size or not np.isfinite(scores).all():
        raise UsageError(f"expected a row of finite scores, not shape {scores.shape}")
    return scores


def _check_pair(a: Image, b: Image) -> None:
    if as_image(a).shape != as_image(b).shape:
        raise UsageError(f"cannot compare pictures of different shapes, {a.shape} and {b.shape}")


def _check_sides(a: Image, b: Image, smallest: int) -> None:
    _check_pair(a, b)
    if min(a.shape[:2]) < smallest:
        raise UsageError(f"the picture is too small: both sides must be at least {smallest} pixels")


def _weights(scales: int) -> tuple[float, ...]:
    """Those of MS-SSIM, of the first *scales*."""
    if not 1 <= scales <= len(_MS_SSIM_WEIGHTS):
        raise UsageError(f"there are 1–{len(_MS_SSIM_WEIGHTS)} scales, not {scales}")
    first = _MS_SSIM_WEIGHTS[:scales]
    return first if scales == len(_MS_SSIM_WEIGHTS) else tuple(weight / sum(first) for weight in first)


def _distance(a: Image, b: Image) -> NDArray[np.uint8]:
    """Return the absolute difference of each value, still in 8 bits."""
    _check_pair(a, b)
    distance: NDArray[np.uint8] = np.maximum(a, b) - np.minimum(a, b)
    return distance


def _wrong(sent: ArrayLike, received: ArrayLike) -> NDArray[np.bool_]:
    one, other = np.asarray(sent), np.asarray(received)
    if one.shape != other.shape or not one.size:
        raise UsageError(f"cannot compare bits of shapes {one.shape} and {other.shape}")
    wrong: NDArray[np.bool_] = as_bits(one.ravel()) != as_bits(other.ravel())
    return wrong.reshape(one.shape)


def _lumas(a: Image, b: Image, smallest: int) -> list[NDArray[np.float32]]:
    """Return both lumas less 128, ``float32 (H, W)``: around zero, squares keep their precision in 32 bits."""
    _check_sides(a, b, smallest)
    red, green, blue = np.array(LUMA, np.float32)
    return [red * i[..., 0] + green * i[..., 1] + blue * i[..., 2] - np.float32(128) for i in (a, b)]


def _similarity(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[float, float]:
    """Return the means over all windows of SSIM and of its contrast-structure part (Wang 2004, eq. 13)."""
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    kernel = np.exp(-0.5 * (offsets / 1.5) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    height, width = (side - SSIM_WINDOW + 1 for side in x.shape)
    totals = np.zeros(2)
    for top in range(0, height, _ROWS_PER_STRIP):
        rows = slice(top, top + _ROWS_PER_STRIP + SSIM_WINDOW - 1)
        p, q = x[rows], y[rows]
        # Only the sum of the variances is needed, so four planes are filtered, not five.
        planes = np.stack([p, q, p * p + q * q, p * q])
        planes = _convolved(_convolved(planes, kernel).swapaxes(1, 2), kernel)
        mean_x, mean_y, squares, cross = planes
        product, both = mean_x * mean_y, mean_x**2 + mean_y**2
        structure = (2 * (cross - product) + _C2) / (squares - both + _C2)
        mean_x, mean_y = mean_x + 128, mean_y + 128
        luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
        totals += (luminance * structure).sum(dtype=np.float64), structure.sum(dtype=np.float64)
    similarity, structure_mean = totals / (height * width)
    return float(similarity), float(structure_mean)


def _convolved(planes: NDArray[np.float32], kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Filter ``(n, H, W)`` along its rows' axis, whole windows only: ``(n, H - 10, W)``."""
    size = planes.shape[1] - len(kernel) + 1
    result = np.zeros_like(planes[:, :size])
    for start, weight in enumerate(kernel):
        result += weight * planes[:, start : start + size]
    return result


def _even(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """*planes*, ``(n, H, W)``, without an odd last row or column."""
    height, width = planes.shape[1:]
    return planes[:, : height // 2 * 2, : width // 2 * 2]


def _halved(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = plane.shape
    even = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / np.float32(4)
