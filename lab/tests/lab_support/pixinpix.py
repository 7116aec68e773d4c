"""Small recipes and data for tests of PixInPix."""

from __future__ import annotations

import numpy as np
import torch

from underpaint.media import read, samples
from underpaint_lab.papers.pixinpix.models import PixInPixOursRecipe

OURS = PixInPixOursRecipe(steps=2, batch=2, crop=32)


def cover_and_secret(side: int = 64) -> torch.Tensor:
    """Return squares of both sample photographs, ``(1, 6, side, side)`` in [0, 1]."""
    both = [read(samples.path(name)).pixels[100 : 100 + side, 100 : 100 + side] for name in ("coffee", "chelsea")]
    return torch.from_numpy(np.concatenate(both, axis=2)).permute(2, 0, 1)[None] / 255
