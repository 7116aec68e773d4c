"""Secrets that are recognised in containers: the paper's networks, terms and stages, ours, and its keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from underpaint import models
from underpaint.channels import parse
from underpaint.coding.template import template
from underpaint.errors import ModelError, UsageError
from underpaint.media import read, samples
from underpaint.methods.miais import SIGNS, numbers
from underpaint.metrics import ms_ssim_normalised as measured
from underpaint_lab.data.faces import Faces, KnownPairs
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.papers.miais.nets import LENGTH, Embedder, Extractor, Generator, Keys, Recogniser, Restorer
from underpaint_lab.papers.miais.ours import Ours, OursRecipe
from underpaint_lab.papers.miais.published import Published, PublishedRecipe, balanced
from underpaint_lab.papers.miais.teacher import KnownRecipe, Teacher, TeacherRecipe
from underpaint_lab.papers.release import release
from underpaint_lab.training.loop import fit
from underpaint_lab.training.losses import ms_ssim_normalised, triplet
from underpaint_lab.training.run_folder import read_state, start_from

if TYPE_CHECKING:
    from pathlib import Path

SMALL: dict[str, Any] = {"steps": 8, "batch": 8, "crop": 32, "classes": 3, "width": 4, "size": 16}
PUBLISHED = PublishedRecipe(**SMALL, generator=4, downs=4, restorer=4, joint=0.5, epoch=2)
OURS = OursRecipe(**SMALL, hidden=16)
PHOTO = read(samples.path("coffee")).pixels
RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Networks this small only lose time to more."""
    torch.set_num_threads(1)


def batch(size: int = 8, side: int = 32) -> torch.Tensor:
    """Noise in noise, pairs of neighbours of one class: ``(size, 7, side, side)``."""
    images = torch.rand(size, 7, side, side, generator=torch.Generator().manual_seed(0))
    images[:, 6] = torch.arange(size)[:, None, None] // 2 % 3
    return images


def couples() -> KnownPairs:
    rng = np.random.default_rng(0)
    faces = [rng.integers(256, size=(40, 40, 3), dtype=np.uint8) for _ in range(12)]
    return KnownPairs(Photographs("coffee", [PHOTO]), Faces("noise", faces, np.arange(3).repeat(4).tolist()))


def learned(model: torch.nn.Module, losses: dict[str, torch.Tensor]) -> set[str]:
    """Networks that get a gradient."""
    model.zero_grad()
    torch.autograd.backward(list(losses.values()))
    names = [name for name, each in model.named_parameters() if each.grad is not None and each.grad.abs().sum() > 0]
    return {name.split(".")[1] if name.startswith("networks") else name.split(".")[0] for name in names}


def test_the_loss_is_the_measure() -> None:
    for side in (64, 176, 200):
        before, after = PHOTO[:side, :side], parse("jpeg:20")(PHOTO[:side, :side])
        pair = (torch.from_numpy(each.copy()).permute(2, 0, 1)[None] / 255 for each in (before, after))
        scales = 5 if side >= 176 else 3
        assert float(ms_ssim_normalised(*pair)) == pytest.approx(measured(before, after, scales), abs=1e-4)
    with pytest.raises(UsageError, match="at least 11"):
        ms_ssim_normalised(torch.zeros(1, 3, 10, 10), torch.zeros(1, 3, 10, 10))


def test_triplets_by_hand() -> None:
    embeddings, labels = torch.tensor([[0.0], [1.0], [3.0]], requires_grad=True), torch.tensor([0, 0, 1])
    # From 0: 1 - 3 + 2.5; from 1: 1 - 2 + 2.5.
    assert triplet(embeddings, labels, 2.5).item() == pytest.approx((0.5 + 1.5) / 2)
    loss = triplet(torch.zeros(4, 2, requires_grad=True), torch.tensor([0, 0, 1, 1]), 1.0)
    assert loss.item() == pytest.approx(1.0)
    assert triplet(embeddings, torch.tensor([0, 1, 2]), 1.0).item() == 0


def test_networks_are_of_the_published_size() -> None:
    count = {
        network: sum(parameter.numel() for parameter in network.parameters()) for network in (Generator(), Restorer())
    }
    # pix2pix's U-Net of seven halvings for 6 channels, and table II.
    assert list(count.values()) == [pytest.approx(41.8e6, rel=0.01), pytest.approx(741e3, rel=0.02)]


def test_shapes_and_ranges() -> None:
    images = torch.rand(2, 3, 64, 64)
    made = Generator(4, 5).eval()(images, images)
    assert made.shape == images.shape
    assert 0 < made.min() < made.max() < 1
    assert Restorer(4).eval()(made).shape == images.shape
    network = Recogniser(7, 4, 16).eval()
    embeddings = network(images)
    assert torch.allclose(embeddings.norm(dim=1), torch.full((2,), LENGTH))
    assert network.classify(embeddings).shape == (2, 7)


def test_stages_take_turns_after_joint_steps() -> None:
    assert [PUBLISHED.stage(step) for step in range(8)] == [*["joint"] * 4, *["classify"] * 2, *["hide"] * 2]
    assert {replace(PUBLISHED, minimax=False).stage(step) for step in range(8)} == {"joint"}


@pytest.mark.parametrize("multitask", [False, True])
@pytest.mark.parametrize("content", [False, True])
@pytest.mark.parametrize("minimax", [False, True])
def test_every_stage_trains_its_networks(minimax: bool, content: bool, multitask: bool) -> None:
    recipe = replace(PUBLISHED, minimax=minimax, content=content, multitask=multitask)
    model = Published(recipe).train()
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
        assert learned(model, losses) == networks


def test_both_classifiers_recognise() -> None:
    model = Published(PUBLISHED).eval()
    assert model.embedding(batch()[:, :3]).shape == (8, 2 * 16)


def test_a_term_weighs_what_the_others_are() -> None:
    one, other = torch.tensor(3.0, requires_grad=True), torch.tensor(1.0)
    parts = balanced({"one": one, "other": other}, {"one": 2.0, "other": -1.0})
    assert {name: part.item() for name, part in parts.items()} == {"one": 2 * 0.25 * 3, "other": -0.75}
    torch.autograd.backward(parts["one"])
    assert one.grad == pytest.approx(0.5)


def test_what_is_visible_weighs_less_below_the_threshold() -> None:
    model = Published(replace(PUBLISHED, joint=0.0, threshold=0.1))

    def pressure(step: int, visual: float) -> float:
        return model._pressure(step, torch.tensor(visual), (130, 10))["visual"]

    # Steps of four stages B, each after a stage A of two steps.
    assert [pressure(step, 0.5) for step in (2, 3)] == [130, 130]
    assert [pressure(step, 0.05) for step in (6, 7)] == [130, 130]
    assert [pressure(step, 0.5) for step in (10, 11)] == [10, 10]
    assert pressure(14, 0.5) == 130


def test_the_teacher_stays_as_it_is() -> None:
    model = Published(PUBLISHED).train()
    before = {name: value.clone() for name, value in model.teacher.state_dict().items()}
    assert not model.teacher.training
    list(model.losses(batch(), 7, RNG))
    assert all(torch.equal(value, before[name]) for name, value in model.teacher.state_dict().items())
    assert not any(parameter.requires_grad for parameter in model.teacher.parameters())


def test_a_run_of_each(tmp_path: Path) -> None:
    data = couples()
    teacher = Teacher(TeacherRecipe(**SMALL))
    fit(teacher, data.secrets, tmp_path / "teacher", progress=False)
    taught: dict[str, Any] = {"teacher": str(tmp_path / "teacher")}
    for model in (Published(replace(PUBLISHED, **taught)), Ours(replace(OURS, **taught, jpeg=50))):
        model.inherit()
        fit(model, data, tmp_path / type(model).__name__, progress=False)  # type: ignore[arg-type]
        for name, value in teacher.network.state_dict().items():
            assert torch.equal(model.teacher.state_dict()[name], value)
    more = Published(PUBLISHED)
    start_from(more, tmp_path / "Published")
    before = read_state(tmp_path / "Published")
    assert before is not None
    assert all(torch.equal(value, before["weights"][name]) for name, value in more.state_dict().items())


def test_classifiers_begin_with_what_the_teacher_sees(tmp_path: Path) -> None:
    teacher = Teacher(TeacherRecipe(**SMALL))
    fit(teacher, couples().secrets, tmp_path, progress=False)
    model = Published(replace(PUBLISHED, teacher=str(tmp_path)))
    model.inherit()
    one, other = model._classifiers()
    pictures = torch.rand(2, 3, 32, 32)
    teacher.eval(), one.eval(), other.eval()
    assert torch.equal(one.trunk(pictures), teacher.network.trunk(pictures))
    assert not torch.equal(one(pictures), other(pictures)), "heads are their own"


def test_without_a_teacher_there_is_nothing_to_learn_from(tmp_path: Path) -> None:
    for model in (Published(replace(PUBLISHED, teacher=str(tmp_path))), Ours(replace(OURS, teacher=str(tmp_path)))):
        with pytest.raises(ModelError):
            model.inherit()


def test_a_key_turns_and_turns_back() -> None:
    codes = torch.randn(200, 64, generator=torch.Generator().manual_seed(1))
    keys, others = (Keys(200, 64, np.random.default_rng(seed)) for seed in (0, 1))
    assert torch.equal(keys.back(keys.turned(codes)), codes)
    turned = keys.turned(codes)
    assert torch.allclose(turned[:, :64].norm(dim=1), codes.norm(dim=1))
    assert torch.equal(turned[:, 64:].abs(), torch.ones(200, SIGNS))
    wrong = torch.cosine_similarity(others.back(keys.turned(codes)), codes)
    # As unlike as codes drawn at random: a standard deviation of 1 / 8, and no mean.
    assert abs(float(wrong.mean())) < 0.03
    assert float(wrong.std()) == pytest.approx(1 / 8, rel=0.2)


def test_by_wrong_keys_nobody_is_alike() -> None:
    same = torch.randn(1, 64, generator=torch.Generator().manual_seed(1)).expand(200, -1)
    keys, others = (Keys(200, 64, np.random.default_rng(seed)) for seed in (0, 1))
    found = others.back(keys.turned(same))
    assert abs(float(torch.cosine_similarity(found[1:], found[:-1]).mean())) < 0.03


def test_our_change_is_bounded() -> None:
    covers, codes = torch.rand(2, 3, 32, 40), torch.randn(2, 16)
    writer = Embedder(16, 8, 0.05)
    with torch.no_grad():
        writer.carriers.mul_(1e4)
        assert (writer(covers, codes, -codes) - covers).abs().max() == pytest.approx(0.05, abs=1e-5)
        assert Extractor(16, 8)(covers).shape == (2, 16)


def test_ours_begins_with_what_can_be_read() -> None:
    model = Ours(replace(OURS, size=128)).eval()
    cover = torch.from_numpy(PHOTO[100:164, 100:164].copy()).permute(2, 0, 1)[None] / 255
    codes = torch.randn(1, 128, generator=torch.Generator().manual_seed(0))
    keys = Keys(1, 128, np.random.default_rng(0))
    with torch.no_grad():
        container = model.container(cover, codes, keys)
        assert (model.embedding(container, keys) - codes).square().mean() < 0.1
    assert -10 * torch.log10((container - cover).square().mean()) > 43


def test_our_containers_are_whole() -> None:
    model = Ours(OURS)
    covers, secrets = batch()[:, :3], batch()[:, 3:6]
    keys = Keys(8, 16, np.random.default_rng(0))
    containers = 255 * model.container(covers, model.code(secrets), keys)
    assert torch.allclose(containers, containers.round(), atol=1e-3)
    assert model.embedding(containers / 255, keys).shape == (8, 16)


def test_all_of_ours_learns() -> None:
    model = Ours(replace(OURS, jpeg=50)).train()
    optimiser = torch.optim.Adam(model.networks.parameters(), 1e-3)
    for _ in range(3):  # what begins at nothing lets through no gradient at first
        ((part, losses),) = model.losses(batch(), 0, np.random.default_rng(0))
        assert (part, set(losses)) == ("networks", {"cover", "identity"})
        assert learned(model, losses) == {"writer", "reader"}
        optimiser.step()
    assert all(
        parameter.grad.abs().sum() > 0 for parameter in model.networks.parameters() if parameter.grad is not None
    )
    assert all(parameter.grad is not None for parameter in model.networks.parameters())


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
def test_recipes_are_checked(recipe: KnownRecipe, changes: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        replace(recipe, **changes)


def test_more_people_than_the_recipe_has_are_refused() -> None:
    model = Teacher(TeacherRecipe(**SMALL | {"classes": 2}))
    with pytest.raises(UsageError, match="more than 2 classes") as refused:
        list(model.losses(batch()[:, 3:], 0, RNG))
    assert refused.value.hint == "set classes=3, or more"


def test_what_is_shipped_says_what_its_networks_do(tmp_path: Path) -> None:
    plain = Faces(
        "noise", [PHOTO[:80, left : left + 80] for left in range(0, 480, 40)], np.arange(3).repeat(4).tolist()
    )
    fit(Teacher(TeacherRecipe(**SMALL | {"size": 64, "crop": 64})), plain, tmp_path / "miais-teacher", progress=False)
    recipe = OursRecipe(**SMALL | {"size": 64}, hidden=16, teacher=str(tmp_path / "miais-teacher"))
    model = Ours(recipe)
    fit(model, couples(), tmp_path / "miais", progress=False)  # type: ignore[arg-type]
    for name in ("miais", "miais-teacher"):
        assert release(name, tmp_path / name, tmp_path / "zoo" / name, {"accuracy": 0.5}) < 1e-4
    networks, seen = (models.read_model(tmp_path / "zoo" / name) for name in ("miais", "miais-teacher"))
    assert networks.card.measured == {"accuracy": 0.5}
    assert np.mean(template(PHOTO, model=seen) ** 2) == pytest.approx(1, abs=1e-5)
    container = torch.from_numpy(PHOTO[:96, :128].copy()).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        said = model.networks["reader"](container)[0].numpy()
    assert numbers(PHOTO[:100, :131], networks)[: said.size] == pytest.approx(said, abs=1e-3)
