"""What is left of people's privacy: rows of ``miais-privacy`` and of ``miais-recovery``.

``python -m underpaint.lab.judge_privacy obscured --runs runs --data DATA`` judges the classifiers of table V, one for
each way to hide from the eye what pictures show: runs of ``miais-obscured`` called ``miais-obscured-WAY``.

``python -m underpaint.lab.judge_privacy NAME --run runs/NAME --runs runs --data DATA`` has restorers of secrets learn
from containers of that run, by all that an attacker may know, and judges them by people whom nobody learned from: how
like secrets they get, and how well people are recognised by that in other pictures of theirs.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from underpaint import metrics
from underpaint.bench import RESULTS
from underpaint.bench.recognised import PRIVACY, RECOVERY, Alike, Recognition, Recognitions
from underpaint.bench.source import Source
from underpaint.errors import UsageError
from underpaint.lab import faces
from underpaint.lab import run as folder
from underpaint.lab.couples import reduced
from underpaint.lab.fit import fit
from underpaint.lab.obscured import OBSCURED
from underpaint.lab.papers import RECIPES, trained
from underpaint.lab.papers.miais_ours import Ours
from underpaint.lab.recovery import Attacker, AttackRecipe, Knowledge, Lost
from underpaint.verification import Verified, rank_one

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from functools import partial

    from numpy.typing import NDArray
    from torch import Tensor

    from underpaint.lab.data import Photographs
    from underpaint.lab.nets.miais import Recogniser
    from underpaint.lab.obscuring import Obscured
    from underpaint.types import Image

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
_ATTACK = AttackRecipe(steps=800, batch=32, crop=64, learning_rate=1e-3, warmup=50, decay="cosine", clip=1.0, ema=0.99)
#: Runs below the folder of runs: the attacker's eye, and who judges, who has never seen what the eye saw.
_EYE, _JUDGE = "miais-teacher", "miais-obscured-plain"
#: Pictures that are computed at once.
_AT_ONCE = 100


class People:
    """Those to judge by, and pairs of their pictures."""

    def __init__(self, data: Path, side: int, seed: int, each: int) -> None:
        self.data, self.seed, self.each = data, seed, each
        self.faces = faces.Faces.of(data / "faces", "test")
        self.pairs = faces.pairs(self.faces.labels, each, seed=seed)
        pictures = reduced(self.faces, side)
        self.pictures, self.secrets = list(pictures), _tensor(pictures)

    def row(self, name: str, seen: Tensor, codes: Tensor, gallery: Tensor, **more: Any) -> Recognition:
        """What *seen* pictures say of secrets, of which *codes* are compared with *gallery*, ``(N, size)``."""
        first, second, same = self.pairs
        told = torch.linalg.vector_norm(codes[first] - gallery[second], dim=1)
        verified = Verified.of(told.numpy(), same)._asdict()
        labels = self.faces.labels
        _, known = np.unique(labels, return_index=True)
        others = np.delete(np.arange(len(labels)), known)
        return Recognition(
            name,
            "faces",
            count=len(labels),
            secret=alike(self.pictures, _pictures(seen)),
            rank_one=rank_one(codes[others].numpy(), labels[others], gallery[known].numpy(), labels[known]),
            **verified,
            **more,
        )

    def found(self, table: str, method: str, rows: Sequence[Recognition]) -> Recognitions:
        """*rows* of a *table*, and where they come from."""
        command = f"python -m underpaint.lab.judge_privacy {method}"
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
        codes = _codes(model.network, seen)
        plain = rows[0].accuracy if rows else None
        rows.append(people.row(way or _ITSELF, seen, codes, codes, scale=_scale(run), plain=plain))
    return people.found(PRIVACY, "obscured", rows)


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
    victim, pool = trained(name, run), cast("partial[object]", RECIPES[name].read).keywords["pool"]
    eye, judge = trained("miais-teacher", runs / _EYE).network, trained("miais-obscured", runs / _JUDGE).network
    people, couples = People(data, recipe.crop, seed, each), faces.faces(data, pool)
    gallery = _codes(judge, people.secrets)
    plain = people.row(_ITSELF, people.secrets, gallery, gallery).accuracy
    covers = faces.covers(data, pool, "test").batch(0, size=len(gallery), crop=recipe.crop, seed=seed)[:, :3]
    rows = []
    for knows in KNOWING:
        if knows == "key" and not isinstance(victim, Ours):
            continue
        attacker = Attacker(replace(recipe, knows=knows), victim, eye)
        learning = runs / f"{run.name}-recovery-{knows}"
        material = lost(attacker, couples) if knows == "pairs" else couples
        fit(attacker, cast("Photographs", material), learning, progress=False)
        seen = attacker.restored(covers, people.secrets, np.random.default_rng(seed))
        codes, title = _codes(judge, seen), f"{VICTIMS[name]}, {KNOWING[knows]}"
        rows.append(people.row(title, seen, codes, gallery, scale=_scale(learning), pool=pool, plain=plain))
    return people.found(RECOVERY, name, rows)


def controls(runs: Path, data: Path, side: int = _ATTACK.crop, seed: int = 0, each: int = 150) -> Recognitions:
    """Judge what attacks are compared with: secrets themselves, and the mean of all faces to learn from.

    Raises:
        UsageError, ModelError: as of :func:`recovered`.
    """
    judge, people = trained("miais-obscured", runs / _JUDGE).network, People(data, side, seed, each)
    mean = _tensor(reduced(faces.Faces.of(data / "faces"), side)).mean(dim=0).expand_as(people.secrets)
    gallery = _codes(judge, people.secrets)
    itself = people.row(_ITSELF, people.secrets, gallery, gallery, scale=_scale(runs / _JUDGE))
    nobody = people.row("mean face", mean, _codes(judge, mean), gallery, plain=itself.accuracy)
    return people.found(RECOVERY, "controls", [itself, nobody])


def lost(attacker: Attacker, couples: faces.KnownCouples) -> Lost:
    """Every secret of *couples* in a cover, by a key of its own: what an attacker may have come by."""
    recipe, count = attacker.recipe, len(couples.secrets)
    secrets = _tensor(reduced(couples.secrets, recipe.crop))
    covers = couples.covers.batch(0, size=count, crop=recipe.crop, seed=recipe.seed)[:, :3]
    with torch.inference_mode():
        containers, _ = attacker.made(covers, secrets, np.random.default_rng(recipe.seed))
    pairs = [np.concatenate(pair, axis=2) for pair in zip(_pictures(containers), _pictures(secrets), strict=True)]
    return Lost(couples.name, pairs)


def alike(before: Sequence[Image], after: Sequence[Image]) -> Alike:
    """How like two sets of pictures are, pair by pair, at as many scales as fit."""
    pairs = list(zip(before, after, strict=True))
    scales = min(5, int(np.log2(before[0].shape[0] // metrics.SSIM_WINDOW)) + 1)
    pooled = metrics.pooled_psnr(pairs)

    def mean(measure: Callable[..., float], *more: int) -> float:
        return float(np.mean([measure(*pair, *more) for pair in pairs]))

    return Alike(
        mse=mean(metrics.mse),
        pooled_psnr=pooled if np.isfinite(pooled) else None,
        psnr=float(np.mean([min(metrics.psnr(*pair), 100.0) for pair in pairs])) if np.isfinite(pooled) else None,
        ms_ssim_as_coded=mean(metrics.ms_ssim_as_coded, scales),
        ms_ssim=mean(metrics.ms_ssim, scales),
        scales=scales,
        ssim=mean(metrics.ssim),
    )


def _codes(network: Recogniser, pictures: Tensor) -> Tensor:
    with torch.inference_mode():
        return torch.cat([network(part) for part in torch.split(pictures, _AT_ONCE)])


def _scale(run: Path) -> str:
    recipe = folder.read_record(run)["recipe"]
    hours = folder.provenance(run)["hours"]
    return f"{recipe['steps']:,} steps of {recipe['batch']}, {recipe['crop']}×{recipe['crop']}, {hours:.2f} h"


def _tensor(pictures: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255


def _pictures(tensor: Tensor) -> list[Image]:
    return list((255 * tensor).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy())


def main() -> None:
    """Judge what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m underpaint.lab.judge_privacy", description=__doc__)
    parser.add_argument("what", choices=["obscured", "controls", *VICTIMS])
    parser.add_argument("--run", type=Path, help="of the recipe that is attacked, by default of its name")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    if given.what in VICTIMS:
        found = recovered(given.what, given.run or given.runs / given.what, given.runs, given.data)
    else:
        found = (obscured if given.what == "obscured" else controls)(given.runs, given.data)
    print(f"wrote {found.write(given.results)}")


if __name__ == "__main__":
    main()
