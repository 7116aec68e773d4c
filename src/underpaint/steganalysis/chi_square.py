"""Chi-square: what replaced bits do to the counts of values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from underpaint.steganalysis import planes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.steganalysis.planes import Plane

#: After how many values all that was read so far is tested again.
BLOCK = 1024
#: How often a pair's even value has to be expected for the pair to count.
LEAST = 5
#: The chance that equal frequencies fail a test.
LEVEL = 0.05
#: With fewer blocks the tool's chi-square fails.
_TOOL_BLOCKS = 256


def chi_square(image: Plane, *, compat: bool = False) -> float | None:
    """Estimate by how far into the picture 2k and 2k + 1 are as frequent as each other, as replaced bits make them.

    After A. Westfeld, A. Pfitzmann: Attacks on steganographic systems, 1999. Values are read row by row, colours in
    turn; after every 1,024 the counts so far are tested. The share is that of the tests which even counts pass at 5 %:
    right for a payload in the first values, while one that is scattered shows only where it fills nearly all. Both
    members of a pair are tested, for the published statistic, of one, has half the spread it is compared with; pairs
    that are expected below 5 times are left out. Compatible: the published statistic, and the mean of its p-values;
    counts begin at 1 and all pairs take part; expectations are cut to whole numbers; the last block is left out; no
    estimate below 257 blocks, which are 87,723 pixels of three colours.

    Raises:
        UsageError: *image* is no picture.
    """
    found = planes.of(image)
    if compat and len(found) == 1:
        found *= 3  # to the tool every picture has three colours
    values = np.stack(found, axis=-1).reshape(-1)
    blocks = values.size // BLOCK - compat
    if blocks < (_TOOL_BLOCKS if compat else 1):
        return None
    test = _tool_p_values if compat else _passed
    counts = np.full(256, int(compat), np.int64)
    per_strip = planes.STRIP // BLOCK
    total = 0.0
    for first in range(0, blocks, per_strip):
        read = values[first * BLOCK : min(first + per_strip, blocks) * BLOCK].reshape(-1, BLOCK)
        codes = read + 256 * np.arange(len(read), dtype=np.int32)[:, None]
        history = counts + np.bincount(codes.reshape(-1), minlength=256 * len(read)).reshape(-1, 256).cumsum(axis=0)
        counts = history[-1]
        total += float(test(history[:, ::2], history[:, 1::2]).sum())
    return total / blocks


def tail(statistic: NDArray[np.float64], degrees: NDArray[np.int64]) -> NDArray[np.float64]:
    """The chance that chi-square with *degrees* of freedom exceeds *statistic*; both of one shape, finite, 0 or more.

    Its finite sum, e^-x times x^j / Γ(j + 1) for j in steps of 1 below half the degrees, x half the statistic (M.
    Abramowitz, I. Stegun: Handbook of mathematical functions, 26.4.4 and 26.4.5).
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


def _passed(even: NDArray[np.int64], odd: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether 2k and 2k + 1 may be equally frequent in each row ``(blocks, 128)`` of counts; not where none counts."""
    both = even + odd
    used = both >= 2 * LEAST
    statistic = np.divide((even - odd) ** 2, both, out=np.zeros(both.shape), where=used).sum(axis=1)
    pairs = used.sum(axis=1)
    passed: NDArray[np.bool_] = (pairs > 0) & (tail(statistic, pairs) > LEVEL)
    return passed


def _tool_p_values(even: NDArray[np.int64], odd: NDArray[np.int64]) -> NDArray[np.float64]:
    """The tool's, by a library that scales what is expected to the sum of what was found."""
    expected = ((even + odd) // 2).astype(np.float64)
    expected *= even.sum(axis=1, keepdims=True) / expected.sum(axis=1, keepdims=True)
    statistic = ((even - expected) ** 2 / expected).sum(axis=1)
    return tail(statistic, np.full(len(statistic), 127))
