"""What becomes of networks that were trained for machines' JND: graphs with cards, and refinement measured on top."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from underpaint import media, models
from underpaint.types import Image
from underpaint_lab.benchmarks.jnd import measure as bench
from underpaint_lab.benchmarks.jnd import refinement
from underpaint_lab.benchmarks.jnd.rows import PANEL
from underpaint_lab.benchmarks.robustness.rows import read
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.nets.cifar_classifiers import NETWORKS, CamClassifier
from underpaint_lab.papers import release
from underpaint_lab.papers.dmvjnd import models as recipes
from underpaint_lab.papers.dmvjnd.models import JndOurs, JndOursRecipe, JndPublished, JndPublishedRecipe
from underpaint_lab.papers.dmvjnd.nets import UnitRangeChange, JndGenerator, Panel
from underpaint_lab.training.loop import fit

RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def _panel(monkeypatch: pytest.MonkeyPatch) -> Panel:
    """Networks this small only lose time to more threads; classifiers are new ones."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    panel = Panel([NETWORKS["plain"](10) for _ in range(4)])
    monkeypatch.setattr(recipes, "members", lambda _names: panel)
    monkeypatch.setattr(refinement, "members", lambda _names: panel)
    return panel


def run(folder: Path, kind: type[JndOurs] | type[JndPublished]) -> Path:
    pictures = [RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8) for _ in range(4)]
    small: Any = {"steps": 1, "batch": 2, "crop": 32}
    model = JndOurs(JndOursRecipe(**small)) if kind is JndOurs else JndPublished(JndPublishedRecipe(**small, width=4))
    fit(model, Labelled("noise", pictures, [0, 1, 0, 1]), folder, accelerator="cpu", progress=False)
    return folder


@pytest.mark.parametrize("name", ["dmvjnd", "dmvjnd-cifar"])
def test_our_generator_is_shipped(name: str, tmp_path: Path) -> None:
    graphs, card = release.MODELS[name](run(tmp_path, JndOurs), {})
    ((key, graph),) = graphs.items()
    assert (key, graph.outputs) == ("generator", ("direction", "promises"))
    assert isinstance(graph.module, JndGenerator)
    with torch.inference_mode():
        direction, promises = graph.module.eval()(*graph.inputs.values())
    assert direction.shape == graph.inputs["image"].shape
    assert promises.shape == graph.inputs["way"].shape
    assert card.method == name
    assert "steps=1" in card.recipe
    assert card.reported.get("rca_test") == (0.9218 if name == "dmvjnd-cifar" else None), "the paper knows CIFAR-10"


def test_the_published_network_is_shipped_at_its_width(tmp_path: Path) -> None:
    graphs, card = release.MODELS["dmvjnd-published"](run(tmp_path, JndPublished), {})
    graph = graphs["generator"]
    assert isinstance(graph.module, UnitRangeChange)
    with torch.inference_mode():
        change = graph.module.eval()(*graph.inputs.values())
    assert change.shape == graph.inputs["image"].shape
    assert change.abs().max() <= 0.5
    assert "as published" in card.text


def test_refinement_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = RNG.integers(60, 196, (64, 96, 3), dtype=np.uint8)
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "test.webp").write_bytes(media.encode(media.Picture(pixels), "webp"))
    networks: dict[str, CamClassifier] = {name: NETWORKS["plain"](10).eval() for name in PANEL}
    monkeypatch.setattr(refinement, "shipped_cifar", networks.__getitem__)
    monkeypatch.setattr(models, "names", lambda: [f"cifar-{name}" for name in PANEL])

    def change(_model: str, level: float | None, pictures: Image) -> Any:
        noise = np.random.default_rng(0).choice([-1, 1], pictures.shape)
        return np.rint(noise * 255 * 10 ** (-(level or 0) / 20)).astype(np.float32)

    monkeypatch.setattr(bench, "change", change)
    monkeypatch.setattr(bench, "LEVELS", (20.0,))
    monkeypatch.setattr("sys.argv", ["refinement", str(folder), "--results", str(tmp_path)])
    refinement.main()
    found = read(tmp_path / "dmvjnd" / "refined.json")
    rows = found.lists()["rows"]
    assert [row["change"] for row in rows] == [f"{n} step{'s' * (n > 1)} of refinement" for n in (1, 2, 5)]
    assert all(row["pictures"] == 6 and 19 < row["psnr"] < 21 for row in rows)
