"""The colour DCT."""

from __future__ import annotations

import torch

from underpaint.embedding.residues import VALUES
from underpaint_lab.nets.colour_dct import colour_dct


def test_colour_dct_is_orthonormal() -> None:
    assert torch.allclose(colour_dct() @ colour_dct().T, torch.eye(VALUES), atol=1e-5)
