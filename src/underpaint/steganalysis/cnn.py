"""CNN steganalysis: the network of ``zoo/detector``, trained on covers and containers.

It also sees changes of ±1, which the estimators of LSB replacement do not, as far as its training data has them. Its
score is the probability of a container under the assumption that half of all pictures are containers, made as those of
the training data were.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from underpaint import models
from underpaint.models.session import equal_tiles
from underpaint.types import as_cover

if TYPE_CHECKING:
    from collections.abc import Iterator

    from underpaint.types import Image

#: Longest side of a tile in pixels.
_TILE_SIDE = 256
#: Most tiles that are looked at; of more, as many that are evenly spread.
_MAX_TILES = 16


def cnn(image: Image) -> float:
    """Return the probability that *image* is a container, by a convolutional network.

    The log-odds of the tiles are averaged. The same picture always has the same score on one machine.

    Args:
        image: ``uint8 (H, W, 3)``, at least 32×32.

    Returns:
        0–1.

    Raises:
        UsageError: *image* is no picture, or a side is below 32 pixels.
        ModelError: the network is missing or altered.
    """
    network = models.load("detector").graphs["detector"]
    odds = []
    for tile in _tiles(as_cover(image)):
        planes = np.ascontiguousarray(tile.transpose(2, 0, 1)[None], np.float32)
        odds.append(float(network.run({"image": planes})["odds"][0]))
    mean = sum(odds) / len(odds)
    return 1 / (1 + math.exp(-mean)) if mean > 0 else math.exp(mean) / (1 + math.exp(mean))


def _tiles(image: Image) -> Iterator[Image]:
    """Yield the tiles to look at, each from the middle of its share of all."""
    places = equal_tiles(image.shape[:2], _TILE_SIDE)
    count = min(len(places), _MAX_TILES)
    for chosen in range(count):
        rows, columns = places[(2 * chosen + 1) * len(places) // (2 * count)]
        yield image[rows, columns]
