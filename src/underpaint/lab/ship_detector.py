"""The network that ``inspect`` asks goes to the zoo.

``python -m underpaint.lab.ship_detector runs/steganalysis-light`` writes ``src/underpaint/zoo/detector``. How often it
is right, :mod:`underpaint.lab.judge_detector` measures of what is shipped, and ``--measured`` puts it on the card.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from underpaint import image, samples, zoo
from underpaint.errors import UsageError
from underpaint.lab import run as folder
from underpaint.lab.export import Graph, export
from underpaint.lab.nets.steganalysers import STEGANALYSERS

_FREE = {"image": {0: "n", 2: "height", 3: "width"}}
_TEXT = """
`detector.onnx` takes pictures, `float32 (N, 3, H, W)`, levels 0…255 as whole numbers, of any size of at least 32×32,
and returns `odds`, the log-odds `(N,)` of a container.
"""


def detector(run: Path, measured: dict[str, float]) -> tuple[dict[str, Graph], zoo.Card]:
    """The steganalyser trained in *run*, and its card, which says what was *measured* of it, by name.

    Raises:
        ModelError: *run* has no checkpoint of it.
        UsageError: *run* trained something else.
    """
    recipe = folder.read_record(run)["recipe"]
    if recipe.get("network") not in STEGANALYSERS:
        raise UsageError(f"{run} trained no steganalyser", hint="underpaint train steganalysis-light does")
    network = STEGANALYSERS[recipe["network"]]()
    folder.load_weights(network, folder.learned(run, "network"), run)
    card = zoo.Card(
        method="analyst",
        paper=" ".join(str(type(network).__doc__).partition("\n")[0].split()),
        licence="MIT",
        sha256={},
        bytes=0,
        payload="none: an observer, which says how likely a picture is to be a container",
        **folder.provenance(run),
        reported={},
        measured=measured,
        limits="knows the developments that it was shown: a source with another grain may raise false alarms",
        text=_TEXT,
    )
    return {"detector": Graph(network.eval(), {"image": _photograph()}, _FREE, ("odds",))}, card


def _photograph() -> Tensor:
    """Two squares of a sample, ``(2, 3, 96, 96)``: an axis that is free must be at least 2 long."""
    pixels = image.read(samples.path("coffee")).pixels[100:196, 100:292]
    return torch.from_numpy(pixels.reshape(96, 2, 96, 3)).permute(1, 3, 0, 2).float()


def ship(run: Path, target: Path, measured: dict[str, float]) -> float:
    """Export a *run* to the folder *target*, and return the largest difference between the two runtimes.

    Raises:
        ModelError: *run* has no checkpoint, or the graph does not compute what the network does.
        UsageError: *run* trained something else.
    """
    graphs, card = detector(run, measured)
    return export(graphs, target, card)


def main() -> None:
    """Ship the run that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m underpaint.lab.ship_detector", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--measured", type=Path, help="numbers by name, JSON, of underpaint.lab.judge_detector")
    arguments = parser.parse_args()
    measured = json.loads(arguments.measured.read_text(encoding="utf-8")) if arguments.measured else {}
    target = Path(zoo.__file__).parent / "detector"
    worst = ship(arguments.run, target, measured)
    print(f"wrote {target.name}; ONNX Runtime is within {worst:.1e} of PyTorch")


if __name__ == "__main__":
    main()
