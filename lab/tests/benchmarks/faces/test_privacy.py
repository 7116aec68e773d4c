"""Visual privacy of containers and obfuscated faces, and recovery attacks, are measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from lab_support.miais import ATTACK, OUR_VICTIM, PUBLISHED_VICTIM, VICTIM
from lab_support.people import people
from underpaint.errors import UsageError
from underpaint_lab.benchmarks.faces import privacy
from underpaint_lab.benchmarks.faces.privacy import containers, controls, obfuscated, recovery
from underpaint_lab.papers import RECIPES, trained
from underpaint_lab.papers.miais.obfuscated_teacher import ObfuscatedTeacherRecipe
from underpaint_lab.papers.miais.ours import MiaisOurs
from underpaint_lab.training.loop import fit

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return people(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two steps of all that attacks are made of, and of two classifiers of obscured faces."""
    folder = tmp_path_factory.mktemp("runs")
    known = replace(RECIPES["miais-teacher"].recipe, **VICTIM)
    begun = [
        ("miais-teacher", "miais-teacher", known),
        ("miais-obscured", "miais-obscured-plain", ObfuscatedTeacherRecipe(**VICTIM)),
        ("miais-obscured", "miais-obscured-BWS", ObfuscatedTeacherRecipe(**VICTIM, way="BWS")),
        ("miais-published", "miais-published", PUBLISHED_VICTIM),
        ("miais", "miais", OUR_VICTIM),
    ]
    for name, run, recipe in begun:
        read = RECIPES[name].read
        assert read is not None
        fit(RECIPES[name].model(recipe), read(data), folder / run, progress=False)
    return folder


def test_obfuscated_faces_stand_beside_plain_ones(data: Path, runs: Path) -> None:
    found = obfuscated(runs, data, each=3)
    plain, bws = found.rows
    assert (plain.name, bws.name, found.table) == ("secret", "BWS", "miais-privacy")
    assert plain.secret is not None
    assert plain.secret.psnr is None
    assert [plain.secret.mse, plain.secret.ssim] == pytest.approx([0, 1])
    assert bws.secret is not None
    assert bws.secret.mse is not None
    assert bws.secret.mse > 0.001
    assert bws.plain == plain.accuracy
    assert bws.scale is not None
    assert "2 steps of 8, 32×32" in bws.scale


@pytest.mark.parametrize("name", ["miais-published", "miais"])
def test_attacks_are_measured_by_knowledge(name: str, data: Path, runs: Path, tmp_path: Path) -> None:
    for each in ("miais-teacher", "miais-obscured-plain"):
        (tmp_path / each).symlink_to(runs / each)
    found = recovery(name, runs / name, tmp_path, data, ATTACK, each=3)
    wanted = list(privacy.KNOWLEDGE.values())[: 3 if name == "miais" else 2]
    wanted += [f"knowing networks, {pairs} of the same key" for pairs in ("1 pair", "2 pairs", "4 pairs")] * (
        name == "miais"
    )
    assert [row.name.partition(", ")[2] for row in found.rows] == wanted
    assert all(row.secret is not None and row.secret.ssim is not None for row in found.rows)
    assert found.write(tmp_path).exists()
    with pytest.raises(UsageError, match="cannot be attacked"):
        recovery("miais-teacher", runs / name, tmp_path, data)


@pytest.mark.parametrize(("name", "title"), [("miais-published", "MIAIS"), ("miais", "ours")])
def test_containers_are_compared_with_their_secrets(name: str, title: str, data: Path, runs: Path) -> None:
    (row,) = containers(name, runs / name, data, each=3).rows
    assert row.name == title
    assert row.secret is not None
    assert row.secret.psnr is not None
    # Noise in noise of another brightness.
    assert row.secret.psnr < 15
    assert row.cover is not None


def test_controls_are_plain_secrets_and_the_mean_face(data: Path, runs: Path) -> None:
    plain, mean_face = controls(runs, data, side=32, each=3).rows
    assert plain.secret is not None
    assert plain.secret.mse == 0
    assert mean_face.secret is not None
    assert mean_face.plain == plain.accuracy
    assert mean_face.rank_one is not None
    assert mean_face.rank_one == pytest.approx(1 / 3, abs=0.01)


def test_a_trained_model_is_in_evaluation_mode(runs: Path) -> None:
    model = trained("miais", runs / "miais")
    assert isinstance(model, MiaisOurs)
    assert not model.training
    assert model.recipe == OUR_VICTIM
