"""Training of the classifiers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from lab_support.labelled import stripes, write
from lab_support.run_lab import run
from lab_support.torchvision_names import resnet18_names
from underpaint.errors import ModelError, UsageError
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.export.from_zoo import from_zoo_cifar
from underpaint_lab.papers.classifiers.models import ClassifierRecipe, TrainableClassifier, accuracy, cutmix
from underpaint_lab.training.loop import fit
from underpaint_lab.training.run_folder import learned


def test_cutmix_pastes_one_rectangle_with_its_class() -> None:
    images = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 4, 20, 30)
    shares = []
    for seed in range(200):
        mixed = cutmix(images, np.random.default_rng(seed))
        foreign = mixed != images
        assert torch.equal(mixed[foreign], images.roll(1, dims=0)[foreign])
        assert torch.equal(foreign[0, 0], foreign[2, 3])
        rows, columns = foreign[0, 0].any(1).sum(), foreign[0, 0].any(0).sum()
        assert foreign[0, 0].sum() == rows * columns, "one rectangle"
        shares.append(float(foreign.float().mean()))
    assert 0.2 < np.mean(shares) < 0.5


def test_teachers_answers_are_half_of_the_target() -> None:
    batch = torch.rand(4, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    batch[:, 3] = 3
    recipe = ClassifierRecipe(
        steps=1, batch=4, crop=32, network="cifar-alexnet", classes=10, pasted=0, smoothing=0, teachers=("alexnet",)
    )
    model = TrainableClassifier(recipe).eval()
    assert not any("teacher" in name for name in model.state_dict()), "they are no part of it"
    ((part, losses),) = model.losses(batch, 0, np.random.default_rng(0))
    odds = model.network(batch[:, :3]).log_softmax(dim=1)
    answers = from_zoo_cifar("alexnet")(batch[:, :3]).softmax(dim=1)
    expected = -(odds[:, 3].mean() + (answers * odds).sum(dim=1).mean()) / 2
    assert part == "network"
    torch.testing.assert_close(losses["cross_entropy"], expected)


@pytest.mark.parametrize("wrong", [{"network": "resnet50"}, {"classes": 1}, {"pasted": 1.5}, {"tones": -0.1}])
def test_invalid_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong)) if "network" not in wrong else "no classifier is called"):
        replace(ClassifierRecipe(steps=1, batch=1, crop=32), **wrong)  # type: ignore[arg-type]


def test_more_classes_than_in_the_recipe_are_refused() -> None:
    model = TrainableClassifier(ClassifierRecipe(steps=1, batch=4, crop=32, network="classifier-mobile", classes=2))
    batch = Labelled("three", stripes(3).pictures, [0, 1, 2]).batch(0, size=12, crop=32, seed=0)
    with pytest.raises(UsageError, match="more than 2 classes") as raised:
        next(model.losses(batch, 0, np.random.default_rng(0)))
    assert raised.value.hint == "set classes=3, or more"


def test_a_classifier_learns(tmp_path: Path) -> None:
    recipe = ClassifierRecipe(
        steps=25, batch=16, crop=32, learning_rate=3e-3, network="classifier-resnet", classes=2, pasted=0.3
    )
    torch.manual_seed(0)
    model = TrainableClassifier(recipe)
    fit(model, stripes(40), tmp_path, accelerator="cpu", progress=False)
    assert accuracy(model.network, stripes(30, side=32)) > 0.9
    weights = learned(tmp_path, "network")
    assert list(weights) == list(resnet18_names())
    assert torch.equal(weights["fc.bias"], model.network.state_dict()["fc.bias"])
    with pytest.raises(ModelError, match="has no part 'decoder'"):
        learned(tmp_path, "decoder")
    with pytest.raises(ModelError, match="there is no checkpoint"):
        learned(tmp_path / "elsewhere", "network")


def test_train_command_trains_a_classifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "labelled", stripes(4))
    settings = [word for setting in ("steps=1", "batch=2", "crop=32", "classes=2") for word in ("--set", setting)]
    outcome = run("train", "classifier-mobile", "--data", "labelled", *settings)
    assert outcome.stderr == "trained classifier-mobile for 1 steps: runs/classifier-mobile/checkpoint.pt\n"
    record = json.loads(Path("runs/classifier-mobile/recipe.json").read_text(encoding="utf-8"))
    assert cast("dict[str, object]", record["data"])["pictures"] == 4
    refused = run("train", "classifier-mobile", "--data", "nowhere")
    assert refused.status == 2
    assert "nowhere has no labelled pictures" in refused.stderr
