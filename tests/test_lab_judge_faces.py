"""People whom a run never saw are recognised, as well or badly as two steps of training let it."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from underpaint.errors import UsageError
from underpaint.lab.fit import fit
from underpaint.lab.judge_faces import NAMES, judge
from underpaint.lab.papers import RECIPES
from underpaint.lab.papers.miais import PublishedRecipe
from underpaint.lab.papers.miais_ours import OursRecipe
from underpaint.lab.recognising import KnownRecipe

FIGURES = {"accuracy", "spread", "auc", "eer", "tar"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten people of noise, each with a brightness of their own, and textures of noise."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    rows = ["file,identity"]
    for name in ("faces", "textures"):
        (folder / name).mkdir()
    with zipfile.ZipFile(folder / "faces" / "few.zip", "w") as archive:
        for number in range(60):
            rows.append(f"{number}.png,{number // 6}")
            archive.writestr(f"{number}.png", png(rng.integers(20 * (number // 6), 256, (32, 32, 3), dtype=np.uint8)))
    (folder / "faces" / "few.csv").write_text("\n".join(rows))
    with zipfile.ZipFile(folder / "textures" / "textures.zip", "w") as archive:
        for number in range(10):
            archive.writestr(f"{number}.png", png(rng.integers(256, size=(40, 40, 3), dtype=np.uint8)))
    (folder / "covers").mkdir()
    (folder / "covers" / "train.zip").write_bytes((folder / "textures" / "textures.zip").read_bytes())
    return folder


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def run_of(name: str, data: Path, folder: Path) -> Path:
    """A run of two steps."""
    torch.set_num_threads(1)
    entry = RECIPES[name]
    assert isinstance(entry.recipe, KnownRecipe)
    assert entry.read is not None
    recipe: KnownRecipe = replace(entry.recipe, steps=2, batch=8, crop=32, classes=10, width=4, size=16)
    if isinstance(recipe, PublishedRecipe):
        recipe = replace(recipe, content=False, generator=4, downs=3)
    if isinstance(recipe, OursRecipe):
        recipe = replace(recipe, hidden=8)
    fit(entry.model(recipe), entry.read(data), folder / "run", progress=False)
    return folder / "run"


@pytest.mark.parametrize("name", ["miais-teacher", "miais-published", "miais"])
def test_a_run_is_judged(name: str, data: Path, tmp_path: Path) -> None:
    found = judge(name, run_of(name, data, tmp_path), data, each=3)
    assert set(found["recognised"]) == FIGURES
    assert 0 <= found["rank_one"] <= 1
    assert ("covers" in found) == (name != "miais-teacher")
    assert ("wrong_key" in found) == (name == "miais")
    if name == "miais":
        assert found["covers"]["psnr"] > 35
        assert found["covers"]["scales"] == 2


def test_objects_are_no_people(tmp_path: Path) -> None:
    assert "miais-published-faces" in NAMES
    with pytest.raises(UsageError, match="cannot be judged"):
        judge("miais-objects", tmp_path, tmp_path)
