"""Simulated embedding: containers at the rate–distortion bound of a cost function, without a code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint.embedding.stc import gibbs
from underpaint.errors import UsageError
from underpaint_lab.steganalysis.costs import hill, hugo, wavelets

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from underpaint.types import Image

#: Cost functions of adaptive steganography, and constant costs (LSB matching), by name.
COSTS: dict[str, Callable[[Image], NDArray[np.float32]]] = {
    "matching": lambda image: np.ones(image.shape, np.float32),
    "hill": hill.compute_cost,
    "hugo": hugo.compute_cost,
    "s-uniward": wavelets.compute_uniward_cost,
    "wow": wavelets.compute_wow_cost,
}


def simulate_embedding(image: Image, costs: NDArray[np.float32], rate: float, seed: int) -> Image:
    """Simulate optimal embedding of *rate* bits per value by changes of ±1.

    Changes are drawn independently from the Gibbs distribution: a change of cost ρ has the probability exp(−λρ)
    relative to no change, with λ such that the entropy is *rate* bits per value. Values stay within 0–255.

    Args:
        image: ``uint8 (H, W, 3)``.
        costs: of any change, ``(H, W, 3)``, or of +1 and of -1, ``(2, H, W, 3)``.
        rate: in bits per value.
        seed: of the random draws.

    Returns:
        Container, ``uint8 (H, W, 3)``.

    Raises:
        UsageError: *rate* is above the capacity of changes of ±1.
    """
    legal = np.stack([image < 255, image > 0])
    if not 0 <= rate <= np.log2(1 + legal.sum(0)).mean():
        raise UsageError(f"changes of ±1 cannot carry {rate} bits per value")
    options = np.zeros((3, *image.shape))  # unchanged, +1, -1
    options[1:] = np.where(legal, costs, np.inf)
    options = options.reshape(3, -1)
    multiplier = gibbs.multiplier(options, rate, tolerance=1e-6)
    _, rise, fall = gibbs.probabilities(options, multiplier).reshape(3, *image.shape)
    drawn = np.random.default_rng(seed).random(image.shape)
    up = drawn < rise
    step = up.astype(np.int16) - (~up & (drawn < rise + fall))
    container: Image = (image + step).astype(np.uint8)
    return container
