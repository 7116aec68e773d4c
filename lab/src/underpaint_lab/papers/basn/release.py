"""Release of BASN's attention: graphs and card from a finished run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import torch

from underpaint import media, models
from underpaint.media import samples
from underpaint_lab.export.half_precision import HalfPrecision
from underpaint_lab.export.onnx import Graph
from underpaint_lab.nets.integer import freeze
from underpaint_lab.papers.basn import exact
from underpaint_lab.papers.basn.exact import ExactBasn, ExactRecipe
from underpaint_lab.papers.basn.nets import ItcNet, MfdNet
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import restore

if TYPE_CHECKING:
    from pathlib import Path

#: Free axes of the published networks' input.
_PUBLISHED_FREE = {"image": {0: "n", 2: "height", 3: "width"}}
_FREE = {"view": {2: "height", 3: "width"}}


def basn(run: Path, measured: dict[str, float]) -> tuple[dict[str, Graph], models.Card]:
    """The attention of :mod:`underpaint_lab.papers.basn.exact`, in whole numbers that are proved to stay exact."""
    recipe = cast("ExactRecipe", exact.RECIPES["basn-exact"].recipe)
    model = ExactBasn(replace(recipe, teachers=()))
    restore(model, run)
    photograph = torch.from_numpy(media.read(samples.path("coffee")).pixels[None, :256, :384]).permute(0, 3, 1, 2)
    view = (photograph - photograph % 2**exact.LOW_BITS).float()
    graphs = {"attention": Graph(freeze(model.attention), {"view": view}, _FREE, ("attention",))}
    card = models.Card(
        method="basn",
        paper="Yang, BASN: Learning Steganography with Binary Attention Mechanism, arXiv:1907.04362",
        licence="MIT",
        sha256={},
        bytes=0,
        payload="any: up to 12 bits per pixel of three values",
        **folder.provenance(run),
        reported={"bser_min_lsm_1": 0.0106, "bser_mean_lsm_1": 0.0222},
        measured=measured,
        limits="who reveals can see but the upper four bits of each value, so that only the lower four may change",
        text=_BASN,
    )
    return graphs, card


_BASN = """
`attention.onnx` takes a picture in levels, whole numbers 0…255 in `float32 (1, 3, H, W)`, as it is or with the low four
bits of each value cleared, and returns attention, whole numbers 0…255 of the same shape: 32 more means that a value
takes twice the change, so that for a change of d levels a value costs d² · 2^(-attention / 16). Sides are multiples of
8, and no output depends on values more than 48 pixels away.

Every number on the way is a multiple of 2^-9 and every sum stays inside 24 bits, which was proved from the weights when
the graph was made: the result is the same to the byte whatever computes it, whole or in tiles.

It was taught by the classifiers that the recipe names as teachers, and by no others.
"""

_ATTENTION = """
`itc.onnx` and `mfd.onnx` take pictures, `float32 (N, 3, H, W)` in [0, 1], and return the two attentions, of the same
shape in (0, 1), as the paper's networks do: in floating point, and of all bits of a picture. So whoever reveals comes
to other attentions than whoever hides; `underpaint bench basn` counts what that costs. Of `mfd.onnx` a side is a
multiple of 8. Their larger tensors are stored in 16 bits.
"""


def published(itc_run: Path, mfd_run: Path) -> tuple[dict[str, Graph], models.Card]:
    """Both attentions as published, each from a run that trained it.

    Raises:
        ModelError: a run has no checkpoint of its network.
    """
    recipe = folder.read_record(mfd_run)["recipe"]
    networks = {"itc": (ItcNet(), itc_run), "mfd": (MfdNet(recipe["width"], recipe["version"]), mfd_run)}
    for part, (network, run) in networks.items():
        folder.load_weights(network, folder.learned(run, part), run)
    first, history = folder.provenance(itc_run), folder.provenance(mfd_run)
    history |= {"recipe": f"{first['recipe']}; {history['recipe']}", "hours": first["hours"] + history["hours"]}
    card = models.Card(
        method="basn-published",
        paper="Yang, BASN: Learning Steganography with Binary Attention Mechanism, arXiv:1907.04362",
        licence="MIT",
        sha256={},
        bytes=0,
        payload="what attention yields: 0.4 to 3.9 bits per pixel in the paper",
        **history,
        reported={"bser_min_lsm_1": 0.0106, "bser_mean_lsm_1": 0.0222},
        measured={},
        limits="trained at a reduced scale; to be measured, not to hide with: messages do not come back exactly",
        text=_ATTENTION,
    )
    inputs = {"image": _two_squares()}
    return {
        part: Graph(HalfPrecision(network.eval()), inputs, _PUBLISHED_FREE) for part, (network, _) in networks.items()
    }, card


def _two_squares() -> torch.Tensor:
    """Two squares of a sample, ``(2, 3, 96, 96)``: an axis that is free must be at least 2 long."""
    pixels = media.read(samples.path("coffee")).pixels[100:196, 100:292]
    return torch.from_numpy(pixels.reshape(96, 2, 96, 3)).permute(1, 3, 0, 2).float() / 255


#: The models of this paper: each takes a run and measured numbers and returns graphs and card.
MODELS = {"basn": basn}
#: Those that take a second run.
PAIRS = {"basn-published": published}
