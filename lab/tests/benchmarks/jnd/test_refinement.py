"""Refinement of changed pictures by gradient descent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lab_support.jnd import half_classifier, pictures, psnrs, untrained_panel
from underpaint import media, models
from underpaint.types import Image
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.jnd import measure as bench
from underpaint_lab.benchmarks.jnd import refinement
from underpaint_lab.benchmarks.jnd.refinement import refined
from underpaint_lab.benchmarks.jnd.rows import PANEL, LabelRow
from underpaint_lab.nets.cifar_classifiers import NETWORKS, CamClassifier
from underpaint_lab.papers.dmvjnd import panel as panels
from underpaint_lab.papers.dmvjnd.moving import move_to_psnr
from underpaint_lab.papers.dmvjnd.nets import Panel

RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def _panel(monkeypatch: pytest.MonkeyPatch) -> Panel:
    """A panel of untrained classifiers in place of the zoo's."""
    panel = untrained_panel()
    monkeypatch.setattr(panels, "load_panel", lambda _names: panel)
    monkeypatch.setattr(refinement, "load_panel", lambda _names: panel)
    return panel


def test_refinement_restores_labels_at_the_same_psnr() -> None:
    images, other = pictures(8), half_classifier()
    other.classify.weight.data.mul_(-1)
    both = Panel([half_classifier(), other])
    with torch.no_grad():
        before = both(images)[0].view(8, 2, 2).argmax(dim=2)
        swapped = move_to_psnr(images, images.flip(3) - images, torch.full((8, 1), 12.0))
    lost = [
        (both(refined(both, images, swapped, 12.0, steps))[0].view(8, 2, 2).argmax(dim=2) != before).sum()
        for steps in (0, 8)
    ]
    assert torch.equal(refined(both, images, swapped, 12.0, 0), swapped)
    assert lost[1] < lost[0]
    assert (psnrs(images, refined(both, images, swapped, 12.0, 8)) <= 12.001).all()
    assert torch.equal(refined(both, images, images, 12.0, 3), images), (
        "pictures that keep their labels are not changed"
    )


def test_refinement_is_measured_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = RNG.integers(60, 196, (64, 96, 3), dtype=np.uint8)
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "test.webp").write_bytes(media.encode(media.Picture(pixels), "webp"))
    networks: dict[str, CamClassifier] = {name: NETWORKS["plain"](10).eval() for name in PANEL}
    monkeypatch.setattr(refinement, "from_zoo_cifar", networks.__getitem__)
    monkeypatch.setattr(models, "names", lambda: [f"cifar-{name}" for name in PANEL])

    def change(_model: str, level: float | None, pictures: Image) -> Any:
        noise = np.random.default_rng(0).choice([-1, 1], pictures.shape)
        return np.rint(noise * 255 * 10 ** (-(level or 0) / 20)).astype(np.float32)

    monkeypatch.setattr(bench, "change", change)
    monkeypatch.setattr(bench, "LEVELS", (20.0,))
    refinement.main([str(folder), "--results", str(tmp_path)])
    rows: tuple[LabelRow, ...] = report.read(tmp_path / "dmvjnd" / "refined.json").rows
    assert [row.change for row in rows] == [f"{n} step{'s' * (n > 1)} of refinement" for n in (1, 2, 5)]
    assert all(row.pictures == 6 and 19 < row.psnr < 21 for row in rows)
