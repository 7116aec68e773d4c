"""The training loop, the same for every paper: a model yields its losses, the loop takes the optimiser steps.

All random numbers of a step follow from the recipe's seed, the step and the rank of the process. On the CPU a run that
was interrupted and resumed therefore ends with exactly the weights of an uninterrupted one; on a GPU only as far as its
kernels are deterministic.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from multiprocessing import active_children
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import nn

from underpaint.errors import ModelError, UnderpaintError, UsageError
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.run_folder import restore
from underpaint_lab.training.trainable import guard_narrow_convolutions

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from rich.progress import Progress
    from torch import Tensor

    from underpaint_lab.data.photographs import Photographs
    from underpaint_lab.training.recipe import Recipe
    from underpaint_lab.training.trainable import Trainable

__all__ = ["fit", "restore"]

#: Seconds between two checkpoints.
CHECKPOINT_SECONDS = 120.0
#: Batches that threads prepare while the network computes.
BATCHES_AHEAD = 4

Item = TypeVar("Item")


def fit(
    model: Trainable,
    photographs: Photographs,
    run: Path,
    *,
    accelerator: str = "auto",
    devices: int = 1,
    progress: bool = True,
) -> Path:
    """Train *model* by its recipe, or resume an interrupted run; a finished run is left unchanged.

    A new run begins with the weights of ``recipe.start``, if the recipe names a run there, otherwise with those that
    *model* has. A checkpoint is written every two minutes, at the end and on Ctrl-C. On return *model* is on the CPU,
    in evaluation mode, and has the trained weights (their running mean if the recipe keeps one).

    Args:
        model: a ``torch.nn.Module``; with several *devices* it must be picklable.
        photographs: the training data.
        run: folder of the run, created if missing; :mod:`underpaint_lab.training.run_folder` lists its files.
        accelerator: ``cpu``, ``cuda`` … as in Lightning Fabric; ``auto`` takes the best one available.
        devices: number of GPUs, or of processes on the CPU. Each takes an equal share of every batch, and gradients
            are averaged.
        progress: show a progress bar on standard error if that is a terminal.

    Returns:
        The checkpoint file.

    Raises:
        UsageError: *run* was begun with another recipe, model or data, or is an unfinished run that was condensed;
            *devices* does not divide the batch, or there are not enough devices.
        ModelError: a checkpoint is missing, damaged or of another network.
        UnderpaintError: a weight became infinite or not a number; the last checkpoint is kept.
        KeyboardInterrupt: Ctrl-C, after the checkpoint was written.
    """
    recipe, module = model.recipe, guard_narrow_convolutions(cast("nn.Module", model))
    if devices < 1 or recipe.batch % devices:
        raise UsageError(f"a batch of {recipe.batch} cannot be shared by {devices}", hint="make it a multiple")
    strategy = _SpawnedProcesses(start_method="spawn") if devices > 1 else "auto"
    try:
        fabric = Fabric(accelerator=accelerator, strategy=strategy, devices=devices, precision=recipe.precision)
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise UsageError(f"no {devices} devices of the kind '{accelerator}'", hint=str(error)) from error
    new = bool(recipe.start) and not (run / folder.CHECKPOINT).exists()
    earlier = folder.start_from(module, Path(recipe.start)) if new else None
    device = folder.device_name(fabric.device, devices)
    folder.begin(run, module, recipe, photographs, processes=devices, device=device, earlier=earlier)
    state = folder.read_state(run)
    if state is None or state["step"] < recipe.steps:
        if state and not state["optimisers"]:
            hint = f"begin a new run from its weights: --set start={run}"
            raise UsageError(f"{run} is a condensed run, which cannot be resumed", hint=hint)
        _launch(fabric, model, photographs, run, progress)
    restore(module.cpu(), run)
    return run / folder.CHECKPOINT


def _launch(fabric: Fabric, *arguments: Any) -> None:
    """Run :func:`_train` with these arguments in every process of *fabric*; raise the failure of any."""
    train: Callable[..., Any] = _train
    with _interrupts() as asked:
        try:
            failure: BaseException | None = fabric.launch(train, *arguments)
        except Exception:
            if asked.is_set():  # the signal reached a process before it could handle it
                raise KeyboardInterrupt from None
            raise
    if failure is not None:
        raise failure


class _SpawnedProcesses(DDPStrategy):
    """Several processes, without Lightning's announcements of each."""

    def setup_environment(self) -> None:
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        super().setup_environment()


def _train(
    fabric: Fabric, model: Trainable, photographs: Photographs, run: Path, progress: bool
) -> BaseException | None:
    """Train in one of the processes; return the exception that ended training early.

    All processes return after the same step: if one left alone, the others would wait for it for ever.
    """
    recipe = model.recipe
    training = _Training(fabric, model, run)
    batches = closing(_batches(photographs, recipe, training.step, fabric))
    saved = time.monotonic()
    with _interrupts() as asked, batches as images, _shown(progress and fabric.is_global_zero) as bar:
        task = bar.add_task("training", total=recipe.steps, completed=training.step, losses="")
        for batch in images:
            training.advance(batch.to(fabric.device))
            late, stop = _any(fabric, time.monotonic() - saved > CHECKPOINT_SECONDS, asked.is_set())
            last, logged = training.step == recipe.steps, training.log.due(training.step)
            if (late or stop or last or logged) and (broken := training.broken()):
                hint = "name another folder for the run, and lower learning_rate, or set clip"
                return UnderpaintError(f"{broken} is no longer a number after step {training.step}", hint=hint)
            if logged:
                losses = training.flush()
                bar.update(task, losses="  ".join(f"{name} {loss:.3g}" for name, loss in losses.items()))
            bar.advance(task)
            if late or stop or last:
                training.save()
                saved = time.monotonic()
            if stop and not last:
                return KeyboardInterrupt()
    return None


class _Training:
    """A model, its optimisers and the running mean of its weights, at some step.

    Gradients and statistics are averaged here and not by PyTorch's DistributedDataParallel, which expects one forward
    pass per backward pass; models whose parts are trained in turn have several.
    """

    def __init__(self, fabric: Fabric, model: Trainable, run: Path) -> None:
        self._fabric, self._model, self._run, self._recipe = fabric, model, run, model.recipe
        self._module = cast("nn.Module", model).to(fabric.device).train()
        trained = {
            name: [parameter for parameter in part.parameters() if parameter.requires_grad]
            for name, part in self._module.named_children()
        }
        self._parts = {name: parameters for name, parameters in trained.items() if parameters}
        self._optimisers = {name: torch.optim.Adam(parameters) for name, parameters in self._parts.items()}
        state = folder.read_state(run)
        self.step, self._before, self._start = 0, 0.0, time.monotonic()
        if state:
            self.step, self._before = state["step"], state["seconds"]
            folder.load_weights(self._module, state["weights"], run)
            try:
                for name, optimiser in self._optimisers.items():
                    optimiser.load_state_dict(state["optimisers"][name])
            except (KeyError, ValueError) as error:
                raise ModelError(f"the checkpoint in {run} is of another network") from error
        self._mean = {name: value.clone() for name, value in self._floats().items()} if self._recipe.ema else None
        if state and state["mean"] and self._mean:
            self._mean = {name: state["mean"][name].to(fabric.device) for name in self._mean}
        self.log = folder.Log(run, self._recipe.steps, state, silent=not fabric.is_global_zero)

    def advance(self, images: Tensor) -> None:
        """Take one optimiser step of every part."""
        seed = [self._recipe.seed, self.step, self._fabric.global_rank]
        # The last number makes PyTorch's random numbers independent of the model's own generator.
        torch.manual_seed(int(np.random.SeedSequence([*seed, 2]).generate_state(1)[0]))
        losses = self._model.losses(images, self.step, np.random.default_rng(seed))
        for name, parts in self._computed(losses):
            if name not in self._parts:
                raise ModelError(f"the model has no part '{name}' to train", hint=f"it has {', '.join(self._parts)}")
            self._descend(name, torch.stack(list(parts.values())).sum())
            self.log.add(name, parts)
        buffers = [buffer for buffer in self._module.buffers() if buffer.is_floating_point()]
        _average(self._fabric, buffers)
        if self._mean is not None:
            # A short mean at first, so that it soon forgets the initial weights.
            decay = min(self._recipe.ema, (self.step + 1) / (self.step + 10))
            for name, value in self._floats().items():
                self._mean[name].lerp_(value, 1 - decay)
        self.step += 1

    def _computed(self, losses: Iterator[Item]) -> Iterator[Item]:
        """Yield *losses*, computed in the recipe's precision; the optimiser step between them is in full precision."""
        while True:
            with self._fabric.autocast():
                found = next(losses, None)
            if found is None:
                return
            yield found

    def _descend(self, name: str, loss: Tensor) -> None:
        optimiser, parameters = self._optimisers[name], self._parts[name]
        optimiser.zero_grad()
        self._fabric.backward(loss)
        if self._fabric.world_size > 1:
            for parameter in parameters:  # all processes must average the same list
                parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            _average(self._fabric, [parameter.grad for parameter in parameters if parameter.grad is not None])
        if self._recipe.clip:
            nn.utils.clip_grad_norm_(parameters, self._recipe.clip)
        for group in optimiser.param_groups:
            group["lr"] = self._recipe.rate(self.step)
        optimiser.step()

    def broken(self) -> str | None:
        """Return the name of a weight that is infinite or not a number."""
        finite = {name: value.isfinite().all() for name, value in self._floats().items()}
        values = torch.stack(list(finite.values())).tolist()  # one transfer: each one waits for the GPU
        return next((name for name, whole in zip(finite, values, strict=True) if not whole), None)

    def flush(self) -> dict[str, float]:
        """Write a line of the log and return its losses."""
        return self.log.flush(self.step, self._seconds(), self._recipe.rate(self.step - 1))

    def save(self) -> None:
        """Write a checkpoint from the first process; the others have the same weights."""
        if self._fabric.is_global_zero:
            state: folder.State = {
                "step": self.step,
                "seconds": self._seconds(),
                "weights": self._module.state_dict(),
                "mean": None if self._mean is None else self._module.state_dict() | self._mean,
                "optimisers": {name: optimiser.state_dict() for name, optimiser in self._optimisers.items()},
                "sums": self.log.sums,
                "counts": self.log.counts,
            }
            folder.write_state(self._run, state)

    def _floats(self) -> dict[str, Tensor]:
        """Return weights and floating-point statistics by name."""
        return {name: value for name, value in self._module.state_dict().items() if value.is_floating_point()}

    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._start


def _average(fabric: Fabric, tensors: Sequence[Tensor]) -> None:
    """Replace each of *tensors* by its mean over all processes."""
    if fabric.world_size == 1 or not tensors:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])  # one message is faster than one per tensor
    fabric.all_reduce(flat, reduce_op="mean")  # in place
    for tensor, mean in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def _any(fabric: Fabric, *flags: bool) -> list[bool]:
    """Return for each flag whether it is set in any process."""
    if fabric.world_size == 1:
        return list(flags)
    shared = torch.tensor(flags, dtype=torch.float32, device=fabric.device)
    fabric.all_reduce(shared, reduce_op="sum")
    return [count > 0 for count in shared.tolist()]


def _batches(photographs: Photographs, recipe: Recipe, start: int, fabric: Fabric) -> Generator[Tensor]:
    """Yield this process's share of the batches from step *start* on; threads prepare them ahead of time."""
    rank, size = fabric.global_rank, recipe.batch // fabric.world_size

    def cut(step: int) -> Tensor:
        return photographs.batch(step, size=size, crop=recipe.crop, seed=recipe.seed, rank=rank)

    with ThreadPoolExecutor(BATCHES_AHEAD) as pool:
        waiting = deque(pool.submit(cut, step) for step in range(start, min(start + BATCHES_AHEAD, recipe.steps)))
        for step in range(start + BATCHES_AHEAD, recipe.steps + BATCHES_AHEAD):
            ready = waiting.popleft()
            if step < recipe.steps:
                waiting.append(pool.submit(cut, step))
            yield ready.result()


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Turn Ctrl-C into an event, here and in child processes, so that no step is interrupted halfway."""
    asked = threading.Event()

    def note(*_: object) -> None:
        asked.set()
        for child in active_children():
            if child.pid is not None:
                os.kill(child.pid, signal.SIGINT)

    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield asked
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _shown(visible: bool) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[losses]}")
    return Progress(*columns, console=console, transient=True, disable=not (visible and console.is_terminal))
