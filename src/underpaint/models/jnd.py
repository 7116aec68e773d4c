"""How far a picture may change before machines answer otherwise: the just noticeable difference of machine vision.

After J. Jin et al., "Just Noticeable Difference for Deep Machine Vision", arXiv:2102.08168. A panel of classifiers is
asked what they see in the whole picture, and where they look. The generator is told that, and knows several ways to go
beside the plainest two, more light and less; that one is taken which most judges of the reduced picture do not notice.
The picture goes along its direction until it has the PSNR that is asked for, clamped and rounded to 8 bits::

    picture ─┬─► reduced ─► panel ─┬─ log-odds ───────────┐
             │                     └─ attention, enlarged ─┴─► generator, in tiles ─► direction ─► change
             └──────────────────── which way ──────────────┘

Then classifiers are asked once more. Where one has changed its mind the change is made smaller, until none has: what is
below a threshold is not noticed either, so a shorter way along the same direction is safer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Pillow

from underpaint import models
from underpaint.models import classifiers
from underpaint.types import as_cover, check_psnr

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from underpaint.models.classifiers import Judge
    from underpaint.types import Image

#: The classifiers that each model is trained against, in the order in which it is told their answers.
PANELS = {
    "dmvjnd": ("classifier-resnet", "classifier-mobile"),
    "dmvjnd-cifar": ("cifar-alexnet", "cifar-vgg", "cifar-resnet", "cifar-densenet"),
}
#: The model for photographs.
MODEL = "dmvjnd"
#: What the PSNR of a change may be, in dB.
LOWEST_PSNR, DEFAULT_PSNR, HIGHEST_PSNR = 8.0, 20.0, 60.0

#: Ways that take no network: all values up, or down, by about the same. Who was never asked minds these least.
LIGHT = {-1: 1.0, -2: -1.0}
#: The share of the way that was asked for which has to be left between black and white, or it is none.
_REACHED = 0.9
#: By how many dB a change is made smaller while it is noticed.
_STEP = 2.0
#: The network halves a side twice.
_MULTIPLE = 4
#: At least the radius of the network's receptive field, in pixels.
_OVERLAP = 32
_TILE = 512
#: By how much the room of one pixel may be above or below the mean.
_MOST = 4.0
#: How far a value may go, in root mean squares of the direction; smaller ones hardly notice.
PEAK = 2.0
#: Logarithms of the ways along such a direction, in levels: the longest makes the least that is not 0 count. In how
#: many halvings one is found in between.
_SHORTEST, _LONGEST, _HALVINGS = -3.0, 16.0, 22
#: Values of a picture up to which ways are compared in full.
_WHOLE = 3_000_000
#: Rows that are worked on at once where a picture is large.
_ROWS = 256


@dataclass(frozen=True, eq=False)
class Jnd:
    """How far a picture may change, for machines."""

    #: The largest change that is not noticed, with its sign: levels, ``int16 (H, W, 3)``.
    change: NDArray[np.int16]
    #: Where the panel looks: ``uint8 (H, W)``, 0 to 255.
    attention: NDArray[np.uint8]
    #: Of the changed picture, in dB; infinite where nothing may change.
    psnr: float

    @property
    def threshold(self) -> Image:
        """By how many levels each value may change, ``uint8 (H, W, 3)``."""
        return np.abs(self.change).astype(np.uint8)

    def applied(self, image: Image) -> Image:
        """The changed picture: *image* is the one that was asked about."""
        return (image + self.change).astype(np.uint8)


def jnd(
    image: Image, psnr: float = DEFAULT_PSNR, *, judges: Mapping[str, Judge] | None = None, model: str = MODEL
) -> Jnd:
    """How far *image* may change before a judge changes its mind.

    Args:
        image: ``uint8 (H, W, 3)``, of any size of at least 32×32.
        psnr: the least in dB that is to be left, 8–60; more is left where judges need it.
        judges: classifiers by name, by default those of the zoo for photographs; with none, *psnr* is what is left.
        model: of the zoo.

    Raises:
        UsageError: no image, one that is too small, or *psnr* is out of range.
        ModelError: the model or a judge is missing, altered or unusable.
    """
    check_psnr(psnr, LOWEST_PSNR, HIGHEST_PSNR)
    judges = classifiers.classifiers_for_check() if judges is None else judges
    small = classifiers.reduced(as_cover(image))
    answers, looked = look(small[None], model)
    attention = _enlarged(looked[0, 0], image)
    labels = {name: judge(image) for name, judge in judges.items()}
    # Detail is lost where a picture is reduced, so ways are compared in full unless that takes too long.
    view, seen = (image, attention) if image.size <= _WHOLE else (small, looked[0, 0])

    def direction(picture: Image, attention: NDArray[np.float32], way: int) -> NDArray[np.float32]:
        if way in LIGHT:
            return light(picture.shape, way)
        return _direction(picture, answers, attention, psnr, way, model)

    def kept(way: int) -> int:
        changed = moved(view, direction(view, seen, way), psnr)
        if not reached(view, changed, psnr):
            return -1
        return sum(judge(changed) == labels[name] for name, judge in judges.items())

    def unnoticed(changed: Image) -> bool:
        return all(judge(changed) == labels[name] for name, judge in judges.items())

    order = promises(small[None], answers, looked, psnr, model)[0].argsort()[::-1].tolist()
    tried: dict[int, int] = {}
    for way in (*LIGHT, *order) if judges else ():
        tried[way] = kept(way)
        if tried[way] == len(judges):
            break
    chosen = direction(image, attention, max(tried, key=tried.__getitem__) if tried else order[0])
    for level in np.arange(psnr, HIGHEST_PSNR + _STEP, _STEP):
        changed = moved(image, chosen, level)
        if unnoticed(changed):
            break
    else:
        changed = image
    error = _error(image, changed)
    left = 20 * math.log10(255 / error) if error else math.inf
    shown = np.rint(255 * attention).astype(np.uint8)
    return Jnd(changed.astype(np.int16) - image, shown, left)


def light(shape: tuple[int, ...], way: int) -> NDArray[np.float32]:
    """The direction of one of :data:`LIGHT`, ``float32 (H, W, 3)``.

    A tenth less at the top and more at the low end: by whole levels that are all equal hardly any PSNR could be met.
    """
    down = np.linspace(0.9, 1.1, shape[0], dtype=np.float32)[:, None, None]
    found: NDArray[np.float32] = np.broadcast_to(LIGHT[way] * down, shape).astype(np.float32)
    return found


def reached(image: Image, changed: Image, psnr: float) -> bool:
    """Whether *changed* is about as far from *image* as *psnr* dB say: black and white may have been in the way."""
    return _error(image, changed) >= _REACHED * 255 * 10 ** (-psnr / 20)


def tolerance(image: Image) -> NDArray[np.float32]:
    """How much change each pixel of *image* takes before machines notice, ``float32 (H, W)``: of squares, mean about 1.

    Where a method is free to choose, it chooses by this: see ``hide --machine-safe``.

    Raises:
        UsageError: no image, or one that is too small.
        ModelError: the model is missing or altered.
    """
    squares = np.square(jnd(image, judges={}).threshold.astype(np.float32)).mean(axis=2)
    room: NDArray[np.float32] = np.clip(squares / max(float(squares.mean()), 1e-6), 1 / _MOST, _MOST)
    return room


def look(pictures: NDArray[np.uint8], model: str = MODEL) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the panel of *model* says of *pictures*, ``(N, H, W, 3)``, and where it looks.

    Returns:
        Log-odds, ``float32 (N, answers)``, and attention, ``float32 (N, 1, H, W)`` in [0, 1].

    Raises:
        ModelError: a classifier is missing or altered.
    """
    inputs = {"image": classifiers.planes(pictures)}
    found = [models.load(name).graphs["classifier"].run(inputs) for name in PANELS[model]]
    return np.concatenate([each["logits"] for each in found], axis=1), np.mean([each["cam"] for each in found], axis=0)


def promises(
    pictures: NDArray[np.uint8],
    answers: NDArray[np.float32],
    attention: NDArray[np.float32],
    psnr: float,
    model: str = MODEL,
) -> NDArray[np.float32]:
    """What the generator of *model* expects of each of its ways, ``float32 (N, ways)``: log-odds that answers are kept.

    Args:
        pictures: ``(N, H, W, 3)``, at least 4×4.
        answers: as :func:`look` returns them.
        attention: as :func:`look` returns it.
        psnr: in dB, to be left.
        model: of the zoo.

    Raises:
        ModelError: the model is missing or altered.
    """
    none = np.zeros((len(pictures), ways(model)), np.float32)
    return _run(pictures, answers, attention, psnr, none, model)["promises"]


def directions(
    pictures: NDArray[np.uint8],
    answers: NDArray[np.float32],
    attention: NDArray[np.float32],
    psnr: float,
    way: NDArray[np.intp],
    model: str = MODEL,
) -> NDArray[np.float32]:
    """The direction, ``float32 (N, H, W, 3)``, of one way for each of *pictures*; otherwise as for :func:`promises`."""
    taken = np.eye(ways(model), dtype=np.float32)[way]
    found = _run(pictures, answers, attention, psnr, taken, model)["direction"].transpose(0, 2, 3, 1)
    return found[:, : pictures.shape[1], : pictures.shape[2]]


def ways(model: str = MODEL) -> int:
    """How many ways the generator of *model* knows."""
    return int(models.load(model).graphs["generator"].inputs["way"][1] or 0)


def _run(
    pictures: NDArray[np.uint8],
    answers: NDArray[np.float32],
    attention: NDArray[np.float32],
    psnr: float,
    way: NDArray[np.float32],
    model: str,
) -> dict[str, NDArray[np.float32]]:
    """All outputs of the generator of *model*, of *pictures* repeated to whole multiples at their right and low end."""
    beyond = [(0, -side % _MULTIPLE) for side in pictures.shape[1:3]]
    inputs = {
        "image": classifiers.planes(np.pad(pictures, [(0, 0), *beyond, (0, 0)], mode="edge")),
        "attention": np.pad(attention, [(0, 0), (0, 0), *beyond], mode="edge"),
        "answers": answers,
        "level": np.full((len(pictures), 1), psnr, np.float32),
        "way": way,
    }
    return models.load(model).graphs["generator"].run(inputs)


def _enlarged(attention: NDArray[np.float32], image: Image) -> NDArray[np.float32]:
    """*attention*, ``(h, w)``, at the size of *image*."""
    height, width = image.shape[:2]
    enlarged = Pillow.fromarray(attention).resize((width, height), Pillow.Resampling.BILINEAR)
    return np.asarray(enlarged).clip(0, 1)


def moved(image: Image, direction: NDArray[np.float32], psnr: float) -> Image:
    """*image* moved along *direction*, both ``(H, W, 3)``, until it has no more than *psnr* dB.

    No value goes much further than the others: change that lies in a few pixels alone would say nothing of the rest.
    It stays as far from *psnr* as clamping leaves it, if the direction leads straight out of what 8 bits hold.
    """
    wanted = 255 * 10 ** (-psnr / 20)
    length = math.sqrt(_mean((_sum(np.square(direction[rows])) for rows in _stripes(image)), image.size))
    direction = np.tanh(direction / np.float32(PEAK * max(length, 1e-12)))
    low, high = _SHORTEST, _LONGEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if math.sqrt(_mean(_squares(image, direction, math.exp(middle)), image.size)) >= wanted:
            high = middle
        else:
            low = middle
    changed = np.empty_like(image)
    for rows in _stripes(image):
        changed[rows] = _step(image[rows], direction[rows], math.exp(high))
    return changed


def _direction(
    image: Image, answers: NDArray[np.float32], attention: NDArray[np.float32], psnr: float, way: int, model: str
) -> NDArray[np.float32]:
    """The direction of one way for *image*, ``float32 (H, W, 3)``, in tiles."""
    height, width = image.shape[:2]
    direction = np.empty(image.shape, np.float32)
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            y, x = max(0, top - _OVERLAP), max(0, left - _OVERLAP)
            part = slice(y, top + _TILE + _OVERLAP), slice(x, left + _TILE + _OVERLAP)
            found = directions(image[part][None], answers, attention[part][None, None], psnr, np.array([way]), model)
            inner = found[0, top - y : top - y + _TILE, left - x : left - x + _TILE]
            direction[top : top + _TILE, left : left + _TILE] = inner
    return direction


def _step(image: Image, direction: NDArray[np.float32], length: float) -> Image:
    far: Image = np.rint(image + np.float32(length) * direction).clip(0, 255).astype(np.uint8)
    return far


def _squares(image: Image, direction: NDArray[np.float32], length: float) -> Iterator[float]:
    """The sums of squared changes of *image* after so many steps along *direction*, stripe by stripe."""
    for rows in _stripes(image):
        change = _step(image[rows], direction[rows], length).astype(np.float32) - image[rows]
        yield _sum(np.square(change))


def _error(image: Image, changed: Image) -> float:
    """The root mean square of a change, in levels."""
    squares = (np.square(changed[rows].astype(np.float32) - image[rows]) for rows in _stripes(image))
    return math.sqrt(_mean(map(_sum, squares), image.size))


def _sum(values: NDArray[np.float32]) -> float:
    return float(values.sum(dtype=np.float64))


def _mean(sums: Iterator[float], count: int) -> float:
    return sum(sums) / count


def _stripes(image: Image) -> Iterator[slice]:
    """Rows of a picture, so many at once that what is made of them stays small."""
    for top in range(0, len(image), _ROWS):
        yield slice(top, top + _ROWS)
