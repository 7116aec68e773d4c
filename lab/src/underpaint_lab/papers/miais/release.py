"""Release of the networks of miais: graphs and card from a finished run."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint import models
from underpaint_lab.export.onnx import SIDES, Graph, sample_batch
from underpaint_lab.papers.miais import nets, ours, published
from underpaint_lab.papers.miais.teacher import Teacher, TeacherRecipe, embed_with_mirror
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import restore
from underpaint_lab.training.recipe import as_settings, with_settings

if TYPE_CHECKING:
    from pathlib import Path


class _Blocks(nn.Module):
    """What the blocks of a container say, not their mean."""

    def __init__(self, reader: nets.MiaisExtractor) -> None:
        super().__init__()
        self.reader = reader

    def forward(self, pictures: Tensor) -> Tensor:
        return self.reader.blocks(pictures)


class _Embedded(nn.Module):
    """What pictures are recognised by, with a mean square of 1."""

    def __init__(self, network: nets.Recogniser, size: int) -> None:
        super().__init__()
        self.network, self.factor = network, size**0.5 / nets.LENGTH

    def forward(self, pictures: Tensor) -> Tensor:
        found: Tensor = self.factor * embed_with_mirror(self.network, pictures)
        return found


def recognised(run: Path, measured: dict[str, float]) -> tuple[dict[str, Graph], models.Card]:
    """The writer and the reader of :mod:`underpaint_lab.papers.miais.ours`."""
    recipe = cast("ours.OursRecipe", ours.RECIPES["miais"].recipe)
    told = folder.read_record(run)["recipe"]
    model = ours.MiaisOurs(with_settings(recipe, as_settings(told)))
    restore(model, run)
    reader, covers = cast("nets.Extractor", model.networks["reader"]), sample_batch()
    with torch.inference_mode():
        said = reader(covers).clone()
    numbers = torch.randn(said.shape, generator=torch.Generator().manual_seed(0))
    inputs = {"covers": covers, "numbers": numbers, "said": said}
    axes = {"covers": SIDES, "numbers": {0: "n"}, "said": {0: "n"}}
    graphs = {
        "reader": Graph(_Blocks(reader), {"pictures": covers}, {"pictures": SIDES}, ("numbers",)),
        "writer": Graph(model.networks["writer"], inputs, axes, ("containers",)),
    }
    return graphs, _miais_card("miais", run, measured, "64 numbers, which come back nearly as they were", _MIAIS)


def teacher(run: Path, measured: dict[str, float]) -> tuple[dict[str, Graph], models.Card]:
    """The plain classifier of :mod:`underpaint_lab.papers.miais.teacher`, as far as its embedding."""
    recipe = cast("TeacherRecipe", published.RECIPES["miais-teacher"].recipe)
    recipe = with_settings(recipe, as_settings(folder.read_record(run)["recipe"]))
    model = Teacher(recipe)
    restore(model, run)
    pictures = functional.interpolate(sample_batch(), (recipe.crop, recipe.crop), mode="area")
    graph = Graph(_Embedded(model.network, recipe.size), {"pictures": pictures}, {"pictures": {0: "n"}}, ("numbers",))
    card = _miais_card("miais-teacher", run, measured, "none: it recognises faces", _TEACHER)
    return {"recogniser": graph}, card


def _miais_card(name: str, run: Path, measured: dict[str, float], payload: str, text: str) -> models.Card:
    return models.Card(
        method=name,
        paper="Cui, Zhang, Li, Zheng, Bao, Xia, Li, Multitask Identity-Aware Image Steganography, IEEE TIP 2021",
        licence="MIT",
        sha256={},
        bytes=0,
        payload=payload,
        **folder.provenance(run),
        reported={"accuracy": 0.8752, "accuracy_plain": 0.8780, "cover_psnr": 22.85, "cover_ms_ssim": 0.9799},
        measured=measured,
        limits="learned from 98 people of Labeled Faces in the Wild: no evidence of fitness for any real use",
        text=text,
    )


_MIAIS = """
`reader.onnx` takes pictures, `float32 (N, 3, H, W)` in [0, 1], and returns what each block of 8×8 says,
`(N, 104, H / 8, W / 8)`; a picture says the mean. `writer.onnx` takes pictures, what they are to say and what they say,
`(N, 104)` each, and returns containers, neither clamped nor rounded. Sides are multiples of 8; no output depends on
blocks more than two away. Of the 104 numbers 64 are a template, turned by a key, and 40 announce how it is turned:
src/underpaint/methods/miais.py. docs/methods/miais.md has the figures.
"""

_TEACHER = """
`recogniser.onnx` takes faces, `float32 (N, 3, 64, 64)` in [0, 1], and returns what they are recognised by,
`(N, 64)`: the sum of what it makes of a picture and of its mirror image, with a mean square of 1. Faces fill the
picture as the middle 130×130 pixels of the deep-funneled Labeled Faces in the Wild do.
"""


#: The models of this paper: each takes a run and measured numbers and returns graphs and card.
MODELS = {"miais": recognised, "miais-teacher": teacher}
