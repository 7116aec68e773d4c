"""Image classifiers of the zoo, to check how embedding changes what machines recognise.

Each classifier is run on cover and container. The change of its *features*, maps from the middle of the network, shows
any difference; they are computed at full size in tiles. The *label*, the class with the highest score, is that of the
whole picture, reduced to 128 pixels at its shorter side as classifiers do with photographs.

:data:`HELD_OUT` are classifiers that no model was trained against: their responses stand for unknown classifiers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image as Pillow

from underpaint import models
from underpaint.errors import ModelError, UsageError
from underpaint.models.session import equal_tiles
from underpaint.types import Image, as_cover

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from underpaint.models import Session

#: Returns the label of a picture ``uint8 (H, W, 3)``: the number of a class.
Classifier = Callable[[Image], int]
#: Classifiers that no model was trained against.
HELD_OUT = ("vgg", "mixer")

_PREFIX = "classifier-"
#: Longest side of a tile in pixels.
_TILE_SIDE = 224
#: Most tiles that are looked at; of more, as many that are evenly spread.
_MAX_TILES = 32
#: Shorter side in pixels of a picture that is labelled.
_LABEL_SIDE = 128


class Response(NamedTuple):
    """The effect of a change on one classifier."""

    #: Relative change of features f: ‖f(container) − f(cover)‖ / ‖f(cover)‖, at least 0.
    change: float
    #: The label stays the same.
    kept: bool


def names() -> list[str]:
    """Return the names of all classifiers in the zoo."""
    return [name.removeprefix(_PREFIX) for name in models.names() if name.startswith(_PREFIX)]


def responses(cover: Image, container: Image) -> dict[str, Response]:
    """Compare the features and labels of two pictures, by classifier.

    Args:
        cover: ``uint8 (H, W, 3)``, at least 32×32.
        container: of the same shape.

    Returns:
        Response by name of the classifier (:func:`names`).

    Raises:
        UsageError: the shapes differ, or a side is below 32 pixels.
        ModelError: a classifier is altered.
    """
    if as_cover(cover).shape != as_cover(container).shape:
        raise UsageError(f"cannot compare pictures of different shapes, {cover.shape} and {container.shape}")
    pair = np.stack([cover, container])
    tiles, small = list(_tiles(pair)), np.stack([reduced(picture) for picture in pair])
    found = {}
    for name in names():
        graph = _graph(name)
        change = energy = 0.0
        for tile in tiles:
            before, after = _run(graph, tile)["features"].astype(np.float64)
            change += float(np.square(after - before).sum())
            energy += float(np.square(before).sum())
        before, after = _run(graph, small)["logits"].argmax(axis=1)
        found[name] = Response(math.sqrt(change / energy), bool(before == after))
    return found


def load_classifiers() -> dict[str, Classifier]:
    """Return all classifiers of the zoo by name: functions from a picture to its label.

    Raises:
        ModelError: a classifier is altered.
    """
    return {name: partial(_label, _graph(name)) for name in names()}


def load_classifier(file: Path) -> Classifier:
    """Return a classifier from an ONNX file.

    Args:
        file: a graph with one input, ``float32 (N, 3, H, W)`` in [0, 1]. Its first output of shape ``(N, classes)`` are
            log-odds or probabilities. Pictures are resized to the graph's size; if it takes any, they are reduced to
            128 pixels at the shorter side.

    Raises:
        ModelError: the file is missing, or no such graph.
    """
    try:
        session = models.Session(file.read_bytes())
    except OSError as error:
        raise ModelError(f"cannot read the classifier {file}") from error
    shapes = list(session.inputs.values())
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][1] in range(3) or shapes[0][1] == 4:
        raise ModelError(f"{file} is no classifier of pictures", hint="it takes one input, float32 (N, 3, H, W)")
    return partial(_label_by_file, session, str(file))


def planes(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Convert *pictures*, ``uint8 (N, H, W, 3)``, to the input of networks, ``float32 (N, 3, H, W)`` in [0, 1]."""
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32) / np.float32(255)


def reduced(picture: Image) -> Image:
    """Reduce *picture* to 128 pixels at its shorter side, by Lanczos; smaller ones are returned as they are."""
    height, width = picture.shape[:2]
    scale = _LABEL_SIDE / min(height, width)
    if scale >= 1:
        return picture
    size = (max(_LABEL_SIDE, round(scale * width)), max(_LABEL_SIDE, round(scale * height)))
    return np.asarray(Pillow.fromarray(picture).resize(size, Pillow.Resampling.LANCZOS))


def _label_by_file(session: Session, file: str, picture: Image) -> int:
    ((name, shape),) = session.inputs.items()
    height, width = shape[2:]
    resized = reduced(picture)
    if isinstance(height, int) and isinstance(width, int):
        resized = np.asarray(Pillow.fromarray(picture).resize((width, height), Pillow.Resampling.LANCZOS))
    odds = next((each for each in session.run({name: planes(resized[None])}).values() if each.ndim == 2), None)
    if odds is None:
        raise ModelError(f"{file} is no classifier of pictures", hint="it returns log-odds, (N, classes)")
    return int(odds[0].argmax())


def _label(graph: Session, picture: Image) -> int:
    return int(_run(graph, reduced(picture)[None])["logits"][0].argmax())


def _graph(name: str) -> Session:
    return models.load(_PREFIX + name).graphs["classifier"]


def _run(graph: Session, pictures: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Return all outputs for *pictures*, ``uint8 (N, H, W, 3)``."""
    return graph.run({"image": planes(pictures)})


def _tiles(pictures: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield the tiles of *pictures*, ``(N, H, W, 3)``, that are looked at."""
    places = equal_tiles(pictures.shape[1:3], _TILE_SIDE)
    count = min(len(places), _MAX_TILES)
    for chosen in range(count):
        rows, columns = places[chosen * len(places) // count]
        yield pictures[:, rows, columns]
