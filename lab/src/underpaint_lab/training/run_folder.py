"""The folder of a training run: its settings, its log and its checkpoint.

::

    run/recipe.json    model, recipe and training data; a run can only be resumed with the same
        log.jsonl      one line per window of steps: the mean of each loss since the line before
        checkpoint.pt  weights and optimiser state: tensors and numbers only, loaded without executing anything
"""

from __future__ import annotations

import io
import json
import os
import platform
import zipfile
from dataclasses import MISSING, asdict, fields
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
#: Lines in the log of a whole run, unless it has fewer steps.
MIN_LOG_LINES = 100
#: Steps summarised by one line of the log, at most.
MAX_STEPS_PER_LINE = 50


class State(TypedDict):
    """Content of a checkpoint."""

    #: Steps done.
    step: int
    #: Seconds spent on them.
    seconds: float
    weights: dict[str, Tensor]
    #: Running mean of the weights; None if the recipe keeps none.
    mean: dict[str, Tensor] | None
    #: State of Adam, by part.
    optimisers: dict[str, dict[str, Any]]
    #: Sums of the losses since the last line of the log, and the number of steps in each.
    sums: dict[str, Tensor]
    counts: dict[str, int]


class Earlier(TypedDict):
    """Training that went into the weights a run began with."""

    #: Steps of all earlier runs together.
    steps: int
    #: Hours spent on them.
    hours: float


def begin(
    run: Path,
    model: nn.Module,
    recipe: Recipe,
    photographs: Photographs,
    *,
    processes: int,
    device: str,
    earlier: Earlier | None = None,
) -> None:
    """Create the folder *run* and its record; if training has begun there, check that it is the same.

    A setting that the record of an older version lacks counts as its default.

    Args:
        run: the folder.
        model: whose class is recorded.
        recipe: the settings.
        photographs: the training data, recorded by name, number and SHA-256.
        processes: number of processes that share a batch.
        device: name of the device, for the model card.
        earlier: training before this run, as :func:`start_from` returns it.

    Raises:
        UsageError: *run* was begun with another model, recipe, data or number of processes.
        ModelError: its record is damaged.
    """
    data = {"name": photographs.name, "pictures": len(photographs), "sha256": photographs.sha256}
    settings = json.loads(json.dumps(asdict(recipe)))  # as they will be read: tuples become lists
    record = {"model": type(model).__name__, "recipe": settings, "data": data, "processes": processes}
    if not (run / CHECKPOINT).exists():
        run.mkdir(parents=True, exist_ok=True)
        record |= {"commit": commit(), "device": device} | ({"earlier": earlier} if earlier else {})
        write_bytes(json.dumps(record, indent=1, ensure_ascii=False).encode() + b"\n", run / RECIPE)
        return
    defaults = {field.name: field.default for field in fields(recipe) if field.default is not MISSING}
    before = _flat({"recipe": json.loads(json.dumps(defaults))}) | _flat(read_record(run))
    former = getattr(model, "former_name", None)  # of a class that was renamed: its earlier runs resume
    for name, value in _flat(record).items():
        if name == "model" and former and before.get(name) == former:
            continue
        if name != "data.name" and before.get(name) != value:
            reason = f"{run} was begun with {name.removeprefix('recipe.')} {before.get(name)}, not {value}"
            raise UsageError(reason, hint="resume it with the same settings, or name another folder for the run")


def read_record(run: Path) -> dict[str, Any]:
    """Return the record that :func:`begin` wrote.

    Raises:
        ModelError: it is missing or damaged.
    """
    try:
        record = json.loads((run / RECIPE).read_text(encoding="utf-8"))
        if not {"model", "recipe", "data", "processes", "commit", "device"} <= record.keys():
            raise ValueError
        if "before" in record["recipe"]:  # the name of this field in runs of older versions
            record["recipe"]["start"] = record["recipe"].pop("before")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ModelError(f"{run / RECIPE} is missing or damaged", hint="name another folder for the run") from error
    return dict(record)


def write_state(run: Path, state: State) -> None:
    """Replace the checkpoint atomically."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    write_bytes(buffer.getvalue(), run / CHECKPOINT)


def read_state(run: Path) -> State | None:
    """Return the content of the checkpoint, on the CPU; None if there is no checkpoint.

    Raises:
        ModelError: it is damaged.
    """
    file = run / CHECKPOINT
    return _load(file, "delete it to begin again, or name another folder for the run") if file.exists() else None


def read_existing_state(run: Path) -> State:
    """Return the content of the checkpoint, on the CPU.

    Raises:
        ModelError: there is no checkpoint, or it is damaged.
    """
    state = read_state(run)
    if state is None:
        raise ModelError(f"there is no checkpoint in {run}", hint="underpaint-lab train writes it")
    return state


def restore(model: nn.Module, run: Path) -> None:
    """Load the trained weights of *run* into *model* (their running mean if there is one) and set evaluation mode.

    Raises:
        ModelError: there is no checkpoint, or it is damaged or of another network.
    """
    state = read_existing_state(run)
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


def start_from(model: nn.Module, source: Path) -> Earlier:
    """Load the weights that an earlier run learned into *model*, which a new run trains further.

    Optimiser state and schedule are not taken over. Long trainings can thus be cut into several runs.

    Args:
        model: a network of the same kind and size.
        source: folder of the earlier run, or its checkpoint file.

    Returns:
        The training behind these weights, that of runs before *source* included.

    Raises:
        ModelError: there is no checkpoint, or it is damaged or of another network.
    """
    file = source / CHECKPOINT if source.is_dir() else source
    if not file.is_file():
        raise ModelError(
            f"cannot start from {source}: there is no checkpoint", hint=f"name the folder of a run, or its {CHECKPOINT}"
        )
    state = _load(file, "name the checkpoint of another run")
    try:
        model.load_state_dict(state["mean"] or state["weights"])
    except RuntimeError as error:
        hint = "take a run of the same recipe whose network has the same settings"
        raise ModelError(f"cannot start from {source}: it is of another network", hint=hint) from error
    before = read_record(file.parent).get("earlier") if (file.parent / RECIPE).exists() else None
    steps, hours = (before["steps"], before["hours"]) if before else (0, 0.0)
    return {"steps": steps + state["step"], "hours": hours + state["seconds"] / 3600}


def learned(run: Path, part: str) -> dict[str, Tensor]:
    """Return the trained weights of *part* of the model in *run*, by their names within that part.

    Raises:
        ModelError: there is no checkpoint, or it is damaged or has no such part.
    """
    state = read_existing_state(run)
    weights, prefix = state["mean"] or state["weights"], f"{part}."
    found = {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}
    if not found:
        raise ModelError(f"the checkpoint in {run} has no part '{part}'")
    return found


def provenance(run: Path) -> dict[str, Any]:
    """Return the fields of a model card that describe the training.

    These are ``training_data``, ``recipe``, ``commit``, ``seed``, ``hours`` (of earlier runs too) and ``device``.

    Raises:
        ModelError: the record or the checkpoint of the run is missing or damaged.
    """
    record, state = read_record(run), read_existing_state(run)
    data, settings, earlier = record["data"], record["recipe"], record.get("earlier")
    written = [
        f"{key}={','.join(map(str, value)) if isinstance(value, list) else value}"
        for key, value in settings.items()
        if key != "start" or value
    ]
    history = f", after {earlier['steps']} steps of earlier runs" if earlier else ""
    stopped = "" if state["step"] == settings["steps"] else f", stopped after {state['step']} steps"
    return {
        "training_data": f"{data['name']}, {data['pictures']} pictures, SHA-256 of their pixels {data['sha256']}",
        "recipe": f"{record['model']} {' '.join(written)}{history}{stopped}",
        "commit": record["commit"],
        "seed": settings["seed"],
        "hours": round(state["seconds"] / 3600 + (earlier["hours"] if earlier else 0), 3),
        "device": record["device"],
    }


class Log:
    """The log of a run: mean losses, one line per window of steps.

    Losses stay on their device until a line is due, so that no step waits for the GPU.

    Args:
        run: the run's folder.
        steps: of the whole run; a window is a hundredth of it, at least 1 and at most 50 steps.
        state: the checkpoint that is resumed; lines of later steps are deleted.
        silent: write nothing.
    """

    def __init__(self, run: Path, steps: int, state: State | None, *, silent: bool) -> None:
        self._file, self._silent, self._steps = run / LOG, silent, steps
        self._window = min(max(1, steps // MIN_LOG_LINES), MAX_STEPS_PER_LINE)
        self.sums: dict[str, Tensor] = state["sums"] if state else {}
        self.counts: dict[str, int] = state["counts"] if state else {}
        if not silent:
            done = state["step"] if state else 0
            lines = self._file.read_text(encoding="utf-8").splitlines(keepends=True) if self._file.exists() else []
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= done]
            write_bytes("".join(kept).encode(), self._file)

    def add(self, part: str, losses: dict[str, Tensor]) -> None:
        """Add the losses of one part in one step."""
        for name, loss in losses.items():
            key = f"{part}.{name}"
            value = loss.detach().float()
            self.sums[key] = self.sums[key].to(value.device) + value if key in self.sums else value
            self.counts[key] = self.counts.get(key, 0) + 1

    def due(self, step: int) -> bool:
        """Return True if a line is due after *step* steps."""
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
    """Return a name for *processes* devices of the kind of *device*, for the model card."""
    cpu = f"{platform.machine()}, {os.cpu_count()} cores"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu
    return name if processes == 1 else f"{processes} × {name}"


def _load(file: Path, hint: str) -> State:
    """Return the content of a checkpoint. Raises ModelError with *hint* if it is damaged."""
    try:
        with zipfile.ZipFile(file) as archive:  # PyTorch reads it without verifying its checksums
            if archive.testzip():
                raise ValueError
        state: State = torch.load(file, map_location="cpu", weights_only=True)
        if state.keys() != State.__annotations__.keys():
            raise ValueError
    except Exception as error:  # on damaged files PyTorch raises nearly anything
        raise ModelError(f"the checkpoint {file} is damaged", hint=hint) from error
    return state


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """Return *record* with the keys of inner dicts as ``outer.inner``."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        found |= {f"{key}.{inner}": v for inner, v in value.items()} if isinstance(value, dict) else {key: value}
    return found
