"""Release of BASN's attention networks: ONNX graphs and model cards from finished runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from underpaint_lab.export.half_precision import HalfPrecision
from underpaint_lab.export.onnx import SIDES, Graph, Release, ReleaseWithData, new_card, sample_crop, sample_squares
from underpaint_lab.nets.integer import freeze
from underpaint_lab.papers.basn import exact
from underpaint_lab.papers.basn.exact import ExactBasn, ExactRecipe
from underpaint_lab.papers.basn.nets import ItcNet, MfdNet
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import restore

if TYPE_CHECKING:
    from pathlib import Path

    from underpaint_lab.export.onnx import Built


def basn(run: Path, measured: dict[str, float]) -> Built:
    """Export the attention network of :mod:`underpaint_lab.papers.basn.exact` and prove that its sums are exact.

    Args:
        run: folder of the finished run.
        measured: numbers for the card, by name.

    Returns:
        Graphs by file name, and the card.

    Raises:
        ModelError: *run* has no checkpoint of this network, or a sum could be inexact.
    """
    recipe = cast("ExactRecipe", exact.RECIPES["basn-exact"].recipe)
    model = ExactBasn(replace(recipe, teachers=()))
    restore(model, run)
    photograph = sample_crop(256, 384)
    view = (photograph - photograph % 2**exact.LOW_BITS).float()
    graphs = {
        "attention": Graph(freeze(model.attention), {"view": view}, {"view": {2: "height", 3: "width"}}, ("attention",))
    }
    card = new_card(
        folder.provenance(run),
        method="basn",
        paper="Yang, BASN: Learning Steganography with Binary Attention Mechanism, arXiv:1907.04362",
        payload="any: up to 12 bits per pixel of three values",
        reported={"bser_min_lsm_1": 0.0106, "bser_mean_lsm_1": 0.0222},
        measured=measured,
        limits="attention depends on the upper four bits of each value, so that only the lower four may change",
        text=_BASN,
    )
    return graphs, card


_BASN = """
`attention.onnx` takes a picture in levels, whole numbers 0…255 in `float32 (1, 3, H, W)`, with or without the low four
bits of each value, and returns attention, whole numbers 0…255 of the same shape: 32 more means that a value takes twice
the change, so that the cost of a change by d levels is d² · 2^(-attention / 16). Sides are multiples of 8, and no
output depends on values more than 48 pixels away.

Every intermediate number is a multiple of 2^-9 and every sum stays within 24 bits, which was proved from the weights at
export: the result is bit-identical on every machine, for the whole picture or in tiles.

It was trained against the classifiers that the recipe names as teachers, and against no others.
"""

_ATTENTION = """
`itc.onnx` and `mfd.onnx` take pictures, `float32 (N, 3, H, W)` in [0, 1], and return the two attentions, of the same
shape in (0, 1), as the paper's networks do: in floating point, and from all bits of a picture. So the receiver's
attention differs from the sender's; `underpaint-lab bench basn` measures the resulting errors. Sides for `mfd.onnx` are
multiples of 8. The larger tensors are stored in 16 bits.
"""


def published(itc_run: Path, mfd_run: Path) -> Built:
    """Export both attention networks as published.

    Args:
        itc_run: folder of the run that trained ITC.
        mfd_run: folder of the run that trained MFD.

    Returns:
        Graphs by file name, and the card.

    Raises:
        ModelError: a run has no checkpoint of its network.
    """
    recipe = folder.read_record(mfd_run)["recipe"]
    networks = {"itc": (ItcNet(), itc_run), "mfd": (MfdNet(recipe["width"], recipe["version"]), mfd_run)}
    for part, (network, run) in networks.items():
        folder.load_weights(network, folder.learned(run, part), run)
    first, history = folder.provenance(itc_run), folder.provenance(mfd_run)
    history |= {"recipe": f"{first['recipe']}; {history['recipe']}", "hours": first["hours"] + history["hours"]}
    card = new_card(
        history,
        method="basn-published",
        paper="Yang, BASN: Learning Steganography with Binary Attention Mechanism, arXiv:1907.04362",
        payload="depends on attention: 0.4 to 3.9 bits per pixel in the paper",
        reported={"bser_min_lsm_1": 0.0106, "bser_mean_lsm_1": 0.0222},
        limits="trained at a reduced scale; for measurements only: messages are not recovered exactly",
        text=_ATTENTION,
    )
    inputs, axes = {"image": sample_squares() / 255}, {"image": SIDES}
    return {part: Graph(HalfPrecision(network.eval()), inputs, axes) for part, (network, _) in networks.items()}, card


#: Models of this paper, by their name in the zoo.
MODELS: dict[str, Release | ReleaseWithData] = {"basn": Release(basn), "basn-published": ReleaseWithData(published)}
