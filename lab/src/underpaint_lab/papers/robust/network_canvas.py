"""A canvas with the trained networks of ``robust``: one allocates the change, one corrects received coefficients.

The method of the runtime has neither: they lower its bit error rate by no significant amount (docs/decisions/0007).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from underpaint import models
from underpaint.embedding import lapped
from underpaint.embedding.canvas import Canvas
from underpaint.types import luma as luma_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from underpaint.embedding.lapped import Array
    from underpaint.types import Image

#: Number of lapped coefficients per block that the networks take, lowest frequencies first.
COUNT = 14
#: Largest absolute logarithm of the factor by which the writer changes a weight.
_MAX_LOG_FACTOR = 4


class Networks(NamedTuple):
    """Networks of a canvas.

    Each takes ``luma``, ``(1, 1, side, side)``, and ``coefficients``, ``(1, 14, side / 16, side / 16)``, and returns
    one map of the latter shape. None stands for a network that returns 0.
    """

    #: Returns the logarithm of the factor by which the allowed change of each coefficient is multiplied.
    writer: Callable[[dict[str, Array]], dict[str, Array]] | None = None
    #: Returns an estimate of the change of each coefficient that codecs undid.
    reader: Callable[[dict[str, Array]], dict[str, Array]] | None = None


def _run(graph: str, inputs: dict[str, Array]) -> dict[str, Array]:
    """Run a network of the model ``robust``, which is loaded at the first call."""
    return models.load("robust").graphs[graph].run(inputs)


#: The networks of the model ``robust``.
NETWORKS = Networks(partial(_run, "writer"), partial(_run, "reader"))


@dataclass(frozen=True)
class NetworkCanvas(Canvas):
    """A canvas for whole pictures of its own size, ``uint8 (side, side, 3)``."""

    networks: Networks = NETWORKS

    def weights(self, cover: Image, count: int) -> Array:
        """Return the allowed change of each coefficient, times the factors of the writer network."""
        weights = super().weights(cover, count)
        if self.networks.writer is None:
            return weights
        factors = self._outputs(self.networks.writer, cover)[:, :count].ravel()
        return np.asarray(weights * np.exp(np.clip(factors, -_MAX_LOG_FACTOR, _MAX_LOG_FACTOR)), np.float32)

    def restore(self, image: Image, count: int) -> Array:
        """Return the first *count* coefficients of every block, with the reader network's corrections added."""
        coefficients = self.analyse(image, count)
        if self.networks.reader is None:
            return coefficients
        return coefficients + self._outputs(self.networks.reader, image)[:, :count].ravel()

    def _outputs(self, network: Callable[[dict[str, Array]], dict[str, Array]], image: Image) -> Array:
        """Return the output of a *network* for each coefficient, ``float32 (blocks, COUNT)``."""
        across = self.side // lapped.BLOCK
        luma = luma_of(image.astype(np.float32))
        maps = lapped.transform(luma.copy(), COUNT).reshape(1, across, across, COUNT).transpose(0, 3, 1, 2)
        (out,) = network({"luma": luma[None, None], "coefficients": np.ascontiguousarray(maps)}).values()
        return np.asarray(out[0].transpose(1, 2, 0), np.float32).reshape(-1, COUNT)
