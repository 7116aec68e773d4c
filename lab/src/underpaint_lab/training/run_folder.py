"""The folder of a training run: what it was told, what it said on its way, and where it stands.

::

    run/recipe.json    what is trained on what: a run is only ever continued with the same
        log.jsonl      each line the mean of every loss over the steps since the line before
        checkpoint.pt  where it stands: plain tensors and numbers, read without the power to execute anything
"""

from __future__ import annotations

import io
import json
import os
import platform
import zipfile
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypedDict

import torch

from underpaint.errors import ModelError, UsageError
from underpaint.media import write_bytes
from underpaint_lab.provenance import commit

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from underpaint_lab.data.photographs import Photographs
    from underpaint_lab.training.recipe import Recipe

RECIPE, LOG, CHECKPOINT = "recipe.json", "log.jsonl", "checkpoint.pt"
#: Lines of the log of a whole run, at least, if it has as many steps.
_LINES = 100
#: Steps that a line tells of, at most.
_LONGEST_WINDOW = 50


class State(TypedDict):
    """What a checkpoint holds."""

    #: Steps done.
    step: int
    #: Spent on them.
    seconds: float
    weights: dict[str, Tensor]
    #: The running mean of the weights; None if the recipe wants none.
    mean: dict[str, Tensor] | None
    #: Adam's state, by part.
    optimisers: dict[str, dict[str, Any]]
    #: Sums of the losses that no line of the log tells of yet, and of how many steps.
    sums: dict[str, Tensor]
    counts: dict[str, int]


def begin(run: Path, model: nn.Module, recipe: Recipe, photographs: Photographs, processes: int, device: str) -> None:
    """Make the folder *run* and write down what is about to be trained; where training has begun, see that it is that.

    Raises:
        UsageError: *run* is of another model, recipe, data or number of processes.
        ModelError: its record is damaged.
    """
    data = {"name": photographs.name, "pictures": len(photographs), "sha256": photographs.sha256}
    settings = json.loads(json.dumps(asdict(recipe)))  # as they will be read: tuples become lists
    record = {"model": type(model).__name__, "recipe": settings, "data": data, "processes": processes}
    if not (run / CHECKPOINT).exists():
        run.mkdir(parents=True, exist_ok=True)
        record |= {"commit": commit(), "device": device}
        write_bytes(json.dumps(record, indent=1, ensure_ascii=False).encode() + b"\n", run / RECIPE)
        return
    before = _flat(read_record(run))
    former = getattr(model, "former_name", None)  # of a class that was renamed: runs begun before go on
    for name, value in _flat(record).items():
        if name == "model" and former and before.get(name) == former:
            continue
        if name != "data.name" and before.get(name) != value:
            reason = f"{run} was begun with {name.removeprefix('recipe.')} {before.get(name)}, not {value}"
            raise UsageError(reason, hint="go on as it was begun, or name another folder for the run")


def read_record(run: Path) -> dict[str, Any]:
    """Return what :func:`begin` wrote.

    Raises:
        ModelError: it is missing or damaged.
    """
    try:
        record = json.loads((run / RECIPE).read_text(encoding="utf-8"))
        if not {"model", "recipe", "data", "processes", "commit", "device"} <= record.keys():
            raise ValueError
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{run / RECIPE} is missing or damaged", hint="name another folder for the run") from error
    return dict(record)


def write_state(run: Path, state: State) -> None:
    """Replace the checkpoint, wholly or not at all."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    write_bytes(buffer.getvalue(), run / CHECKPOINT)


def read_state(run: Path) -> State | None:
    """Return the checkpoint's content, on the CPU; None if there is no checkpoint.

    Raises:
        ModelError: it is damaged.
    """
    if not (run / CHECKPOINT).exists():
        return None
    try:
        with zipfile.ZipFile(run / CHECKPOINT) as archive:  # which PyTorch reads without looking at its checksums
            if archive.testzip():
                raise ValueError
        state: State = torch.load(run / CHECKPOINT, map_location="cpu", weights_only=True)
        if state.keys() != State.__annotations__.keys():
            raise ValueError
    except Exception as error:  # on damaged files PyTorch raises nearly anything
        hint = "delete it to begin again, or name another folder for the run"
        raise ModelError(f"the checkpoint {run / CHECKPOINT} is damaged", hint=hint) from error
    return state


def restore(model: nn.Module, run: Path) -> None:
    """Give *model* the weights of the run: their running mean, if the recipe asked for one. It comes to evaluate.

    Raises:
        ModelError: there is no checkpoint, or it is damaged or of another network.
    """
    state = _begun(run)
    load_weights(model, state["mean"] or state["weights"], run)
    model.eval()


def load_weights(model: nn.Module, weights: dict[str, Tensor], run: Path) -> None:
    """Load *weights* of *run* into *model*: all of them, and no others.

    Raises:
        ModelError: names or shapes differ.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelError(f"the checkpoint in {run} is of another network", hint=str(error).splitlines()[-1]) from error


def learned(run: Path, part: str) -> dict[str, Tensor]:
    """Return what *part* of the model has learned in *run*, under the names that it has in that part.

    Raises:
        ModelError: there is no checkpoint, or it is damaged or has no such part.
    """
    state = _begun(run)
    weights, prefix = state["mean"] or state["weights"], f"{part}."
    found = {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}
    if not found:
        raise ModelError(f"the checkpoint in {run} has no part '{part}'")
    return found


def provenance(run: Path) -> dict[str, Any]:
    """Return what a card has to say of the training: ``training_data``, ``recipe``, ``commit``, ``seed``, … ``device``.

    Raises:
        ModelError: the run's record or checkpoint is missing or damaged.
    """
    record, state = read_record(run), _begun(run)
    data, settings = record["data"], record["recipe"]
    written = [f"{key}={','.join(map(str, v)) if isinstance(v, list) else v}" for key, v in settings.items()]
    stopped = "" if state["step"] == settings["steps"] else f", stopped after {state['step']} steps"
    return {
        "training_data": f"{data['name']}, {data['pictures']} pictures, SHA-256 of their pixels {data['sha256']}",
        "recipe": f"{record['model']} {' '.join(written)}{stopped}",
        "commit": record["commit"],
        "seed": settings["seed"],
        "hours": round(state["seconds"] / 3600, 3),
        "device": record["device"],
    }


class Log:
    """The means of the losses, a line for every window of steps.

    Values stay on their device until a line is due, so that a GPU need not be waited for.

    Args:
        run: the run's folder.
        steps: of the whole run; a window is a hundredth of it, at least 1 and at most 50 steps.
        state: the checkpoint to go on from; what the log says beyond it is taken back.
        silent: write nothing.
    """

    def __init__(self, run: Path, steps: int, state: State | None, *, silent: bool) -> None:
        self._file, self._silent, self._steps = run / LOG, silent, steps
        self._window = min(max(1, steps // _LINES), _LONGEST_WINDOW)
        self.sums: dict[str, Tensor] = state["sums"] if state else {}
        self.counts: dict[str, int] = state["counts"] if state else {}
        if not silent:
            done = state["step"] if state else 0
            lines = self._file.read_text(encoding="utf-8").splitlines(keepends=True) if self._file.exists() else []
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= done]
            write_bytes("".join(kept).encode(), self._file)

    def add(self, part: str, losses: dict[str, Tensor]) -> None:
        """Note the losses of one part in one step."""
        for name, loss in losses.items():
            key = f"{part}.{name}"
            value = loss.detach().float()
            self.sums[key] = self.sums[key].to(value.device) + value if key in self.sums else value
            self.counts[key] = self.counts.get(key, 0) + 1

    def due(self, step: int) -> bool:
        """Whether a line is due after *step* steps."""
        return step % self._window == 0 or step == self._steps

    def flush(self, step: int, seconds: float, rate: float) -> dict[str, float]:
        """Write the line that is due after *step* steps, and return its losses."""
        sums = torch.stack(list(self.sums.values())).tolist() if self.sums else []
        losses = {key: total / count for (key, count), total in zip(self.counts.items(), sums, strict=True)}
        self.sums, self.counts = {}, {}
        if not self._silent:
            line = {"step": step, "seconds": round(seconds, 3), "learning_rate": rate, "losses": losses}
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        return losses


def device_name(device: torch.device, processes: int) -> str:
    """Return what *processes* of a kind of *device* are, for a card."""
    cpu = f"{platform.machine()}, {os.cpu_count()} cores"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu
    return name if processes == 1 else f"{processes} × {name}"


def _begun(run: Path) -> State:
    """Return the checkpoint's content. Raises ModelError: there is none, or it is damaged."""
    state = read_state(run)
    if state is None:
        raise ModelError(f"there is no checkpoint in {run}", hint="underpaint train writes it")
    return state


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """Return *record* with the keys of inner dicts as ``outer.inner``."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        found |= {f"{key}.{inner}": v for inner, v in value.items()} if isinstance(value, dict) else {key: value}
    return found
