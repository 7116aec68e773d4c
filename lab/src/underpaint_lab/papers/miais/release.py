"""Release of MIAIS: ONNX graphs and model cards of our networks and of the teacher, from finished runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from underpaint_lab.export.onnx import SIDES, Graph, Release, new_card, sample_batch
from underpaint_lab.papers.miais import nets, ours, published
from underpaint_lab.papers.miais.teacher import Teacher, TeacherRecipe, embed_with_mirror
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import restore
from underpaint_lab.training.recipe import as_settings, with_settings

if TYPE_CHECKING:
    from pathlib import Path

    from underpaint.models import Card
    from underpaint_lab.export.onnx import Built


class _BlockNumbers(nn.Module):
    """The extractor's numbers of each block, without the mean."""

    def __init__(self, reader: nets.MiaisExtractor) -> None:
        super().__init__()
        self.reader = reader

    def forward(self, pictures: Tensor) -> Tensor:
        return self.reader.blocks(pictures)


class _ScaledEmbedding(nn.Module):
    """Embeddings of pictures and their mirror images, with a mean square of 1."""

    def __init__(self, network: nets.Recogniser, size: int) -> None:
        super().__init__()
        self.network, self.factor = network, size**0.5 / nets.LENGTH

    def forward(self, pictures: Tensor) -> Tensor:
        found: Tensor = self.factor * embed_with_mirror(self.network, pictures)
        return found


def recognised(run: Path, measured: dict[str, float]) -> Built:
    """Export the embedder and the extractor of :mod:`underpaint_lab.papers.miais.ours`.

    Args:
        run: folder of the finished run.
        measured: numbers for the card, by name.

    Returns:
        Graphs by file name, and the card.

    Raises:
        ModelError: *run* has no checkpoint of these networks.
    """
    recipe = cast("ours.MiaisOursRecipe", ours.RECIPES["miais"].recipe)
    settings = folder.read_record(run)["recipe"]
    model = ours.MiaisOurs(with_settings(recipe, as_settings(settings)))
    restore(model, run)
    reader, covers = cast("nets.MiaisExtractor", model.networks["reader"]), sample_batch()
    with torch.inference_mode():
        said = reader(covers).clone()
    numbers = torch.randn(said.shape, generator=torch.Generator().manual_seed(0))
    inputs = {"covers": covers, "numbers": numbers, "said": said}
    axes = {"covers": SIDES, "numbers": {0: "n"}, "said": {0: "n"}}
    graphs = {
        "reader": Graph(_BlockNumbers(reader), {"pictures": covers}, {"pictures": SIDES}, ("numbers",)),
        "writer": Graph(model.networks["writer"], inputs, axes, ("containers",)),
    }
    return graphs, _miais_card("miais", run, measured, "64 numbers, extracted with small errors", _MIAIS)


def teacher(run: Path, measured: dict[str, float]) -> Built:
    """Export the plain classifier of :mod:`underpaint_lab.papers.miais.teacher` up to its embedding.

    Args, returns and raises as for :func:`recognised`.
    """
    recipe = cast("TeacherRecipe", published.RECIPES["miais-teacher"].recipe)
    recipe = with_settings(recipe, as_settings(folder.read_record(run)["recipe"]))
    model = Teacher(recipe)
    restore(model, run)
    pictures = functional.interpolate(sample_batch(), (recipe.crop, recipe.crop), mode="area")
    graph = Graph(
        _ScaledEmbedding(model.network, recipe.size), {"pictures": pictures}, {"pictures": {0: "n"}}, ("numbers",)
    )
    card = _miais_card("miais-teacher", run, measured, "none: it recognises faces", _TEACHER)
    return {"recogniser": graph}, card


def _miais_card(name: str, run: Path, measured: dict[str, float], payload: str, text: str) -> Card:
    return new_card(
        folder.provenance(run),
        method=name,
        paper="Cui, Zhang, Li, Zheng, Bao, Xia, Li, Multitask Identity-Aware Image Steganography, IEEE TIP 2021",
        payload=payload,
        reported={"accuracy": 0.8752, "accuracy_plain": 0.8780, "cover_psnr": 22.85, "cover_ms_ssim": 0.9799},
        measured=measured,
        limits="trained on 98 people of Labeled Faces in the Wild: not fit for any real use",
        text=text,
    )


_MIAIS = """
`reader.onnx` takes pictures, `float32 (N, 3, H, W)` in [0, 1], and returns the numbers of each block of 8×8,
`(N, 104, H / 8, W / 8)`; those of a picture are their mean. `writer.onnx` takes covers, the numbers to be embedded and
the numbers that the reader finds in the covers, `(N, 104)` each, and returns containers, neither clamped nor rounded.
Sides are multiples of 8; no output depends on blocks more than two away. Of the 104 numbers 64 are a template, permuted
by a key, and 40 identify the key: src/underpaint/methods/miais.py. docs/methods/miais.md has the figures.
"""

_TEACHER = """
`recogniser.onnx` takes faces, `float32 (N, 3, 64, 64)` in [0, 1], and returns their embeddings, `(N, 64)`: the sum of
the embeddings of a picture and of its mirror image, scaled to a mean square of 1. Faces fill the picture as the middle
130×130 pixels of the deep-funneled Labeled Faces in the Wild do. The measured accuracy is that of the network without
the mirror image.
"""


#: Models of this paper, by their name in the zoo.
MODELS = {"miais": Release(recognised), "miais-teacher": Release(teacher)}
