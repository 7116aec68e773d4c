"""Just noticeable difference (JND) of machine vision: the largest change of a picture that keeps classifiers' labels.

After J. Jin et al., "Just Noticeable Difference for Deep Machine Vision", arXiv:2102.08168::

    picture ─┬─► reduced ─► panel ─┬─ log-odds ──────────┐
             │                     └─ attention, enlarged ┴─► generator, in tiles ─► direction ─► change
             └──────────────────── choice of the way ────┘

Beside the generator's ways two need no network: all values up, or down. The way is chosen that keeps most labels. The
picture is moved along its direction to the requested PSNR, clipped and rounded to 8 bits. Then all classifiers label it
again; while a label differs, the change is made smaller by 2 dB.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Pillow

from underpaint.models.classifiers import load_classifiers, reduced
from underpaint.models.jnd_networks import MODEL, panel_outputs, tiled_direction, way_scores
from underpaint.types import as_cover, check_psnr, strips

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from underpaint.models.classifiers import Classifier
    from underpaint.types import Image

#: Range and default of the requested PSNR, in dB.
LOWEST_PSNR, DEFAULT_PSNR, HIGHEST_PSNR = 8.0, 20.0, 60.0
#: Ways without a network: all values up, or down, by about the same. Unknown classifiers notice these least.
BRIGHTNESS_WAYS = {-1: 1.0, -2: -1.0}
#: A direction is limited by tanh to this many of its root mean squares: no value moves much further than others.
PEAK = 2.0
#: Rows that are worked on at once.
ROWS = 256


@dataclass(frozen=True)
class _Settings:
    """Settings of the search."""

    psnr_step: float = 2.0  # dB by which a change is made smaller while a label differs
    min_reached: float = 0.9  # a way must reach this share of the requested change before clipping stops it
    max_compared: int = 3_000_000  # values of a picture up to which ways are compared at full size
    max_room: float = 4.0  # the tolerance of a pixel lies between 1 / max_room and max_room
    shortest: float = -3.0  # natural logarithm of the shortest move along a direction, in levels
    longest: float = 16.0  # of the longest: the smallest values of a direction count too
    halvings: int = 22  # of the bisection between them


_SETTINGS = _Settings()


@dataclass(frozen=True, eq=False)
class Jnd:
    """The just noticeable difference of a picture."""

    #: The largest change that keeps all labels, in levels, ``int16 (H, W, 3)``.
    change: NDArray[np.int16]
    #: Attention of the panel, ``uint8 (H, W)``, 0 to 255.
    attention: NDArray[np.uint8]
    #: PSNR of the changed picture in dB; infinite where no change is possible.
    psnr: float

    @property
    def threshold(self) -> Image:
        """Levels by which each value may change, ``uint8 (H, W, 3)``."""
        return np.abs(self.change).astype(np.uint8)

    def applied(self, image: Image) -> Image:
        """Return *image*, the picture that was measured, with the change."""
        return (image + self.change).astype(np.uint8)


def jnd(
    image: Image,
    psnr: float = DEFAULT_PSNR,
    *,
    classifiers: Mapping[str, Classifier] | None = None,
    model: str = MODEL,
) -> Jnd:
    """Compute the largest change of *image* that keeps the labels of all *classifiers*.

    Args:
        image: ``uint8 (H, W, 3)``, at least 32×32.
        psnr: requested PSNR in dB, 8–60. The result has a higher one where a classifier would change its label.
        classifiers: by name; None for those of the zoo. If empty, the change has the requested PSNR.
        model: of the zoo.

    Raises:
        UsageError: no image, one that is too small, or *psnr* is out of range.
        ModelError: the model or a classifier is missing, altered or unusable.
    """
    check_psnr(psnr, LOWEST_PSNR, HIGHEST_PSNR)
    search = _Search(as_cover(image), psnr, load_classifiers() if classifiers is None else classifiers, model)
    direction = search.direction(image, search.attention, search.best_way())
    for level in np.arange(psnr, HIGHEST_PSNR + _SETTINGS.psnr_step, _SETTINGS.psnr_step):
        changed = move(image, direction, level)
        if search.keeps_all_labels(changed):
            break
    else:
        changed = image
    error = _rms(image, changed)
    reached = 20 * math.log10(255 / error) if error else math.inf
    return Jnd(changed.astype(np.int16) - image, np.rint(255 * search.attention).astype(np.uint8), reached)


def tolerance(image: Image) -> NDArray[np.float32]:
    """Return the relative amount of change that each pixel tolerates before classifiers change their labels.

    ``hide --machine-safe`` lets methods put their changes where it is high.

    Args:
        image: ``uint8 (H, W, 3)``, at least 32×32.

    Returns:
        Mean squared threshold over colours, divided by its mean and limited to 1/4–4, ``float32 (H, W)``.

    Raises:
        UsageError: no image, or one that is too small.
        ModelError: the model is missing or altered.
    """
    squares = np.square(jnd(image, classifiers={}).threshold.astype(np.float32)).mean(axis=2)
    limit = _SETTINGS.max_room
    room: NDArray[np.float32] = np.clip(squares / max(float(squares.mean()), 1e-6), 1 / limit, limit)
    return room


def brightness_direction(shape: tuple[int, ...], way: int) -> NDArray[np.float32]:
    """Return the direction of one of :data:`BRIGHTNESS_WAYS`, ``float32 (H, W, 3)``.

    It rises from 0.9 at the top to 1.1 at the bottom: with equal changes of whole levels few PSNRs could be met.
    """
    gradient = np.linspace(0.9, 1.1, shape[0], dtype=np.float32)[:, None, None]
    found: NDArray[np.float32] = np.broadcast_to(BRIGHTNESS_WAYS[way] * gradient, shape).astype(np.float32)
    return found


def reaches_psnr(image: Image, changed: Image, psnr: float) -> bool:
    """Return whether the change is about as large as *psnr* allows; clipping at black or white can prevent it."""
    return _rms(image, changed) >= _SETTINGS.min_reached * 255 * 10 ** (-psnr / 20)


def move(image: Image, direction: NDArray[np.float32], psnr: float) -> Image:
    """Move *image* along *direction* as far as *psnr* allows.

    The direction is first limited by tanh, so that a few pixels cannot take up all of the change. If it leads out of
    0–255, clipping keeps the PSNR higher than requested.

    Args:
        image: ``uint8 (H, W, 3)``.
        direction: ``float32 (H, W, 3)``.
        psnr: in dB.

    Returns:
        ``uint8 (H, W, 3)``.
    """
    wanted = 255 * 10 ** (-psnr / 20)
    length = math.sqrt(sum(_sum(np.square(direction[rows])) for rows in strips(len(image), ROWS)) / image.size)
    direction = np.tanh(direction / np.float32(PEAK * max(length, 1e-12)))
    low, high = _SETTINGS.shortest, _SETTINGS.longest
    for _ in range(_SETTINGS.halvings):
        middle = (low + high) / 2
        if math.sqrt(sum(_squared_changes(image, direction, math.exp(middle))) / image.size) >= wanted:
            high = middle
        else:
            low = middle
    changed = np.empty_like(image)
    for rows in strips(len(image), ROWS):
        changed[rows] = _step(image[rows], direction[rows], math.exp(high))
    return changed


class _Search:
    """The choice of the way: which direction keeps most labels."""

    def __init__(self, image: Image, psnr: float, classifiers: Mapping[str, Classifier], model: str) -> None:
        self.image, self.psnr, self.classifiers, self.model = image, psnr, classifiers, model
        self._small = reduced(image)
        self._answers, self._looked = panel_outputs(self._small[None], model)
        self._labels = {name: classify(image) for name, classify in classifiers.items()}

    @cached_property
    def attention(self) -> NDArray[np.float32]:
        """Attention of the panel at the size of the picture, ``float32 (H, W)`` in [0, 1]."""
        height, width = self.image.shape[:2]
        enlarged = Pillow.fromarray(self._looked[0, 0]).resize((width, height), Pillow.Resampling.BILINEAR)
        return np.asarray(enlarged).clip(0, 1)

    def direction(self, picture: Image, attention: NDArray[np.float32], way: int) -> NDArray[np.float32]:
        if way in BRIGHTNESS_WAYS:
            return brightness_direction(picture.shape, way)
        return tiled_direction(picture, self._answers, attention, self.psnr, way, self.model)

    def kept_labels(self, changed: Image) -> int:
        """Count the classifiers that label *changed* as the picture."""
        return sum(classify(changed) == self._labels[name] for name, classify in self.classifiers.items())

    def keeps_all_labels(self, changed: Image) -> bool:
        """Return whether every classifier labels *changed* as the picture; stop at the first that does not."""
        return all(classify(changed) == self._labels[name] for name, classify in self.classifiers.items())

    def best_way(self) -> int:
        """Return the first way that keeps all labels, or else the one that keeps most."""
        scores = way_scores(self._small[None], self._answers, self._looked, self.psnr, self.model)[0]
        order = scores.argsort()[::-1].tolist()
        kept: dict[int, int] = {}
        for way in (*BRIGHTNESS_WAYS, *order) if self.classifiers else ():
            kept[way] = self._kept_by(way)
            if kept[way] == len(self.classifiers):
                break
        best: int = max(kept, key=kept.__getitem__) if kept else order[0]
        return best

    def _kept_by(self, way: int) -> int:
        """Count the labels that one way keeps; -1 if clipping stops it too early."""
        # Detail is lost where a picture is reduced, so ways are compared at full size unless that takes too long.
        whole = self.image.size <= _SETTINGS.max_compared
        picture, attention = (self.image, self.attention) if whole else (self._small, self._looked[0, 0])
        changed = move(picture, self.direction(picture, attention, way), self.psnr)
        return self.kept_labels(changed) if reaches_psnr(picture, changed, self.psnr) else -1


def _step(image: Image, direction: NDArray[np.float32], length: float) -> Image:
    far: Image = np.rint(image + np.float32(length) * direction).clip(0, 255).astype(np.uint8)
    return far


def _squared_changes(image: Image, direction: NDArray[np.float32], length: float) -> Iterator[float]:
    """Yield the sum of squared changes of each strip after a move of this *length*."""
    for rows in strips(len(image), ROWS):
        change = _step(image[rows], direction[rows], length).astype(np.float32) - image[rows]
        yield _sum(np.square(change))


def _rms(image: Image, changed: Image) -> float:
    """Return the root mean square of a change, in levels."""
    squares = (np.square(changed[rows].astype(np.float32) - image[rows]) for rows in strips(len(image), ROWS))
    return math.sqrt(sum(map(_sum, squares)) / image.size)


def _sum(values: NDArray[np.float32]) -> float:
    return float(values.sum(dtype=np.float64))
