"""Table ``miais-steganalysis``, table VII of the paper on MIAIS: trained steganalysers on containers with faces.

``underpaint-lab evaluate steganalysers miais-multitask --case 1 --runs runs --data DATA`` trains both networks of
:mod:`underpaint_lab.papers.steganalysis.nets`, in case 1 on containers of that system, in case 2 on those of all others
that restore the secret, and writes their accuracy to ``results/``. Runs are named after systems.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import numpy as np
import torch

from underpaint.errors import UsageError
from underpaint_lab.benchmarks.core.result_file import RESULTS, ResultFile
from underpaint_lab.benchmarks.core.tensors import to_pictures
from underpaint_lab.benchmarks.faces.rows import STEGANALYSIS, SteganalyserRow
from underpaint_lab.benchmarks.faces.trained import in_batches
from underpaint_lab.data import faces
from underpaint_lab.data.cover_stego import CoverStegoPairs
from underpaint_lab.papers import RECIPES, trained
from underpaint_lab.papers.miais.nets import Keys
from underpaint_lab.papers.miais.ours import MiaisOurs
from underpaint_lab.papers.steganalysis.models import SteganalysisRecipe
from underpaint_lab.provenance import Source
from underpaint_lab.training.loop import fit, restore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from underpaint_lab.papers.steganalysis.models import Steganalyser


Split = Literal["train", "test"]
Case = Literal[1, 2]


class System(NamedTuple):
    """A system whose containers are to be detected."""

    name: str  #: in the table
    recipe: str  #: of its run


#: Systems by the name of the run. All but the last restore the secret, as all of the paper's.
SYSTEMS = {
    "miais-hidden": System("HiDDeN*", "miais-hidden"),
    "miais-baluja": System("HiPS*", "miais-baluja"),
    "miais-steganogan": System("SteganoGAN*", "miais-steganogan"),
    "miais-stegnet": System("StegNet*", "miais-stegnet"),
    "miais-multitask": System("MIAIS", "miais-published"),
    "miais": System("ours", "miais"),
}
#: Steganalysers and their training; a batch counts pairs.
ANALYSERS = ("ye", "yedroudj")
RECIPE = SteganalysisRecipe(
    steps=100, batch=16, crop=64, learning_rate=1e-3, warmup=10, decay="cosine", clip=1.0, ema=0.9
)
#: Pairs of either split.
COUNTS: dict[Split, int] = {"train": 1000, "test": 400}


class SystemPairs(CoverStegoPairs):
    """Covers and containers of several systems; unlike its base class it draws from all systems at every step."""

    def drawn(self, step: int, size: int, rng: np.random.Generator) -> list[tuple[int, int]]:  # noqa: ARG002
        """Draw *size* containers at random, each as system and number."""
        systems, numbers = rng.integers(len(self.containers), size=size), rng.integers(len(self), size=size)
        return list(zip(systems.tolist(), numbers.tolist(), strict=True))


def system_pairs(
    names: Sequence[str], runs: Path, data: Path, split: Split, count: int, side: int, seed: int = 0
) -> SystemPairs:
    """Hide faces in *count* photographs of *side* × *side* pixels by each system of *names*; all use the same pairs.

    No photograph and no person is in both splits.

    Raises:
        UsageError: *data* has no faces or photographs.
        ModelError: a run has no checkpoint of its networks.
    """
    people, pool, covers, _ = _pairs(data, split, count, side, seed)
    made = np.stack([_containers(name, runs / name, data, split, count, side, seed) for name in names])
    return SystemPairs(f"{people} in {pool}", np.stack(to_pictures(covers)), made, np.ones(made.shape[:2]))


def evaluate(
    name: str,
    case: Case,
    runs: Path,
    data: Path,
    recipe: SteganalysisRecipe = RECIPE,
    counts: dict[Split, int] = COUNTS,
) -> ResultFile[SteganalyserRow]:
    """Train each steganalyser, and measure its accuracy on containers of *name* and their covers.

    Args:
        name: key of :data:`SYSTEMS`.
        case: 1 to train on containers of the same system, 2 on those of all others that restore the secret.
        runs: folder of the runs of all systems.
        data: data folder of their training.
        recipe: training of both steganalysers.
        counts: pairs by split.

    Raises:
        UsageError: there is no such system, or as of :func:`system_pairs`.
        ModelError: as of :func:`system_pairs`.
    """
    if name not in SYSTEMS:
        raise UsageError(f"'{name}' cannot be evaluated", hint=f"these can: {', '.join(SYSTEMS)}")
    known = [name] if case == 1 else [other for other in SYSTEMS if other not in (name, "miais")]
    tested = system_pairs([name], runs, data, "test", counts["test"], recipe.crop, recipe.seed)
    learned = system_pairs(known, runs, data, "train", counts["train"], recipe.crop, recipe.seed)
    rows = tuple(
        SteganalyserRow(
            analyser=network,
            case=case,
            hider=SYSTEMS[name].name,
            accuracy=round(_accuracy(replace(recipe, network=network), learned, tested), 6),
            pairs=counts["test"],
            trained_pairs=counts["train"] * len(known),
            scale=f"{recipe.steps:,} steps of {recipe.batch} pairs",
        )
        for network in ANALYSERS
    )
    command = f"underpaint-lab evaluate steganalysers {name} --case {case} --steps {recipe.steps}"
    source = Source.here(command, recipe.seed, tested.name, len(tested), tested.sha256)
    return ResultFile(STEGANALYSIS, f"{name}-{case}", source, rows)


def _accuracy(recipe: SteganalysisRecipe, learned: SystemPairs, tested: SystemPairs) -> float:
    """Train a network on *learned*, and return its accuracy on covers and containers of *tested*."""
    model = cast("Steganalyser", RECIPES[f"steganalysis-{recipe.network}"].model(recipe))
    with TemporaryDirectory() as scratch:
        fit(model, learned, Path(scratch) / "run", progress=False)
        restore(model, Path(scratch) / "run")
    levels = [torch.from_numpy(each).permute(0, 3, 1, 2).float() for each in (tested.covers, tested.containers[0])]
    odds = [in_batches(model.network, each) for each in levels]
    return float(torch.cat([odds[0] <= 0, odds[1] > 0]).float().mean())


@cache
def _pairs(data: Path, split: Split, count: int, side: int, seed: int) -> tuple[str, str, Tensor, Tensor]:
    """Return the names of people and covers, and *count* covers and secrets."""
    pool, people = faces.covers(data, "photographs", split), faces.Faces.of(data / "faces", split)
    drawn = [each.batch(0, size=count, crop=side, seed=2 * seed + at)[:, :3] for at, each in enumerate((pool, people))]
    return people.name, pool.name, drawn[0], drawn[1]


@cache
def _containers(name: str, run: Path, data: Path, split: Split, count: int, side: int, seed: int) -> NDArray[np.uint8]:
    """Return containers by the networks of *run*; ours each by a key of its own."""
    _, _, covers, secrets = _pairs(data, split, count, side, seed)
    model = trained(SYSTEMS[name].recipe, run)
    if isinstance(model, MiaisOurs):
        keys = Keys(count, model.recipe.size, np.random.default_rng(seed))
        with torch.inference_mode():
            return np.stack(to_pictures(model.container(covers, in_batches(model.code, secrets), keys)))
    return np.stack(to_pictures(in_batches(model.container, covers, secrets)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train steganalysers on containers of MIAIS and its baselines, and write their accuracy."""
    parser = argparse.ArgumentParser(prog="underpaint-lab evaluate steganalysers", description=main.__doc__)
    parser.add_argument("names", nargs="+", choices=list(SYSTEMS), metavar="SYSTEM", help=", ".join(SYSTEMS))
    parser.add_argument("--case", type=int, choices=[1, 2], required=True, help="trained on the same system, or others")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs of all systems")
    parser.add_argument("--data", type=Path, required=True, help="data folder of their training")
    parser.add_argument("--steps", type=int, default=RECIPE.steps, help="steps of each steganalyser")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    options = parser.parse_args(arguments)
    recipe = replace(RECIPE, steps=options.steps)
    for name in options.names:
        found = evaluate(name, options.case, options.runs, options.data, recipe)
        print(f"wrote {found.write(options.results)}", flush=True)
