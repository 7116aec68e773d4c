"""What becomes of networks that were trained for machines' JND: graphs with cards, and refinement measured on top."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from underpaint import image, zoo
from underpaint.bench import dmvjnd as bench
from underpaint.bench.agreed import PANEL
from underpaint.bench.result import read
from underpaint.lab import refinement, ship
from underpaint.lab.fit import fit
from underpaint.lab.labelled import Labelled
from underpaint.lab.nets.cifar import NETWORKS, Mapped
from underpaint.lab.nets.dmvjnd import Changing, Generator, Panel
from underpaint.lab.papers import dmvjnd
from underpaint.lab.papers.dmvjnd import Ours, OursRecipe, Published, PublishedRecipe
from underpaint.types import Image

RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def _panel(monkeypatch: pytest.MonkeyPatch) -> Panel:
    """Networks this small only lose time to more threads; classifiers are new ones."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    panel = Panel([NETWORKS["plain"](10) for _ in range(4)])
    monkeypatch.setattr(dmvjnd, "members", lambda _names: panel)
    monkeypatch.setattr(refinement, "members", lambda _names: panel)
    return panel


def run(folder: Path, kind: type[Ours] | type[Published]) -> Path:
    pictures = [RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8) for _ in range(4)]
    small: Any = {"steps": 1, "batch": 2, "crop": 32}
    model = Ours(OursRecipe(**small)) if kind is Ours else Published(PublishedRecipe(**small, width=4))
    fit(model, Labelled("noise", pictures, [0, 1, 0, 1]), folder, accelerator="cpu", progress=False)
    return folder


@pytest.mark.parametrize("name", ["dmvjnd", "dmvjnd-cifar"])
def test_our_generator_is_shipped(name: str, tmp_path: Path) -> None:
    graphs, card = ship.MODELS[name](run(tmp_path, Ours), {})
    ((key, graph),) = graphs.items()
    assert (key, graph.outputs) == ("generator", ("direction", "promises"))
    assert isinstance(graph.module, Generator)
    with torch.inference_mode():
        direction, promises = graph.module.eval()(*graph.inputs.values())
    assert direction.shape == graph.inputs["image"].shape
    assert promises.shape == graph.inputs["way"].shape
    assert card.method == name
    assert "steps=1" in card.recipe
    assert card.reported.get("rca_test") == (0.9218 if name == "dmvjnd-cifar" else None), "the paper knows CIFAR-10"


def test_the_published_network_is_shipped_at_its_width(tmp_path: Path) -> None:
    graphs, card = ship.MODELS["dmvjnd-published"](run(tmp_path, Published), {})
    graph = graphs["generator"]
    assert isinstance(graph.module, Changing)
    with torch.inference_mode():
        change = graph.module.eval()(*graph.inputs.values())
    assert change.shape == graph.inputs["image"].shape
    assert change.abs().max() <= 0.5
    assert "as published" in card.text


def test_refinement_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = RNG.integers(60, 196, (64, 96, 3), dtype=np.uint8)
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "test.webp").write_bytes(image.encode(image.Picture(pixels), "webp"))
    networks: dict[str, Mapped] = {name: NETWORKS["plain"](10).eval() for name in PANEL}
    monkeypatch.setattr(refinement, "shipped_cifar", networks.__getitem__)
    monkeypatch.setattr(zoo, "names", lambda: [f"cifar-{name}" for name in PANEL])

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
