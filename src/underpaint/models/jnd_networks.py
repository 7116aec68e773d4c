"""Networks of the just noticeable difference: a panel of classifiers, and the generator of directions of change.

The generator gets a picture, the panel's log-odds and attention, and the PSNR to be left. It knows several *ways* to
change a picture. For each it returns a score, and for the chosen way a *direction*: the sign and relative size of the
change of each value.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from underpaint import models
from underpaint.models import classifiers
from underpaint.models.session import overlapping

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Image

#: The panel that each generator is trained against, in the order of its inputs.
PANELS = {
    "dmvjnd": ("classifier-resnet", "classifier-mobile"),
    "dmvjnd-cifar": ("cifar-alexnet", "cifar-vgg", "cifar-resnet", "cifar-densenet"),
}
#: The model for photographs.
MODEL = "dmvjnd"


@dataclass(frozen=True)
class Tiling:
    """Tiles that a picture is cut into for the generator; lengths in pixels."""

    multiple: int = 4  # the network halves a side twice
    overlap: int = 32  # at least the radius of the network's receptive field
    side: int = 512


TILING = Tiling()


def panel_outputs(pictures: NDArray[np.uint8], model: str = MODEL) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Run the panel of *model*.

    Args:
        pictures: ``uint8 (N, H, W, 3)``.
        model: of the zoo, a key of :data:`PANELS`.

    Returns:
        Log-odds of all classifiers, ``float32 (N, answers)``, and their mean attention (class activation maps),
        ``float32 (N, 1, H, W)`` in [0, 1].

    Raises:
        ModelError: a classifier is missing or altered.
    """
    inputs = {"image": classifiers.planes(pictures)}
    outputs = [models.load(name).graphs["classifier"].run(inputs) for name in PANELS[model]]
    odds = np.concatenate([each["logits"] for each in outputs], axis=1)
    return odds, np.mean([each["cam"] for each in outputs], axis=0)


def way_scores(
    pictures: NDArray[np.uint8],
    answers: NDArray[np.float32],
    attention: NDArray[np.float32],
    psnr: float,
    model: str = MODEL,
) -> NDArray[np.float32]:
    """Return the generator's score of each of its ways: predicted log-odds that the panel keeps its labels.

    Args:
        pictures: ``uint8 (N, H, W, 3)``, at least 4×4.
        answers: log-odds from :func:`panel_outputs`.
        attention: from :func:`panel_outputs`.
        psnr: in dB, after the change.
        model: of the zoo, a key of :data:`PANELS`.

    Returns:
        ``float32 (N, ways)``.

    Raises:
        ModelError: the model is missing or altered.
    """
    none = np.zeros((len(pictures), count_ways(model)), np.float32)
    return _run(pictures, answers, attention, psnr, none, model)["promises"]


def directions(
    pictures: NDArray[np.uint8],
    answers: NDArray[np.float32],
    attention: NDArray[np.float32],
    psnr: float,
    way: NDArray[np.intp],
    model: str = MODEL,
) -> NDArray[np.float32]:
    """Return the generator's direction of change for each picture.

    Args:
        pictures: as for :func:`way_scores`, like the arguments not named here.
        answers: log-odds.
        attention: of the panel.
        psnr: in dB.
        way: one for each picture, ``intp (N,)``.
        model: of the zoo.

    Returns:
        ``float32 (N, H, W, 3)``; only ratios between values matter.

    Raises:
        ModelError: the model is missing or altered.
    """
    chosen = np.eye(count_ways(model), dtype=np.float32)[way]
    found = _run(pictures, answers, attention, psnr, chosen, model)["direction"].transpose(0, 2, 3, 1)
    return found[:, : pictures.shape[1], : pictures.shape[2]]


def tiled_direction(
    image: Image, answers: NDArray[np.float32], attention: NDArray[np.float32], psnr: float, way: int, model: str
) -> NDArray[np.float32]:
    """Return the direction of one *way* for a picture of any size, ``float32 (H, W, 3)``, computed in tiles.

    Args:
        image: ``uint8 (H, W, 3)``.
        answers: log-odds, ``float32 (1, answers)``.
        attention: ``float32 (H, W)``.
        psnr: in dB.
        way: number of the way.
        model: of the zoo.
    """
    direction = np.empty(image.shape, np.float32)
    sides = (overlapping(side, TILING.side, TILING.overlap) for side in image.shape[:2])
    for (rows, inner_rows), (columns, inner_columns) in product(*sides):
        part = image[rows, columns][None], answers, attention[rows, columns][None, None]
        found = directions(*part, psnr, np.array([way]), model)[0, inner_rows, inner_columns]
        top, left = rows.start + inner_rows.start, columns.start + inner_columns.start
        direction[top : top + found.shape[0], left : left + found.shape[1]] = found
    return direction


def count_ways(model: str = MODEL) -> int:
    """Return the number of ways of the generator of *model*."""
    return int(models.load(model).graphs["generator"].inputs["way"][1] or 0)


def _run(
    pictures: NDArray[np.uint8],
    answers: NDArray[np.float32],
    attention: NDArray[np.float32],
    psnr: float,
    way: NDArray[np.float32],
    model: str,
) -> dict[str, NDArray[np.float32]]:
    """Return all outputs of the generator for *pictures*, padded at the bottom and at the right."""
    padding = [(0, -side % TILING.multiple) for side in pictures.shape[1:3]]
    inputs = {
        "image": classifiers.planes(np.pad(pictures, [(0, 0), *padding, (0, 0)], mode="edge")),
        "attention": np.pad(attention, [(0, 0), (0, 0), *padding], mode="edge"),
        "answers": answers,
        "level": np.full((len(pictures), 1), psnr, np.float32),
        "way": way,
    }
    return models.load(model).graphs["generator"].run(inputs)
