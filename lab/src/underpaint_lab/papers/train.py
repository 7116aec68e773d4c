"""Training by the name of a recipe: the command ``underpaint-lab train``."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from underpaint.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Default folder of runs.
RUNS = Path("runs")


def recipes() -> dict[str, str]:
    """Return a one-line summary of every recipe, by name.

    Raises:
        MissingExtraError: PyTorch or Lightning Fabric is not installed.
    """
    _need_torch()
    from underpaint_lab.papers import RECIPES

    return {name: entry.summary for name, entry in RECIPES.items()}


def train(
    name: str, data: Path, *, run: Path | None = None, settings: Iterable[str] = (), devices: int = 1
) -> tuple[Path, int]:
    """Train a recipe, or resume an interrupted run.

    Args:
        name: one of :func:`recipes`.
        data: folder or zip file of photographs, of which a tenth, chosen by hash, is held out; or the data that the
            recipe's summary names.
        run: the run's folder; by default ``runs/<name>``.
        settings: changes of the recipe, ``key=value`` each, as for
            :func:`~underpaint_lab.training.recipe.with_settings`.
        devices: number of GPUs or processes, as for :func:`~underpaint_lab.training.loop.fit`.

    Returns:
        The checkpoint's file, and the number of steps it was trained for.

    Raises:
        UsageError: no such recipe, a wrong setting, or a reason of :func:`~underpaint_lab.training.loop.fit`.
        MissingExtraError: PyTorch or Lightning Fabric is not installed.
        UnderpaintError: the data cannot be read, or training fails (see :func:`~underpaint_lab.training.loop.fit`).
    """
    _need_torch()
    from underpaint_lab.data.photographs import Photographs
    from underpaint_lab.papers import RECIPES
    from underpaint_lab.training.loop import fit
    from underpaint_lab.training.recipe import with_settings
    from underpaint_lab.training.run_folder import CHECKPOINT

    if name not in RECIPES:
        near = get_close_matches(name, RECIPES, 1)
        hint = f"did you mean '{near[0]}'?" if near else "'underpaint-lab train' lists them all"
        raise UsageError(f"no recipe is called '{name}'", hint=hint)
    entry, run = RECIPES[name], run or RUNS / name
    recipe = with_settings(entry.recipe, settings)
    photographs = entry.read(data) if entry.read else Photographs.open(data, split="train")
    model = entry.model(recipe)
    if entry.inherit and not recipe.start and not (run / CHECKPOINT).exists():
        entry.inherit(model)
    checkpoint = fit(model, photographs, run, devices=devices)
    return checkpoint, recipe.steps


def _need_torch() -> None:
    """Raise MissingExtraError unless PyTorch and Lightning Fabric are installed."""
    try:
        import lightning_fabric  # noqa: F401
        import torch  # noqa: F401
    except ImportError:
        hint = "from a checkout of the project: pip install . ./lab"
        raise MissingExtraError("training needs PyTorch and Lightning Fabric", hint=hint) from None
