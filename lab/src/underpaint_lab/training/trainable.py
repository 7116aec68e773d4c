"""What a paper owes the training loop: models that yield their losses, and an entry for each recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    from torch import Tensor

    from underpaint_lab.training.recipe import Recipe


class Trainable(Protocol):
    """A ``torch.nn.Module`` that knows its losses.

    Its parts are its direct submodules; each that has parameters gets an Adam of its own.
    """

    @property
    def recipe(self) -> Recipe:
        """What it is trained by."""

    def losses(self, images: Tensor, step: int, rng: np.random.Generator) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield, one after the other, the name of a part and what it is trained by in this step.

        Between two yields the part takes its optimiser step, so that the next loss is computed with its new weights.

        Args:
            images: ``float32 (B, 3, H, W)`` in [0, 1].
            step: counts from 0.
            rng: for all that is random, as is PyTorch's global generator: both start anew at every step, so that a
                run that is resumed draws what it would have drawn.

        Yields:
            The part's name, and its losses by name, weighted: their sum is what is minimised.
        """


@dataclass(frozen=True)
class RecipeEntry:
    """One thing that ``underpaint train`` can train."""

    #: Makes the model of a recipe of the same class as :attr:`recipe`.
    build: Callable[[Any], Trainable]
    #: What it is trained by unless settings change it.
    recipe: Recipe
    #: One line, for listings.
    summary: str
    #: Reads what it is trained on from where ``--data`` says; None for photographs, of which a tenth is held out.
    read: Callable[[Path], Any] | None = None
    #: Gives a new model what earlier runs learned; a run that goes on has it.
    inherit: Callable[[Any], None] | None = None

    def model(self, recipe: Recipe) -> Trainable:
        """Return a new model, whose first weights follow from the recipe's seed."""
        torch.manual_seed(recipe.seed)
        return self.build(recipe)


def channels_last(network: torch.nn.Module) -> torch.nn.Module:
    """Return *network*, its convolutions with the numbers in memory as a processor takes them: a third faster there."""
    for weight in network.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return network
