"""Every paper's networks, losses and recipes, one module each; they do not know of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from underpaint_lab.papers.basn import exact as basn_exact
from underpaint_lab.papers.basn import published as basn
from underpaint_lab.papers.classifiers import models as classifiers
from underpaint_lab.papers.dmvjnd import models as dmvjnd
from underpaint_lab.papers.miais import ours as miais_ours
from underpaint_lab.papers.miais import published as miais
from underpaint_lab.papers.miais import rivals as miais_rivals
from underpaint_lab.papers.pixinpix import models as pixinpix
from underpaint_lab.papers.pixinpix import rivals as pixinpix_rivals
from underpaint_lab.papers.robust import ours as robust_ours
from underpaint_lab.papers.robust import published as robust
from underpaint_lab.papers.steganalysis import models as steganalysis
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.recipe import as_settings, with_settings
from underpaint_lab.training.trainable import RecipeEntry

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RECIPES", "RecipeEntry", "trained"]

_PAPERS = (
    *(pixinpix_rivals, basn, basn_exact, classifiers, dmvjnd, miais, miais_ours, miais_rivals),
    *(pixinpix, robust, robust_ours, steganalysis),
)
#: Every recipe by name: each paper's, and ours.
RECIPES: dict[str, RecipeEntry] = {name: entry for paper in _PAPERS for name, entry in paper.RECIPES.items()}


def trained(name: str, run: Path) -> Any:
    """Return the model of a *run* of the recipe *name*, with what it learned, set to evaluate.

    Raises:
        ModelError: there is no such run, it has no checkpoint, or that is of another recipe.
    """
    entry, settings = RECIPES[name], folder.read_record(run)["recipe"]
    model: Any = entry.model(with_settings(entry.recipe, as_settings(settings)))
    folder.restore(model, run)
    return model
