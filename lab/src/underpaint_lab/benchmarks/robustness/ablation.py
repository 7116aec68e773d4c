"""Table ``robust-ablation``: the attack in training, table 1 of Zhang et al. trained again at a reduced scale.

::

    robust-ablation-start ─┬─► robust-ablation-none ──────► run folder ─► measure ─► results/robust-ablation/none.json
    (no attack)            ├─► robust-ablation-jpeg-mask ─► …
                           └─► …

``underpaint-lab evaluate ablation --data PHOTOGRAPHS --runs FOLDER`` trains and measures all columns; finished runs are
not repeated. Every column sees the same pictures, messages and number of steps; only the attack differs.

The paper compares networks at the distortion that each of them has reached. Here every column is measured as trained,
and with its change of the picture scaled, by one factor for all pictures, to each mean PSNR of :data:`EQUAL`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from underpaint.channels import parse
from underpaint.metrics import psnr, ssim
from underpaint_lab.benchmarks.core.result_file import RESULTS, ResultFile
from underpaint_lab.benchmarks.core.tensors import to_pictures, to_tensor
from underpaint_lab.benchmarks.robustness.grids import ABLATION_CHANNELS
from underpaint_lab.benchmarks.robustness.rows import ABLATION as TABLE
from underpaint_lab.benchmarks.robustness.rows import ChannelRow, Quality
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.papers.robust.published import ABLATION, RECIPES, RobustPublished, RobustPublishedRecipe
from underpaint_lab.provenance import Source
from underpaint_lab.training.loop import fit, restore
from underpaint_lab.training.run_folder import CHECKPOINT, provenance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from underpaint.types import Image

#: Mean PSNRs in dB at which columns are compared: the lowest is about that of such short trainings, at the highest
#: changes are invisible.
EQUAL = (24.0, 30.0, 36.0)
#: Crops of held-out photographs.
CROPS = 512
#: Largest deviation in dB from the wanted mean PSNR.
_TOLERANCE = 0.005


def train_start(photographs: Photographs, runs: Path) -> Path:
    """Train the common start of all columns, without an attack, and return its run folder.

    Raises:
        UsageError: *runs* has a run of another recipe or other data.
        ModelError: a checkpoint is damaged.
    """
    start = RECIPES["robust-ablation-start"]
    model = start.model(start.recipe)
    return fit(model, photographs, runs / "start", accelerator="cpu").parent


def train(attack: str, start: Path, photographs: Photographs, runs: Path) -> Path:
    """Train one column from the run *start* of :func:`train_start`, and return its run folder.

    Raises:
        UsageError: *runs* has a run of another recipe or other data.
        ModelError: a checkpoint is damaged.
    """
    entry = RECIPES[f"robust-ablation-{attack}"]
    column = entry.model(entry.recipe)
    # Not by the recipe's `start`: the column would count the hours of the start, which are listed by themselves.
    if not (runs / attack / CHECKPOINT).exists():
        restore(cast("RobustPublished", column), start)
    fit(column, photographs, runs / attack, accelerator="cpu")
    return runs / attack


def measure(attack: str, run: Path, photographs: Photographs, *, seed: int, command: str) -> ResultFile[ChannelRow]:
    """Count wrong bits of one trained column behind real channels.

    Args:
        attack: one of :data:`~underpaint_lab.papers.robust.published.ABLATION`.
        run: the run folder that :func:`train` returned.
        photographs: held out from training.
        seed: seed of crops and messages, which are the same for every column.
        command: command line to note in the provenance.

    Raises:
        ModelError: the run's checkpoint is missing or damaged.
    """
    entry = RECIPES[f"robust-ablation-{attack}"]
    model, recipe = cast("RobustPublished", entry.model(entry.recipe)), cast("RobustPublishedRecipe", entry.recipe)
    restore(model, run)
    covers = photographs.batch(0, size=CROPS, crop=recipe.crop, seed=seed)
    messages = np.random.default_rng([seed, 1]).integers(0, 2, (CROPS, recipe.bits), dtype=np.uint8)
    with torch.inference_mode():
        embedded = model.coder.encoder(covers, torch.from_numpy(messages).to(covers))
    originals, change = np.stack(to_pictures(covers)), (255 * (embedded - covers)).permute(0, 2, 3, 1).numpy()
    quality, rows = [], []
    for factor in (1.0, *(factor_for_psnr(originals, change, wanted) for wanted in EQUAL)):
        containers = scale_change(originals, change, factor)
        figures = np.array([(psnr(i, x), ssim(i, x)) for i, x in zip(originals, containers, strict=True)])
        name = round(float(figures[:, 0].mean()), 2)
        quality.append(Quality.of(name, recipe.bits, figures))
        for channel in ABLATION_CHANNELS:
            wrong = (_read(model, [parse(channel)(x) for x in containers]) != messages).sum(axis=1)
            exact, errors = int((wrong == 0).sum()), int(wrong.sum())
            rows.append(ChannelRow(channel, name, recipe.bits, len(containers), exact, errors=errors))
    training = (_training("start", run.parent / "start"), _training(attack, run))
    notes = {"training": training, "quality": tuple(quality), "skipped": ()}
    return ResultFile(TABLE, attack, _source(photographs, seed, command), tuple(rows), notes)


def scale_change(originals: NDArray[np.uint8], change: NDArray[np.float32], factor: float) -> NDArray[np.uint8]:
    """Return containers with *factor* times the change, in 8 bits."""
    return np.asarray(np.clip(np.rint(originals + factor * change), 0, 255), np.uint8)


def factor_for_psnr(originals: NDArray[np.uint8], change: NDArray[np.float32], wanted: float) -> float:
    """Return the factor of *change* that gives containers a mean PSNR of *wanted* dB, rounding included."""
    low, high = 0.0, 16.0
    while True:
        factor = (low + high) / 2
        containers = scale_change(originals, change, factor)
        mean = float(np.mean([psnr(i, x) for i, x in zip(originals, containers, strict=True)]))
        if abs(mean - wanted) < _TOLERANCE or high - low < 1e-6:
            return factor
        low, high = (factor, high) if mean > wanted else (low, factor)


def _read(model: RobustPublished, received: Sequence[Image]) -> NDArray[np.bool_]:
    """Return the bits that *model* extracts, ``(B, bits)``."""
    with torch.inference_mode():
        return np.asarray(model.coder.decoder(to_tensor(received)).numpy() > 0.5)


def _source(photographs: Photographs, seed: int, command: str) -> Source:
    name = f"{photographs.name}, held out"
    here = Source.here(command, seed, name, len(photographs), photographs.sha256)
    return replace(here, versions=here.versions | {each: version(each) for each in ("torch", "lightning-fabric")})


def _training(stage: str, run: Path) -> dict[str, Any]:
    """Return the scale of one run beside the published one, its duration, and its provenance."""
    entry, published = RECIPES[f"robust-ablation-{stage}"], RobustPublishedRecipe()
    names = ("crop", "bits", "channels", "encoder_blocks", "decoder_blocks", "batch", "steps")
    scale = ", ".join(f"{name} {getattr(entry.recipe, name)} of {getattr(published, name)}" for name in names)
    found = provenance(run)
    minutes = round(60 * found.pop("hours"), 1)
    weights = f"not kept; the command above trains them again in {minutes} minutes on such a device"
    return {"stage": stage, "scale": f"reduced: {scale}", "minutes": minutes, "weights": weights} | found


def main(arguments: Sequence[str] | None = None) -> None:
    """Train columns of table 1 of the paper on robust hiding at a reduced scale, measure them, write the results."""
    parser = argparse.ArgumentParser(prog="underpaint-lab evaluate ablation", description=main.__doc__)
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help=f"of {', '.join(ABLATION)}; all by default")
    parser.add_argument("--data", type=Path, required=True, help="photographs: a folder or a zip file")
    parser.add_argument("--runs", type=Path, required=True, help="folder of run folders; interrupted runs go on")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0, help="seed of crops and messages that are measured")
    options = parser.parse_args(arguments)
    for attack in set(options.attacks) - set(ABLATION):
        parser.error(f"no column is called '{attack}'")
    # Sums depend on how many threads share them.
    torch.set_num_threads(1)
    trained_on, held_out = (Photographs.open(options.data, split=split) for split in ("train", "held-out"))
    start = train_start(trained_on, options.runs)
    for attack in options.attacks or ABLATION:
        run = train(attack, start, trained_on, options.runs)
        command = f"{parser.prog} {attack} --data {options.data.name} --runs FOLDER --seed {options.seed}"
        result = measure(attack, run, held_out, seed=options.seed, command=command)
        print(f"wrote {result.write(options.results)}")
