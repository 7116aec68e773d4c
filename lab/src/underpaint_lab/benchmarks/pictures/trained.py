"""Rows of the tables on pictures in pictures for networks that are not in the zoo: the paper's, and its baselines.

``underpaint-lab evaluate pictures baluja --run runs/baluja --images CIFAR10`` hides every picture of the mosaic
``test.webp`` in another, rounds to 8 bits, and writes the row of the run beside those of ``underpaint-lab bench``.
Networks that hide other pictures are measured on the data that they were trained on: ``--images`` names its folder.
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
from underpaint_lab.benchmarks.core.contact_sheet import ROWS, pairs_sheet
from underpaint_lab.benchmarks.core.result_file import RESULTS, ResultFile
from underpaint_lab.benchmarks.core.tensors import to_pictures, to_tensor
from underpaint_lab.benchmarks.jnd.measure import SIDE
from underpaint_lab.benchmarks.pictures.measure import measure_pairs, pairs, pixinpix_network, small_pairs
from underpaint_lab.benchmarks.pictures.rows import PICTURES, SMALL, PictureRow
from underpaint_lab.benchmarks.robustness.grids import PICTURE_CHANNELS
from underpaint_lab.data import cover_secret
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.export.onnx import export
from underpaint_lab.noise_layers.layer import round_8_bit
from underpaint_lab.papers import RECIPES
from underpaint_lab.papers.pixinpix import baselines, models
from underpaint_lab.papers.pixinpix.baselines import PixInPixBaseline, PixInPixBaselineRecipe
from underpaint_lab.papers.pixinpix.models import PixInPixPublished
from underpaint_lab.papers.pixinpix.release import pictures
from underpaint_lab.provenance import Source
from underpaint_lab.training import run_folder as folder
from underpaint_lab.training.loop import restore
from underpaint_lab.training.recipe import Recipe, as_settings, with_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.types import Image

#: Recipes that can be evaluated.
NAMES = [
    name
    for paper in (models, baselines)
    for name, entry in paper.RECIPES.items()
    if entry.build in (PixInPixPublished, PixInPixBaseline) or entry.read is cover_secret.mnist
]
#: Pairs per batch.
_BATCH = 50


def evaluate(name: str, run: Path, images: Path | None, drawn: Path | None = None) -> ResultFile[PictureRow]:
    """Hide pictures in pictures by the networks of a run, and measure containers and revealed pictures.

    Args:
        name: recipe of the run, one of :data:`NAMES`.
        run: folder of the run.
        images: folder of the pictures.
        drawn: file for a sheet of the first pairs; None for none.

    Raises:
        UsageError: the recipe is of another kind, or there are no pictures.
        ModelError: *run* has no checkpoint of these networks.
    """
    settings = folder.read_record(run)["recipe"]
    entry = RECIPES[name]
    recipe = with_settings(entry.recipe, as_settings(settings))
    if isinstance(recipe, PixInPixBaselineRecipe) and recipe.codecs:
        return _behind_codecs(name, run, images, recipe)
    title, files, covers, secrets = _pairs(name, images)
    if name not in NAMES:
        raise UsageError(f"'{name}' cannot be evaluated", hint=f"these can: {', '.join(NAMES)}")
    model = entry.model(recipe)
    bits = isinstance(recipe, PixInPixBaselineRecipe) and recipe.bits
    if bits:
        title, secrets = f"bits in {title}", _bits(secrets, recipe.seed)
    made: list[tuple[Image, Image] | None] = []
    if isinstance(model, PixInPixPublished | PixInPixBaseline):
        restore(model, run)
        with torch.inference_mode():
            for start in range(0, len(covers), _BATCH):
                both = [to_tensor(part[start : start + _BATCH]) for part in (covers, secrets)]
                containers = round_8_bit(model.container(both[0], both[1]))
                found = model.revealed(containers)
                made += zip(to_pictures(containers), to_pictures((found > 0) + 0.0 if bits else found), strict=True)
    else:
        with TemporaryDirectory() as scratch:
            graphs, card = pictures(name, run, {})
            export(graphs, Path(scratch) / name, card)
            shipped = read_model(Path(scratch) / name)
            made += [pixinpix_network(cover, secret, shipped) for cover, secret in zip(covers, secrets, strict=True)]
    if drawn is not None:
        rows = [pair for pair in made[:ROWS] if pair is not None]
        media.write(media.Picture(pairs_sheet(covers[:ROWS], secrets[:ROWS], rows)), drawn)
    row = measure_pairs(title, covers, secrets, made, _trained(run, recipe))
    if bits:
        right = np.mean([pair[1] == secret for pair, secret in zip(made, secrets, strict=True) if pair])
        row = replace(row, secret=None, bits=3 * (2 * float(right) - 1))
    source = Source.of_bench(SMALL, name, images, files, recipe.seed)
    return ResultFile(SMALL, name, source, (row,))


def _behind_codecs(name: str, run: Path, images: Path | None, recipe: PixInPixBaselineRecipe) -> ResultFile[PictureRow]:
    """Measure containers of photographs behind each of :data:`PICTURE_CHANNELS`."""
    model = PixInPixBaseline(recipe)
    restore(model, run)
    title, files, covers, secrets = pairs(images)
    rows = []
    with torch.inference_mode():
        containers = [
            to_pictures(model.container(to_tensor([cover]), to_tensor([secret])))[0]
            for cover, secret in zip(covers, secrets, strict=True)
        ]
        for after in PICTURE_CHANNELS:
            received = [parse(after)(container) for container in containers]
            made = [(each, to_pictures(model.revealed(to_tensor([each])))[0]) for each in received]
            rows.append(measure_pairs(title, covers, secrets, list(made), _trained(run, recipe), after))
    return ResultFile(PICTURES, name, Source.of_bench(PICTURES, name, images, files, recipe.seed), tuple(rows))


def _trained(run: Path, recipe: Recipe) -> str:
    return f"{recipe.steps * recipe.batch:,} pairs, {folder.provenance(run)['hours']:.2f} h"


def _pairs(name: str, images: Path | None) -> tuple[str, list[Path], list[Image], list[Image]]:
    """Return the name of the pairs that *name* is trained on, their files, covers and secrets."""
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
    """Return random bits of the shape of *pictures*, each 0 or 255."""
    rng = np.random.default_rng(seed)
    return [255 * rng.integers(2, size=each.shape, dtype=np.uint8) for each in pictures]


def main(arguments: Sequence[str] | None = None) -> None:
    """Hide pictures in pictures by the networks of a run, and write the row of the run."""
    parser = argparse.ArgumentParser(prog="underpaint-lab evaluate pictures", description=main.__doc__)
    parser.add_argument("name", choices=NAMES, metavar="RECIPE", help=", ".join(NAMES))
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--images", type=Path, help="folder of the pictures")
    parser.add_argument("--sheet", type=Path, help="file for a sheet of the first pairs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    options = parser.parse_args(arguments)
    found = evaluate(options.name, options.run, options.images, options.sheet)
    print(f"wrote {found.write(options.results)}")
