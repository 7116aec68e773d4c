"""HUGO: embedding costs from the change of SPAM features.

T. Pevný, T. Filler and P. Bas, "Using High-Dimensional Image Models to Perform Highly Undetectable Steganography"
(IH 2010), in the bounding version of its authors for simulated embedding, with σ = γ = 1::

    plane ─► differences of neighbours, four directions ─► triples that a change reaches, four each ─► before and after
             1 / (1 + length of the triple) ─► sum of all: cost of +1, and that of -1

Each colour is a plane of its own; at the borders pixels are mirrored, those at the rim too.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Image

#: Pixels along each direction that a change of one pixel affects.
_REACH = 3
#: Change of the six differences around a pixel by +1.
_RESPONSE = (0, 0, -1, 1, 0, 0)
_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))


def compute_cost(image: Image) -> NDArray[np.float32]:
    """Compute the costs of +1 and of −1 for each value.

    Args:
        image: ``uint8 (H, W, 3)``.

    Returns:
        ``float32 (2, H, W, 3)``, above 0; about 23 in flat regions.
    """
    height, width = image.shape[:2]
    padded = np.pad(image.astype(np.float32), [(_REACH, _REACH), (_REACH, _REACH), (0, 0)], mode="symmetric")
    found = np.zeros((2, *image.shape), np.float32)
    for down, along in _DIRECTIONS:
        steps = range(-_REACH, _REACH + 1)
        corners = [(_REACH + step * down, _REACH + step * along) for step in steps]
        line = [padded[top : top + height, left : left + width] for top, left in corners]
        differences = [before - after for before, after in pairwise(line)]
        for first in range(4):
            triple, response = differences[first : first + 3], _RESPONSE[first : first + 3]
            square = sum(each * each for each in triple)
            product = sum(2 * by * each for by, each in zip(response, triple, strict=True))
            moved = sum(by * by for by in response)
            for cost, sign in zip(found, (1, -1), strict=True):
                cost += 1 / (1 + np.sqrt(square)) + 1 / (1 + np.sqrt(square + sign * product + moved))
    return found
