"""A plain classifier trained on obfuscated faces, one for each method of :mod:`.obfuscations` (MIAIS, table V)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from underpaint.errors import UsageError
from underpaint_lab.papers.miais.obfuscations import OBFUSCATIONS, obfuscate
from underpaint_lab.papers.miais.teacher import Teacher, TeacherRecipe

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class ObfuscatedTeacherRecipe(TeacherRecipe):
    """Settings of a plain classifier of obfuscated secrets.

    Raises:
        UsageError: a value is out of range.
    """

    #: Obfuscation, a key of :data:`~underpaint_lab.papers.miais.obfuscations.OBFUSCATIONS`; empty for none.
    way: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.way not in ("", *OBFUSCATIONS):
            raise UsageError(f"no obfuscation is called '{self.way}'", hint=f"there are {', '.join(OBFUSCATIONS)}")


class ObfuscatedTeacher(Teacher):
    """A plain classifier that learns from obfuscated secrets."""

    former_name: ClassVar[str] = "Obscured"

    recipe: ObfuscatedTeacherRecipe

    def __init__(self, recipe: ObfuscatedTeacherRecipe) -> None:
        super().__init__(recipe)

    def shown(self, secrets: Tensor, rng: np.random.Generator) -> Tensor:
        """Augment *secrets*, then obfuscate them."""
        return self.obscured(super().shown(secrets, rng), rng)

    def obscured(self, secrets: Tensor, rng: np.random.Generator) -> Tensor:
        """Obfuscate *secrets*, ``(B, 3, H, W)`` in [0, 1], in 8 bits; *rng* draws the keys."""
        if not self.recipe.way:
            return secrets
        pictures = (255 * secrets.cpu()).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        hidden = np.stack(obfuscate(self.recipe.way, pictures, rng))
        return torch.from_numpy(hidden).permute(0, 3, 1, 2).to(secrets) / 255
