"""Every paper's networks, losses and recipes, one module each; they do not know of each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from underpaint.lab.model import Model
    from underpaint.lab.recipe import Recipe


@dataclass(frozen=True)
class Entry:
    """One thing that ``underpaint train`` can train."""

    #: Makes the model of a recipe of the same class as :attr:`recipe`.
    build: Callable[[Any], Model]
    #: What it is trained by unless settings change it.
    recipe: Recipe
    #: One line, for listings.
    summary: str

    def model(self, recipe: Recipe) -> Model:
        """Return a new model, whose first weights follow from the recipe's seed."""
        torch.manual_seed(recipe.seed)
        return self.build(recipe)


#: Every recipe by name: each paper's, and ours.
RECIPES: dict[str, Entry] = {}
