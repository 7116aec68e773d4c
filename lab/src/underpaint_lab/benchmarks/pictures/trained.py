"""Rows of the table ``pictures-small`` for networks that are not in the zoo: the paper's, and its rivals.

``python -m underpaint_lab.benchmarks.pictures.trained baluja --run runs/baluja --images CIFAR10`` hides every picture of the mosaic
``test.webp`` in another, rounds to 8 bits, and writes what came of it beside the rows that ``underpaint bench`` writes.
Networks that hide other pictures than CIFAR-10's are judged on these: ``--images`` is the folder they were trained on.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import torch

from underpaint import media
from underpaint.channels import parse
from underpaint.errors import UsageError
from underpaint.models import read_model
from underpaint_lab.benchmarks import RESULTS
from underpaint_lab.benchmarks.core.contact_sheet import ROWS, pairs_sheet
from underpaint_lab.benchmarks.core.source import Source
from underpaint_lab.benchmarks.jnd.measure import SIDE
from underpaint_lab.benchmarks.pictures.measure import AFTER, alone, pairs, scored, small_pairs
from underpaint_lab.benchmarks.pictures.rows import PICTURES, SMALL, Revealed
from underpaint_lab.data import cover_secret
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.export.onnx import export
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.papers import RECIPES
from underpaint_lab.papers.pixinpix import models, rivals
from underpaint_lab.papers.pixinpix.models import Published
from underpaint_lab.papers.pixinpix.release import pictures
from underpaint_lab.papers.pixinpix.rivals import Rival, RivalRecipe
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import restore
from underpaint_lab.training.recipe import Recipe, as_settings, with_settings

if TYPE_CHECKING:
    from underpaint.types import Image

#: What can be judged.
NAMES = [
    name
    for paper in (models, rivals)
    for name, entry in paper.RECIPES.items()
    if entry.build in (Published, Rival) or entry.read is cover_secret.mnist
]
#: Pairs that are computed at once.
_AT_ONCE = 50


def judge(name: str, run: Path, images: Path | None, drawn: Path | None = None) -> Revealed:
    """Hide pictures in pictures by the networks of a *run* of the recipe *name*; draw some, where *drawn* is named.

    Raises:
        UsageError: the recipe is of another kind, or there are no pictures.
        ModelError: *run* has no checkpoint of these networks.
    """
    settings = folder.read_record(run)["recipe"]
    entry = RECIPES[name]
    recipe = with_settings(entry.recipe, as_settings(settings))
    if isinstance(recipe, RivalRecipe) and recipe.codecs:
        return _behind_codecs(name, run, images, recipe)
    title, files, covers, secrets = _pairs(name, images)
    if name not in NAMES:
        raise UsageError(f"'{name}' cannot be judged", hint=f"these can: {', '.join(NAMES)}")
    model = entry.model(recipe)
    bits = isinstance(recipe, RivalRecipe) and recipe.bits
    if bits:
        title, secrets = f"bits in {title}", _bits(secrets, recipe.seed)
    made: list[tuple[Image, Image] | None] = []
    if isinstance(model, Published | Rival):
        restore(model, run)
        with torch.inference_mode():
            for start in range(0, len(covers), _AT_ONCE):
                both = [_tensor(part[start : start + _AT_ONCE]) for part in (covers, secrets)]
                containers = round_8_bit(model.container(both[0], both[1]))
                found = model.revealed(containers)
                made += zip(_pictures(containers), _pictures((found > 0) + 0.0 if bits else found), strict=True)
    else:
        with TemporaryDirectory() as scratch:
            graphs, card = pictures(name, run, {})
            export(graphs, Path(scratch) / name, card)
            shipped = read_model(Path(scratch) / name)
            made += [alone(cover, secret, shipped) for cover, secret in zip(covers, secrets, strict=True)]
    if drawn is not None:
        rows = [pair for pair in made[:ROWS] if pair is not None]
        media.write(media.Picture(pairs_sheet(covers[:ROWS], secrets[:ROWS], rows)), drawn)
    row = scored(title, covers, secrets, made, _trained(run, recipe))
    if bits:
        right = np.mean([pair[1] == secret for pair, secret in zip(made, secrets, strict=True) if pair])
        row = replace(row, secret=None, bits=3 * (2 * float(right) - 1))
    source = Source.of(SMALL, name, images, files, recipe.seed)
    return Revealed(SMALL, name, source, (row,))


def _behind_codecs(name: str, run: Path, images: Path | None, recipe: RivalRecipe) -> Revealed:
    """Rows of the table of photographs: containers as they are, and after each codec."""
    model = Rival(recipe)
    restore(model, run)
    title, files, covers, secrets = pairs(images)
    rows = []
    with torch.inference_mode():
        containers = [
            _pictures(model.container(_tensor([cover]), _tensor([secret])))[0]
            for cover, secret in zip(covers, secrets, strict=True)
        ]
        for after in AFTER:
            arrived = [parse(after)(container) for container in containers]
            made = [(each, _pictures(model.revealed(_tensor([each])))[0]) for each in arrived]
            rows.append(scored(title, covers, secrets, list(made), _trained(run, recipe), after))
    return Revealed(PICTURES, name, Source.of(PICTURES, name, images, files, recipe.seed), tuple(rows))


def _trained(run: Path, recipe: Recipe) -> str:
    return f"{recipe.steps * recipe.batch:,} couples, {folder.provenance(run)['hours']:.2f} h"


def _pairs(name: str, images: Path | None) -> tuple[str, list[Path], list[Image], list[Image]]:
    """What pairs of the kind that *name* is trained on are called, their files, covers and secrets."""
    read = RECIPES[name].read
    if images is None or read is cover_secret.cifar:
        return small_pairs(images)
    _, files, covers, _ = small_pairs(images / "cifar10")
    if read is cover_secret.mnist:
        secrets, kind = list(cover_secret.digits(images / "mnist", "t10k")), "mnist"
    else:
        secrets, kind = list(cover_secret.reduced(Labelled.of(images / "tiny-imagenet", "val"))), "tiny-imagenet"
    return f"{kind} in cifar10, {SIDE}×{SIDE}", files, covers, [secrets[at % len(secrets)] for at in range(len(covers))]


def _bits(pictures: list[Image], seed: int) -> list[Image]:
    """Random bits of the shape of *pictures*, each 0 or 255."""
    rng = np.random.default_rng(seed)
    return [255 * rng.integers(2, size=each.shape, dtype=np.uint8) for each in pictures]


def _tensor(pictures: list[Image]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255


def _pictures(tensor: torch.Tensor) -> list[Image]:
    return list((255 * tensor.clamp(0, 1)).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())


def main() -> None:
    """Judge what the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m underpaint_lab.benchmarks.pictures.trained", description=judge.__doc__
    )
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--sheet", type=Path, help="picture of the first pairs to write")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    print(f"wrote {judge(arguments.name, arguments.run, arguments.images, arguments.sheet).write(arguments.results)}")


if __name__ == "__main__":
    main()
