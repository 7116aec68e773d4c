"""The machine as observer: what classifiers make of a container, beside what they made of its cover.

Each classifier of the zoo is asked twice. *Features*, its maps half-way, say how much of a change it sees at all; they
are taken at full size, in tiles of bounded memory. The *label*, its first answer, is that for the whole picture, which
is first brought down to 128 pixels at its shorter side if it is larger: what classifiers do to photographs, which then
have little left of what was hidden in single pixels.

:data:`UNSEEN` are those that no attention was trained against: only they say what an unknown machine would.
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
from underpaint.types import Image, as_cover

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from underpaint.models import Session

#: Says what class a picture is of, by number.
Judge = Callable[[Image], int]
#: Classifiers that only judge.
HELD_OUT = ("vgg", "mixer")

_PREFIX = "classifier-"
#: The longest side of a tile in pixels, and how many are looked at: of more, as many that are evenly spread.
_TILE, _TILES = 224, 32
#: The shorter side in pixels of what is labelled.
_LABELLED = 128


class Response(NamedTuple):
    """What one classifier noticed of a change."""

    #: ‖f(container) - f(cover)‖ / ‖f(cover)‖ of its features f, from 0.
    change: float
    #: Its first answer stayed the same.
    kept: bool


def names() -> list[str]:
    """Return the names of all classifiers in the zoo."""
    return [name.removeprefix(_PREFIX) for name in models.names() if name.startswith(_PREFIX)]


def responses(cover: Image, container: Image) -> dict[str, Response]:
    """Return what each of :func:`observers` notices between two pictures of one size.

    Raises:
        UsageError: no pictures of one size, or a side is below 32 pixels.
        ModelError: a classifier is altered.
    """
    if as_cover(cover).shape != as_cover(container).shape:
        raise UsageError(f"cannot compare pictures of different shapes, {cover.shape} and {container.shape}")
    pair = np.stack([cover, container])
    tiles, whole = list(_tiles(pair)), np.stack([reduced(picture) for picture in pair])
    found = {}
    for name in names():
        classifier = _classifier(name)
        change = energy = 0.0
        for tile in tiles:
            before, after = _asked(classifier, tile)["features"].astype(np.float64)
            change += float(np.square(after - before).sum())
            energy += float(np.square(before).sum())
        before, after = _asked(classifier, whole)["logits"].argmax(axis=1)
        found[name] = Response(math.sqrt(change / energy), bool(before == after))
    return found


def classifiers_for_check() -> dict[str, Judge]:
    """What each of :func:`observers` takes a picture for, by its name: functions of a picture that return its label.

    Raises:
        ModelError: a classifier is altered.
    """
    return {name: partial(_label, _classifier(name)) for name in names()}


def load_classifier(file: Path) -> Judge:
    """Return what a classifier of the user's own takes a picture for.

    Its graph takes pictures, ``float32 (N, 3, H, W)`` in [0, 1], and returns log-odds or shares of classes, ``(N,
    classes)``: the first output of that shape. A picture is brought to the size that it wants; if it takes any, to 128
    pixels at the shorter side.

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
    return partial(_own_label, session, str(file))


def _own_label(session: Session, file: str, picture: Image) -> int:
    ((name, shape),) = session.inputs.items()
    height, width = shape[2:]
    seen = reduced(picture)
    if isinstance(height, int) and isinstance(width, int):
        seen = np.asarray(Pillow.fromarray(picture).resize((width, height), Pillow.Resampling.LANCZOS))
    odds = next((each for each in session.run({name: planes(seen[None])}).values() if each.ndim == 2), None)
    if odds is None:
        raise ModelError(f"{file} is no classifier of pictures", hint="it returns log-odds, (N, classes)")
    return int(odds[0].argmax())


def _label(classifier: Session, picture: Image) -> int:
    return int(_asked(classifier, reduced(picture)[None])["logits"][0].argmax())


def _classifier(name: str) -> Session:
    return models.load(_PREFIX + name).graphs["classifier"]


def _asked(classifier: Session, pictures: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """What *classifier* says of *pictures*, ``(N, H, W, 3)``."""
    return classifier.run({"image": planes(pictures)})


def planes(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """*pictures*, ``(N, H, W, 3)``, as networks take them: ``float32 (N, 3, H, W)`` in [0, 1]."""
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32) / np.float32(255)


def _tiles(pictures: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Tiles of *pictures*, ``(N, H, W, 3)``, as equal as may be: none has a side below 32 if they have none."""
    rows, columns = (np.linspace(0, side, -(-side // _TILE) + 1).astype(int).tolist() for side in pictures.shape[1:3])
    places = [(y, x) for y in range(len(rows) - 1) for x in range(len(columns) - 1)]
    for chosen in range(min(len(places), _TILES)):
        y, x = places[chosen * len(places) // min(len(places), _TILES)]
        yield pictures[:, rows[y] : rows[y + 1], columns[x] : columns[x + 1]]


def reduced(picture: Image) -> Image:
    """*picture* with a shorter side of at most 128 pixels: how classifiers see it."""
    height, width = picture.shape[:2]
    scale = _LABELLED / min(height, width)
    if scale >= 1:
        return picture
    size = (max(_LABELLED, round(scale * width)), max(_LABELLED, round(scale * height)))
    return np.asarray(Pillow.fromarray(picture).resize(size, Pillow.Resampling.LANCZOS))
