"""Every paper's networks, losses and recipes, one module each; they do not know of each other."""

from __future__ import annotations

from underpaint.lab.model import Entry
from underpaint.lab.papers import (
    baselines,
    basn,
    basn_exact,
    classifier,
    dmvjnd,
    miais,
    miais_ours,
    pixinpix,
    robust,
    robust_ours,
    steganalysis,
)

__all__ = ["RECIPES", "Entry"]

_PAPERS = (
    *(baselines, basn, basn_exact, classifier, dmvjnd, miais, miais_ours),
    *(pixinpix, robust, robust_ours, steganalysis),
)
#: Every recipe by name: each paper's, and ours.
RECIPES: dict[str, Entry] = {name: entry for paper in _PAPERS for name, entry in paper.RECIPES.items()}
