"""Condensed runs: recipe, log and half-precision weights, small enough for the repository.

``--set start=FOLDER`` begins a new run with them; the state of the optimisers is not kept.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from underpaint.errors import ModelError
from underpaint_lab.training.run_folder import CHECKPOINT, LOG, RECIPE, read_state, write_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def condense(run: Path, target: Path) -> None:
    """Write recipe, log and weights of *run* to the folder *target*.

    Args:
        run: folder of a run, finished or not.
        target: folder, made if it is missing. Its checkpoint holds the running mean of the weights, or the weights if
            the recipe keeps none, as ``float16``.

    Raises:
        ModelError: *run* has no checkpoint, or it is damaged.
    """
    state = read_state(run)
    if state is None:
        raise ModelError(f"there is no checkpoint in {run}", hint="underpaint-lab train writes it")
    target.mkdir(parents=True, exist_ok=True)
    for name in (RECIPE, LOG):
        shutil.copyfile(run / name, target / name)
    weights = {name: _halved(value) for name, value in (state["mean"] or state["weights"]).items()}
    state |= {"weights": weights, "mean": None, "optimisers": {}, "sums": {}, "counts": {}}
    write_state(target, state)


def _halved(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value


def main(arguments: Sequence[str] | None = None) -> None:
    """Condense a run: recipe, log and half-precision weights."""
    parser = argparse.ArgumentParser(prog="underpaint-lab prepare weights", description=main.__doc__)
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("target", type=Path, help="folder to write")
    options = parser.parse_args(arguments)
    condense(options.run, options.target)
    size = (options.target / CHECKPOINT).stat().st_size
    print(f"wrote {options.target / CHECKPOINT}, {size:,} bytes")
