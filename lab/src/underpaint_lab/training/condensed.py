"""Condensed runs: recipe, log and half-precision weights, small enough for the repository.

``--set start=FOLDER`` begins a new run with them; the state of the optimisers is not kept, so a condensed run
itself cannot be resumed.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from underpaint.errors import UsageError
from underpaint_lab.training.run_folder import CHECKPOINT, LOG, RECIPE, read_existing_state, write_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def condense(run: Path, target: Path) -> None:
    """Write recipe, log and weights of *run* to the folder *target*.

    Args:
        run: folder of a run, finished or not.
        target: folder, made if it is missing. Its checkpoint holds the running mean of the weights, or the weights if
            the recipe keeps none, as ``float16``; tensors with values beyond its range stay ``float32``.

    Raises:
        ModelError: *run* has no checkpoint, or it is damaged.
        UsageError: *target* is *run*.
    """
    if run.resolve() == target.resolve():
        raise UsageError(f"{run} would be overwritten", hint="name another folder for the condensed run")
    state = read_existing_state(run)
    target.mkdir(parents=True, exist_ok=True)
    for name in (RECIPE, LOG):
        shutil.copyfile(run / name, target / name)
    weights = {name: _halved(value) for name, value in (state["mean"] or state["weights"]).items()}
    state |= {"weights": weights, "mean": None, "optimisers": {}, "sums": {}, "counts": {}}
    write_state(target, state)


def _halved(value: Tensor) -> Tensor:
    """Return *value* in half precision; unchanged if it holds no fractions or a finite number would become infinite."""
    if not value.is_floating_point():
        return value
    half = value.half()
    return half if torch.equal(half.isfinite(), value.isfinite()) else value


def main(arguments: Sequence[str] | None = None) -> None:
    """Condense a run: recipe, log and half-precision weights."""
    parser = argparse.ArgumentParser(prog="underpaint-lab prepare weights", description=main.__doc__)
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("target", type=Path, help="folder to write")
    options = parser.parse_args(arguments)
    condense(options.run, options.target)
    size = (options.target / CHECKPOINT).stat().st_size
    print(f"wrote {options.target / CHECKPOINT}, {size:,} bytes")
