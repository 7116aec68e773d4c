"""Those whom MIAIS is compared with: they learn to hide, to restore and to be recognised; and who finds them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from lab_support.people import people
from underpaint.errors import ModelError, UsageError
from underpaint.metrics import psnr
from underpaint_lab.benchmarks.faces import trained_steganalysers
from underpaint_lab.benchmarks.faces.steganalysis_rows import Unmaskings
from underpaint_lab.benchmarks.faces.trained_steganalysers import HIDERS, Case, Contained, contained, judge
from underpaint_lab.papers import RECIPES
from underpaint_lab.papers.miais.ours import MiaisOursRecipe
from underpaint_lab.papers.miais.published import MiaisPublishedRecipe
from underpaint_lab.papers.miais.baselines import RECIPES as RIVALS
from underpaint_lab.papers.miais.baselines import MiaisBaseline, MiaisBaselineRecipe
from underpaint_lab.papers.miais.teacher import RecognitionRecipe
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import fit

if TYPE_CHECKING:
    from pathlib import Path

SMALL: dict[str, Any] = {"steps": 2, "batch": 4, "crop": 32, "classes": 10, "width": 4, "size": 16}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Networks this small only lose time to more."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return people(tmp_path_factory.mktemp("data"))


def batch() -> torch.Tensor:
    """Noise in noise, two pictures of each class."""
    images = torch.rand(4, 7, 32, 32, generator=torch.Generator().manual_seed(0))
    images[:, 6] = (torch.arange(4) // 2)[:, None, None]
    return images


def small(name: str) -> MiaisBaselineRecipe:
    recipe = RIVALS[name].recipe
    assert isinstance(recipe, MiaisBaselineRecipe)
    return replace(recipe, **SMALL, hidden=2)


@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_hides_restores_and_is_recognised(name: str) -> None:
    model, images = RIVALS[name].model(small(name)), batch()
    assert isinstance(model, MiaisBaseline)
    ((part, losses),) = model.losses(images, 0, np.random.default_rng(0))
    assert part == "networks"
    assert losses.keys() == {"cover", "secret", "surprise", "triplet"} | ({"spread"} if "stegnet" in name else set())
    torch.autograd.backward(list(losses.values()))
    networks = {name.split(".")[1] for name, weight in model.named_parameters() if weight.grad is not None}
    assert networks == {"hide", "reveal", "recogniser"}
    containers = model.container(images[:, :3], images[:, 3:6])
    assert torch.equal((255 * containers).round() / 255, containers), "8 bits"
    assert model.restored(containers).shape == (4, 3, 32, 32)
    assert model.embedding(containers).shape == (4, 16)


def test_without_a_weight_nobody_is_recognised() -> None:
    model = MiaisBaseline(replace(small("miais-hidden"), identity=0.0))
    ((_, losses),) = model.losses(batch(), 0, np.random.default_rng(0))
    assert losses.keys() == {"cover", "secret"}


def test_a_recogniser_begins_with_the_teachers_sight(data: Path, tmp_path: Path) -> None:
    entry = RECIPES["miais-teacher"]
    assert isinstance(entry.recipe, RecognitionRecipe)
    assert entry.read is not None
    fit(entry.model(replace(entry.recipe, **SMALL)), entry.read(data), tmp_path, progress=False)
    model = MiaisBaseline(replace(small("miais-hidden"), teacher=str(tmp_path)))
    model.inherit()
    seen = folder.learned(tmp_path, "network.trunk")
    begun = {name.partition("recogniser.trunk.")[2]: weight for name, weight in model.state_dict().items()}
    assert all(torch.equal(begun[name], weight) for name, weight in seen.items())
    with pytest.raises(ModelError):
        MiaisBaseline(replace(small("miais-hidden"), teacher="none")).inherit()


def test_rivals_out_of_range() -> None:
    for wrong in ({"network": "lsb"}, {"cover": 0.0}, {"identity": -1.0}, {"hidden": 0}):
        with pytest.raises(UsageError):
            replace(small("miais-hidden"), **wrong)


def test_all_systems_are_learned_from_alike() -> None:
    covers = np.zeros((3, 32, 32, 3), np.uint8)
    shown = Contained("levels", covers, np.stack([covers + 1, covers + 2]), np.ones((2, 3)))
    drawn = shown.drawn(0, 600, np.random.default_rng(0))
    assert min(np.unique(drawn, axis=0, return_counts=True)[1]) > 60
    images = shown.batch(0, size=8, crop=32, seed=0)
    assert images.shape == (8, 6, 32, 32)
    assert set(np.unique(images[:, 3:]).tolist()) == {1, 2}


@pytest.fixture
def runs(data: Path, tmp_path: Path) -> Path:
    """A run of two steps of each of some systems."""
    for name in ("miais-hidden", "miais-stegnet", "miais-multitask", "miais"):
        entry = RECIPES[HIDERS[name].recipe]
        assert isinstance(entry.recipe, RecognitionRecipe)
        assert entry.read is not None
        recipe: RecognitionRecipe = replace(entry.recipe, **SMALL)
        if isinstance(recipe, MiaisPublishedRecipe):
            recipe = replace(recipe, content=False, multitask=True, generator=4, downs=3, restorer=2)
        if isinstance(recipe, MiaisOursRecipe | MiaisBaselineRecipe):
            recipe = replace(recipe, hidden=4)
        fit(entry.model(recipe), entry.read(data), tmp_path / name, progress=False)
    return tmp_path


def test_systems_are_looked_for(data: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        trained_steganalysers, "HIDERS", {name: HIDERS[name] for name in HIDERS if (runs / name).exists()}
    )
    both = contained(["miais", "miais-hidden"], runs, data, "test", 6, 32)
    assert both.containers.shape == (2, 6, 32, 32, 3)
    assert psnr(both.covers[0], both.containers[0][0]) > 30 > psnr(both.covers[0], both.containers[1][0])
    recipe = replace(trained_steganalysers.RECIPE, steps=2, batch=2, crop=32)
    cases: tuple[tuple[str, Case, int], ...] = (("miais-hidden", 1, 1), ("miais-hidden", 2, 2), ("miais", 2, 3))
    for name, case, known in cases:
        found = judge(name, case, runs, data, recipe, {"train": 6, "test": 4})
        assert [(row.analyser, row.case) for row in found.rows] == [("ye", case), ("yedroudj", case)]
        assert {row.hider for row in found.rows} == {HIDERS[name].name}
        assert {row.trained_pairs for row in found.rows} == {6 * known}
        assert Unmaskings.read(found.write(runs)) == found
    with pytest.raises(UsageError):
        judge("udh", 1, runs, data)
    with pytest.raises(ModelError):
        contained(["miais"], runs / "none", data, "test", 6, 32)
