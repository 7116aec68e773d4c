"""Stand-in for the networks of method pixinpix, for tests without a trained model."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

import numpy as np

from underpaint import models
from underpaint.embedding.residues import BLOCK, VALUES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.models import Model


class Plain:
    """Graphs that keep the upper four bits of every value; all blocks are of kind 3."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, inputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        if self.name == "levels":
            return {"levels": np.full((len(inputs["kinds"]), VALUES), 16, np.float32)}
        if self.name == "writer":
            _, _, height, width = inputs["secret"].shape
            cut = inputs["secret"].reshape(1, 3, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
            numbers = cut.transpose(0, 1, 3, 5, 2, 4).reshape(1, VALUES, height // BLOCK, width // BLOCK) // 16
            return {"numbers": numbers, "kinds": np.full((1, height // BLOCK, width // BLOCK), 3, np.float32)}
        assert (inputs["kinds"] == 3).all()
        _, _, down, across = inputs["numbers"].shape
        cut = inputs["numbers"].reshape(1, 3, BLOCK, BLOCK, down, across).transpose(0, 1, 4, 2, 5, 3)
        return {"secret": 16 * cut.reshape(1, 3, down * BLOCK, across * BLOCK) + 7.5}


@cache
def model() -> Model:
    """Return the stand-in as a model of the zoo."""
    graphs = {name: Plain(name) for name in ("levels", "reader", "writer")}
    return models.Model("plain", models.card("basn"), cast("dict[str, models.Session]", graphs))
