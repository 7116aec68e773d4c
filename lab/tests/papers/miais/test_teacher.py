"""The plain classifier of MIAIS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from underpaint.errors import UsageError
from underpaint_lab.papers.miais.teacher import Teacher, TeacherRecipe

if TYPE_CHECKING:
    pass


SMALL: dict[str, Any] = {"steps": 8, "batch": 8, "crop": 32, "classes": 3, "width": 8, "size": 16}


RNG = np.random.default_rng(3)


def batch(size: int = 8, side: int = 32) -> torch.Tensor:
    """Noise in noise, pairs of neighbours of one class: ``(size, 7, side, side)``."""
    images = torch.rand(size, 7, side, side, generator=torch.Generator().manual_seed(0))
    images[:, 6] = torch.arange(size)[:, None, None] // 2 % 3
    return images


def test_more_classes_than_in_the_recipe_are_refused() -> None:
    model = Teacher(TeacherRecipe(**SMALL | {"classes": 2}))
    with pytest.raises(UsageError, match="more than 2 classes") as refused:
        list(model.losses(batch()[:, 3:], 0, RNG))
    assert refused.value.hint == "set classes=3, or more"
