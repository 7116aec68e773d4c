"""Release of DMV-JND's generators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lab_support.jnd import untrained_panel
from underpaint_lab.benchmarks.jnd import refinement
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.papers.dmvjnd import panel as panels
from underpaint_lab.papers.dmvjnd import release
from underpaint_lab.papers.dmvjnd.nets import JndGenerator, Panel, UnitRangeChange
from underpaint_lab.papers.dmvjnd.ours import JndOurs, JndOursRecipe
from underpaint_lab.papers.dmvjnd.published import JndPublished, JndPublishedRecipe
from underpaint_lab.training.loop import fit

RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def _panel(monkeypatch: pytest.MonkeyPatch) -> Panel:
    """A panel of untrained classifiers in place of the zoo's."""
    panel = untrained_panel()
    monkeypatch.setattr(panels, "load_panel", lambda _names: panel)
    monkeypatch.setattr(refinement, "load_panel", lambda _names: panel)
    return panel


def run(folder: Path, kind: type[JndOurs] | type[JndPublished]) -> Path:
    pictures = [RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8) for _ in range(4)]
    small: Any = {"steps": 1, "batch": 2, "crop": 32}
    model = JndOurs(JndOursRecipe(**small)) if kind is JndOurs else JndPublished(JndPublishedRecipe(**small, width=8))
    fit(model, Labelled("noise", pictures, [0, 1, 0, 1]), folder, accelerator="cpu", progress=False)
    return folder


@pytest.mark.parametrize("name", ["dmvjnd", "dmvjnd-cifar"])
def test_release_of_our_generator(name: str, tmp_path: Path) -> None:
    graphs, card = release.MODELS[name].build(run(tmp_path, JndOurs), {})
    ((key, graph),) = graphs.items()
    assert (key, graph.outputs) == ("generator", ("direction", "promises"))
    assert isinstance(graph.module, JndGenerator)
    with torch.inference_mode():
        direction, promises = graph.module.eval()(*graph.inputs.values())
    assert direction.shape == graph.inputs["image"].shape
    assert promises.shape == graph.inputs["way"].shape
    assert card.method == name
    assert "steps=1" in card.recipe
    assert card.reported.get("rca_test") == (0.9218 if name == "dmvjnd-cifar" else None), (
        "the paper's figures are of CIFAR-10"
    )


def test_release_of_the_published_network_keeps_its_width(tmp_path: Path) -> None:
    graphs, card = release.MODELS["dmvjnd-published"].build(run(tmp_path, JndPublished), {})
    graph = graphs["generator"]
    assert isinstance(graph.module, UnitRangeChange)
    with torch.inference_mode():
        change = graph.module.eval()(*graph.inputs.values())
    assert change.shape == graph.inputs["image"].shape
    assert change.abs().max() <= 0.5
    assert "as published" in card.text
