"""Table ``statistics``: estimators of LSB replacement in crops of lossless photographs, and their false positives.

Photographs are cut into crops of two sizes: small crops are many, large crops give better estimates. Crops of one
photograph are not independent, so the bootstrap draws whole photographs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from underpaint import media
from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.errors import UsageError
from underpaint.steganalysis.stegexpose import stegexpose
from underpaint.steganalysis.ws import ws
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.detectability.measure import CLEAN, COMPATIBLE
from underpaint_lab.benchmarks.detectability.rows import STATISTICS, VALUES, DetectorRow
from underpaint_lab.benchmarks.lossless.measure import DESIGNS
from underpaint_lab.data.pictures import pictures_in, spread, tiles
from underpaint_lab.provenance import Source
from underpaint_lab.steganalysis.stegexpose_tool import stegexpose_tool

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from underpaint.types import Image

#: The method whose containers are measured.
REPLACEMENT = "replacement"
#: Height and width of crops in pixels: the photographs of Kodak give 342 of the smaller ones, 144 of the larger.
SIZES = ((168, 152), (256, 256))
#: Payload in bits per value.
RATE = 0.1
#: Smallest number of photographs.
MIN_PICTURES = 20

#: Estimates by name of the estimator.
Scores = dict[str, float]


class PictureTask(NamedTuple):
    """The crops of one photograph."""

    picture: Path
    number: int
    seed: int
    method: str


def estimate(
    method: str, *, images: Path | None = None, seed: int = 0, jobs: int | None = None
) -> ResultFile[DetectorRow]:
    """Measure how well every estimator tells crops with replaced bits, or other clean crops, from clean crops.

    Args:
        method: :data:`REPLACEMENT` or ``clean``.
        images: folder of lossless pictures; the samples are too few.
        seed: seed of messages and keys.
        jobs: processes, one per core by default.

    Raises:
        UsageError: another method, fewer than :data:`MIN_PICTURES` pictures, or none with room for a crop.
    """
    if method not in (REPLACEMENT, CLEAN):
        raise UsageError(f"estimators look for {REPLACEMENT}, not for '{method}'", hint=f"or name {CLEAN}")
    pictures = pictures_in(images)
    if len(pictures) < MIN_PICTURES:
        raise UsageError(f"{len(pictures)} photographs are too few", hint=f"name {MIN_PICTURES} or more after --images")
    found = spread(
        measure, [PictureTask(picture, number, seed, method) for number, picture in enumerate(pictures)], jobs
    )
    rows = []
    for place, (height, width) in enumerate(SIZES):
        samples = [each[place] for each in found]
        if not all(sides[0] and sides[1] for sides in samples):
            raise UsageError(f"a picture has no two crops of {height}×{width}")
        for detector in samples[0][0][0]:
            covers, containers = (
                [np.array([scores[detector] for scores in sides[side]]) for sides in samples] for side in (0, 1)
            )
            rows.append(_row(detector, f"{height}×{width}", 0.0 if method == CLEAN else RATE, covers, containers, seed))
    return ResultFile(STATISTICS, method, Source.of_bench(STATISTICS, method, images, pictures, seed), tuple(rows))


def measure(task: PictureTask) -> list[tuple[list[Scores], list[Scores]]]:
    """Return the estimates of one photograph's crops by size: of clean crops, and of the crops to be detected."""
    pixels = media.read(task.picture).pixels
    rng = np.random.default_rng([task.seed, task.number])
    found = []
    for size in SIZES:
        pieces = tiles(pixels, *size)
        if task.method == CLEAN:
            # The black fields of a chess board, and the white ones.
            sides = [[piece for (y, x), piece in pieces.items() if (y + x) % 2 == colour] for colour in (0, 1)]
        else:
            sides = [list(pieces.values()), [_replaced(piece, rng) for piece in pieces.values()]]
        clean, other = ([_scores(piece) for piece in side] for side in sides)
        found.append((clean, other))
    return found


def _replaced(cover: Image, rng: np.random.Generator) -> Image:
    message = rng.bytes(int(RATE * cover.size / 8))
    return DESIGNS[REPLACEMENT].embed(cover, message, Key(rng.bytes(KEY_SIZE))).container


def _scores(picture: Image) -> Scores:
    """Return estimates by name; a missing estimate counts as 0."""
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
) -> DetectorRow:
    """Return the row of one estimator from the scores of each photograph's crops."""
    bpp = round(VALUES * rate, 6)
    numbers = [np.repeat(np.arange(len(side)), [len(scores) for scores in side]) for side in (covers, containers)]
    return DetectorRow.of(
        np.concatenate(covers),
        np.concatenate(containers),
        seed,
        detector=detector,
        asked=bpp,
        payload=bpp,
        variant=size,
        pictures=(numbers[0], numbers[1]),
    )
