"""Release of MIAIS's networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from lab_support.miais import PHOTO, SMALL, pairs
from underpaint import models
from underpaint.methods.miais import extract_numbers
from underpaint.models.face import template
from underpaint_lab.data.faces import Faces
from underpaint_lab.papers.miais.ours import MiaisOurs, MiaisOursRecipe
from underpaint_lab.papers.miais.teacher import Teacher, TeacherRecipe
from underpaint_lab.papers.release import release
from underpaint_lab.training.loop import fit

if TYPE_CHECKING:
    from pathlib import Path


def test_released_graphs_compute_the_same_as_the_networks(tmp_path: Path) -> None:
    plain = Faces(
        "noise", [PHOTO[:80, left : left + 80] for left in range(0, 480, 40)], np.arange(3).repeat(4).tolist()
    )
    fit(
        Teacher(TeacherRecipe(**SMALL | {"steps": 2, "size": 64, "crop": 64})),
        plain,
        tmp_path / "miais-teacher",
        progress=False,
    )
    recipe = MiaisOursRecipe(**SMALL | {"steps": 2, "size": 64}, hidden=16, teacher=str(tmp_path / "miais-teacher"))
    model = MiaisOurs(recipe)
    fit(model, pairs(), tmp_path / "miais", progress=False)  # type: ignore[arg-type]
    for name in ("miais", "miais-teacher"):
        assert release(name, tmp_path / name, tmp_path / "zoo" / name, {"accuracy": 0.5}) < 1e-4
    networks, seen = (models.read_model(tmp_path / "zoo" / name) for name in ("miais", "miais-teacher"))
    assert networks.card.measured == {"accuracy": 0.5}
    assert np.mean(template(PHOTO, model=seen) ** 2) == pytest.approx(1, abs=1e-5)
    container = torch.from_numpy(PHOTO[:96, :128].copy()).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        extracted = model.networks["reader"](container)[0].numpy()
    assert extract_numbers(PHOTO[:100, :131], networks)[: extracted.size] == pytest.approx(extracted, abs=1e-3)
