"""Networks of the JND: the overlap of tiles reaches as far as the generators' receptive fields."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from underpaint import models
from underpaint.models import jnd_networks


@pytest.mark.parametrize("model", sorted(set(jnd_networks.PANELS) & set(models.names())))
def test_the_overlap_covers_the_receptive_field(model: str) -> None:
    graph = models.load(model).graphs["generator"]
    rng = np.random.default_rng(0)
    inputs: dict[str, Any] = {
        "image": rng.random((1, 3, 96, 96), np.float32),
        "attention": rng.random((1, 1, 96, 96), np.float32),
        "answers": rng.standard_normal((1, int(graph.inputs["answers"][1] or 0)), np.float32),
        "level": np.full((1, 1), 20, np.float32),
        "way": np.eye(jnd_networks.count_ways(model), dtype=np.float32)[3:4],
    }
    before = graph.run(inputs)["direction"]
    inputs["image"][:, :, :, :16] = 0.5
    after = graph.run(inputs)["direction"]
    assert before.shape == (1, 3, 96, 96)
    assert np.abs(after - before)[..., :16].max() > 1e-3
    assert np.abs(after - before)[..., 16 + jnd_networks.TILING.overlap :].max() == 0
