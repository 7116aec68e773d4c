"""Recovery attacks on MIAIS, and the classifier of obfuscated pictures that measures visual privacy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from lab_support.miais import ATTACK, OUR_VICTIM, PUBLISHED_VICTIM, VICTIM
from underpaint.errors import UsageError
from underpaint.media import read, samples
from underpaint_lab.papers.miais.nets import EmbeddingDecoder
from underpaint_lab.papers.miais.obfuscated_teacher import ObfuscatedTeacher, ObfuscatedTeacherRecipe
from underpaint_lab.papers.miais.obfuscations import OBFUSCATIONS, SHARED_KEY_OBFUSCATIONS, obfuscate
from underpaint_lab.papers.miais.ours import MiaisOurs
from underpaint_lab.papers.miais.published import MiaisPublished
from underpaint_lab.papers.miais.recovery_attack import (
    Knowledge,
    LeakedPairs,
    RecoveryAttack,
    make_containers,
    recover_codes,
)
from underpaint_lab.papers.miais.teacher import recogniser

PHOTO = read(samples.path("chelsea")).pixels[100:164, 200:264]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def attacker(knows: Knowledge, victim: MiaisPublished | MiaisOurs | None = None) -> RecoveryAttack:
    return RecoveryAttack(replace(ATTACK, knows=knows), victim or MiaisOurs(OUR_VICTIM), recogniser(OUR_VICTIM)).train()


@pytest.mark.parametrize("way", OBFUSCATIONS)
def test_a_shared_key_is_the_same_for_all_pictures(way: str) -> None:
    one, other = obfuscate(way, [PHOTO, PHOTO], np.random.default_rng(1))
    later = obfuscate(way, [PHOTO], np.random.default_rng(2))[0]
    alike = way in SHARED_KEY_OBFUSCATIONS or way == "DIO"
    assert np.array_equal(one, other) == np.array_equal(one, later) == alike


def test_the_classifier_gets_obfuscated_pictures_only() -> None:
    secrets = torch.from_numpy(PHOTO).permute(2, 0, 1)[None] / 255
    rng = np.random.default_rng(0)
    model = ObfuscatedTeacher(ObfuscatedTeacherRecipe(**VICTIM, way="DIO"))
    assert torch.allclose(
        255 * model.shown(secrets, rng)[0].permute(1, 2, 0), torch.from_numpy(OBFUSCATIONS["DIO"](PHOTO, rng)).float()
    )
    assert torch.allclose(ObfuscatedTeacher(ObfuscatedTeacherRecipe(**VICTIM)).shown(secrets, rng), secrets)
    with pytest.raises(UsageError, match="no obfuscation is called 'XYZ'"):
        ObfuscatedTeacherRecipe(**VICTIM, way="XYZ")


def test_leaked_pairs_are_used_unchanged() -> None:
    pairs = [np.full((32, 32, 6), level, np.uint8) for level in (0, 51, 255)]
    lost = LeakedPairs("pairs", pairs)
    batch = lost.batch(0, size=20, crop=32, seed=0)
    assert batch.shape == (20, 6, 32, 32)
    assert set(batch[:, 0, 0, 0].tolist()) == {0, np.float32(0.2), 1}
    assert torch.equal(batch, lost.batch(0, size=20, crop=32, seed=0))
    with pytest.raises(UsageError, match="32 pixels, not 64"):
        lost.batch(0, size=20, crop=64, seed=0)


@pytest.mark.parametrize("knows", ["pairs", "model", "key"])
def test_only_the_recovery_network_is_trained(knows: Knowledge) -> None:
    model = attacker(knows)
    before = {name: value.clone() for name, value in model.known.state_dict().items()}
    ((part, losses),) = model.losses(torch.rand(8, 7, 32, 32), 0, np.random.default_rng(0))
    assert (part, set(losses)) == ("network", {"error", "visual", "content"})
    torch.autograd.backward(list(losses.values()))
    assert all(each.grad is not None for each in model.network.parameters())
    assert not any(each.requires_grad for each in model.known.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.known.state_dict().items())


def test_an_attacker_with_the_key_decodes_the_embedding() -> None:
    model, secrets = attacker("key").eval(), torch.rand(4, 3, 32, 32)
    one, other = (model.restored(torch.rand(4, 3, 32, 32), secrets, np.random.default_rng(key)) for key in range(2))
    # The extracted code is nearly the embedding, whatever cover and key are.
    assert (one - other).abs().mean() < 0.05
    assert torch.equal(one, (255 * one).round() / 255)
    containers, codes = make_containers(model.victim, torch.rand(4, 3, 32, 32), secrets, np.random.default_rng(0))
    assert codes is not None
    assert (containers.shape, codes.shape) == ((4, 3, 32, 32), (4, 16))
    with pytest.raises(UsageError, match="no keys"):
        attacker("key", MiaisPublished(PUBLISHED_VICTIM))


def test_few_pairs_of_one_key_reveal_the_key() -> None:
    victim, covers = MiaisOurs(OUR_VICTIM).eval(), torch.rand(12, 3, 1, 1).expand(-1, -1, 32, 32)
    secrets = torch.rand(12, 3, 32, 32) * torch.rand(12, 3, 1, 1)
    found = recover_codes(victim, (covers[:8], secrets[:8]), (covers[8:], secrets[8:]), np.random.default_rng(0))
    assert torch.allclose(found, victim.code(secrets[8:]), atol=0.3)


def test_a_decoded_picture_has_the_side_asked_for() -> None:
    assert EmbeddingDecoder(16, 4, 48)(torch.rand(2, 16)).shape == (2, 3, 48, 48)


@pytest.mark.parametrize("changes", [{"width": 0}, {"content": -1.0}, {"crop": 40}])
def test_recipes_are_checked(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="width must be"):
        replace(ATTACK, **changes)
