"""Random changes of brightness, contrast and saturation."""

from __future__ import annotations

import numpy as np
import torch

from underpaint_lab.data.augment import toned


def test_tones_change_each_picture_and_stay_in_range() -> None:
    images = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(toned(images, 0.0, np.random.default_rng(0)), images, atol=1e-6)
    seen = toned(images, 0.5, np.random.default_rng(0))
    assert (float(seen.min()), float(seen.max())) == (0.0, 1.0)
    light = seen.mean(dim=(1, 2, 3)) - images.mean(dim=(1, 2, 3))
    assert 0.1 < float(light.std()) < 0.2, "each has its own"
    grey = images[:, :1].expand(-1, 3, -1, -1)
    assert float(toned(grey, 0.5, np.random.default_rng(1)).std(dim=1).max()) < 1e-6, "saturation leaves grey alone"
