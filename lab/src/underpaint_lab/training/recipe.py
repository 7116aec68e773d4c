"""Recipes: the settings of a training run, a frozen dataclass whose fields ``--set key=value`` may change."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from underpaint.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of every training run. Papers add fields of their own, such as the weights of their losses.

    Raises:
        UsageError: a value is out of its range.
    """

    #: Optimiser steps.
    steps: int
    #: Pictures per step, of all processes together.
    batch: int
    #: Side in pixels of the square cut from each picture.
    crop: int
    #: Peak learning rate of Adam.
    learning_rate: float = 1e-3
    seed: int = 0
    #: Steps over which the learning rate rises linearly from 0.
    warmup: int = 0
    #: Learning rate after the warm-up: constant, or falling to 0 along half a cosine.
    decay: Literal["constant", "cosine"] = "constant"
    #: Largest norm of the gradient of one part; 0 does not clip.
    clip: float = 0.0
    #: Decay per step of the exponential moving average of the weights. The trained weights are this average, or with 0
    #: those of the last step.
    ema: float = 0.0
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    #: Folder or checkpoint of an earlier run of the same network whose weights a new run begins with; "" for none.
    start: str = ""

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "crop"):
            _check(self, name, "at least 1", getattr(self, name) >= 1)
        for name in ("seed", "warmup", "clip"):
            _check(self, name, "at least 0", getattr(self, name) >= 0)
        _check(self, "learning_rate", "above 0", 0 < self.learning_rate < math.inf)
        _check(self, "ema", "at least 0 and below 1", 0 <= self.ema < 1)

    def rate(self, step: int) -> float:
        """Return the learning rate of *step*, counted from 0."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / (self.warmup + 1)
        if self.decay == "constant":
            return self.learning_rate
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * (1 + math.cos(math.pi * done)) / 2


AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)


def with_settings(recipe: AnyRecipe, settings: Iterable[str]) -> AnyRecipe:
    """Return *recipe* with some fields changed.

    Args:
        recipe: the defaults.
        settings: each ``key=value``; the items of a tuple are separated by commas.

    Raises:
        UsageError: no such field, a value of another type, or one out of its range; the hint lists what is allowed.
    """
    types = get_type_hints(type(recipe))
    names = [field.name for field in fields(recipe)]
    changed: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = (part.strip() for part in setting.partition("="))
        if not equals:
            raise UsageError(f"'{setting}' is no setting", hint="write key=value, such as steps=1000")
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(names)}"
            raise UsageError(f"the recipe has no '{name}'", hint=hint)
        try:
            changed[name] = _parse(text, types[name])
        except ValueError:
            raise UsageError(f"{name} cannot be '{text}'", hint=f"legal is {_describe(types[name])}") from None
    return replace(recipe, **changed)


def as_settings(values: Mapping[str, object]) -> list[str]:
    """Return the settings for :func:`with_settings` of the *values* of a recipe by name, as a run's record has them."""
    return [f"{name}={_written(value)}" for name, value in values.items()]


def _written(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check(recipe: Recipe, name: str, range_: str, legal: bool) -> None:
    if not legal:
        raise UsageError(f"{name} must be {range_}, not {getattr(recipe, name)}")


def _parse(text: str, kind: Any) -> Any:
    """Return *text* as a value of the type *kind*, an annotation. Raises ValueError if it is none."""
    if get_origin(kind) is Literal:
        words = {str(word): word for word in get_args(kind)}
        if text not in words:
            raise ValueError
        return words[text]
    if get_origin(kind) is tuple:
        return tuple(_parse(item.strip(), get_args(kind)[0]) for item in text.split(",") if item.strip())
    if kind is bool:
        return _parse(text, Literal["true", "false"]) == "true"
    value = kind(text)
    if kind is float and not math.isfinite(value):
        raise ValueError
    return value


def _describe(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(str(word) for word in get_args(kind))
    if get_origin(kind) is tuple:
        return f"{_describe(get_args(kind)[0])}, any number of times, separated by commas"
    return {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, "a word")
