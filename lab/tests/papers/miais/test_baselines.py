"""Baselines of MIAIS: image hiding with a recogniser."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from lab_support.people import people
from underpaint.errors import ModelError, UsageError
from underpaint_lab.papers import RECIPES
from underpaint_lab.papers.miais.baselines import RECIPES as BASELINES
from underpaint_lab.papers.miais.baselines import MiaisBaseline, MiaisBaselineRecipe
from underpaint_lab.papers.miais.teacher import RecognitionRecipe
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import fit

if TYPE_CHECKING:
    from pathlib import Path


SMALL: dict[str, Any] = {"steps": 2, "batch": 4, "crop": 32, "classes": 10, "width": 8, "size": 16}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return people(tmp_path_factory.mktemp("data"))


def batch() -> torch.Tensor:
    """Noise in noise, two pictures of each class."""
    images = torch.rand(4, 7, 32, 32, generator=torch.Generator().manual_seed(0))
    images[:, 6] = (torch.arange(4) // 2)[:, None, None]
    return images


def small(name: str) -> MiaisBaselineRecipe:
    recipe = BASELINES[name].recipe
    assert isinstance(recipe, MiaisBaselineRecipe)
    return replace(recipe, **SMALL, hidden=8)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_embeds_restores_and_recognises(name: str) -> None:
    model, images = BASELINES[name].model(small(name)), batch()
    assert isinstance(model, MiaisBaseline)
    ((part, losses),) = model.losses(images, 0, np.random.default_rng(0))
    assert part == "networks"
    assert losses.keys() == {"cover", "secret", "cross_entropy", "triplet"} | (
        {"spread"} if "stegnet" in name else set()
    )
    torch.autograd.backward(list(losses.values()))
    networks = {name.split(".")[1] for name, weight in model.named_parameters() if weight.grad is not None}
    assert networks == {"hide", "reveal", "recogniser"}
    containers = model.container(images[:, :3], images[:, 3:6])
    assert torch.equal((255 * containers).round() / 255, containers), "8 bits"
    assert model.restored(containers).shape == (4, 3, 32, 32)
    assert model.embedding(containers).shape == (4, 16)


def test_without_weight_there_are_no_recognition_losses() -> None:
    model = MiaisBaseline(replace(small("miais-hidden"), identity=0.0))
    ((_, losses),) = model.losses(batch(), 0, np.random.default_rng(0))
    assert losses.keys() == {"cover", "secret"}


def test_recogniser_begins_with_the_teachers_trunk(data: Path, tmp_path: Path) -> None:
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


def test_invalid_settings_are_refused() -> None:
    for wrong in ({"network": "lsb"}, {"cover": 0.0}, {"identity": -1.0}, {"hidden": 0}):
        with pytest.raises(UsageError):
            replace(small("miais-hidden"), **wrong)
