"""A learned opinion: the network of ``zoo/detector``, which was shown covers and containers.

It sees what the statistics do not, changes of ±1 among them, as far as it was shown their like. What it says is how
likely a picture is to be a container if half of all were, and if all were of the kinds that it was trained on.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from underpaint import models
from underpaint.types import as_cover

if TYPE_CHECKING:
    from collections.abc import Iterator

    from underpaint.types import Image

#: The longest side of a tile in pixels, and how many are looked at: of more, as many that are evenly spread.
_TILE, _TILES = 256, 16


def learned(image: Image) -> float:
    """How likely *image*, ``uint8 (H, W, 3)``, is to be a container, 0–1, by a network.

    It looks at tiles of up to 256×256, and of more than 16 at as many that are evenly spread; what it says is that of
    the mean of their log-odds. The same picture always gets the same score on one machine.

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
    """Tiles of *image*, as equal as may be: none has a side below 32 if the picture has none."""
    rows, columns = (np.linspace(0, side, -(-side // _TILE) + 1).astype(int).tolist() for side in image.shape[:2])
    places = [(y, x) for y in range(len(rows) - 1) for x in range(len(columns) - 1)]
    count = min(len(places), _TILES)
    for chosen in range(count):
        y, x = places[(2 * chosen + 1) * len(places) // (2 * count)]
        yield image[rows[y] : rows[y + 1], columns[x] : columns[x + 1]]
