"""Recipes: settings change what they name, to values that it may have, and to nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest

from underpaint.errors import UsageError
from underpaint_lab.training.recipe import Recipe, with_settings


@dataclass(frozen=True, kw_only=True)
class Painted(Recipe):
    """One field of each kind that a paper may have."""

    bits: int = 30
    cover: float = 0.7
    codecs: tuple[str, ...] = ("jpeg", "webp")
    qualities: tuple[int, ...] = (50,)
    residual: bool = False
    attack: str = "none"


PLAIN = Painted(steps=100, batch=8, crop=64)


def changed(*settings: str) -> dict[str, Any]:
    return {key: value for key, value in vars(with_settings(PLAIN, settings)).items() if value != vars(PLAIN)[key]}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ([], {}),
        (["steps=10", "learning_rate=3e-4"], {"steps": 10, "learning_rate": 3e-4}),
        (["cover = 1"], {"cover": 1.0}),
        (["decay=cosine", "precision=bf16-mixed"], {"decay": "cosine", "precision": "bf16-mixed"}),
        (["residual=true"], {"residual": True}),
        (["codecs=jpeg, avif"], {"codecs": ("jpeg", "avif")}),
        (["qualities=10,90", "codecs="], {"qualities": (10, 90), "codecs": ()}),
        (["attack=jpeg:50 | resize:0.5,x=1"], {"attack": "jpeg:50 | resize:0.5,x=1"}),
        (["bits=1", "bits=2"], {"bits": 2}),
    ],
)
def test_settings(settings: list[str], expected: dict[str, Any]) -> None:
    assert changed(*settings) == expected
    assert type(with_settings(PLAIN, settings)) is Painted


@pytest.mark.parametrize(
    ("setting", "reason", "hint"),
    [
        ("steps", "'steps' is no setting", "key=value"),
        ("learningrate=1", "no 'learningrate'", "did you mean 'learning_rate'"),
        ("xyz=1", "no 'xyz'", "there are steps, batch, crop"),
        ("steps=1.5", "steps cannot be '1.5'", "legal is a whole number"),
        ("steps=", "steps cannot be ''", "legal is a whole number"),
        ("cover=much", "cover cannot be 'much'", "legal is a number"),
        ("cover=nan", "cover cannot be 'nan'", "legal is a number"),
        ("clip=inf", "clip cannot be 'inf'", "legal is a number"),
        ("residual=1", "residual cannot be '1'", "legal is true or false"),
        ("decay=linear", "decay cannot be 'linear'", "legal is constant or cosine"),
        ("qualities=10,high", "qualities cannot be '10,high'", "a whole number, any number of times"),
    ],
)
def test_settings_that_cannot_be(setting: str, reason: str, hint: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        with_settings(PLAIN, [setting])
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    "setting",
    ["steps=0", "batch=0", "crop=-1", "seed=-1", "warmup=-1", "clip=-1", "learning_rate=0", "ema=1", "ema=-0.1"],
)
def test_values_out_of_range(setting: str) -> None:
    with pytest.raises(UsageError, match=f"{setting.partition('=')[0]} must be"):
        with_settings(PLAIN, [setting])


def test_the_learning_rate() -> None:
    rates = [Recipe(steps=10, batch=1, crop=1, learning_rate=2, warmup=3).rate(step) for step in range(6)]
    assert rates == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]
    falling = Recipe(steps=10, batch=1, crop=1, learning_rate=2, warmup=2, decay="cosine")
    assert [falling.rate(step) for step in (1, 2, 6)] == pytest.approx([4 / 3, 2, 1])
    assert 0 < falling.rate(9) < 0.1
    assert math.isclose(falling.rate(10), 0, abs_tol=1e-12)
