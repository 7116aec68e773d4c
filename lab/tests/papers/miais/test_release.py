"""Release of MIAIS's networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from underpaint import models
from underpaint.media import read, samples
from underpaint.methods.miais import extract_numbers
from underpaint.models.face import template
from underpaint_lab.data.faces import Faces, KnownPairs
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.papers.miais.ours import MiaisOurs, MiaisOursRecipe
from underpaint_lab.papers.miais.teacher import Teacher, TeacherRecipe
from underpaint_lab.papers.release import release
from underpaint_lab.training.loop import fit

if TYPE_CHECKING:
    from pathlib import Path


SMALL: dict[str, Any] = {"steps": 8, "batch": 8, "crop": 32, "classes": 3, "width": 8, "size": 16}


PHOTO = read(samples.path("coffee")).pixels


def batch(size: int = 8, side: int = 32) -> torch.Tensor:
    """Noise in noise, pairs of neighbours of one class: ``(size, 7, side, side)``."""
    images = torch.rand(size, 7, side, side, generator=torch.Generator().manual_seed(0))
    images[:, 6] = torch.arange(size)[:, None, None] // 2 % 3
    return images


def pairs() -> KnownPairs:
    rng = np.random.default_rng(0)
    faces = [rng.integers(256, size=(40, 40, 3), dtype=np.uint8) for _ in range(12)]
    return KnownPairs(Photographs("coffee", [PHOTO]), Faces("noise", faces, np.arange(3).repeat(4).tolist()))


def test_released_graphs_compute_the_same_as_the_networks(tmp_path: Path) -> None:
    plain = Faces(
        "noise", [PHOTO[:80, left : left + 80] for left in range(0, 480, 40)], np.arange(3).repeat(4).tolist()
    )
    fit(Teacher(TeacherRecipe(**SMALL | {"size": 64, "crop": 64})), plain, tmp_path / "miais-teacher", progress=False)
    recipe = MiaisOursRecipe(**SMALL | {"size": 64}, hidden=16, teacher=str(tmp_path / "miais-teacher"))
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
