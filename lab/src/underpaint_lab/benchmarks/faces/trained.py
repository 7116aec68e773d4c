"""Rows of the tables on MIAIS for trained runs: recognition of secrets in containers, with data outside the training.

``underpaint-lab evaluate faces miais-published --run runs/miais-faces-full --data DATA`` writes a row to ``results/``,
in a file that is named after the run. For a teacher it is the row of plain secrets.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from underpaint.errors import UsageError
from underpaint_lab.benchmarks.core.result_file import RESULTS, ResultFile
from underpaint_lab.benchmarks.core.tensors import to_pictures, to_tensor
from underpaint_lab.benchmarks.faces.rows import ABLATION, COVERS, MULTITASK, RecognitionRow
from underpaint_lab.benchmarks.faces.similarity import quality, stegexpose_rates
from underpaint_lab.data import faces
from underpaint_lab.data.cover_secret import reduced
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.metrics.verification import Verification, rank_one
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.papers import RECIPES, trained
from underpaint_lab.papers.miais.nets import LENGTH, Keys
from underpaint_lab.papers.miais.ours import MiaisOurs
from underpaint_lab.papers.miais.published import MiaisPublished
from underpaint_lab.papers.miais.teacher import Teacher
from underpaint_lab.provenance import Source
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.recipe import as_settings, with_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor


#: Title of the paper's rows in its table VI, by recipe.
ADAPTED = {
    "miais-baluja": "HiPS*",
    "miais-steganogan": "SteganoGAN*",
    "miais-hidden": "HiDDeN*",
    "miais-stegnet": "StegNet*",
}
#: Recipes that can be evaluated.
NAMES = [
    name for name, entry in RECIPES.items() if entry.build in (Teacher, MiaisPublished, MiaisOurs) or name in ADAPTED
]
#: Pictures per batch.
_BATCH = 100


class SystemOutput(NamedTuple):
    """Output of a system for a set of secrets."""

    codes: Tensor  #: features that secrets are recognised by, ``(N, size)``
    gallery: Tensor  #: features that they are compared with, ``(N, size)``
    odds: Tensor  #: log-odds of the classes, ``(N, classes)``
    plain: SystemOutput | None = None  #: the same for plain secrets, if the system has a network of its own for them
    containers: Tensor | None = None
    restored: Tensor | None = None
    wrong: Tensor | None = None  #: codes by wrong keys


def evaluate(
    name: str, run: Path, data: Path, split: faces.Split = "test", each: int = 150, seed: int = 0
) -> ResultFile[RecognitionRow]:
    """Measure the recognition of secrets of a *split* in containers rounded to 8 bits.

    Args:
        name: recipe of the run, one of :data:`NAMES`.
        run: folder of the run; the run of its teacher lies beside it, named after the teacher's recipe.
        data: data folder of the training.
        split: split of people; ``val`` for choices. Objects are always those of ``val``, which no choice uses.
        each: pairs of same and of different people in each of ten folds.
        seed: seed of pairs, covers and keys.

    Raises:
        UsageError: the recipe is of another kind, or *data* has no secrets or too few.
        ModelError: *run* has no checkpoint of these networks, or there is no teacher.
    """
    if name not in NAMES:
        raise UsageError(f"'{name}' cannot be evaluated", hint=f"these can: {', '.join(NAMES)}")
    model, objects = trained(name, run), "objects" in name
    size: int = model.recipe.crop
    found = Labelled.of(data / "tiny-imagenet", "val") if objects else faces.Faces.of(data / "faces", split)
    secrets, labels = to_tensor(reduced(found, size)), found.labels
    pool = None if isinstance(model, Teacher) else pool_of(name)
    covers = None if pool is None else draw_covers(data, pool, len(secrets), size, seed)
    output = recognise(model, covers, secrets, seed)
    plain = output.plain or _plain_output(trained(_teacher(name), run.parent / _teacher(name)), secrets)

    def accuracy(output: SystemOutput) -> float:
        if objects:
            return float((output.odds.argmax(dim=1).numpy() == labels).mean())
        return verification(output.codes, labels, each, seed)["accuracy"]

    rates: dict[str, Any] = {"accuracy": accuracy(output), "plain": accuracy(plain)}
    if not objects:
        rates |= verification(output.codes, labels, each, seed)
        rates["rank_one"] = identification(output.codes, output.gallery, labels)
        if output.wrong is not None:
            rates["wrong_key"] = verification(output.wrong, labels, each, seed)["accuracy"]
    if covers is not None and output.containers is not None:
        before, after = to_pictures(covers), to_pictures(output.containers)
        rates |= {"cover": quality(before, after)} | stegexpose_rates(before, after)
    if output.restored is not None:
        rates["secret"] = quality(to_pictures(secrets), to_pictures(output.restored))
    table, title = named(name, model)
    row = RecognitionRow(
        title, "objects" if objects else "faces", pool=pool, scale=scale(name, run), count=len(labels), **rates
    )
    source = Source.here(f"underpaint-lab evaluate faces {name}", seed, found.name, len(found), found.sha256)
    return ResultFile(table, run.name, source, (row,))


def recognise(model: Any, covers: Tensor | None, secrets: Tensor, seed: int) -> SystemOutput:
    """Run *model* on *secrets* in *covers*, both ``(N, 3, H, W)`` in [0, 1]; keys are drawn by *seed*."""
    if covers is None:
        return _plain_output(model, secrets)
    if isinstance(model, MiaisOurs):
        gallery = in_batches(model.code, secrets)
        right, wrong = (Keys(len(secrets), model.recipe.size, np.random.default_rng([seed, key])) for key in range(2))
        with torch.inference_mode():
            containers = model.container(covers, gallery, right)
            codes, false = (model.embedding(containers, keys) for keys in (right, wrong))
        length = LENGTH / model.recipe.size**0.5
        with torch.inference_mode():
            odds, known = (model.teacher.classify(length * each) for each in (codes, gallery))
        return SystemOutput(codes, gallery, odds, SystemOutput(gallery, gallery, known), containers, wrong=false)
    containers = round_8_bit(in_batches(model.container, covers, secrets))
    networks = model.networks
    classifiers = list(networks["classifiers"] if "classifiers" in networks else [networks["recogniser"]])
    outputs = [in_batches(each, containers) for each in classifiers]
    with torch.inference_mode():
        odds = torch.stack([one.classify(code) for one, code in zip(classifiers, outputs, strict=True)]).sum(dim=0)
    restores = not isinstance(model, MiaisPublished) or model.recipe.multitask
    codes = torch.cat(outputs, dim=1)
    return SystemOutput(
        codes,
        codes,
        odds,
        containers=containers,
        restored=in_batches(model.restored, containers) if restores else None,
    )


def draw_covers(data: Path, pool: str, count: int, size: int, seed: int) -> Tensor:
    """Return *count* covers of a *pool* outside the training, ``(count, 3, size, size)`` in [0, 1]."""
    return faces.covers(data, pool, "test").batch(0, size=count, crop=size, seed=seed)[:, :3]


def verification(
    codes: Tensor, labels: NDArray[np.int64], each: int = 150, seed: int = 0, others: Tensor | None = None
) -> dict[str, float]:
    """Measure verification of people by *codes*, ``(N, size)``; return fields of a row.

    Args:
        codes: features.
        labels: people, ``(N,)``.
        each: pairs of same and of different people in each of ten folds.
        seed: seed of the pairs.
        others: features of the same pictures; the second picture of a pair is taken from them.
    """
    pairs = faces.pairs(labels, each, seed=seed)
    distances = torch.linalg.vector_norm(
        codes[pairs.first] - (codes if others is None else others)[pairs.second], dim=1
    )
    return Verification.of(distances.numpy(), pairs.same)._asdict()


def identification(codes: Tensor, gallery: Tensor, labels: NDArray[np.int64]) -> float:
    """Return the rank-one rate: the first picture of everybody is enrolled, from *gallery*; all others are probes."""
    _, first = np.unique(labels, return_index=True)
    others = np.delete(np.arange(len(labels)), first)
    return rank_one(codes[others].numpy(), labels[others], gallery[first].numpy(), labels[first])


def scale(name: str, run: Path) -> str:
    """Describe data and length of the training of a *run* of the recipe *name*."""
    recipe = with_settings(RECIPES[name].recipe, as_settings(folder.read_record(run)["recipe"]))
    kinds = f"{getattr(recipe, 'classes', 0)} {'kinds' if 'objects' in name else 'people'}"
    steps = f"{recipe.steps:,} steps of {recipe.batch}"
    start: str = getattr(recipe, "start", "")
    more = f" after {folder.read_record(Path(start))['recipe']['steps']:,} of an earlier run" if start else ""
    return f"{kinds}, {steps}{more}, {recipe.crop}×{recipe.crop}, {folder.provenance(run)['hours']:.2f} h"


def in_batches(network: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Return the output of *network* for *inputs*, computed in batches."""
    with torch.inference_mode():
        parts = [network(*part) for part in zip(*(torch.split(each, _BATCH) for each in inputs), strict=True)]
    return torch.cat(parts)


def _plain_output(teacher: Teacher, secrets: Tensor) -> SystemOutput:
    """Return the output of a teacher for plain secrets."""
    codes = in_batches(teacher.network, secrets)
    with torch.inference_mode():
        return SystemOutput(codes, codes, teacher.network.classify(codes))


def _teacher(name: str) -> str:
    return f"miais-{'objects-' * ('objects' in name)}teacher"


def pool_of(name: str) -> str:
    """Return the pool of covers of the recipe."""
    return str(getattr(RECIPES[name].read, "keywords", {}).get("pool", "textures"))


def named(name: str, model: Any) -> tuple[str, str]:
    """Return the table of a run, and the title of its row."""
    if isinstance(model, Teacher):
        return ABLATION, "plain secrets"
    if name in ADAPTED:
        return MULTITASK, ADAPTED[name]
    if not isinstance(model, MiaisPublished):
        return ABLATION, "ours"
    if model.recipe.multitask:
        return MULTITASK, "MIAIS"
    parts = "".join(f" + {part}" for part in ("content", "minimax") if getattr(model.recipe, part))
    return ABLATION if pool_of(name) == "textures" else COVERS, parts.strip() or "baseline"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the recognition of secrets in containers of a run, and write the row."""
    parser = argparse.ArgumentParser(prog="underpaint-lab evaluate faces", description=main.__doc__)
    parser.add_argument("name", choices=NAMES, metavar="RECIPE", help=", ".join(NAMES))
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--data", type=Path, required=True, help="data folder of the training")
    parser.add_argument("--split", choices=["val", "test"], default="test", help="val only prints")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    options = parser.parse_args(arguments)
    # The validation split has fewer people, and so fewer pairs.
    each = {"val": 50, "test": 150}[options.split]
    found = evaluate(options.name, options.run, options.data, options.split, each)
    if options.split == "val":
        print(found.rows[0])
    else:
        print(f"wrote {found.write(options.results)}")
