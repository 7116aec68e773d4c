"""MIAIS as published: stages, losses and runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from lab_support.miais import OURS, SMALL, batch, pairs, with_gradient
from underpaint.errors import ModelError, UsageError
from underpaint_lab.papers.miais.ours import MiaisOurs
from underpaint_lab.papers.miais.published import MiaisPublished, MiaisPublishedRecipe, balanced
from underpaint_lab.papers.miais.teacher import RecognitionRecipe, Teacher, TeacherRecipe
from underpaint_lab.training.loop import fit
from underpaint_lab.training.run_folder import read_state, start_from

if TYPE_CHECKING:
    from pathlib import Path


PUBLISHED = MiaisPublishedRecipe(**SMALL, generator=8, downs=4, restorer=8, joint=0.5, epoch=2)


RNG = np.random.default_rng(3)


def test_stages_alternate_after_the_joint_steps() -> None:
    assert [PUBLISHED.stage(step) for step in range(8)] == [*["joint"] * 4, *["classify"] * 2, *["hide"] * 2]
    assert {replace(PUBLISHED, minimax=False).stage(step) for step in range(8)} == {"joint"}


@pytest.mark.parametrize("multitask", [False, True])
@pytest.mark.parametrize("content", [False, True])
@pytest.mark.parametrize("minimax", [False, True])
def test_every_stage_trains_its_networks(minimax: bool, content: bool, multitask: bool) -> None:
    recipe = replace(PUBLISHED, minimax=minimax, content=content, multitask=multitask)
    model = MiaisPublished(recipe).train()
    hiding = {"generator"} | ({"restorer"} if multitask else set())
    seen = {"visual"} | ({"content"} if content else set()) | ({"restored"} if multitask else set())
    wanted = {"joint": (hiding | {"classifiers"}, seen | {"identity"})}
    if minimax:
        wanted["classify"] = {"classifiers"}, {"identity", "discrepancy"}
        wanted["hide"] = hiding, seen | {"identity", "discrepancy"}
    assert len(list(model.networks["classifiers"].children())) == 1 + minimax
    for step in (0, 4, 6) if minimax else (0,):
        ((part, losses),) = model.losses(batch(), step, RNG)
        networks, terms = wanted[recipe.stage(step)]
        assert part == "networks"
        assert set(losses) == terms
        assert with_gradient(model, losses) == networks


def test_embedding_concatenates_both_classifiers() -> None:
    model = MiaisPublished(PUBLISHED).eval()
    assert model.embedding(batch()[:, :3]).shape == (8, 2 * 16)


def test_weight_of_a_term_is_the_share_of_the_others() -> None:
    one, other = torch.tensor(3.0, requires_grad=True), torch.tensor(1.0)
    parts = balanced({"one": one, "other": other}, {"one": 2.0, "other": -1.0})
    assert {name: part.item() for name, part in parts.items()} == {"one": 2 * 0.25 * 3, "other": -0.75}
    torch.autograd.backward(parts["one"])
    assert one.grad == pytest.approx(0.5)


def test_visual_loss_weighs_less_below_the_hiding_threshold() -> None:
    model = MiaisPublished(replace(PUBLISHED, joint=0.0, threshold=0.1))

    def factor(step: int, visual: float) -> float:
        return model.visual_factors(step, torch.tensor(visual), (130, 10))["visual"]

    # Steps of four stages B, each after a stage A of two steps.
    assert [factor(step, 0.5) for step in (2, 3)] == [130, 130]
    assert [factor(step, 0.05) for step in (6, 7)] == [130, 130]
    assert [factor(step, 0.5) for step in (10, 11)] == [10, 10]
    assert factor(14, 0.5) == 130


def test_teacher_is_frozen() -> None:
    model = MiaisPublished(PUBLISHED).train()
    before = {name: value.clone() for name, value in model.teacher.state_dict().items()}
    assert not model.teacher.training
    list(model.losses(batch(), 7, RNG))
    assert all(torch.equal(value, before[name]) for name, value in model.teacher.state_dict().items())
    assert not any(parameter.requires_grad for parameter in model.teacher.parameters())


def test_runs_begin_with_the_teacher_or_an_earlier_run(tmp_path: Path) -> None:
    data = pairs()
    teacher = Teacher(TeacherRecipe(**SMALL))
    fit(teacher, data.secrets, tmp_path / "teacher", progress=False)
    teacher_run: dict[str, Any] = {"teacher": str(tmp_path / "teacher")}
    for model in (MiaisPublished(replace(PUBLISHED, **teacher_run)), MiaisOurs(replace(OURS, **teacher_run, jpeg=50))):
        model.inherit()
        fit(model, data, tmp_path / type(model).__name__, progress=False)  # type: ignore[arg-type]
        for name, value in teacher.network.state_dict().items():
            assert torch.equal(model.teacher.state_dict()[name], value)
    more = MiaisPublished(PUBLISHED)
    start_from(more, tmp_path / "MiaisPublished")
    before = read_state(tmp_path / "MiaisPublished")
    assert before is not None
    assert all(torch.equal(value, before["weights"][name]) for name, value in more.state_dict().items())


def test_classifiers_begin_with_the_teachers_trunk(tmp_path: Path) -> None:
    teacher = Teacher(TeacherRecipe(**SMALL))
    fit(teacher, pairs().secrets, tmp_path, progress=False)
    model = MiaisPublished(replace(PUBLISHED, teacher=str(tmp_path)))
    model.inherit()
    one, other = model.classifiers()
    pictures = torch.rand(2, 3, 32, 32)
    teacher.eval(), one.eval(), other.eval()
    assert torch.equal(one.trunk(pictures), teacher.network.trunk(pictures))
    assert not torch.equal(one(pictures), other(pictures)), "heads are their own"


def test_a_missing_teacher_is_refused(tmp_path: Path) -> None:
    for model in (
        MiaisPublished(replace(PUBLISHED, teacher=str(tmp_path))),
        MiaisOurs(replace(OURS, teacher=str(tmp_path))),
    ):
        with pytest.raises(ModelError):
            model.inherit()


@pytest.mark.parametrize(
    ("recipe", "changes", "match"),
    [
        (PUBLISHED, {"crop": 40}, "multiple of 16"),
        (PUBLISHED, {"epoch": 0}, "at least 1"),
        (PUBLISHED, {"joint": 2.0}, "0–1"),
        (PUBLISHED, {"classes": 1}, "at least 2"),
        (OURS, {"crop": 36}, "multiple of 8"),
        (OURS, {"size": 153}, "at most 152"),
        (OURS, {"cover": 0.0}, "above 0"),
        (OURS, {"jpeg": 99}, "0–95"),
    ],
)
def test_invalid_settings_are_refused(recipe: RecognitionRecipe, changes: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        replace(recipe, **changes)
