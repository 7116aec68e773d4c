"""Chi-square attack: sequential LSB replacement makes the values 2k and 2k + 1 equally frequent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from underpaint.steganalysis import planes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from underpaint.steganalysis.planes import Plane

#: Values after which the histogram so far is tested again.
BLOCK = 1024
#: Least expected count of each value of a pair in a test.
MIN_EXPECTED = 5
#: Significance level of a test.
SIGNIFICANCE = 0.05


def chi_square(image: Plane) -> float | None:
    """Estimate how far into the picture the values 2k and 2k + 1 are equally frequent.

    Values are read row by row, colours interleaved. After every 1,024 values a chi-square test compares the counts of
    2k and 2k + 1 so far. The estimate is the share of tests that do not reject equal counts at the 5 % level. It is
    right for a payload in the first values; a scattered payload shows only if it fills nearly all values.

    Example:
        ``chi_square(stego)`` returns about 0.3 after LSB replacement of the first 30 % of the values.

    Args:
        image: ``uint8 (H, W, 3)`` or ``(H, W)``.

    Returns:
        Share of tests, 0–1; None for a picture of less than 1,024 values.

    Raises:
        UsageError: *image* is no picture.

    Source: A. Westfeld, A. Pfitzmann, "Attacks on steganographic systems", 1999. Differences: both members of a pair
    enter the statistic, since that of one member has half the variance of the distribution it is compared with; pairs
    with an expected count below 5 are left out; share of tests instead of a p-value.
    """
    values = np.stack(planes.colour_planes(image), axis=-1).reshape(-1)
    blocks = values.size // BLOCK
    if not blocks:
        return None
    passed = sum(int(_passed(counts).sum()) for counts in histograms(values, blocks))
    return passed / blocks


def histograms(values: NDArray[np.uint8], blocks: int, initial: int = 0) -> Iterator[NDArray[np.int64]]:
    """Yield the histograms of all values up to the end of each block, many blocks at a time.

    Args:
        values: ``uint8 (n,)`` with at least ``blocks * BLOCK`` values.
        blocks: number of histograms in all.
        initial: count of every value before the first block.

    Yields:
        ``int64 (some, 256)``.
    """
    counts = np.full(256, initial, np.int64)
    per_strip = planes.STRIP // BLOCK
    for first in range(0, blocks, per_strip):
        read = values[first * BLOCK : min(first + per_strip, blocks) * BLOCK].reshape(-1, BLOCK)
        codes = read + 256 * np.arange(len(read), dtype=np.int32)[:, None]
        running = counts + np.bincount(codes.reshape(-1), minlength=256 * len(read)).reshape(-1, 256).cumsum(axis=0)
        counts = running[-1]
        yield running


def survival(statistic: NDArray[np.float64], degrees: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the survival function of the chi-square distribution, P(χ² > *statistic*).

    Args:
        statistic: finite, at least 0.
        degrees: degrees of freedom, of the same shape.

    Source: M. Abramowitz, I. Stegun, "Handbook of mathematical functions", 26.4.4 and 26.4.5: the finite sum of
    e^-x · x^j / Γ(j + 1) over j in steps of 1 below half the degrees, where x is half the statistic.
    """
    x = statistic / 2
    odd = degrees % 2
    chance = odd * np.array([math.erfc(math.sqrt(each)) for each in x.reshape(-1)]).reshape(x.shape)
    with np.errstate(divide="ignore"):
        log = np.log(x)
    for twice in range(int(degrees.max(initial=0)) - 1):
        part = (degrees % 2 == twice % 2) & (twice <= degrees - 2)
        exponent = (twice / 2 * log if twice else 0) - x - math.lgamma(twice / 2 + 1)
        chance += np.where(part, np.exp(exponent), 0)
    bounded: NDArray[np.float64] = np.minimum(chance, 1)
    return bounded


def _passed(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each histogram ``(blocks, 256)`` whether 2k and 2k + 1 may be equally frequent."""
    even, odd = counts[:, ::2], counts[:, 1::2]
    both = even + odd
    used = both >= 2 * MIN_EXPECTED
    statistic = np.divide((even - odd) ** 2, both, out=np.zeros(both.shape), where=used).sum(axis=1)
    pairs = used.sum(axis=1)
    passed: NDArray[np.bool_] = (pairs > 0) & (survival(statistic, pairs) > SIGNIFICANCE)
    return passed
