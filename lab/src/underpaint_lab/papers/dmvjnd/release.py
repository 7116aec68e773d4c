"""Release of DMV-JND: ONNX graph and model card of a generator from a finished run."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

import torch

from underpaint.models.jnd_networks import PANELS
from underpaint_lab.export.onnx import SIDES, Graph, Release, new_card, sample_batch
from underpaint_lab.papers.dmvjnd import ours
from underpaint_lab.papers.dmvjnd import published as as_published
from underpaint_lab.papers.dmvjnd.nets import UnitRangeChange
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import restore

if TYPE_CHECKING:
    from pathlib import Path

    from underpaint.models import Card
    from underpaint_lab.export.onnx import Built


def jnd(name: str, run: Path, measured: dict[str, float]) -> Built:
    """Export our generator.

    Args:
        name: ``dmvjnd`` or ``dmvjnd-cifar``, a recipe of :mod:`underpaint_lab.papers.dmvjnd.ours`.
        run: folder of the finished run.
        measured: numbers for the card, by name.

    Returns:
        Graphs by file name, and the card.

    Raises:
        ModelError: *run* has no checkpoint of this network.
    """
    model = ours.JndOurs(cast("ours.JndOursRecipe", ours.RECIPES[name].recipe))
    restore(model, run)
    images = sample_batch()
    logits, attention = model.panel(images)
    inputs = {"image": images, "attention": attention, "answers": logits, "level": torch.tensor([[10.0], [30.0]])}
    inputs["way"] = torch.eye(model.generator.ways)[:2]
    axes = {"image": SIDES, "attention": SIDES} | {key: {0: "n"} for key in ("answers", "level", "way")}
    card = _jnd_card(name, PANELS[name], run, measured, _DMVJND)
    return {"generator": Graph(model.generator, inputs, axes, ("direction", "promises"))}, card


def published(run: Path, measured: dict[str, float]) -> Built:
    """Export the paper's network, for comparison with ours; as :func:`jnd`."""
    recipe = cast("as_published.JndPublishedRecipe", as_published.RECIPES["dmvjnd-published"].recipe)
    model = as_published.JndPublished(replace(recipe, width=int(folder.read_record(run)["recipe"]["width"])))
    restore(model, run)
    images = sample_batch()
    inputs = {"image": images, "attention": model.panel(images)[1]}
    graph = Graph(UnitRangeChange(model.network), inputs, dict.fromkeys(inputs, SIDES), ("change",))
    return {"generator": graph}, _jnd_card("dmvjnd-published", recipe.classifiers, run, measured, _PUBLISHED)


def _jnd_card(name: str, panel: tuple[str, ...], run: Path, measured: dict[str, float], text: str) -> Card:
    return new_card(
        folder.provenance(run),
        method=name,
        paper="Jin et al., Just Noticeable Difference for Deep Machine Vision, arXiv:2102.08168",
        payload="none: the change of a picture that keeps the labels of classifiers",
        reported={"rca_train": 1.0, "rca_test": 0.9218, "psnr": 9.56} if "cifar" in panel[0] else {},
        measured=measured,
        limits=f"trained against {', '.join(panel)}; other classifiers tolerate less",
        text=text,
    )


_PUBLISHED = """
The network as published, trained by us. `generator.onnx` takes pictures, `float32 (N, 3, H, W)` in [0, 1], and the
mean class activation map of the classifiers, `(N, 1, H, W)` in [0, 1]. It returns the change, of the pictures' shape,
neither clamped nor rounded. Sides are multiples of 8.
"""

_DMVJND = """
`generator.onnx` takes pictures, `float32 (N, 3, H, W)` in [0, 1]; the mean class activation map of the classifiers of
its panel, `(N, 1, H, W)` in [0, 1]; their concatenated logits, `(N, answers)`; and the PSNR in dB of the changed
pictures, `(N, 1)`. There are eight ways; `way`, `(N, 8)`, is one-hot. It returns the direction of the change,
`(N, 3, H, W)`, whose length has no meaning, and the promise of each way, `(N, 8)`: the log-odds that a classifier keeps
its answer. Sides are multiples of 4, and no direction depends on values more than 32 pixels away.
docs/methods/dmvjnd.md has the figures.
"""


#: Models of this paper, by their name in the zoo.
MODELS = {
    "dmvjnd": Release(partial(jnd, "dmvjnd")),
    "dmvjnd-cifar": Release(partial(jnd, "dmvjnd-cifar")),
    "dmvjnd-published": Release(published),
}
