"""The colour DCT."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from underpaint.methods.pixinpix import VALUES
from underpaint_lab.nets.colour_dct import colour_dct

if TYPE_CHECKING:
    pass


def test_colour_dct_is_orthonormal() -> None:
    assert torch.allclose(colour_dct() @ colour_dct().T, torch.eye(VALUES), atol=1e-5)
