"""Release of models: a finished run becomes graphs and a card in a zoo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from underpaint.errors import UsageError
from underpaint_lab.export.onnx import export
from underpaint_lab.papers.basn import release as basn
from underpaint_lab.papers.classifiers import release as classifiers
from underpaint_lab.papers.dmvjnd import release as dmvjnd
from underpaint_lab.papers.miais import release as miais
from underpaint_lab.papers.pixinpix import release as pixinpix
from underpaint_lab.papers.robust import release as robust
from underpaint_lab.papers.steganalysis import release as steganalysis

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from underpaint import models
    from underpaint_lab.export.onnx import Graph

#: Models of one run, by their names in the zoo: each takes it and measured numbers and returns graphs and card.
MODELS: dict[str, Callable[[Path, dict[str, float]], tuple[dict[str, Graph], models.Card]]] = {
    **basn.MODELS,
    **dmvjnd.MODELS,
    **miais.MODELS,
    **pixinpix.MODELS,
    **robust.MODELS,
    **steganalysis.MODELS,
}
#: Models that take a second run, or labelled pictures that accuracy is measured on.
WITH_DATA: dict[str, Callable[[Path, Path], tuple[dict[str, Graph], models.Card]]] = {
    **basn.PAIRS,
    **classifiers.MODELS,
}


def release(
    name: str, run: Path, target: Path, measured: dict[str, float] | None = None, data: Path | None = None
) -> float:
    """Export a *run* to the folder *target*, and return the largest difference between the two runtimes.

    Args:
        name: a key of :data:`MODELS` or :data:`WITH_DATA`.
        run: the run's folder.
        target: the model's folder; what is there is replaced.
        measured: numbers for the card, by name.
        data: the second run, or labelled pictures, of those in :data:`WITH_DATA`.

    Raises:
        UsageError: no such model, or *data* is missing or not wanted.
        ModelError: *run* has no checkpoint of this network, or a graph does not compute what its network does.
    """
    if name not in MODELS and name not in WITH_DATA:
        raise UsageError(f"no model is called '{name}'", hint=f"there are {', '.join((*MODELS, *WITH_DATA))}")
    if (data is None) == (name in WITH_DATA):
        raise UsageError(f"{name} takes {'--data' if data is None else 'no --data'}")
    graphs, card = MODELS[name](run, measured or {}) if data is None else WITH_DATA[name](run, data)
    return export(graphs, target, card)
