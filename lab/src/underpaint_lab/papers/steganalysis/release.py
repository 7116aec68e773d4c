"""Release of the detector that ``inspect`` runs: graph and card from a finished run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from underpaint import media, models
from underpaint.errors import UsageError
from underpaint.media import samples
from underpaint_lab.export.onnx import Graph
from underpaint_lab.papers.steganalysis.nets import STEGANALYSERS
from underpaint_lab.training import run_folder as folder

if TYPE_CHECKING:
    from pathlib import Path

_FREE = {"image": {0: "n", 2: "height", 3: "width"}}
_TEXT = """
`detector.onnx` takes pictures, `float32 (N, 3, H, W)`, levels 0…255 as whole numbers, of any size of at least 32×32,
and returns `odds`, the log-odds `(N,)` of a container.
"""


def detector(run: Path, measured: dict[str, float]) -> tuple[dict[str, Graph], models.Card]:
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
    card = models.Card(
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
    pixels = media.read(samples.path("coffee")).pixels[100:196, 100:292]
    return torch.from_numpy(pixels.reshape(96, 2, 96, 3)).permute(1, 3, 0, 2).float()


#: The models of this paper: each takes a run and measured numbers and returns graphs and card.
MODELS = {"detector": detector}
