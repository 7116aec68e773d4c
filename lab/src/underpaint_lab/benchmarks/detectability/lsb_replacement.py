"""How well estimators find LSB replacement in lossless photographs, and that they find nothing where there is nothing.

Photographs are cut into crops of two sizes: smaller ones are more, in larger ones an estimate is closer. Crops of one
photograph resemble each other, so intervals draw whole photographs anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from underpaint import media
from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.errors import UsageError
from underpaint.steganalysis.stegexpose import stegexpose
from underpaint.steganalysis.ws import ws
from underpaint_lab.benchmarks.core.source import Source
from underpaint_lab.benchmarks.detectability.measure import CLEAN, COMPATIBLE
from underpaint_lab.benchmarks.detectability.rows import STATISTICS, VALUES, Detected, Detections
from underpaint_lab.benchmarks.lossless.measure import DESIGNS
from underpaint_lab.data.pictures import pictures_in, spread, tiles
from underpaint_lab.steganalysis.stegexpose_tool import stegexpose_tool

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from underpaint.types import Image

#: The method whose containers are looked at.
REPLACEMENT = "replacement"
#: Height and width of crops: the photographs of Kodak give 342 of the smaller ones, 144 of the larger.
SIZES = ((168, 152), (256, 256))
#: Bits per value.
RATE = 0.1
#: Of fewer photographs, intervals say nothing.
FEWEST = 20


Scores = dict[str, float]


class Task(NamedTuple):
    """The crops of one photograph."""

    picture: Path
    number: int
    seed: int
    method: str


def estimated(method: str, *, images: Path | None = None, seed: int = 0, jobs: int | None = None) -> Detections:
    """Let every estimator tell crops from such with replaced bits, or clean crops from others of the same photographs.

    Args:
        method: :data:`REPLACEMENT` or ``clean``.
        images: folder of lossless pictures; the samples are too few.
        seed: of messages and keys.
        jobs: processes, one per core by default.

    Raises:
        UsageError: another method, fewer than :data:`FEWEST` pictures, or none with room for a crop.
    """
    if method not in (REPLACEMENT, CLEAN):
        raise UsageError(f"estimators look for {REPLACEMENT}, not for '{method}'", hint=f"or name {CLEAN}")
    pictures = pictures_in(images)
    if len(pictures) < FEWEST:
        raise UsageError(f"{len(pictures)} photographs are too few", hint=f"name {FEWEST} or more after --images")
    found = spread(measure, [Task(picture, number, seed, method) for number, picture in enumerate(pictures)], jobs)
    rows = []
    for place, (height, width) in enumerate(SIZES):
        looks = [each[place] for each in found]
        if not all(sides[0] and sides[1] for sides in looks):
            raise UsageError(f"a picture has no two crops of {height}×{width}")
        for detector in looks[0][0][0]:
            covers, containers = (
                [np.array([scores[detector] for scores in sides[side]]) for sides in looks] for side in (0, 1)
            )
            rows.append(_row(detector, f"{height}×{width}", 0.0 if method == CLEAN else RATE, covers, containers, seed))
    return Detections(STATISTICS, method, Source.of(STATISTICS, method, images, pictures, seed), tuple(rows))


def measure(task: Task) -> list[tuple[list[Scores], list[Scores]]]:
    """What estimators say of one photograph's crops, by size: of clean ones, and of those to be told from them."""
    pixels = media.read(task.picture).pixels
    rng = np.random.default_rng([task.seed, task.number])
    found = []
    for size in SIZES:
        pieces = tiles(pixels, *size)
        if task.method == CLEAN:
            # The black fields of a chess board, and its white ones.
            sides = [[piece for (y, x), piece in pieces.items() if (y + x) % 2 == colour] for colour in (0, 1)]
        else:
            sides = [list(pieces.values()), [_replaced(piece, rng) for piece in pieces.values()]]
        clean, other = ([_scores(piece) for piece in side] for side in sides)
        found.append((clean, other))
    return found


def _replaced(cover: Image, rng: np.random.Generator) -> Image:
    message = rng.bytes(int(RATE * cover.size / 8))
    return DESIGNS[REPLACEMENT].send(cover, message, Key(rng.bytes(KEY_SIZE))).container


def _scores(picture: Image) -> Scores:
    """Estimates by name; 0 where there is none."""
    verdict = stegexpose(picture)
    found = {
        **verdict.estimates,
        "stegexpose": verdict.mean,
        COMPATIBLE: stegexpose_tool(picture).mean,
        "weighted-stego": ws(picture),
    }
    return {name: 0.0 if score is None else score for name, score in found.items()}


def _row(
    detector: str,
    size: str,
    rate: float,
    covers: list[NDArray[np.float64]],
    containers: list[NDArray[np.float64]],
    seed: int,
) -> Detected:
    """How well the scores of each photograph's crops are told apart."""
    bpp = round(VALUES * rate, 6)
    numbers = [np.repeat(np.arange(len(side)), [len(scores) for scores in side]) for side in (covers, containers)]
    return Detected.of(
        np.concatenate(covers),
        np.concatenate(containers),
        seed,
        detector=detector,
        asked=bpp,
        payload=bpp,
        variant=size,
        pictures=(numbers[0], numbers[1]),
    )
