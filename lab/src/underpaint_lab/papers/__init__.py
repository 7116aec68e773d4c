"""Networks, losses and recipes of each paper, one package each; papers do not import each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from underpaint_lab.papers.basn import exact as basn_exact
from underpaint_lab.papers.basn import published as basn
from underpaint_lab.papers.classifiers import models as classifiers
from underpaint_lab.papers.dmvjnd import ours as dmvjnd_ours
from underpaint_lab.papers.dmvjnd import published as dmvjnd
from underpaint_lab.papers.miais import baselines as miais_baselines
from underpaint_lab.papers.miais import ours as miais_ours
from underpaint_lab.papers.miais import published as miais
from underpaint_lab.papers.pixinpix import baselines as pixinpix_baselines
from underpaint_lab.papers.pixinpix import models as pixinpix
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
    *(pixinpix_baselines, basn, basn_exact, classifiers, dmvjnd, dmvjnd_ours, miais, miais_ours, miais_baselines),
    *(pixinpix, robust, robust_ours, steganalysis),
)
#: Every recipe by name.
RECIPES: dict[str, RecipeEntry] = {name: entry for paper in _PAPERS for name, entry in paper.RECIPES.items()}


def trained(name: str, run: Path) -> Any:
    """Load the model of a finished run, in evaluation mode.

    Args:
        name: the recipe's name, a key of :data:`RECIPES`.
        run: the run's folder.

    Raises:
        ModelError: there is no such run, it has no checkpoint, or its checkpoint is of another recipe.
    """
    entry, settings = RECIPES[name], folder.read_record(run)["recipe"]
    model: Any = entry.model(with_settings(entry.recipe, as_settings(settings)))
    folder.restore(model, run)
    return model
