"""How well secrets are recognised in containers of a run, by people, objects and covers that it never saw.

``python -m underpaint_lab.benchmarks.faces.trained miais-published --run runs/miais-faces-full --data DATA`` writes a row below
``results/``, in a file that is called as the run. Of a teacher it is the row of plain secrets.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from underpaint.errors import UsageError
from underpaint_lab.benchmarks import RESULTS
from underpaint_lab.benchmarks.core.source import Source
from underpaint_lab.benchmarks.faces.rows import ABLATION, COVERS, MULTITASK, Recognition, Recognitions
from underpaint_lab.benchmarks.faces.similarity import alike, detected
from underpaint_lab.data import faces
from underpaint_lab.data.cover_secret import reduced
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.metrics.verification import Verification, rank_one
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.papers import RECIPES, trained
from underpaint_lab.papers.miais.nets import LENGTH, Keys
from underpaint_lab.papers.miais.ours import Ours
from underpaint_lab.papers.miais.published import Published
from underpaint_lab.papers.miais.teacher import Teacher
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.recipe import as_settings, with_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from underpaint.types import Image

#: What the paper calls the rows of its table VI, by recipe; its own row is that of a run that restores.
ADAPTED = {
    "miais-baluja": "HiPS*",
    "miais-steganogan": "SteganoGAN*",
    "miais-hidden": "HiDDeN*",
    "miais-stegnet": "StegNet*",
}
#: What can be judged.
NAMES = [name for name, entry in RECIPES.items() if entry.build in (Teacher, Published, Ours) or name in ADAPTED]
#: Pictures that are computed at once.
_AT_ONCE = 100


class Made(NamedTuple):
    """What a system makes of secrets."""

    #: What they are recognised by, and what those are by whom they are: both ``(N, size)``.
    codes: Tensor
    gallery: Tensor
    #: Of classes, ``(N, classes)``.
    odds: Tensor
    #: The same of plain secrets, if the system has a sight of its own for them.
    plain: Made | None = None
    containers: Tensor | None = None
    restored: Tensor | None = None
    #: Codes by wrong keys.
    wrong: Tensor | None = None


def judge(
    name: str, run: Path, data: Path, split: faces.Split = "test", each: int = 150, seed: int = 0
) -> Recognitions:
    """Recognise secrets of a *split* in containers rounded to 8 bits.

    Args:
        name: of the recipe, one of :data:`NAMES`.
        run: of that recipe; beside it lies the run of its teacher, by the name of the teacher's recipe.
        data: what it was trained on.
        split: of people; ``val`` to choose by. Objects are always those of ``val``, which nothing is chosen by.
        each: pairs of either kind in each of ten folds.
        seed: of pairs, covers and keys.

    Raises:
        UsageError: the recipe is of another kind, or *data* has no secrets or too few.
        ModelError: *run* has no checkpoint of these networks, or there is no teacher.
    """
    if name not in NAMES:
        raise UsageError(f"'{name}' cannot be judged", hint=f"these can: {', '.join(NAMES)}")
    model, objects = trained(name, run), "objects" in name
    size: int = model.recipe.crop
    found = Labelled.of(data / "tiny-imagenet", "val") if objects else faces.Faces.of(data / "faces", split)
    secrets, labels = tensor(reduced(found, size)), found.labels
    pool = None if isinstance(model, Teacher) else pool_of(name)
    covers = None if pool is None else drawn_from(data, pool, len(secrets), size, seed)
    made = recognised(model, covers, secrets, seed)
    plain = made.plain or _seen(trained(_teacher(name), run.parent / _teacher(name)), secrets)

    def accuracy(made: Made) -> float:
        if objects:
            return float((made.odds.argmax(dim=1).numpy() == labels).mean())
        return verified(made.codes, labels, each, seed)["accuracy"]

    told: dict[str, Any] = {"accuracy": accuracy(made), "plain": accuracy(plain)}
    if not objects:
        told |= verified(made.codes, labels, each, seed)
        told["rank_one"] = looked_up(made.codes, made.gallery, labels)
        if made.wrong is not None:
            told["wrong_key"] = verified(made.wrong, labels, each, seed)["accuracy"]
    if covers is not None and made.containers is not None:
        before, after = pictures(covers), pictures(made.containers)
        told |= {"cover": alike(before, after)} | detected(before, after)
    if made.restored is not None:
        told["secret"] = alike(pictures(secrets), pictures(made.restored))
    table, title = named(name, model)
    row = Recognition(
        title, "objects" if objects else "faces", pool=pool, scale=scale(name, run), count=len(labels), **told
    )
    source = Source.here(
        f"python -m underpaint_lab.benchmarks.faces.trained {name}", seed, found.name, len(found), found.sha256
    )
    return Recognitions(table, run.name, source, (row,))


def recognised(model: Any, covers: Tensor | None, secrets: Tensor, seed: int) -> Made:
    """What *model* makes of *secrets* in *covers*, both ``(N, 3, H, W)`` in [0, 1]; keys are drawn by *seed*."""
    if covers is None:
        return _seen(model, secrets)
    if isinstance(model, Ours):
        gallery = computed(model.code, secrets)
        right, wrong = (Keys(len(secrets), model.recipe.size, np.random.default_rng([seed, key])) for key in range(2))
        with torch.inference_mode():
            containers = model.container(covers, gallery, right)
            codes, false = (model.embedding(containers, keys) for keys in (right, wrong))
        length = LENGTH / model.recipe.size**0.5
        with torch.inference_mode():
            odds, known = (model.teacher.classify(length * each) for each in (codes, gallery))
        return Made(codes, gallery, odds, Made(gallery, gallery, known), containers, wrong=false)
    containers = round_8_bit(computed(model.container, covers, secrets))
    networks = model.networks
    classifiers = list(networks["classifiers"] if "classifiers" in networks else [networks["recogniser"]])
    made = [computed(each, containers) for each in classifiers]
    with torch.inference_mode():
        odds = torch.stack([one.classify(code) for one, code in zip(classifiers, made, strict=True)]).sum(dim=0)
    restores = not isinstance(model, Published) or model.recipe.multitask
    codes = torch.cat(made, dim=1)
    return Made(
        codes,
        codes,
        odds,
        containers=containers,
        restored=computed(model.restored, containers) if restores else None,
    )


def drawn_from(data: Path, pool: str, count: int, size: int, seed: int) -> Tensor:
    """*count* covers of a *pool* that nobody was trained on, ``(count, 3, size, size)`` in [0, 1]."""
    return faces.covers(data, pool, "test").batch(0, size=count, crop=size, seed=seed)[:, :3]


def verified(
    codes: Tensor, labels: NDArray[np.int64], each: int = 150, seed: int = 0, others: Tensor | None = None
) -> dict[str, float]:
    """Whether pairs of *codes*, ``(N, size)``, are of one person: fields of a row of the bench.

    Where there are *others* of the same pictures, each is compared with one of those.
    """
    pairs = faces.pairs(labels, each, seed=seed)
    told = torch.linalg.vector_norm(codes[pairs.first] - (codes if others is None else others)[pairs.second], dim=1)
    return Verification.of(told.numpy(), pairs.same)._asdict()


def looked_up(codes: Tensor, gallery: Tensor, labels: NDArray[np.int64]) -> float:
    """Rank one: of everybody the first picture is enrolled, as of *gallery*; all others are looked up."""
    _, first = np.unique(labels, return_index=True)
    others = np.delete(np.arange(len(labels)), first)
    return rank_one(codes[others].numpy(), labels[others], gallery[first].numpy(), labels[first])


def scale(name: str, run: Path) -> str:
    """On what, and for how long, a *run* of the recipe *name* was trained."""
    recipe = with_settings(RECIPES[name].recipe, as_settings(folder.read_record(run)["recipe"]))
    kinds = f"{getattr(recipe, 'classes', 0)} {'kinds' if 'objects' in name else 'people'}"
    steps = f"{recipe.steps:,} steps of {recipe.batch}"
    start: str = getattr(recipe, "start", "")
    more = f" after {folder.read_record(Path(start))['recipe']['steps']:,} of an earlier run" if start else ""
    return f"{kinds}, {steps}{more}, {recipe.crop}×{recipe.crop}, {folder.provenance(run)['hours']:.2f} h"


def computed(network: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """What *network* makes of *inputs*, some at a time."""
    with torch.inference_mode():
        parts = [network(*part) for part in zip(*(torch.split(each, _AT_ONCE) for each in inputs), strict=True)]
    return torch.cat(parts)


def tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """*pictures*, ``(N, H, W, 3)``, as networks take them."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255


def pictures(tensor: Tensor) -> list[Image]:
    """Pictures of a *tensor*, ``(N, 3, H, W)``, clamped and rounded."""
    return list((255 * tensor.clamp(0, 1)).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy())


def _seen(teacher: Teacher, secrets: Tensor) -> Made:
    """Secrets as they are."""
    codes = computed(teacher.network, secrets)
    with torch.inference_mode():
        return Made(codes, codes, teacher.network.classify(codes))


def _teacher(name: str) -> str:
    return f"miais-{'objects-' * ('objects' in name)}teacher"


def pool_of(name: str) -> str:
    """What covers of the recipe are."""
    return str(getattr(RECIPES[name].read, "keywords", {}).get("pool", "textures"))


def named(name: str, model: Any) -> tuple[str, str]:
    """Which table a run belongs to, and what its row is called."""
    if isinstance(model, Teacher):
        return ABLATION, "plain secrets"
    if name in ADAPTED:
        return MULTITASK, ADAPTED[name]
    if not isinstance(model, Published):
        return ABLATION, "ours"
    if model.recipe.multitask:
        return MULTITASK, "MIAIS"
    parts = "".join(f" + {part}" for part in ("content", "minimax") if getattr(model.recipe, part))
    return ABLATION if pool_of(name) == "textures" else COVERS, parts.strip() or "baseline"


def main() -> None:
    """Judge what the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m underpaint_lab.benchmarks.faces.trained", description=judge.__doc__
    )
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", choices=["val", "test"], default="test", help="val only prints")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    # People to choose by have fewer pairs.
    each = {"val": 50, "test": 150}[arguments.split]
    found = judge(arguments.name, arguments.run, arguments.data, arguments.split, each)
    if arguments.split == "val":
        print(found.rows[0])
    else:
        print(f"wrote {found.write(arguments.results)}")


if __name__ == "__main__":
    main()
