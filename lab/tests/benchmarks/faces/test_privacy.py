"""Classifiers of what is hidden from the eye, and restorers of what was not meant to be restored."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest
import torch

from underpaint.errors import UsageError
from underpaint.media import read, samples
from underpaint_lab.benchmarks.faces import privacy
from underpaint_lab.benchmarks.faces.privacy import contained, controls, obscured, recovered
from underpaint_lab.papers import RECIPES, trained
from underpaint_lab.papers.miais.nets import EmbeddingDecoder
from underpaint_lab.papers.miais.obfuscated_teacher import ObfuscatedTeacher, ObfuscatedTeacherRecipe
from underpaint_lab.papers.miais.obfuscations import OBFUSCATIONS, SHARED_KEY_OBFUSCATIONS
from underpaint_lab.papers.miais.obfuscations import obfuscate as hidden
from underpaint_lab.papers.miais.ours import MiaisOurs, MiaisOursRecipe
from underpaint_lab.papers.miais.published import MiaisPublished, MiaisPublishedRecipe
from underpaint_lab.papers.miais.recovery_attack import (
    AttackRecipe,
    Knowledge,
    LeakedPairs,
    RecoveryAttack,
    make_containers,
    recover_codes,
)
from underpaint_lab.papers.miais.teacher import recogniser
from underpaint_lab.training.loop import fit

if TYPE_CHECKING:
    from pathlib import Path

SMALL: dict[str, Any] = {"steps": 2, "batch": 8, "crop": 32, "classes": 10, "width": 4, "size": 16}
PUBLISHED = MiaisPublishedRecipe(**SMALL, content=False, generator=4, downs=3)
OURS = MiaisOursRecipe(**SMALL, hidden=8)
ATTACK = AttackRecipe(steps=2, batch=8, crop=32, width=4)
PHOTO = read(samples.path("chelsea")).pixels[100:164, 200:264]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Networks this small only lose time to more."""
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten people of noise, each with a brightness of their own, and textures and photographs of noise."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name in ("faces", "textures", "covers"):
        (folder / name).mkdir()
    rows = ["file,identity"]
    with zipfile.ZipFile(folder / "faces" / "few.zip", "w") as archive:
        for number in range(60):
            rows.append(f"{number}.png,{number // 6}")
            archive.writestr(f"{number}.png", png(rng.integers(20 * (number // 6), 256, (32, 32, 3), dtype=np.uint8)))
    (folder / "faces" / "few.csv").write_text("\n".join(rows))
    for file in ("textures/textures.zip", "covers/train.zip"):
        with zipfile.ZipFile(folder / file, "w") as archive:
            for number in range(10):
                archive.writestr(f"{number}.png", png(rng.integers(256, size=(40, 40, 3), dtype=np.uint8)))
    return folder


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two steps of all that attacks are made of, and of two classifiers of obscured faces."""
    folder = tmp_path_factory.mktemp("runs")
    known = replace(RECIPES["miais-teacher"].recipe, **SMALL)
    begun = [
        ("miais-teacher", "miais-teacher", known),
        ("miais-obscured", "miais-obscured-plain", ObfuscatedTeacherRecipe(**SMALL)),
        ("miais-obscured", "miais-obscured-BWS", ObfuscatedTeacherRecipe(**SMALL, way="BWS")),
        ("miais-published", "miais-published", PUBLISHED),
        ("miais", "miais", OURS),
    ]
    for name, run, recipe in begun:
        read = RECIPES[name].read
        assert read is not None
        fit(RECIPES[name].model(recipe), read(data), folder / run, progress=False)
    return folder


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def attacker(knows: Knowledge, victim: MiaisPublished | MiaisOurs | None = None) -> RecoveryAttack:
    return RecoveryAttack(replace(ATTACK, knows=knows), victim or MiaisOurs(OURS), recogniser(OURS)).train()


@pytest.mark.parametrize("way", OBFUSCATIONS)
def test_a_shared_key_is_the_same_for_all_pictures(way: str) -> None:
    one, other = hidden(way, [PHOTO, PHOTO], np.random.default_rng(1))
    later = hidden(way, [PHOTO], np.random.default_rng(2))[0]
    alike = way in SHARED_KEY_OBFUSCATIONS or way == "DIO"
    assert np.array_equal(one, other) == np.array_equal(one, later) == alike


def test_the_network_sees_no_plain_secret() -> None:
    secrets = torch.from_numpy(PHOTO).permute(2, 0, 1)[None] / 255
    rng = np.random.default_rng(0)
    model = ObfuscatedTeacher(ObfuscatedTeacherRecipe(**SMALL, way="DIO"))
    assert torch.allclose(
        255 * model.shown(secrets, rng)[0].permute(1, 2, 0), torch.from_numpy(OBFUSCATIONS["DIO"](PHOTO, rng)).float()
    )
    assert torch.allclose(ObfuscatedTeacher(ObfuscatedTeacherRecipe(**SMALL)).shown(secrets, rng), secrets)
    with pytest.raises(UsageError, match="no way 'XYZ'"):
        ObfuscatedTeacherRecipe(**SMALL, way="XYZ")


def test_lost_pairs_are_given_as_they_are() -> None:
    pairs = [np.full((32, 32, 6), level, np.uint8) for level in (0, 51, 255)]
    lost = LeakedPairs("pairs", pairs)
    batch = lost.batch(0, size=20, crop=32, seed=0)
    assert batch.shape == (20, 6, 32, 32)
    assert set(batch[:, 0, 0, 0].tolist()) == {0, np.float32(0.2), 1}
    assert torch.equal(batch, lost.batch(0, size=20, crop=32, seed=0))
    with pytest.raises(UsageError, match="32 pixels, not 64"):
        lost.batch(0, size=20, crop=64, seed=0)


@pytest.mark.parametrize("knows", ["pairs", "model", "key"])
def test_only_the_restorer_learns(knows: Knowledge) -> None:
    model = attacker(knows)
    before = {name: value.clone() for name, value in model.known.state_dict().items()}
    ((part, losses),) = model.losses(torch.rand(8, 7, 32, 32), 0, np.random.default_rng(0))
    assert (part, set(losses)) == ("network", {"error", "visual", "content"})
    torch.autograd.backward(list(losses.values()))
    assert all(each.grad is not None for each in model.network.parameters())
    assert not any(each.requires_grad for each in model.known.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.known.state_dict().items())


def test_who_has_the_key_draws_by_what_is_read() -> None:
    model, secrets = attacker("key").eval(), torch.rand(4, 3, 32, 32)
    one, other = (model.restored(torch.rand(4, 3, 32, 32), secrets, np.random.default_rng(key)) for key in range(2))
    # Whatever cover and key: what is read is nearly the embedding.
    assert (one - other).abs().mean() < 0.05
    assert torch.equal(one, (255 * one).round() / 255)
    containers, codes = make_containers(model.victim, torch.rand(4, 3, 32, 32), secrets, np.random.default_rng(0))
    assert codes is not None
    assert (containers.shape, codes.shape) == ((4, 3, 32, 32), (4, 16))
    with pytest.raises(UsageError, match="no keys"):
        attacker("key", MiaisPublished(PUBLISHED))


def test_few_pairs_by_a_key_tell_the_key() -> None:
    victim, covers = MiaisOurs(OURS).eval(), torch.rand(12, 3, 1, 1).expand(-1, -1, 32, 32)
    secrets = torch.rand(12, 3, 32, 32) * torch.rand(12, 3, 1, 1)
    found = recover_codes(victim, (covers[:8], secrets[:8]), (covers[8:], secrets[8:]), np.random.default_rng(0))
    assert torch.allclose(found, victim.code(secrets[8:]), atol=0.3)


def test_a_drawing_has_the_side_that_was_asked_for() -> None:
    assert EmbeddingDecoder(16, 4, 48)(torch.rand(2, 16)).shape == (2, 3, 48, 48)


@pytest.mark.parametrize("changes", [{"width": 0}, {"content": -1.0}, {"crop": 40}])
def test_recipes_are_checked(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="width must be"):
        replace(ATTACK, **changes)


def test_obscured_faces_are_judged_beside_plain_ones(data: Path, runs: Path) -> None:
    found = obscured(runs, data, each=3)
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
def test_attacks_are_judged(name: str, data: Path, runs: Path, tmp_path: Path) -> None:
    for each in ("miais-teacher", "miais-obscured-plain"):
        (tmp_path / each).symlink_to(runs / each)
    found = recovered(name, runs / name, tmp_path, data, ATTACK, each=3)
    wanted = list(privacy.KNOWING.values())[: 3 if name == "miais" else 2]
    wanted += [f"knowing networks, {pairs} of the same key" for pairs in ("1 pair", "2 pairs", "4 pairs")] * (
        name == "miais"
    )
    assert [row.name.partition(", ")[2] for row in found.rows] == wanted
    assert all(row.secret is not None and row.secret.ssim is not None for row in found.rows)
    assert found.write(tmp_path).exists()
    with pytest.raises(UsageError, match="cannot be attacked"):
        recovered("miais-teacher", runs / name, tmp_path, data)


@pytest.mark.parametrize(("name", "title"), [("miais-published", "MIAIS"), ("miais", "ours")])
def test_containers_are_judged_by_what_the_eye_sees(name: str, title: str, data: Path, runs: Path) -> None:
    (row,) = contained(name, runs / name, data, each=3).rows
    assert row.name == title
    assert row.secret is not None
    assert row.secret.psnr is not None
    # Noise in noise of another brightness.
    assert row.secret.psnr < 15
    assert row.cover is not None


def test_controls_are_the_best_and_the_least_that_there_is(data: Path, runs: Path) -> None:
    itself, nobody = controls(runs, data, side=32, each=3).rows
    assert itself.secret is not None
    assert itself.secret.mse == 0
    assert nobody.secret is not None
    assert nobody.plain == itself.accuracy
    assert nobody.rank_one is not None
    assert nobody.rank_one == pytest.approx(1 / 3, abs=0.01)


def test_a_trained_model_comes_to_evaluate(runs: Path) -> None:
    model = trained("miais", runs / "miais")
    assert isinstance(model, MiaisOurs)
    assert not model.training
    assert model.recipe == OURS
