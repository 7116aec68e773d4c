"""Tables ``miais-privacy`` and ``miais-recovery``: visual privacy of containers, and attacks that restore the secret.

``underpaint-lab evaluate privacy obfuscated --runs runs --data DATA`` measures the classifiers of table V, one for each
obfuscation of pictures: runs of ``miais-obscured`` called ``miais-obscured-WAY``.

``… containers NAME --run runs/NAME --data DATA`` adds a row on the similarity of containers of a run to their secrets.

``… recovery NAME --run runs/NAME --runs runs --data DATA`` trains networks that restore secrets from containers of a
run, with every kind of knowledge that an attacker may have, and measures them on people outside the training:
similarity of restored pictures to secrets, and recognition in them. ``… controls`` are the rows that these are compared
with.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from underpaint.errors import UsageError
from underpaint_lab.benchmarks.core.result_file import RESULTS, ResultFile
from underpaint_lab.benchmarks.core.tensors import to_pictures, to_tensor
from underpaint_lab.benchmarks.faces.rows import PRIVACY, RECOVERY, RecognitionRow
from underpaint_lab.benchmarks.faces.similarity import quality
from underpaint_lab.benchmarks.faces.trained import (
    draw_covers,
    evaluate,
    identification,
    in_batches,
    pool_of,
    scale,
    verification,
)
from underpaint_lab.data import faces
from underpaint_lab.data.cover_secret import reduced
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.papers import trained
from underpaint_lab.papers.miais.obfuscations import OBFUSCATIONS
from underpaint_lab.papers.miais.ours import MiaisOurs
from underpaint_lab.papers.miais.recovery_attack import (
    AttackRecipe,
    Knowledge,
    LeakedPairs,
    RecoveryAttack,
    make_containers,
    recover_codes,
)
from underpaint_lab.provenance import Source
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from underpaint.types import Image
    from underpaint_lab.data.photographs import Photographs
    from underpaint_lab.papers.miais.obfuscated_teacher import ObfuscatedTeacher

#: Systems whose containers are attacked: title of the row by recipe.
VICTIMS = {"miais-published": "MIAIS", "miais": "ours"}
#: Title of the row by the attacker's knowledge.
KNOWLEDGE: dict[Knowledge, str] = {
    "pairs": "knowing pairs",
    "model": "knowing the networks",
    "key": "knowing networks and keys",
}
#: Title of the row of plain secrets, which all others are compared with.
_PLAIN = "secret"
_ATTACK = AttackRecipe(steps=120, batch=32, crop=64, learning_rate=1e-3, warmup=10, decay="cosine", clip=1.0, ema=0.95)
#: Seed of pairs, covers and keys.
_SEED = 0
#: Known pairs of the same key, and groups of containers of one key each.
_PAIRS, _GROUPS = (1, 2, 4), 10
#: Runs of the classifier of the attack, and of the one that measures it and takes no part in it.
_ATTACKER, _MEASURE = "miais-teacher", "miais-obscured-plain"


class HeldOutFaces:
    """Faces of people outside the training."""

    def __init__(self, data: Path, side: int, each: int) -> None:
        self.each = each
        self.faces = faces.Faces.of(data / "faces", "test")
        self.secrets = to_tensor(reduced(self.faces, side))

    def covers(self, data: Path, pool: str) -> Tensor:
        """Return a cover for each secret, of those outside the training."""
        return draw_covers(data, pool, len(self.secrets), self.secrets.shape[2], _SEED)

    def row(self, name: str, seen: Tensor, codes: Tensor, gallery: Tensor, **more: Any) -> RecognitionRow:
        """Return the row of *seen* pictures, whose *codes* are compared with those of *gallery*, both ``(N, size)``."""
        labels = self.faces.labels
        rates: dict[str, Any] = verification(codes, labels, self.each, _SEED, gallery) | more
        return RecognitionRow(
            name,
            "faces",
            count=len(labels),
            secret=quality(to_pictures(self.secrets), to_pictures(seen)),
            rank_one=identification(codes, gallery, labels),
            **rates,
        )

    def result(self, table: str, method: str, what: str, rows: Sequence[RecognitionRow]) -> ResultFile[RecognitionRow]:
        """Return *rows* of a *table* as a result file."""
        command = f"underpaint-lab evaluate privacy {what}"
        source = Source.here(command, _SEED, self.faces.name, len(self.faces), self.faces.sha256)
        return ResultFile(table, method, source, tuple(rows))


def obfuscated(runs: Path, data: Path, each: int = 150) -> ResultFile[RecognitionRow]:
    """Measure the classifiers of obfuscated faces whose runs exist, and one of plain faces.

    Raises:
        UsageError: *data* has no faces, or too few.
        ModelError: a run is damaged, or the one of plain faces is missing.
    """
    rows: list[RecognitionRow] = []
    for way in ("", *OBFUSCATIONS):
        run = runs / f"miais-obscured-{way or 'plain'}"
        if way and not run.exists():
            continue
        model = cast("ObfuscatedTeacher", trained("miais-obscured", run))
        people = HeldOutFaces(data, model.recipe.crop, each)
        seen = model.obscured(people.secrets, np.random.default_rng(_SEED))
        codes = in_batches(model.network, seen)
        plain = rows[0].accuracy if rows else None
        rows.append(people.row(way or _PLAIN, seen, codes, codes, scale=scale("miais-obscured", run), plain=plain))
    return people.result(PRIVACY, "obscured", "obfuscated", rows)


def containers(name: str, run: Path, data: Path, each: int = 150) -> ResultFile[RecognitionRow]:
    """Measure the similarity of containers of a *run* of the recipe *name*, one of :data:`VICTIMS`, to their secrets.

    Raises:
        UsageError, ModelError: as of :func:`~underpaint_lab.benchmarks.faces.trained.evaluate`.
    """
    (row,) = evaluate(name, run, data, each=each, seed=_SEED).rows
    victim = trained(name, run)
    people = HeldOutFaces(data, victim.recipe.crop, each)
    with torch.inference_mode():
        seen, _ = make_containers(
            victim, people.covers(data, pool_of(name)), people.secrets, np.random.default_rng(_SEED)
        )
    found = quality(to_pictures(people.secrets), to_pictures(seen))
    return people.result(PRIVACY, name, f"containers {name}", [replace(row, name=VICTIMS[name], secret=found)])


def recovery(
    name: str, run: Path, runs: Path, data: Path, recipe: AttackRecipe = _ATTACK, each: int = 150
) -> ResultFile[RecognitionRow]:
    """Attack containers of a *run* of the recipe *name* with every kind of knowledge.

    Args:
        name: one of :data:`VICTIMS`.
        run: of that recipe.
        runs: folder of the runs of both classifiers; runs of the attacks are written to it.
        data: what *run* was trained on.
        recipe: training of the attacks.
        each: pairs of same and of different people in each of ten folds.

    Raises:
        UsageError: the recipe is of another kind, or *data* has no faces or too few.
        ModelError: a run is missing, or damaged.
    """
    if name not in VICTIMS:
        raise UsageError(f"'{name}' cannot be attacked", hint=f"these can: {', '.join(VICTIMS)}")
    victim, pool = trained(name, run), pool_of(name)
    features, measuring = (
        trained("miais-teacher", runs / _ATTACKER).network,
        trained("miais-obscured", runs / _MEASURE).network,
    )
    people, known = HeldOutFaces(data, recipe.crop, each), faces.faces(data, pool)
    covers, gallery = people.covers(data, pool), in_batches(measuring, people.secrets)
    plain = verification(gallery, people.faces.labels, each, _SEED)["accuracy"]
    rows = []
    for knows in KNOWLEDGE:
        if knows == "key" and not isinstance(victim, MiaisOurs):
            continue
        attacker = RecoveryAttack(replace(recipe, knows=knows), victim, features)
        learning = runs / f"{run.name}-recovery-{knows}"
        material = leaked_pairs(attacker, known) if knows == "pairs" else known
        fit(attacker, cast("Photographs", material), learning, progress=False)
        seen = attacker.restored(covers, people.secrets, np.random.default_rng(_SEED))
        common = {"scale": _scale(recipe, learning), "pool": pool, "plain": plain}
        title = f"{VICTIMS[name]}, {KNOWLEDGE[knows]}"
        rows.append(people.row(title, seen, in_batches(measuring, seen), gallery, **common))
        if knows == "key":
            for pairs in _PAIRS:
                codes = _recover_codes(victim, pairs, known, covers, people.secrets)
                drawn = round_8_bit(in_batches(attacker.network, codes))
                title = f"{VICTIMS[name]}, knowing networks, {pairs} pair{'s' * (pairs > 1)} of the same key"
                rows.append(people.row(title, drawn, in_batches(measuring, drawn), gallery, **common))
    return people.result(RECOVERY, name, f"recovery {name}", rows)


def controls(runs: Path, data: Path, side: int = _ATTACK.crop, each: int = 150) -> ResultFile[RecognitionRow]:
    """Measure the controls of attacks: the secrets themselves, and the mean of all training faces.

    Raises:
        UsageError, ModelError: as of :func:`recovered`.
    """
    run = runs / _MEASURE
    measuring, people = trained("miais-obscured", run).network, HeldOutFaces(data, side, each)
    mean = to_tensor(reduced(faces.Faces.of(data / "faces"), side)).mean(dim=0).expand_as(people.secrets)
    gallery = in_batches(measuring, people.secrets)
    by = scale("miais-obscured", run)
    plain = people.row(_PLAIN, people.secrets, gallery, gallery, scale=by)
    mean_face = people.row("mean face", mean, in_batches(measuring, mean), gallery, plain=plain.accuracy, scale=by)
    return people.result(RECOVERY, "controls", "controls", [plain, mean_face])


def _recover_codes(victim: MiaisOurs, pairs: int, known: faces.KnownPairs, covers: Tensor, secrets: Tensor) -> Tensor:
    """Return codes of *secrets* that an attacker recovers from containers.

    The secrets are split into groups of one key each; of each key the attacker knows *pairs* of other covers and
    secrets with their containers.
    """
    found, crop = [], secrets.shape[2]
    for number, others in enumerate(zip(covers.chunk(_GROUPS), secrets.chunk(_GROUPS), strict=True)):
        batch = known.batch(number, size=pairs * faces.TOGETHER, crop=crop, seed=_SEED)[:: faces.TOGETHER]
        rng = np.random.default_rng([_SEED, number])
        found.append(recover_codes(victim, (batch[:, :3], batch[:, 3:6]), others, rng))
    return torch.cat(found)


def leaked_pairs(attacker: RecoveryAttack, known: faces.KnownPairs) -> LeakedPairs:
    """Return every secret of *known* with its container, each by a key of its own: pairs that an attacker may have."""
    recipe, count = attacker.recipe, len(known.secrets)
    secrets = to_tensor(reduced(known.secrets, recipe.crop))
    covers = known.covers.batch(0, size=count, crop=recipe.crop, seed=recipe.seed)[:, :3]
    with torch.inference_mode():
        containers, _ = make_containers(attacker.victim, covers, secrets, np.random.default_rng(recipe.seed))
    both = zip(to_pictures(containers), to_pictures(secrets), strict=True)
    pairs: list[Image] = [np.concatenate(pair, axis=2) for pair in both]
    return LeakedPairs(known.name, pairs)


def _scale(recipe: AttackRecipe, run: Path) -> str:
    hours = folder.provenance(run)["hours"]
    return f"{recipe.steps:,} steps of {recipe.batch}, {recipe.crop}×{recipe.crop}, {hours:.2f} h"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure visual privacy of containers, or attacks that restore the secret, and write the rows."""
    parser = argparse.ArgumentParser(prog="underpaint-lab evaluate privacy", description=main.__doc__)
    parser.add_argument("what", choices=["obfuscated", "containers", "recovery", "controls"])
    parser.add_argument("name", choices=VICTIMS, nargs="?", default="miais", help="recipe of the containers")
    parser.add_argument("--run", type=Path, help="run of that recipe; RUNS/NAME by default")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the other runs")
    parser.add_argument("--data", type=Path, required=True, help="data folder of the training")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    options = parser.parse_args(arguments)
    run = options.run or options.runs / options.name
    if options.what == "containers":
        found = containers(options.name, run, options.data)
    elif options.what == "recovery":
        found = recovery(options.name, run, options.runs, options.data)
    else:
        found = (obfuscated if options.what == "obfuscated" else controls)(options.runs, options.data)
    print(f"wrote {found.write(options.results)}")
