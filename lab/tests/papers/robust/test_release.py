"""Release of the networks of robust watermarking."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from lab_support.robust import CALM, our_model
from lab_support.run_lab import run as run_lab
from underpaint import models
from underpaint.errors import ModelError, UsageError
from underpaint_lab.benchmarks.core.tensors import to_tensor
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.papers import RECIPES, release
from underpaint_lab.papers.robust import lapped, ours
from underpaint_lab.papers.robust.network_canvas import COUNT
from underpaint_lab.papers.robust.ours import (
    RobustOurs,
    RobustOursRecipe,
)
from underpaint_lab.papers.robust.release import robust
from underpaint_lab.training.loop import fit


@pytest.fixture(scope="module")
def run(sample_photographs: Photographs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps with the released size."""
    folder = tmp_path_factory.mktemp("run")
    recipe = RobustOursRecipe(**(asdict(RECIPES["robust"].recipe) | {"steps": 2, "batch": 2, "crop": 32}))
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ours, "random_channel", lambda _rng: "jpeg:20")
        fit(RobustOurs(recipe), sample_photographs, folder, accelerator="cpu", progress=False)
    return folder


def test_release_has_graphs_and_card(run: Path) -> None:
    graphs, card = robust(run, {"ber_jpeg_50": 0.0})
    assert set(graphs) == {"writer", "reader"}
    assert all(list(graph.inputs) == ["luma", "coefficients"] for graph in graphs.values())
    assert all(not graph.module.training for graph in graphs.values())
    assert sum(p.numel() for graph in graphs.values() for p in graph.module.parameters()) * 4 < 3e6
    assert (card.method, card.licence, card.measured) == ("robust", "MIT", {"ber_jpeg_50": 0.0})
    assert "steps=2" in card.recipe
    assert "samples, 2 pictures" in card.training_data


def test_runs_of_other_networks_are_refused(run: Path, sample_photographs: Photographs, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model is called 'nothing'") as error:
        release.release("nothing", run, tmp_path, {})
    assert "robust" in str(error.value.hint)
    with pytest.raises(ModelError, match="no checkpoint"):
        release.release("robust", tmp_path, tmp_path / "zoo", {})
    fit(our_model(steps=1), sample_photographs, tmp_path / "toy", accelerator="cpu", progress=False)
    with pytest.raises(ModelError, match="of another network"):
        release.release("robust", tmp_path / "toy", tmp_path / "zoo", {})
    assert not (tmp_path / "zoo").exists()


def test_release_command_writes_robust(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    targets: list[Path] = []

    def export(graphs: Mapping[str, Any], folder: Path, _card: models.Card) -> float:
        assert set(graphs) == {"writer", "reader"}
        targets.append(folder)
        return 1e-6

    monkeypatch.setattr(release, "export", export)
    assert run_lab("release", "robust", "--run", str(run)).stdout.decode() == (
        "wrote robust; ONNX Runtime is within 1.0e-06 of PyTorch\n"
    )
    assert targets == [models.folder("robust")]


@pytest.mark.slow
def test_released_graphs_compute_the_same_as_the_networks(run: Path, tmp_path: Path) -> None:
    assert release.release("robust", run, tmp_path / "robust", {}) < 1e-4
    model = models.read_model(tmp_path / "robust")
    assert set(model.graphs) == {"writer", "reader"}
    assert model.card.bytes < 3 << 20
    graphs, _ = robust(run, {})
    light = lapped.luma(to_tensor([CALM]))
    coefficients = lapped.analyse(light, COUNT)
    for name, graph in graphs.items():
        (made,) = (
            model.graphs[name].run({"luma": light[:, None].numpy(), "coefficients": coefficients.numpy()}).values()
        )
        network = cast("Callable[..., Tensor]", graph.module)
        with torch.no_grad():
            assert made == pytest.approx(network(light[:, None], coefficients).numpy(), abs=1e-4)
