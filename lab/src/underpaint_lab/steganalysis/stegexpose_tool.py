"""StegExpose as the tool computes it, with its deviations from the papers; for comparison with published results.

B. Boehm, "StegExpose – a tool for detecting LSB steganography", 2014. The estimators by the papers are in
:mod:`underpaint.steganalysis`; each function here lists what the tool does differently.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from underpaint.steganalysis.chi_square import BLOCK, histograms, survival
from underpaint.steganalysis.planes import colour_planes
from underpaint.steganalysis.rs import count_groups, linear_solution, roots
from underpaint.steganalysis.rs import quadratic as rs_quadratic
from underpaint.steganalysis.spa import W, Y, count_pairs, horizontal_pairs
from underpaint.steganalysis.spa import quadratic as pairs_quadratic
from underpaint.steganalysis.stegexpose import Fusion, fuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from underpaint.steganalysis.planes import Plane
    from underpaint.steganalysis.rs import Groups

_U, _V = np.indices((256, 256))
#: The tool's set W of primary sets: all of Y that has an odd member.
TOOL_W = Y & ((_U | _V) % 2 == 1)
#: The tool's chi-square attack fails on fewer blocks.
_MIN_BLOCKS = 256


def primary_sets(image: Plane) -> float | None:
    """Estimate the payload as the tool's primary sets.

    Deviations: the red channel alone; a wrong set W; of two roots the smaller one instead of the one nearer to 0;
    clipped pairs count; the magnitude of a negative estimate.

    Args:
        image: ``uint8 (H, W, 3)`` or ``(H, W)``.

    Returns:
        0–1; None where no root is real.

    Raises:
        UsageError: *image* is no picture.
    """
    a, b, c = pairs_quadratic(count_pairs(*horizontal_pairs(colour_planes(image)[0])), TOOL_W)
    with np.errstate(all="ignore"):
        width = np.sqrt(b * b - 4 * a * c)
        upper, lower = (width - b) / (2 * a), (-b - width) / (2 * a)
    return _magnitude([upper if upper < lower else lower])


def sample_pairs(image: Plane) -> float | None:
    """Estimate the payload as the tool's sample pairs.

    Deviations: only disjoint pairs; c / b, of the wrong sign, where no root is real or it is 0; clipped pairs count;
    the magnitude of a negative mean.

    Args:
        image: ``uint8 (H, W, 3)`` or ``(H, W)``.

    Returns:
        0–1; None where a side is odd, or the result is no number.

    Raises:
        UsageError: *image* is no picture.
    """
    planes = colour_planes(image)
    if any(side % 2 for side in image.shape[:2]):
        return None
    tables = [count_pairs(*horizontal_pairs(plane)) + count_pairs(*horizontal_pairs(plane.T)) for plane in planes]
    return _magnitude([_sample_pairs_root(*pairs_quadratic(table, W)) for table in tables])


def chi_square(image: Plane) -> float | None:
    """Estimate the payload as the tool's chi-square attack.

    Deviations: the statistic of one member of each pair and the mean of its p-values; counts begin at 1 and all pairs
    take part; expected counts are cut to whole numbers and scaled to the sum of the observed ones; the last block is
    left out.

    Args:
        image: ``uint8 (H, W, 3)`` or ``(H, W)``.

    Returns:
        0–1; None below 257 blocks of 1,024 values, which are 87,723 pixels of three colours.

    Raises:
        UsageError: *image* is no picture.
    """
    planes = colour_planes(image)
    values = np.stack(planes * 3 if len(planes) == 1 else planes, axis=-1).reshape(-1)  # always three colours
    blocks = values.size // BLOCK - 1
    if blocks < _MIN_BLOCKS:
        return None
    return sum(float(_p_values(counts).sum()) for counts in histograms(values, blocks, initial=1)) / blocks


def rs(image: Plane) -> float | None:
    """Estimate the payload as the tool's RS analysis.

    Deviations: the mean of overlapping and of disjoint groups; groups with clipped values count; negative estimates
    count as positive.

    Args:
        image: ``uint8 (H, W, 3)`` or ``(H, W)``.

    Returns:
        0–1; None if the result is no number or a side is below 2 pixels.

    Raises:
        UsageError: *image* is no picture.
    """
    planes = colour_planes(image)
    if min(image.shape[:2]) < 2:
        return None
    return _magnitude([_rs_root(count_groups(p, step, skip_clipped=False)) for step in (1, 2) for p in planes])


#: The estimators by name, in the order of the tool.
STEGEXPOSE_TOOL = {"primary-sets": primary_sets, "sample-pairs": sample_pairs, "chi-square": chi_square, "rs": rs}


def stegexpose_tool(image: Plane) -> Fusion:
    """Run the tool's four estimators and take their mean, as :func:`underpaint.steganalysis.stegexpose.stegexpose`.

    Raises:
        UsageError: *image* is no picture.
    """
    estimates = {name: estimate(image) for name, estimate in STEGEXPOSE_TOOL.items()}
    return Fusion(estimates, fuse(estimates.values()))


def _magnitude(estimates: Sequence[float]) -> float | None:
    """Return the magnitude of the mean, at most 1; None if it is no number."""
    mean = sum(estimates) / len(estimates)
    return None if math.isnan(mean) else min(1.0, abs(float(mean)))


def _sample_pairs_root(a: np.float64, b: np.float64, c: np.float64) -> np.float64:
    """Return the root nearer to 0, or c / b; may be infinite or no number."""
    with np.errstate(all="ignore"):
        width = b * b - 4 * a * c
        upper, lower = (np.sqrt(width) - b) / (2 * a), (-b - np.sqrt(width)) / (2 * a)
        root = upper if abs(upper) <= abs(lower) else lower
        return c / b if width < 0 or root == 0 else root


def _p_values(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the p-value of each histogram ``(blocks, 256)``."""
    even, odd = counts[:, ::2], counts[:, 1::2]
    expected = ((even + odd) // 2).astype(np.float64)
    expected *= even.sum(axis=1, keepdims=True) / expected.sum(axis=1, keepdims=True)
    statistic = ((even - expected) ** 2 / expected).sum(axis=1)
    return survival(statistic, np.full(len(statistic), 127))


def _rs_root(groups: Groups) -> float:
    """Return the magnitude of the tool's solution; may be infinite or no number."""
    a, b, c = rs_quadratic(groups)
    with np.errstate(all="ignore"):
        discriminant = b * b - 4 * a * c
        upper, lower = roots(a, b, discriminant)
        x = linear_solution(groups) if discriminant < 0 else upper if abs(upper) <= abs(lower) else lower
        if x == 0:  # then the tool looks which way the curves would bend, divides by 0, and may take lines
            regular, singular = (
                ((fn - f + p - n) + (n - p) / x) / (x - 1) for p, n, f, fn in zip(*groups, strict=True)
            )
            x = linear_solution(groups) if singular > 0 or regular < 0 else x
        return float(abs(x / (x - 0.5))) if x != 0.5 else 0.0
