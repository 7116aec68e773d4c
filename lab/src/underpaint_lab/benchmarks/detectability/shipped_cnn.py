"""Accuracy of the network ``zoo/detector`` beside statistical detectors, on covers that it was not trained on.

``underpaint-lab evaluate detector clean train.zip`` prints the score that one in a hundred clean covers exceeds, of the
covers that :mod:`underpaint_lab.data.cover_stego` holds out. ``… pairs val.zip kodak/`` prints how well each detector
tells containers from covers; ``--run runs/steganalysis-ye`` adds a network that is not in the zoo.
"""

from __future__ import annotations

import argparse
import json
import os
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from underpaint.errors import UnderpaintError
from underpaint.methods import METHODS
from underpaint.steganalysis.cnn import cnn
from underpaint.steganalysis.detectors import DETECTORS
from underpaint.steganalysis.stegexpose import stegexpose
from underpaint.steganalysis.ws import ws
from underpaint.types import Payload
from underpaint_lab.data.camera import developed, halved
from underpaint_lab.data.cover_stego import HELD_OUT, embed_at
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.data.pictures import crops, spread
from underpaint_lab.metrics.detection import auc, p_e
from underpaint_lab.papers.steganalysis.nets import STEGANALYSERS
from underpaint_lab.training import run_folder as folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from torch import nn

    from underpaint.types import Image

    #: Maps a picture to a score; None where it has none.
    Detector = Callable[[Image], float | None]

    #: The scores of one cover and of its containers, by kind, each by its detector; None where nothing fits.
    Row = list[dict[str, float] | None]

#: Containers by title: method and rate in bits per value, 0 for methods that hide a message.
CASES: dict[str, tuple[str, float]] = {
    "LSB matching 0.4": ("lsb", 0.4),
    "LSB matching 0.1": ("lsb", 0.1),
    "matching, ideal code, 0.4": ("matching", 0.4),
    "HILL 0.4": ("hill", 0.4),
    "S-UNIWARD 0.4": ("s-uniward", 0.4),
    "basn 0.4": ("basn", 0.4),
    "basn-stc 0.4": ("basn-stc", 0.4),
    "robust": ("robust", 0),
    "stdm": ("stdm", 0),
}


def _mean(picture: Image) -> float | None:
    return stegexpose(picture).mean


#: Detectors by title.
SCORERS: dict[str, Detector] = {
    "network": cnn,
    "weighted-stego": ws,
    "stegexpose": _mean,
}
#: Side of the crops of large photographs in pixels.
_CROP = 256
_MESSAGE = Payload.from_text("meet me at noon")


def sets(photographs: Photographs) -> dict[str, list[Image]]:
    """Return covers by kind: small photographs in the three ways of training, large ones as crops and whole."""
    pictures, rng = list(photographs.pictures), np.random.default_rng(0)
    if max(max(picture.shape[:2]) for picture in pictures) > _CROP:
        cut = [crop for picture in pictures for crop in crops(picture, _CROP)]
        return {f"{photographs.name} crops": cut, f"{photographs.name} whole": pictures}
    return {
        "as they are": pictures,
        "halved": [halved(picture) for picture in pictures],
        "developed": [developed(picture, rng) for picture in pictures],
    }


def score_pair(task: tuple[Image, int], asked: Mapping[str, Detector] = SCORERS) -> Row:
    """Return the scores of a cover, and of its container for each of :data:`CASES`; the task is cover and seed."""
    cover, seed = np.ascontiguousarray(task[0]), task[1]
    pictures = [cover, *(_container(cover, case, seed) for case in CASES)]
    return [None if each is None else {name: ask(each) or 0.0 for name, ask in asked.items()} for each in pictures]


def _container(cover: Image, case: str, seed: int) -> Image | None:
    kind, rate = CASES[case]
    try:
        if rate:
            return embed_at(cover, kind, rate, seed)
        return METHODS[kind].hide(cover, _MESSAGE, None, psnr=None, survive=None)
    except UnderpaintError:
        return None


def run_score(picture: Image, run: Path) -> float:
    """Return the log-odds that *picture* is a container, by the network of *run*.

    Raises:
        ModelError: *run* has no checkpoint of one.
    """
    with torch.inference_mode():
        planes = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32))
        return float(_loaded(run)(planes)[0])


@cache
def _loaded(run: Path) -> nn.Module:
    torch.set_num_threads(1)
    network = STEGANALYSERS[folder.read_record(run)["recipe"]["network"]]()
    folder.load_weights(network, folder.learned(run, "network"), run)
    return network.eval()


def clean_scores(covers: Sequence[Image]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the scores of *covers* by the network of the zoo, ``(n,)``."""
    return np.array([cnn(np.ascontiguousarray(cover)) for cover in covers])


def lines(name: str, pixels: int, rows: Sequence[Row], asked: Iterable[str] = SCORERS) -> list[str]:
    """Return table lines of one set: AUC, best accuracy, detection rate at the threshold of *pixels* pixels."""
    limits = {each: DETECTORS[each].threshold_at(pixels) if each in DETECTORS else None for each in asked}
    found = []
    for number, case in enumerate(CASES, start=1):
        pairs = [(row[0], row[number]) for row in rows if row[0] and row[number]]
        cells = []
        for detector in limits:
            covers, containers = ([each[detector] for each in side if each] for side in zip(*pairs, strict=True))
            rate = _above(containers, limits[detector])
            cells.append(f"{auc(covers, containers):.3f} / {1 - p_e(covers, containers):.3f} / {rate}")
        found.append(f"| {name} | {case} | {len(pairs)} | {' | '.join(cells)} |")
    false = [_above([(row[0] or {})[detector] for row in rows], limits[detector]) for detector in limits]
    return [*found, f"| {name} | clean | {len(rows)} | {' | '.join(f'false {share}' for share in false)} |"]


def _above(scores: Sequence[float], limit: float | None) -> str:
    """The share of *scores* above a *limit*; a dash where there is none."""
    return "–" if limit is None else f"{np.mean(np.array(scores) > limit):.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the accuracy of the network of the zoo, or its scores of clean covers."""
    parser = argparse.ArgumentParser(prog="underpaint-lab evaluate detector", description=main.__doc__)
    parser.add_argument("what", choices=("clean", "pairs"))
    parser.add_argument("photographs", type=Path, nargs="+", help="folders or zip files")
    parser.add_argument("--count", type=int, help="covers of each set, evenly spread")
    parser.add_argument("--jobs", type=int, help="processes; by default one per core")
    parser.add_argument("--run", type=Path, action="append", default=[], help="run of another network, repeatable")
    parser.add_argument("--scores", type=Path, help="JSON file for all scores")
    options = parser.parse_args(arguments)
    os.environ.setdefault("UNDERPAINT_THREADS", "1")  # each process has a core
    scores: dict[str, list[Row]] = {}
    asked = SCORERS | {run.name: partial(run_score, run=run) for run in options.run}
    if options.what == "pairs":
        print(f"| covers | container | pairs | {' | '.join(asked)} |\n|---|---|---:|{'---:|' * len(asked)}")
    for path in options.photographs:
        held_out = options.what == "clean"
        photographs = Photographs.open(path, split="held-out" if held_out else None, share=HELD_OUT)
        for name, covers in sets(photographs).items():
            count = min(options.count or len(covers), len(covers))
            chosen = [covers[number * len(covers) // count] for number in range(count)]
            if held_out:
                found = clean_scores(chosen)
                print(f"{name}: of {count} one in a hundred is above {np.quantile(found, 0.99):.4f}", flush=True)
                continue
            tasks = list(zip(chosen, range(count), strict=True))
            scores[name] = spread(partial(score_pair, asked=asked), tasks, options.jobs)
            print("\n".join(lines(name, chosen[0].size // 3, scores[name], asked)), flush=True)
    if options.scores:
        options.scores.write_text(json.dumps(scores), encoding="utf-8")
