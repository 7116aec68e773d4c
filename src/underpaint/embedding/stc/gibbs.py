"""The cheapest way to say so many bits: each option by chance, p ~ exp(-λ cost).

Options are columns of costs, ``(k, n)``, from 0 to infinity: never. A column may stand for several values alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STRIP = 1 << 13  # columns at a time, so that they stay in the cache
_NEGLIGIBLE = np.float32(-80)
_NEVER = 1e30  # no other option is as dear, and times a chance of 0 it is 0


def entropy(chance: NDArray[Any]) -> float:
    """Mean bits per column of chances ``(k, n)``."""
    return float(-(chance * np.log2(np.maximum(chance, 1e-30))).sum() / chance.shape[1])


@np.errstate(over="ignore")
def chances(costs: NDArray[Any], multiplier: float) -> NDArray[Any]:
    """The chances of each option, ``(k, n)``."""
    weights: NDArray[Any] = np.exp(multiplier * (costs.min(0) - costs))
    weights /= weights.sum(0)
    return weights


@np.errstate(over="ignore")
def free_energy(costs: NDArray[np.float32], multiplier: float) -> NDArray[np.float32]:
    """-log(sum of exp(-λ cost)) over the options, ``(n,)``; infinite where none is allowed."""
    energy = np.empty(costs.shape[1], np.float32)
    for start in range(0, energy.size, _STRIP):
        exponents = costs[:, start : start + _STRIP] * np.float32(-multiplier)
        most = exponents.max(0)
        exponents -= np.maximum(most, -np.float32(_NEVER))
        np.maximum(exponents, _NEGLIGIBLE, out=exponents)  # below, exp is slow
        np.exp(exponents, out=exponents)
        energy[start : start + _STRIP] = -most - np.log(np.maximum(exponents.sum(0), 1))
    return energy


@np.errstate(over="ignore")
def multiplier(costs: NDArray[Any], rate: float, counts: NDArray[Any] | None = None) -> float:
    """The λ at which the options say *rate* bits per value, or the nearest that is tried: 2^-40 to 2^40.

    *counts*, ``(n,)``, says how many values each column stands for, one by default.
    """
    kind = costs.dtype.type
    dearer = np.minimum(costs - costs.min(0), kind(_NEVER))
    shares = np.full(costs.shape[1], 1 / costs.shape[1]) if counts is None else counts / counts.sum()
    low, high = -40.0, 40.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        weights = np.exp(-kind(2**middle) * dearer)
        total = weights.sum(0)
        said = np.log(total) + kind(2**middle) * (weights * dearer).sum(0) / total
        low, high = (middle, high) if said @ shares > rate * np.log(2) else (low, middle)
    return float(2**low)
