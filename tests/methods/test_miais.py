"""MIAIS alone: a template comes back approximately, with its passphrase only, and survives a little noise."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from underpaint import media, metrics, models
from underpaint.channels import parse
from underpaint.coding.template import cosine_similarity, pack, unpack
from underpaint.errors import NotFoundError, SurvivalError, UsageError
from underpaint.media import samples
from underpaint.methods import EXACT, METHODS, miais
from underpaint.methods.miais import MIN_SIMILARITY
from underpaint.models.face import template
from underpaint.types import Image, Payload

COVER = media.read(samples.path("coffee")).pixels[:250, :330]
FACE = template(media.read(samples.path("chelsea")).pixels)
PAYLOAD = Payload(pack(FACE), "template")
MIAIS = METHODS["miais"]


@cache
def container(passphrase: str | None = "gate") -> Image:
    return miais.hide(COVER, FACE, passphrase)


def similarity_after(picture: Image, passphrase: str | None = "gate") -> float:
    return cosine_similarity(unpack(MIAIS.reveal(picture, passphrase).data), FACE)


def test_it_hides_templates_only_and_has_no_settings() -> None:
    assert "miais" not in EXACT
    for kind in ("text", "file", "picture"):
        with pytest.raises(UsageError, match="miais hides face templates only"):
            MIAIS.hide(COVER, Payload(b"hello", kind), None, psnr=None, survive=None)
    with pytest.raises(UsageError, match="no quality or survival"):
        MIAIS.hide(COVER, PAYLOAD, None, psnr=44.0, survive=None)


def test_a_template_comes_back_approximately() -> None:
    assert similarity_after(container()) >= MIN_SIMILARITY
    assert metrics.psnr(COVER, container()) > 38
    assert np.array_equal(container()[248:], COVER[248:]), "what no whole block covers stays"


@pytest.mark.parametrize("chain", ["noise:0.005", "brightness:1.01"])
def test_a_template_survives_weak_noise(chain: str) -> None:
    assert similarity_after(parse(chain)(container())) > 0.8


def test_another_passphrase_reveals_nothing() -> None:
    for wrong in (None, "gates"):
        assert not MIAIS.holds(container(), wrong)
        with pytest.raises(NotFoundError):
            MIAIS.reveal(container(), wrong)
    assert MIAIS.holds(container(), "gate")
    assert similarity_after(container(None), None) >= MIN_SIMILARITY


def test_containers_of_one_face_differ() -> None:
    said = [miais.extract_numbers(miais.hide(COVER, FACE, "gate"), models.load("miais")) for _ in range(4)]
    before = miais.extract_numbers(COVER, models.load("miais"))
    assert max(abs(cosine_similarity(a[:64], b[:64])) for n, a in enumerate(said) for b in said[:n]) < 0.6
    # Nor are they by what they are made of, whatever the places.
    made_of = [np.sort(np.abs(each[:64])) for each in said]
    asked = np.sort(np.abs(FACE))
    apart = [float(np.square(each - asked).mean()) for each in made_of]
    other = np.sort(np.abs(np.random.default_rng(0).standard_normal(64)))
    assert min(apart) > 0.2 * float(np.square(other - asked).mean())
    assert cosine_similarity(said[0], before) < 0.5


def test_unmarked_pictures_have_no_template() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        top, left = rng.integers(0, 100), rng.integers(0, 150)
        assert not MIAIS.holds(COVER[top : top + 64, left : left + 64], None)
    assert not MIAIS.holds(np.zeros((16, 16, 3), np.uint8), None)


def test_strips_give_the_same_numbers_as_the_whole_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    model = models.load("miais")
    tall = np.concatenate([COVER, COVER[::-1]])
    whole = miais.extract_numbers(tall, model)
    wanted = np.random.default_rng(0).standard_normal(whole.size).astype(np.float32)
    written = miais.embed_numbers(tall, wanted, whole, model)
    monkeypatch.setattr(miais, "STRIP_ROWS", 5)
    assert np.allclose(miais.extract_numbers(tall, model), whole, atol=1e-3)
    apart = np.abs(miais.embed_numbers(tall, wanted, whole, model).astype(int) - written)
    assert apart.max() <= 1, "rounding"
    assert (apart > 0).mean() < 1e-3


@pytest.mark.parametrize("level", [0, 1, 254, 255])
def test_black_and_white_covers_carry_a_template(level: int) -> None:
    flat = np.full((64, 64, 3), level, np.uint8)
    assert similarity_after(miais.hide(flat, FACE, "gate")) >= MIN_SIMILARITY


def test_a_cover_that_cannot_carry_the_template_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(miais, "MIN_SIMILARITY", 1.1)
    with pytest.raises(SurvivalError, match="this cover cannot carry a template"):
        miais.hide(COVER, FACE, None)


def test_dithered_rounding_keeps_the_mean() -> None:
    thresholds = miais.dither(64, 64)
    assert thresholds.shape == (64, 64)
    assert np.abs(thresholds).max() <= 0.5
    for change in np.random.default_rng(0).uniform(-3, 3, 20):
        rounded = np.rint(change + thresholds).reshape(8, 8, 8, 8).mean(axis=(0, 2))
        assert np.abs(rounded - change).max() < 0.06, "the mean over blocks, at every place in one"
