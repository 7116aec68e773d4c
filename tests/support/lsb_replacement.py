"""Sample photographs, and copies with LSB replacement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint import media
from underpaint.media import samples

if TYPE_CHECKING:
    from underpaint.types import Image

PHOTOGRAPHS = {name: media.read(samples.path(name)).pixels for name in samples.names()}


def replaced(cover: Image, share: float, seed: int = 0) -> Image:
    """Return *cover* with random least significant bits in a *share* (0–1) of its values, at random positions."""
    rng = np.random.default_rng(seed)
    flat = cover.reshape(-1).copy()
    chosen = rng.permutation(flat.size)[: round(share * flat.size)]
    flat[chosen] = flat[chosen] & 254 | rng.integers(0, 2, chosen.size, dtype=np.uint8)
    return flat.reshape(cover.shape)
