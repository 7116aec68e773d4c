"""The plain classifier of MIAIS."""

from __future__ import annotations

import numpy as np
import pytest

from lab_support.miais import SMALL, batch
from underpaint.errors import UsageError
from underpaint_lab.papers.miais.teacher import Teacher, TeacherRecipe

RNG = np.random.default_rng(3)


def test_more_classes_than_in_the_recipe_are_refused() -> None:
    model = Teacher(TeacherRecipe(**SMALL | {"classes": 2}))
    with pytest.raises(UsageError, match="more than 2 classes") as refused:
        list(model.losses(batch()[:, 3:], 0, RNG))
    assert refused.value.hint == "set classes=3, or more"
