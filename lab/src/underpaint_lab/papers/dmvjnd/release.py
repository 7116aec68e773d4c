"""Release of the generators of DMV-JND: graphs and card from a finished run."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

import torch

from underpaint import models
from underpaint.models.jnd_networks import PANELS
from underpaint_lab.export.onnx import SIDES, Graph, sample_batch
from underpaint_lab.papers.dmvjnd import models as recipes
from underpaint_lab.papers.dmvjnd.nets import UnitRangeChange
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import restore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def jnd(name: str, run: Path, measured: dict[str, float]) -> tuple[dict[str, Graph], models.Card]:
    """The generator of :mod:`underpaint_lab.papers.dmvjnd.models` that is the recipe *name*."""
    model = recipes.JndOurs(cast("recipes.OursRecipe", recipes.RECIPES[name].recipe))
    restore(model, run)
    images = sample_batch()
    odds, attention = model.panel(images)
    inputs = {"image": images, "attention": attention, "answers": odds, "level": torch.tensor([[10.0], [30.0]])}
    inputs["way"] = torch.eye(model.generator.ways)[:2]
    axes = {"image": SIDES, "attention": SIDES} | {key: {0: "n"} for key in ("answers", "level", "way")}
    card = _jnd_card(name, PANELS[name], run, measured, _DMVJND)
    return {"generator": Graph(model.generator, inputs, axes, ("direction", "promises"))}, card


def published(run: Path, measured: dict[str, float]) -> tuple[dict[str, Graph], models.Card]:
    """The paper's network of :mod:`underpaint_lab.papers.dmvjnd.models`, to be measured beside ours."""
    recipe = cast("recipes.PublishedRecipe", recipes.RECIPES["dmvjnd-published"].recipe)
    model = recipes.JndPublished(replace(recipe, width=int(folder.read_record(run)["recipe"]["width"])))
    restore(model, run)
    images = sample_batch()
    inputs = {"image": images, "attention": model.panel(images)[1]}
    graph = Graph(UnitRangeChange(model.network), inputs, dict.fromkeys(inputs, SIDES), ("change",))
    return {"generator": graph}, _jnd_card("dmvjnd-published", recipe.classifiers, run, measured, _PUBLISHED)


def _jnd_card(name: str, panel: tuple[str, ...], run: Path, measured: dict[str, float], text: str) -> models.Card:
    return models.Card(
        method=name,
        paper="Jin et al., Just Noticeable Difference for Deep Machine Vision, arXiv:2102.08168",
        licence="MIT",
        sha256={},
        bytes=0,
        payload="none: how far a picture may change before classifiers notice",
        **folder.provenance(run),
        reported={"rca_train": 1.0, "rca_test": 0.9218, "psnr": 9.56} if "cifar" in panel[0] else {},
        measured=measured,
        limits=f"taught by {', '.join(panel)}; other classifiers notice more",
        text=text,
    )


_PUBLISHED = """
The network as published, trained by us. `generator.onnx` takes pictures, `float32 (N, 3, H, W)` in [0, 1], and where
classifiers look on average, `(N, 1, H, W)` in [0, 1]. It returns the change, of the pictures' shape, which is neither
clamped nor rounded. Sides are multiples of 8.
"""

_DMVJND = """
`generator.onnx` takes pictures, `float32 (N, 3, H, W)` in [0, 1], where the classifiers of its panel look on average,
`(N, 1, H, W)` in [0, 1], their log-odds one after the other, `(N, answers)`, and the PSNR in dB that is to be left,
`(N, 1)`. It knows eight ways; `way`, `(N, 8)`, is 1 for the one to be taken. It returns the direction in which pictures
may go, `(N, 3, H, W)`, whose length is of no account, and what each way promises, `(N, 8)`: the log-odds that a
classifier keeps its answer. Sides are multiples of 4, and no direction depends on values more than 32 pixels away.
docs/methods/dmvjnd.md has the figures.
"""


#: The models of this paper: each takes a run and measured numbers and returns graphs and card.
MODELS: dict[str, Callable[[Path, dict[str, float]], tuple[dict[str, Graph], models.Card]]] = {
    "dmvjnd": partial(jnd, "dmvjnd"),
    "dmvjnd-cifar": partial(jnd, "dmvjnd-cifar"),
    "dmvjnd-published": published,
}
