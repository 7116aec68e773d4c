"""Pictures of 32×32 side by side, as the papers draw them: before, after, and what changed.

``python -m underpaint_lab.benchmarks.core.contact_sheet CIFAR10 sheet.png`` draws evenly spread pictures of the test split that changed as
far as machines let them, as in figure 8 of the paper on DMV-JND. In each row: the picture, where the panel looks, and
for each level the change, around mid-grey, and the changed picture.

With ``--way pixinpix-cifar``, or another way to hide pictures in pictures, as in figures 3 and 4 of the paper on pixels
in pixels: cover, container, ten times the change around mid-grey; secret, what is revealed, ten times its change.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from underpaint import media
from underpaint.models import jnd_networks
from underpaint_lab.benchmarks.jnd.measure import LEVELS, WAYS, change, tiles
from underpaint_lab.benchmarks.pictures.measure import small_pairs, ways

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.types import Image

#: Rows, pixels between pictures, and how much larger pixels are drawn.
ROWS, _GAP, _SCALE = 8, 2, 3
#: How much larger changes are drawn that nobody would see.
_TIMES = 10


def sheet(pictures: Image, way: str = "chosen") -> Image:
    """The sheet of *pictures*, ``uint8 (N, H, W, 3)``, changed in one of :data:`~underpaint_lab.benchmarks.jnd.measure.WAYS`.

    Raises:
        ModelError: a network is missing.
    """
    _, looked = jnd_networks.panel_outputs(pictures, WAYS["ours"])
    attention = np.rint(255 * looked.transpose(0, 2, 3, 1)).astype(np.uint8).repeat(3, axis=3)
    columns = [pictures, attention]
    for level in LEVELS if way != "published" else (None,):
        changed = change(way, level, pictures)
        columns += [np.clip(128 + changed / 2, 0, 255).astype(np.uint8)]
        columns += [np.rint(pictures + changed).clip(0, 255).astype(np.uint8)]
    return laid(columns)


def pairs_sheet(covers: Sequence[Image], secrets: Sequence[Image], made: Sequence[tuple[Image, Image]]) -> Image:
    """The sheet of *covers* and *secrets*, and what was *made* of each: its container, and what that reveals."""
    columns = []
    for before, after in ((covers, [pair[0] for pair in made]), (secrets, [pair[1] for pair in made])):
        change = np.stack(after).astype(np.float64) - np.stack(before)
        columns += [np.stack(before), np.stack(after), np.clip(128 + _TIMES * change, 0, 255).astype(np.uint8)]
    return laid(columns)


def laid(columns: Sequence[Image]) -> Image:
    """Columns of pictures, ``uint8 (N, H, W, 3)`` each, as one picture."""
    framed = [np.pad(column, [(0, 0), (0, _GAP), (0, _GAP), (0, 0)], constant_values=255) for column in columns]
    drawn = np.concatenate([np.concatenate(list(column)) for column in framed], axis=1)
    return drawn.repeat(_SCALE, axis=0).repeat(_SCALE, axis=1)


def main() -> None:
    """Draw what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m underpaint_lab.benchmarks.core.contact_sheet", description=__doc__)
    parser.add_argument("images", type=Path, help="folder with CIFAR-10's test.webp")
    parser.add_argument("out", type=Path)
    hiding = ways(small=True)
    parser.add_argument("--way", choices=[*WAYS, *hiding], default="chosen")
    arguments = parser.parse_args()
    if arguments.way in hiding:
        _, _, covers, secrets = small_pairs(arguments.images, ROWS)
        made = [hiding[arguments.way](*pair) for pair in zip(covers, secrets, strict=True)]
        drawn = pairs_sheet(covers, secrets, made)
    else:
        drawn = sheet(tiles(arguments.images / "test.webp", ROWS), arguments.way)
    media.write(media.Picture(drawn), arguments.out)


if __name__ == "__main__":
    main()
