"""What is left of people's privacy: rows of ``miais-privacy`` and of ``miais-recovery``.

``python -m underpaint_lab.benchmarks.faces.privacy obscured --runs runs --data DATA`` judges the classifiers of table V, one for
each way to hide from the eye what pictures show: runs of ``miais-obscured`` called ``miais-obscured-WAY``.

``… seen NAME --run runs/NAME --data DATA`` adds a row on containers of that run: how like secrets they look.

``… recovered NAME --run runs/NAME --runs runs --data DATA`` has restorers of secrets learn from containers of that run,
by all that an attacker may know, and judges them by people whom nobody learned from: how like secrets they get, and how
well people are recognised by that in other pictures of theirs. ``… controls`` are what that is compared with.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from underpaint.errors import UsageError
from underpaint_lab.benchmarks import RESULTS
from underpaint_lab.benchmarks.core.source import Source
from underpaint_lab.benchmarks.faces.rows import PRIVACY, RECOVERY, Recognition, Recognitions
from underpaint_lab.benchmarks.faces.similarity import alike
from underpaint_lab.benchmarks.faces.trained import (
    computed,
    drawn_from,
    judge,
    looked_up,
    pictures,
    pool_of,
    scale,
    tensor,
    verified,
)
from underpaint_lab.data import faces
from underpaint_lab.data.cover_secret import reduced
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.papers import trained
from underpaint_lab.papers.miais.obfuscations import OBSCURED
from underpaint_lab.papers.miais.ours import Ours
from underpaint_lab.papers.miais.recovery_attack import Attacker, AttackRecipe, Knowledge, Lost, made, opened
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from underpaint.types import Image
    from underpaint_lab.data.photographs import Photographs
    from underpaint_lab.papers.miais.obfuscated_teacher import Obscured

#: Whose containers are attacked: recipes, and what their rows are called.
VICTIMS = {"miais-published": "MIAIS", "miais": "ours"}
#: What rows of attacks are called, by what an attacker knows.
KNOWING: dict[Knowledge, str] = {
    "pairs": "knowing pairs",
    "model": "knowing the networks",
    "key": "knowing networks and keys",
}
#: The row of secrets as they are, which all others are compared with.
_ITSELF = "secret"
_ATTACK = AttackRecipe(steps=120, batch=32, crop=64, learning_rate=1e-3, warmup=10, decay="cosine", clip=1.0, ema=0.95)
#: Numbers of pairs by the same key, and groups of containers of one key each, of whose key as many are known.
_PAIRS, _GROUPS = (1, 2, 4), 10
#: Runs below the folder of runs: the attacker's eye, and who judges, who takes no part in the attack.
_EYE, _JUDGE = "miais-teacher", "miais-obscured-plain"


class People:
    """Those to judge by."""

    def __init__(self, data: Path, side: int, seed: int, each: int) -> None:
        self.seed, self.each = seed, each
        self.faces = faces.Faces.of(data / "faces", "test")
        self.secrets = tensor(reduced(self.faces, side))

    def covers(self, data: Path, pool: str) -> Tensor:
        """One for each secret, of those that nobody learned from."""
        return drawn_from(data, pool, len(self.secrets), self.secrets.shape[2], self.seed)

    def row(self, name: str, seen: Tensor, codes: Tensor, gallery: Tensor, **more: Any) -> Recognition:
        """What *seen* pictures say of secrets, of which *codes* are compared with *gallery*, both ``(N, size)``."""
        labels = self.faces.labels
        told: dict[str, Any] = verified(codes, labels, self.each, self.seed, gallery) | more
        return Recognition(
            name,
            "faces",
            count=len(labels),
            secret=alike(pictures(self.secrets), pictures(seen)),
            rank_one=looked_up(codes, gallery, labels),
            **told,
        )

    def found(self, table: str, method: str, what: str, rows: Sequence[Recognition]) -> Recognitions:
        """*rows* of a *table*, and where they come from."""
        command = f"python -m underpaint_lab.benchmarks.faces.privacy {what}"
        source = Source.here(command, self.seed, self.faces.name, len(self.faces), self.faces.sha256)
        return Recognitions(table, method, source, tuple(rows))


def obscured(runs: Path, data: Path, seed: int = 0, each: int = 150) -> Recognitions:
    """Judge the classifiers of obscured faces whose runs are there, and one of plain faces.

    Raises:
        UsageError: *data* has no faces, or too few.
        ModelError: a run is damaged, or the one of plain faces is missing.
    """
    rows: list[Recognition] = []
    for way in ("", *OBSCURED):
        run = runs / f"miais-obscured-{way or 'plain'}"
        if way and not run.exists():
            continue
        model = cast("Obscured", trained("miais-obscured", run))
        people = People(data, model.recipe.crop, seed, each)
        seen = model.obscured(people.secrets, np.random.default_rng(seed))
        codes = computed(model.network, seen)
        plain = rows[0].accuracy if rows else None
        rows.append(people.row(way or _ITSELF, seen, codes, codes, scale=scale("miais-obscured", run), plain=plain))
    return people.found(PRIVACY, "obscured", "obscured", rows)


def contained(name: str, run: Path, data: Path, seed: int = 0, each: int = 150) -> Recognitions:
    """How like secrets containers of a *run* of the recipe *name*, one of :data:`VICTIMS`, look.

    Raises:
        UsageError, ModelError: as of :func:`~underpaint_lab.benchmarks.faces.trained.judge`.
    """
    (row,) = judge(name, run, data, each=each, seed=seed).rows
    victim = trained(name, run)
    people = People(data, victim.recipe.crop, seed, each)
    with torch.inference_mode():
        seen, _ = made(victim, people.covers(data, pool_of(name)), people.secrets, np.random.default_rng(seed))
    found = alike(pictures(people.secrets), pictures(seen))
    return people.found(PRIVACY, name, f"seen {name}", [replace(row, name=VICTIMS[name], secret=found)])


def recovered(
    name: str, run: Path, runs: Path, data: Path, recipe: AttackRecipe = _ATTACK, seed: int = 0, each: int = 150
) -> Recognitions:
    """Attack containers of a *run* of the recipe *name* in all ways that there are.

    Args:
        name: one of :data:`VICTIMS`.
        run: of that recipe.
        runs: has the runs of who looks on, and gets those of the attacks.
        data: what *run* was trained on.
        recipe: how restorers are trained, whatever they know.
        seed: of pairs, covers and keys.
        each: pairs of either kind in each of ten folds.

    Raises:
        UsageError: the recipe is of another kind, or *data* has no faces or too few.
        ModelError: a run is missing, or damaged.
    """
    if name not in VICTIMS:
        raise UsageError(f"'{name}' cannot be attacked", hint=f"these can: {', '.join(VICTIMS)}")
    victim, pool = trained(name, run), pool_of(name)
    eye, judging = trained("miais-teacher", runs / _EYE).network, trained("miais-obscured", runs / _JUDGE).network
    people, couples = People(data, recipe.crop, seed, each), faces.faces(data, pool)
    covers, gallery = people.covers(data, pool), computed(judging, people.secrets)
    plain = verified(gallery, people.faces.labels, each, seed)["accuracy"]
    rows = []
    for knows in KNOWING:
        if knows == "key" and not isinstance(victim, Ours):
            continue
        attacker = Attacker(replace(recipe, knows=knows), victim, eye)
        learning = runs / f"{run.name}-recovery-{knows}"
        material = lost(attacker, couples) if knows == "pairs" else couples
        fit(attacker, cast("Photographs", material), learning, progress=False)
        seen = attacker.restored(covers, people.secrets, np.random.default_rng(seed))
        told = {"scale": _scale(recipe, learning), "pool": pool, "plain": plain}
        title = f"{VICTIMS[name]}, {KNOWING[knows]}"
        rows.append(people.row(title, seen, computed(judging, seen), gallery, **told))
        if knows == "key":
            for pairs in _PAIRS:
                codes = _opened(victim, pairs, couples, covers, people.secrets, seed)
                drawn = round_8_bit(computed(attacker.network, codes))
                title = f"{VICTIMS[name]}, knowing networks, {pairs} pair{'s' * (pairs > 1)} of the same key"
                rows.append(people.row(title, drawn, computed(judging, drawn), gallery, **told))
    return people.found(RECOVERY, name, f"recovered {name}", rows)


def controls(runs: Path, data: Path, side: int = _ATTACK.crop, seed: int = 0, each: int = 150) -> Recognitions:
    """Judge what attacks are compared with: secrets themselves, and the mean of all faces to learn from.

    Raises:
        UsageError, ModelError: as of :func:`recovered`.
    """
    run = runs / _JUDGE
    judging, people = trained("miais-obscured", run).network, People(data, side, seed, each)
    mean = tensor(reduced(faces.Faces.of(data / "faces"), side)).mean(dim=0).expand_as(people.secrets)
    gallery = computed(judging, people.secrets)
    by = scale("miais-obscured", run)
    itself = people.row(_ITSELF, people.secrets, gallery, gallery, scale=by)
    nobody = people.row("mean face", mean, computed(judging, mean), gallery, plain=itself.accuracy, scale=by)
    return people.found(RECOVERY, "controls", "controls", [itself, nobody])


def _opened(victim: Ours, pairs: int, couples: faces.KnownPairs, covers: Tensor, secrets: Tensor, seed: int) -> Tensor:
    """Codes of *secrets*, a group by each key, of which some *pairs* of others are known."""
    found, crop = [], secrets.shape[2]
    for number, others in enumerate(zip(covers.chunk(_GROUPS), secrets.chunk(_GROUPS), strict=True)):
        batch = couples.batch(number, size=pairs * faces.TOGETHER, crop=crop, seed=seed)[:: faces.TOGETHER]
        rng = np.random.default_rng([seed, number])
        found.append(opened(victim, (batch[:, :3], batch[:, 3:6]), others, rng))
    return torch.cat(found)


def lost(attacker: Attacker, couples: faces.KnownPairs) -> Lost:
    """Every secret of *couples* in a cover, by a key of its own: what an attacker may have come by."""
    recipe, count = attacker.recipe, len(couples.secrets)
    secrets = tensor(reduced(couples.secrets, recipe.crop))
    covers = couples.covers.batch(0, size=count, crop=recipe.crop, seed=recipe.seed)[:, :3]
    with torch.inference_mode():
        containers, _ = made(attacker.victim, covers, secrets, np.random.default_rng(recipe.seed))
    both = zip(pictures(containers), pictures(secrets), strict=True)
    pairs: list[Image] = [np.concatenate(pair, axis=2) for pair in both]
    return Lost(couples.name, pairs)


def _scale(recipe: AttackRecipe, run: Path) -> str:
    hours = folder.provenance(run)["hours"]
    return f"{recipe.steps:,} steps of {recipe.batch}, {recipe.crop}×{recipe.crop}, {hours:.2f} h"


def main() -> None:
    """Judge what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m underpaint_lab.benchmarks.faces.privacy", description=__doc__)
    parser.add_argument("what", choices=["obscured", "controls", "seen", "recovered"])
    parser.add_argument("name", choices=VICTIMS, nargs="?", default="miais", help="whose containers, by default ours")
    parser.add_argument("--run", type=Path, help="of that recipe, by default of its name, below the folder of runs")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    run = given.run or given.runs / given.name
    if given.what == "seen":
        found = contained(given.name, run, given.data)
    elif given.what == "recovered":
        found = recovered(given.name, run, given.runs, given.data)
    else:
        found = (obscured if given.what == "obscured" else controls)(given.runs, given.data)
    print(f"wrote {found.write(given.results)}")


if __name__ == "__main__":
    main()
