"""Release of models: export a finished run to a zoo, as ONNX graphs and a model card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from underpaint.errors import UsageError
from underpaint_lab.export.onnx import ReleaseWithData, export
from underpaint_lab.papers.basn import release as basn
from underpaint_lab.papers.classifiers import release as classifiers
from underpaint_lab.papers.dmvjnd import release as dmvjnd
from underpaint_lab.papers.miais import release as miais
from underpaint_lab.papers.pixinpix import release as pixinpix
from underpaint_lab.papers.robust import release as robust
from underpaint_lab.papers.steganalysis import release as steganalysis

if TYPE_CHECKING:
    from pathlib import Path

    from underpaint_lab.export.onnx import Release

#: Every model that can be released, by its name in the zoo.
MODELS: dict[str, Release | ReleaseWithData] = {
    **basn.MODELS,
    **classifiers.MODELS,
    **dmvjnd.MODELS,
    **miais.MODELS,
    **pixinpix.MODELS,
    **robust.MODELS,
    **steganalysis.MODELS,
}


def release(
    name: str, run: Path, target: Path, measured: dict[str, float] | None = None, data: Path | None = None
) -> float:
    """Export a run to a model's folder.

    Args:
        name: a key of :data:`MODELS`.
        run: the run's folder.
        target: the model's folder; its graphs and card are replaced.
        measured: numbers for the card, by name; classifiers and ``basn-published`` take none.
        data: for classifiers labelled pictures, for ``basn-published`` the run of the MFD network; else None.

    Returns:
        The largest difference between PyTorch and ONNX Runtime, in the units of
        :data:`~underpaint_lab.export.onnx.PARITY`.

    Raises:
        UsageError: no such model, *data* is missing or not wanted, or *measured* is not wanted.
        ModelError: *run* has no checkpoint of this network, or a graph does not compute the same as its network.
    """
    if name not in MODELS:
        raise UsageError(f"no model is called '{name}'", hint=f"there are {', '.join(MODELS)}")
    model = MODELS[name]
    if isinstance(model, ReleaseWithData):
        if data is None:
            raise UsageError(f"{name} takes --data")
        if measured:
            raise UsageError(f"{name} takes no --measured", hint="its card has only what the release itself measures")
        graphs, card = model.build(run, data)
    else:
        if data is not None:
            raise UsageError(f"{name} takes no --data")
        graphs, card = model.build(run, measured or {})
    return export(graphs, target, card)
