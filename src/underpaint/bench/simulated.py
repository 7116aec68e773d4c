"""Containers as an ideal code would make them: what costs are worth, whatever a real coder loses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint.bench import hill, wavelets
from underpaint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from underpaint.types import Image

#: What a change costs by each published measure, and by none: LSB matching.
COSTS: dict[str, Callable[[Image], NDArray[np.float32]]] = {
    "matching": lambda image: np.ones(image.shape, np.float32),
    "hill": hill.costs,
    "s-uniward": wavelets.uniward,
    "wow": wavelets.wow,
}


def changed(image: Image, costs: NDArray[np.float32], rate: float, seed: int) -> Image:
    """Return *image* with changes of ±1 as the cheapest way to carry *rate* bits per value has them.

    Independent draws by the Gibbs distribution: a change of cost ρ has the chance exp(-λρ) relative to none, and λ is
    such that the draws have an entropy of *rate* bits per value. None leaves 0 … 255.

    Raises:
        UsageError: changes of ±1 cannot carry so much.
    """
    ways = 2.0 - ((image == 0) | (image == 255))
    if not 0 <= rate <= np.log2(1 + ways).mean():
        raise UsageError(f"changes of ±1 cannot carry {rate} bits per value")
    costs = costs.astype(np.float64)
    low, high = -40.0, 40.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        exponents = 2**middle * costs
        chances = ways / (ways + np.exp(np.minimum(exponents, 700)))
        entropy = np.mean(exponents * chances / np.log(2) - np.log2(1 - chances))
        low, high = (middle, high) if entropy > rate else (low, middle)
    rng = np.random.default_rng(seed)
    up = np.where(ways == 2, rng.random(image.shape) < 0.5, image == 0)
    step = np.where(up, 1, -1) * (rng.random(image.shape) < chances)
    container: Image = (image + step).astype(np.uint8)
    return container
