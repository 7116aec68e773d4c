"""BASN as published: recipes, stages and their runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lab_support.basn import PUBLISHED, losses_of, published
from underpaint.errors import ModelError, UsageError
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.nets.resnet import ResNet18
from underpaint_lab.papers.basn.losses import simulate_embedding
from underpaint_lab.papers.basn.nets import Version
from underpaint_lab.papers.basn.published import RECIPES, BasnRecipe, Mfd, TuneItc
from underpaint_lab.training.loop import fit


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"crop": 40}, "crop"), ({"width": 0}, "width"), ({"variance_weight": 2.0}, "variance_weight must be 0–1")],
)
def test_invalid_settings_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        replace(PUBLISHED, **wrong)  # type: ignore[arg-type]


def test_recipes_have_the_published_protocol() -> None:
    recipes = {
        name: cast("BasnRecipe", RECIPES[f"basn-published-{name}"].recipe) for name in ("itc", "mfd", "tune-itc")
    }
    assert [recipe.batch for recipe in recipes.values()] == [32, 32, 16]
    assert [round(r.steps * r.batch / 1_281_167, 2) for r in recipes.values()] == [3, 5, 2]
    assert {(r.learning_rate, r.variance_weight, r.crop, r.decay, r.clip) for r in recipes.values()} == {
        (0.01, 0.99, 224, "constant", 0)
    }


@pytest.mark.parametrize(("version", "power"), [("code", 2), ("paper", 1)])
def test_fine_tuning_differs_between_paper_and_code(
    version: Version, power: int, sample_photographs: Photographs
) -> None:
    images = sample_photographs.batch(0, size=2, crop=32, seed=0)
    model = cast("TuneItc", published("tune-itc", replace(PUBLISHED, version=version)))
    model.train()
    torch.manual_seed(4)
    _, found = losses_of(model, images)
    torch.manual_seed(4)
    attention = model.itc(images)
    stego = simulate_embedding(images, (attention + model.mfd(images)) / 2)
    wanted = (model.itc(stego) - attention).abs().pow(power).mean() / 2
    assert found["reconstruction"].item() == pytest.approx(wanted.item(), rel=1e-3)


@pytest.mark.parametrize("version", ["code", "paper"])
def test_stages_begin_with_earlier_runs_and_train_one_network(
    version: Version, sample_photographs: Photographs, tmp_path: Path
) -> None:
    """Each trains only its own network, begins with what the stages before it learned, and leaves the others alone."""
    torch.manual_seed(9)
    torch.save(ResNet18(classes=3, width=8).state_dict(), tmp_path / "resnet.pth")
    runs: Any = {"auto": f"{tmp_path / 'mfd-auto'}", "itc": f"{tmp_path / 'itc'}", "mfd": f"{tmp_path / 'mfd'}"}
    recipe = replace(PUBLISHED, version=version, task=str(tmp_path / "resnet.pth"), **runs)
    done: dict[str, dict[str, Tensor]] = {}
    for stage in ("itc", "mfd-auto", "mfd", "tune-itc", "tune-mfd"):
        if stage == "tune-mfd":
            recipe = replace(recipe, itc=str(tmp_path / "tune-itc"))
        entry = RECIPES[f"basn-{stage}"]
        model = cast("Any", entry.model(recipe))
        if entry.inherit:
            entry.inherit(model)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        fit(model, sample_photographs, tmp_path / stage, accelerator="cpu", progress=False)
        done[stage] = model.state_dict()
        trained = {"itc": "itc", "mfd-auto": "auto", "mfd": "mfd", "tune-itc": "itc", "tune-mfd": "mfd"}[stage]
        for name, value in done[stage].items():
            if not name.startswith(f"{trained}."):
                assert torch.equal(value, before[name]), f"{stage} changed {name}"
        assert any(not torch.equal(value, before[name]) for name, value in done[stage].items())
        for name, value in before.items():
            earlier = {
                "mfd": done["mfd-auto"] if version == "paper" and "encoder" in name else {},
                "tune-itc": done["itc"] if name.startswith("itc.") else done.get("mfd", {}),
                "tune-mfd": done.get("tune-itc", {}),
            }.get(stage, {})
            source = name.replace("mfd.encoder", "auto.encoder") if stage == "mfd" else name
            if source in earlier:
                assert torch.equal(value, earlier[source]), f"{stage} did not begin with {name}"
    official = torch.load(tmp_path / "resnet.pth", weights_only=True)
    assert torch.equal(done["tune-mfd"]["task.layer2.1.conv2.weight"], official["layer2.1.conv2.weight"])


def test_task_network_is_loaded_from_a_run(sample_photographs: Photographs, tmp_path: Path) -> None:
    model = cast("Mfd", published("mfd", replace(PUBLISHED, task=str(tmp_path))))
    with pytest.raises(ModelError, match="there is no checkpoint"):
        model.inherit()

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recipe = replace(PUBLISHED, steps=1)
            self.network = ResNet18(classes=3, width=8)

        def losses(self, images: Tensor, *_: object) -> Any:
            yield "network", {"odds": self.network(images).mean()}

    classifier = Classifier()
    fit(classifier, sample_photographs, tmp_path, accelerator="cpu", progress=False)
    model.inherit()
    taken, given = (network.state_dict()["layer2.1.conv2.weight"] for network in (model.task, classifier.network))
    assert torch.equal(taken, given)
    with pytest.raises(ModelError, match="of another network"):
        cast("Mfd", published("mfd", replace(PUBLISHED, task=str(tmp_path), task_width=16))).inherit()


@pytest.mark.parametrize("stage", ["itc", "mfd-auto", "mfd", "tune-itc", "tune-mfd"])
def test_losses_decrease(stage: str, sample_photographs: Photographs) -> None:
    torch.manual_seed(0)
    model = published(stage).train()
    images = sample_photographs.batch(0, size=4, crop=32, seed=0)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=3e-3)
    losses = []
    for _ in range(12):
        _, found = losses_of(model, images)
        loss = torch.stack(list(found.values())).sum()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-3:]) < 0.95 * np.mean(losses[:2])
