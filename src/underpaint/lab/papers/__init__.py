"""Every paper's networks, losses and recipes, one module each; they do not know of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from underpaint.lab import run as folder
from underpaint.lab.model import Entry
from underpaint.lab.papers import (
    baselines,
    basn,
    basn_exact,
    classifier,
    dmvjnd,
    miais,
    miais_ours,
    miais_rivals,
    pixinpix,
    robust,
    robust_ours,
    steganalysis,
)
from underpaint.lab.recipe import as_settings, with_settings

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RECIPES", "Entry", "trained"]

_PAPERS = (
    *(baselines, basn, basn_exact, classifier, dmvjnd, miais, miais_ours, miais_rivals),
    *(pixinpix, robust, robust_ours, steganalysis),
)
#: Every recipe by name: each paper's, and ours.
RECIPES: dict[str, Entry] = {name: entry for paper in _PAPERS for name, entry in paper.RECIPES.items()}


def trained(name: str, run: Path) -> Any:
    """Return the model of a *run* of the recipe *name*, with what it learned, set to evaluate.

    Raises:
        ModelError: there is no such run, it has no checkpoint, or that is of another recipe.
    """
    entry, settings = RECIPES[name], folder.read_record(run)["recipe"]
    model: Any = entry.model(with_settings(entry.recipe, as_settings(settings)))
    folder.restore(model, run)
    return model
