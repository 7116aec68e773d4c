"""The Gibbs distribution: changes with probability p ~ exp(-λ cost), the cheapest for a given entropy.

Each value has k options, for instance unchanged, +1 and -1. Costs are ``(k, n)``, from 0 to infinity: forbidden. A
column may stand for several values of equal costs.

Source: Fridrich and Filler, "Practical methods for minimizing the embedding impact in steganography", Proc. SPIE 6505,
2007.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Columns processed at a time, so that they stay in the cache.
_STRIP = 1 << 13
#: Exponents below this count as this: exp is slow for smaller ones.
_SMALLEST_EXPONENT = np.float32(-80)
#: Stands for infinite costs: dearer than any other option, and times a probability of 0 it is 0.
_FORBIDDEN = 1e30
#: The binary logarithm of λ is searched between -40 and 40.
_MAX_LOG_MULTIPLIER = 40.0


def entropy(probabilities: NDArray[Any]) -> float:
    """Return the mean entropy in bits per column of *probabilities*, ``(k, n)``."""
    return float(-(probabilities * np.log2(np.maximum(probabilities, 1e-30))).sum() / probabilities.shape[1])


@np.errstate(over="ignore")
def probabilities(costs: NDArray[Any], multiplier: float) -> NDArray[Any]:
    """Return the probability of each option, ``(k, n)``, at the multiplier λ."""
    weights: NDArray[Any] = np.exp(multiplier * (costs.min(0) - costs))
    weights /= weights.sum(0)
    return weights


@np.errstate(over="ignore")
def free_energy(costs: NDArray[np.float32], multiplier: float) -> NDArray[np.float32]:
    """Return -log(sum of exp(-λ cost)) over the options, ``(n,)``; infinite where no option is allowed."""
    energy = np.empty(costs.shape[1], np.float32)
    for start in range(0, energy.size, _STRIP):
        exponents = costs[:, start : start + _STRIP] * np.float32(-multiplier)
        most = exponents.max(0)
        exponents -= np.maximum(most, -np.float32(_FORBIDDEN))
        np.maximum(exponents, _SMALLEST_EXPONENT, out=exponents)
        np.exp(exponents, out=exponents)
        energy[start : start + _STRIP] = -most - np.log(np.maximum(exponents.sum(0), 1))
    return energy


@np.errstate(over="ignore")
def multiplier(costs: NDArray[Any], rate: float, counts: NDArray[Any] | None = None, tolerance: float = 1e-4) -> float:
    """Return the λ at which the Gibbs distribution has an entropy of *rate* bits per value, by bisection.

    Args:
        costs: of each option, ``(k, n)``.
        rate: wanted entropy in bits per value.
        counts: number of values that each column stands for, ``(n,)``; one by default.
        tolerance: of the binary logarithm of λ.

    Returns:
        λ, from 2^-40 to 2^40; the nearer end if no λ in this range has that entropy.
    """
    kind = costs.dtype.type
    excess = np.minimum(costs - costs.min(0), kind(_FORBIDDEN))
    shares = np.full(costs.shape[1], 1 / costs.shape[1]) if counts is None else counts / counts.sum()
    low, high = -_MAX_LOG_MULTIPLIER, _MAX_LOG_MULTIPLIER
    while high - low > tolerance:
        middle = (low + high) / 2
        weights = np.exp(-kind(2**middle) * excess)
        total = weights.sum(0)
        nats = np.log(total) + kind(2**middle) * (weights * excess).sum(0) / total
        low, high = (middle, high) if nats @ shares > rate * np.log(2) else (low, middle)
    return float(2**low)
