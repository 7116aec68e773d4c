"""People recognised in pictures that hide what they show: a plain classifier for each way of :mod:`.obscured`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from underpaint.errors import UsageError
from underpaint_lab.papers.miais.obfuscations import OBFUSCATIONS, obfuscate
from underpaint_lab.papers.miais.teacher import Teacher, TeacherRecipe

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class ObfuscatedTeacherRecipe(TeacherRecipe):
    """How a plain classifier of obscured secrets is trained.

    Raises:
        UsageError: a value is out of range.
    """

    #: How they are obscured: a name in :data:`~underpaint_lab.papers.miais.obfuscations.OBSCURED`, or none at all.
    way: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.way not in ("", *OBFUSCATIONS):
            raise UsageError(f"there is no way '{self.way}' to obscure", hint=f"there are {', '.join(OBFUSCATIONS)}")


class ObfuscatedTeacher(Teacher):
    """A plain classifier that sees secrets only as its recipe obscures them."""

    recipe: ObfuscatedTeacherRecipe

    def __init__(self, recipe: ObfuscatedTeacherRecipe) -> None:
        super().__init__(recipe)

    def shown(self, secrets: Tensor, rng: np.random.Generator) -> Tensor:
        """What the network learns from: *secrets* as they might have been, obscured after that."""
        return self.obscured(super().shown(secrets, rng), rng)

    def obscured(self, secrets: Tensor, rng: np.random.Generator) -> Tensor:
        """*secrets*, ``(B, 3, H, W)`` in [0, 1], in 8 bits and as all that see them may; keys are drawn from *rng*."""
        if not self.recipe.way:
            return secrets
        pictures = (255 * secrets.cpu()).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        hidden = np.stack(obfuscate(self.recipe.way, pictures, rng))
        return torch.from_numpy(hidden).permute(0, 3, 1, 2).to(secrets) / 255
