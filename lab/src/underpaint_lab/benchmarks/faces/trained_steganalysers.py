"""Table VII of the paper on MIAIS: whether steganalysers that learn tell containers with faces from covers.

``python -m underpaint_lab.benchmarks.faces.trained_steganalysers miais-multitask --case 1 --runs runs --data DATA`` trains both networks of
:mod:`underpaint_lab.papers.steganalysis.nets` anew, in case 1 on containers of that system, in case 2 on those of all others
that restore, and writes to ``results/`` how often they are right about it. Runs have the names of systems.
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
from underpaint_lab.benchmarks import RESULTS
from underpaint_lab.benchmarks.core.source import Source
from underpaint_lab.benchmarks.faces.steganalysis_rows import STEGANALYSIS, Unmasking, Unmaskings
from underpaint_lab.benchmarks.faces.trained import computed, pictures
from underpaint_lab.data import faces
from underpaint_lab.data.cover_stego import CoverStegoPairs
from underpaint_lab.papers import RECIPES, trained
from underpaint_lab.papers.miais.nets import Keys
from underpaint_lab.papers.miais.ours import MiaisOurs
from underpaint_lab.papers.steganalysis.models import SteganalysisRecipe
from underpaint_lab.training.loop import fit, restore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from underpaint_lab.papers.steganalysis.models import Steganalyser


Split = Literal["train", "test"]
Case = Literal[1, 2]


class Hider(NamedTuple):
    """A system whose containers are looked for."""

    #: What the table calls it, and the recipe of its run.
    name: str
    recipe: str


#: By the name of the run. Those before the last restore what they hide, as all of the paper's.
HIDERS = {
    "miais-hidden": Hider("HiDDeN*", "miais-hidden"),
    "miais-baluja": Hider("HiPS*", "miais-baluja"),
    "miais-steganogan": Hider("SteganoGAN*", "miais-steganogan"),
    "miais-stegnet": Hider("StegNet*", "miais-stegnet"),
    "miais-multitask": Hider("MIAIS", "miais-published"),
    "miais": Hider("ours", "miais"),
}
#: What looks for them, and how it is trained: a batch is of so many pairs.
ANALYSERS = ("ye", "yedroudj")
RECIPE = SteganalysisRecipe(
    steps=100, batch=16, crop=64, learning_rate=1e-3, warmup=10, decay="cosine", clip=1.0, ema=0.9
)
#: Pairs to learn from, and to judge by.
COUNTS: dict[Split, int] = {"train": 1000, "test": 400}


class Contained(CoverStegoPairs):
    """Covers and containers of some systems, all of which are learned from from the first step on."""

    def drawn(self, step: int, size: int, rng: np.random.Generator) -> list[tuple[int, int]]:  # noqa: ARG002
        """Draw *size* containers, each by its system and its number, all alike."""
        systems, numbers = rng.integers(len(self.containers), size=size), rng.integers(len(self), size=size)
        return list(zip(systems.tolist(), numbers.tolist(), strict=True))


def contained(
    names: Sequence[str], runs: Path, data: Path, split: Split, count: int, side: int, seed: int = 0
) -> Contained:
    """Hide faces in *count* photographs by each system of *names*, of *side* pixels each way; all in the same ones.

    No photograph, and nobody, is in both splits.

    Raises:
        UsageError: *data* has no faces or photographs.
        ModelError: a run has no checkpoint of its networks.
    """
    people, pool, covers, _ = _couples(data, split, count, side, seed)
    made = np.stack([_hidden(name, runs / name, data, split, count, side, seed) for name in names])
    return Contained(f"{people} in {pool}", np.stack(pictures(covers)), made, np.ones(made.shape[:2]))


def judge(
    name: str,
    case: Case,
    runs: Path,
    data: Path,
    recipe: SteganalysisRecipe = RECIPE,
    counts: dict[Split, int] = COUNTS,
) -> Unmaskings:
    """Train each steganalyser, and count how often it is right about containers of *name* and their covers.

    Args:
        name: key of :data:`HIDERS`.
        case: 1 to learn from containers of the same system, 2 from those of all others that restore.
        runs: folder of the runs of all of them.
        data: what these were trained on.
        recipe: of both steganalysers.
        counts: pairs of either split.

    Raises:
        UsageError: there is no such system, or as of :func:`contained`.
        ModelError: as of :func:`contained`.
    """
    if name not in HIDERS:
        raise UsageError(f"'{name}' cannot be judged", hint=f"these can: {', '.join(HIDERS)}")
    known = [name] if case == 1 else [other for other in HIDERS if other not in (name, "miais")]
    shown = contained([name], runs, data, "test", counts["test"], recipe.crop, recipe.seed)
    learned = contained(known, runs, data, "train", counts["train"], recipe.crop, recipe.seed)
    rows = tuple(
        Unmasking(
            analyser=network,
            case=case,
            hider=HIDERS[name].name,
            accuracy=round(_accuracy(replace(recipe, network=network), learned, shown), 6),
            pairs=counts["test"],
            trained_pairs=counts["train"] * len(known),
            scale=f"{recipe.steps:,} steps of {recipe.batch} pairs",
        )
        for network in ANALYSERS
    )
    command = (
        f"python -m underpaint_lab.benchmarks.faces.trained_steganalysers {name} --case {case} --steps {recipe.steps}"
    )
    source = Source.here(command, recipe.seed, shown.name, len(shown), shown.sha256)
    return Unmaskings(STEGANALYSIS, f"{name}-{case}", source, rows)


def _accuracy(recipe: SteganalysisRecipe, learned: Contained, shown: Contained) -> float:
    """The share of covers and containers of *shown* that a network tells rightly which has learned from others."""
    model = cast("Steganalyser", RECIPES[f"steganalysis-{recipe.network}"].model(recipe))
    with TemporaryDirectory() as scratch:
        fit(model, learned, Path(scratch) / "run", progress=False)
        restore(model, Path(scratch) / "run")
    levels = [torch.from_numpy(each).permute(0, 3, 1, 2).float() for each in (shown.covers, shown.containers[0])]
    odds = [computed(model.network, each) for each in levels]
    return float(torch.cat([odds[0] <= 0, odds[1] > 0]).float().mean())


@cache
def _couples(data: Path, split: Split, count: int, side: int, seed: int) -> tuple[str, str, Tensor, Tensor]:
    """What people and covers are called, and *count* covers and secrets."""
    pool, people = faces.covers(data, "photographs", split), faces.Faces.of(data / "faces", split)
    drawn = [each.batch(0, size=count, crop=side, seed=2 * seed + at)[:, :3] for at, each in enumerate((pool, people))]
    return people.name, pool.name, drawn[0], drawn[1]


@cache
def _hidden(name: str, run: Path, data: Path, split: Split, count: int, side: int, seed: int) -> NDArray[np.uint8]:
    """Containers by the networks of *run*; of ours each by a key of its own."""
    _, _, covers, secrets = _couples(data, split, count, side, seed)
    model = trained(HIDERS[name].recipe, run)
    if isinstance(model, MiaisOurs):
        keys = Keys(count, model.recipe.size, np.random.default_rng(seed))
        with torch.inference_mode():
            return np.stack(pictures(model.container(covers, computed(model.code, secrets), keys)))
    return np.stack(pictures(computed(model.container, covers, secrets)))


def main() -> None:
    """Judge the systems that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m underpaint_lab.benchmarks.faces.trained_steganalysers", description=judge.__doc__
    )
    parser.add_argument("names", nargs="+", choices=list(HIDERS))
    parser.add_argument("--case", type=int, choices=[1, 2], required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=RECIPE.steps, help="of each steganalyser")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    recipe = replace(RECIPE, steps=arguments.steps)
    for name in arguments.names:
        found = judge(name, arguments.case, arguments.runs, arguments.data, recipe)
        print(f"wrote {found.write(arguments.results)}", flush=True)


if __name__ == "__main__":
    main()
