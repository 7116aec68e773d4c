"""Release of the networks of pixinpix: graphs and card from a finished run."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

import torch

from underpaint import models
from underpaint_lab.export.onnx import SIDES, Graph, two_photographs
from underpaint_lab.nets.unet import Frozen, Levels, Reader, Writer
from underpaint_lab.papers.pixinpix import models as recipes
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import restore

if TYPE_CHECKING:
    from pathlib import Path


def pictures(name: str, run: Path, measured: dict[str, float]) -> tuple[dict[str, Graph], models.Card]:
    """The network of :mod:`underpaint_lab.papers.pixinpix.models` that is the recipe *name*."""
    recipe = cast("recipes.OursRecipe", recipes.RECIPES[name].recipe)
    told = folder.read_record(run)["recipe"]
    model = recipes.Ours(replace(recipe, cover=told["cover"], secret=told["secret"]))
    restore(model, run)
    blocks = Frozen(model.blocks).eval()
    writer, secret = Writer(blocks, model.weight), 255 * two_photographs()
    with torch.inference_mode():
        numbers, kinds = (each.clone() for each in writer(secret))
    inputs = {"numbers": numbers, "kinds": kinds}
    axes = {"numbers": {0: "n", 2: "down", 3: "across"}, "kinds": {0: "n", 1: "down", 2: "across"}}
    made = ("numbers", "kinds")
    graphs = {
        "levels": Graph(Levels(blocks), {"kinds": kinds.flatten()}, {"kinds": {0: "n"}}, ("levels",)),
        "reader": Graph(Reader(blocks), inputs, axes, ("secret",)),
        "writer": Graph(writer, {"secret": secret}, {"secret": SIDES}, made, whole=made),
    }
    card = models.Card(
        method=name,
        paper="PixInPix: Hidding Pixels in Pixels, anonymous submission to a workshop of ECCV 2020",
        licence="MIT",
        sha256={},
        bytes=0,
        payload="a picture of the cover's size",
        **folder.provenance(run),
        reported={},
        measured=measured,
        limits="any change to the container destroys what is hidden; two to three bits lie in every value",
        text=_PICTURES,
    )
    return graphs, card


_PICTURES = """
`writer.onnx` takes pictures in levels, `float32 (N, 3, H, W)`, and returns whole numbers, `(N, 192, H / 8, W / 8)`, and
the kind of every block of 8×8, `(N, H / 8, W / 8)`. `levels.onnx` says how many levels the 192 numbers of a block have,
by its kind. `reader.onnx` takes numbers and kinds and returns the picture, neither clamped nor rounded; no output
depends on blocks that are not neighbours. Sides are multiples of 8. How a container takes up the numbers is told in
src/underpaint/methods/pixinpix.py, and docs/methods/pixinpix.md has the figures.
"""


#: The models of this paper: each takes a run and measured numbers and returns graphs and card.
MODELS = {"pixinpix": partial(pictures, "pixinpix"), "pixinpix-cifar": partial(pictures, "pixinpix-cifar")}
