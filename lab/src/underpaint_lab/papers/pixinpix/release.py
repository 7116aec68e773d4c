"""Release of PixInPix: ONNX graphs and model card from a finished run."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

import torch

from underpaint_lab.export.onnx import SIDES, Graph, Release, new_card, sample_batch
from underpaint_lab.papers.pixinpix import models as recipes
from underpaint_lab.papers.pixinpix.nets import FrozenBlockCoder, LevelTable, SecretDecoder, SecretEncoder
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import restore

if TYPE_CHECKING:
    from pathlib import Path

    from underpaint_lab.export.onnx import Built


def pictures(name: str, run: Path, measured: dict[str, float]) -> Built:
    """Export our network for PixInPix.

    Args:
        name: ``pixinpix`` or ``pixinpix-cifar``, a recipe of :mod:`underpaint_lab.papers.pixinpix.models`.
        run: folder of the finished run.
        measured: numbers for the card, by name.

    Returns:
        Graphs by file name, and the card.

    Raises:
        ModelError: *run* has no checkpoint of this network.
    """
    recipe = cast("recipes.PixInPixOursRecipe", recipes.RECIPES[name].recipe)
    settings = folder.read_record(run)["recipe"]
    model = recipes.PixInPixOurs(replace(recipe, cover=settings["cover"], secret=settings["secret"]))
    restore(model, run)
    blocks = FrozenBlockCoder(model.blocks).eval()
    encoder, secret = SecretEncoder(blocks, model.weight), 255 * sample_batch()
    with torch.inference_mode():
        numbers, kinds = (each.clone() for each in encoder(secret))
    inputs = {"numbers": numbers, "kinds": kinds}
    axes = {"numbers": {0: "n", 2: "down", 3: "across"}, "kinds": {0: "n", 1: "down", 2: "across"}}
    made = ("numbers", "kinds")
    graphs = {
        "levels": Graph(LevelTable(blocks), {"kinds": kinds.flatten()}, {"kinds": {0: "n"}}, ("levels",)),
        "reader": Graph(SecretDecoder(blocks), inputs, axes, ("secret",)),
        "writer": Graph(encoder, {"secret": secret}, {"secret": SIDES}, made, whole=made),
    }
    card = new_card(
        folder.provenance(run),
        method=name,
        paper="PixInPix: Hidding Pixels in Pixels, anonymous submission to a workshop of ECCV 2020",
        payload="a picture of the cover's size",
        measured=measured,
        limits="any change to the container destroys the secret; each value carries two to three bits",
        text=_PICTURES,
    )
    return graphs, card


_PICTURES = """
`writer.onnx` takes pictures in levels, `float32 (N, 3, H, W)`, and returns whole numbers, `(N, 192, H / 8, W / 8)`, and
the kind of every block of 8×8, `(N, H / 8, W / 8)`. `levels.onnx` returns the number of levels of each of the 192
numbers of a block, by its kind. `reader.onnx` takes numbers and kinds and returns the picture, neither clamped nor
rounded; no output depends on blocks that are not neighbours. Sides are multiples of 8.
src/underpaint/methods/pixinpix.py describes how a container carries the numbers; docs/methods/pixinpix.md has the
figures.
"""


#: Models of this paper, by their name in the zoo.
MODELS = {name: Release(partial(pictures, name)) for name in ("pixinpix", "pixinpix-cifar")}
