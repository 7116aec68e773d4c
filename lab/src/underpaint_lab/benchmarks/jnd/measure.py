"""Table ``dmvjnd``: just noticeable difference of machines, as published and ours, and tests of it as a threshold.

A picture is changed by its whole JND, then by less: ninths of the change (the paper's homogeneity), and a random factor
in [0, 1] for each pixel. If the JND is a threshold, random signs and any smaller change must keep labels too. White
noise of the same PSNR is the control. All pictures are clamped and rounded to 8 bits.

Pictures come from a folder with ``train.webp`` and ``test.webp``, mosaics of 32×32 such as CIFAR-10; evenly spread ones
are taken. Classifiers are those of the zoo called ``cifar-…``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, get_args

import numpy as np

from underpaint import media, models
from underpaint.errors import UsageError
from underpaint.models import classifiers, jnd, jnd_networks
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.jnd.rows import DMVJND, HELD_OUT, PANEL, LabelRow, Split
from underpaint_lab.data.pictures import spread
from underpaint_lab.provenance import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from underpaint.types import Image

#: Side of a picture in a mosaic in pixels, and pictures per batch.
SIDE, BATCH = 32, 100
#: Pictures of each split.
COUNTS: dict[Split, int] = {"train": 500, "test": 1000}
#: PSNRs in dB: the paper's and two more, at which pictures are refined; those at which the threshold is tested; those
#: of the curve.
LEVELS = (9.56, 14.0, 20.0)
TRIED = (9.56, 20.0, 24.0, 32.0)
CURVE = (9.56, 11.0, 14.0, 17.0, 20.0, 24.0, 32.0, 40.0)
#: Ways to change pictures, by name, with their model. The control, ``light``, only brightens or darkens.
WAYS = {"published": "dmvjnd-published", "ours": "dmvjnd-cifar", "chosen": "dmvjnd-cifar", "light": "dmvjnd-cifar"}


def _ninth(k: int) -> Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]:
    def shrunk(change: NDArray[np.float32], _: np.random.Generator) -> NDArray[np.float32]:
        made: NDArray[np.float32] = change * np.float32(k / 9)
        return made

    return shrunk


def _noise(change: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """White noise of the same mean square in each picture, before clamping."""
    size = np.sqrt(np.square(change).mean(axis=(1, 2, 3), keepdims=True))
    noise: NDArray[np.float32] = size * rng.standard_normal(change.shape, np.float32)
    return noise


#: Variants of a change, by name.
TRIALS: dict[str, Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]] = {
    "change": lambda change, _: change,
    "white noise": _noise,
    "random factors": lambda change, rng: change * rng.random((*change.shape[:3], 1), np.float32),
    "random signs": lambda change, rng: change * rng.choice(np.array([-1, 1], np.float32), change.shape),
    "any smaller": lambda change, rng: change * rng.uniform(-1, 1, change.shape).astype(np.float32),
    **{f"{k}/9": _ninth(k) for k in range(1, 9)},
}


@dataclass(frozen=True)
class ChangeTask:
    """One way at one level, on some pictures of one split."""

    way: str
    split: Split
    level: float | None
    trials: tuple[str, ...]
    file: Path
    start: int
    seed: int


def labels_kept(
    way: str, *, images: Path | None = None, seed: int = 0, jobs: int | None = None
) -> ResultFile[LabelRow]:
    """Change pictures, and count the labels that every classifier keeps.

    Args:
        way: key of :data:`WAYS`.
        images: folder of mosaics.
        seed: seed of everything random.
        jobs: processes, one per core by default.

    Raises:
        UsageError: no such way, no folder, or no mosaics in it.
        ModelError: a network is missing.
    """
    if way not in WAYS:
        raise UsageError(f"no way is called '{way}'", hint=f"there are {', '.join(WAYS)}")
    if images is None:
        raise UsageError(f"{DMVJND} needs small pictures", hint="name CIFAR-10's folder, with its mosaics, by --images")
    files: dict[Split, Path] = {split: images / f"{split}.webp" for split in get_args(Split)}
    starts = {split: range(0, len(tiles(file, COUNTS[split])), BATCH) for split, file in files.items()}
    plan = [(split, level, trials) for split in files for level, trials in _plan(way, split)]
    tasks = [
        ChangeTask(way, split, level, trials, files[split], start, seed)
        for split, level, trials in plan
        for start in starts[split]
    ]
    samples = iter(spread(measure, tasks, jobs))
    rows: list[LabelRow] = []
    for split, level, trials in plan:
        parts = [next(samples) for _ in starts[split]]
        rows += [_together(split, level, trial, [part[trial] for part in parts]) for trial in trials]
    source = Source.of_bench(DMVJND, way, images, [files["test"], files["train"]], seed)
    return ResultFile(DMVJND, way, source, tuple(rows))


@dataclass(frozen=True)
class SampleResult:
    """One variant on some pictures."""

    pictures: int
    kept: dict[str, int]
    error: float  #: mean squared error in levels², after clamping and rounding
    error_free: float  #: before


def measure(task: ChangeTask) -> dict[str, SampleResult]:
    """Return the result of every variant of a task, by name."""
    pictures = tiles(task.file, COUNTS[task.split])[task.start : task.start + BATCH]
    changed = change(task.way, task.level, pictures)
    graphs = {name: models.load(f"cifar-{name}").graphs["classifier"] for name in _classifiers()}
    asked = {
        name: graph.run({"image": classifiers.planes(pictures)})["logits"].argmax(axis=1)
        for name, graph in graphs.items()
    }
    found = {}
    for number, trial in enumerate(task.trials):
        rng = np.random.default_rng([task.seed, task.start, number])
        tried = TRIALS[trial](changed, rng)
        seen = np.rint(pictures + tried).clip(0, 255).astype(np.uint8)
        answers = {
            name: graph.run({"image": classifiers.planes(seen)})["logits"].argmax(axis=1)
            for name, graph in graphs.items()
        }
        found[trial] = SampleResult(
            len(pictures),
            {name: int((answers[name] == asked[name]).sum()) for name in graphs},
            float(np.square(seen.astype(np.float64) - pictures).mean()),
            float(np.square(tried.astype(np.float64)).mean()),
        )
    return found


def _plan(way: str, split: Split) -> list[tuple[float | None, tuple[str, ...]]]:
    """Return levels, each with the names of its variants."""
    everything = tuple(TRIALS)
    if way == "published":
        return [(None, everything)]
    if split == "train":
        return [(LEVELS[0], ("change", "white noise"))]
    return [(level, everything if way == "chosen" and level in TRIED else ("change",)) for level in CURVE]


def change(way: str, level: float | None, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the change of *pictures* by one of :data:`WAYS`, in levels, ``float32 (N, H, W, 3)``.

    Args:
        way: ``ours`` takes the direction that its network rates best; ``light`` lets the panel choose between brighter
            and darker; ``chosen`` between these and all directions of the network.
        level: PSNR in dB that is to be left; None for a model that has a strength of its own.
        pictures: ``uint8 (N, H, W, 3)``.
    """
    model, count = WAYS[way], len(pictures)
    answers, attention = jnd_networks.panel_outputs(pictures, WAYS["ours"])
    if level is None:
        inputs = {"image": classifiers.planes(pictures), "attention": attention}
        return 255 * models.load(model).graphs["generator"].run(inputs)["change"].transpose(0, 2, 3, 1)
    order = np.argsort(-jnd_networks.way_scores(pictures, answers, attention, level, model), axis=1).T
    ranks = {"ours": order[:1], "light": order[:0], "chosen": order}[way]
    brightness_ways = jnd.BRIGHTNESS_WAYS if way != "ours" else ()
    light = [np.stack([jnd.brightness_direction(pictures.shape[1:], each)] * count) for each in brightness_ways]
    candidates = (jnd_networks.directions(pictures, answers, attention, level, rank, model) for rank in ranks)
    best, most = np.empty(pictures.shape, np.float32), np.full(count, -10)
    for directions in chain(light, candidates):
        moved = np.stack([jnd.move(*each, level) for each in zip(pictures, directions, strict=True)])
        members = len(jnd_networks.PANELS[model])
        kept = _kept(answers, jnd_networks.panel_outputs(moved, model)[0], members) if way != "ours" else most + 1
        if way == "chosen":
            kept -= [0 if jnd.reaches_psnr(*each, level) else 9 for each in zip(pictures, moved, strict=True)]
        better = kept > most
        best[better], most[better] = moved[better].astype(np.float32) - pictures[better], kept[better]
    return best


def _kept(before: NDArray[np.float32], after: NDArray[np.float32], members: int) -> NDArray[np.int64]:
    """Return how many members of a panel keep their label of each picture, ``(N,)``, from all their log-odds."""
    answers = [odds.reshape(len(odds), members, -1).argmax(axis=2) for odds in (before, after)]
    kept: NDArray[np.int64] = (answers[0] == answers[1]).sum(axis=1)
    return kept


def _together(split: Split, level: float | None, trial: str, parts: list[SampleResult]) -> LabelRow:
    count = sum(part.pictures for part in parts)
    kept = {name: sum(part.kept[name] for part in parts) for name in parts[0].kept}
    error, free = (
        sum(getattr(part, name) * part.pictures for part in parts) / count for name in ("error", "error_free")
    )
    unclamped = None if level is not None and trial == "change" else decibels(free)
    return LabelRow(
        split=split,
        change=trial,
        level=level,
        pictures=count,
        kept=kept,
        psnr=decibels(error),
        psnr_free=unclamped,
    )


def decibels(error: float) -> float:
    """Return the PSNR in dB of a mean squared *error* in levels², with six decimals; errors are at least 1e-6."""
    return round(20 * math.log10(255) - 10 * math.log10(max(error, 1e-6)), 6)


def _classifiers() -> list[str]:
    """Return the names of the classifiers of small pictures that the zoo has."""
    return [name for name in (*PANEL, *HELD_OUT) if f"cifar-{name}" in models.names()]


def tiles(file: Path, count: int) -> Image:
    """Return *count* pictures of a mosaic, evenly spread, ``uint8 (N, 32, 32, 3)``.

    Raises:
        UsageError: there is no such mosaic, or it is no multiple of 32 pixels either way.
    """
    if not file.exists():
        raise UsageError(
            f"there is no {file.name} in {file.parent.name}", hint="name CIFAR-10's folder, with its mosaics"
        )
    mosaic = media.read(file).pixels
    rows, columns = mosaic.shape[0] // SIDE, mosaic.shape[1] // SIDE
    if mosaic.shape != (rows * SIDE, columns * SIDE, 3):
        raise UsageError(f"{file.name} is no mosaic of pictures of {SIDE}×{SIDE}")
    tiles = mosaic.reshape(rows, SIDE, columns, SIDE, 3).swapaxes(1, 2).reshape(-1, SIDE, SIDE, 3)
    whole = tiles.any(axis=(1, 2, 3))  # the last row of a mosaic may be padded with black
    found = tiles[whole]
    chosen: Image = found[np.arange(min(count, len(found))) * len(found) // min(count, len(found))]
    return chosen
