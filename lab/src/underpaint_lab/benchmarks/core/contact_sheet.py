"""Contact sheets: pictures of 32×32 side by side, before and after hiding, with their difference.

``underpaint-lab draw sheet CIFAR10 sheet.png`` draws evenly spread pictures of the test split, changed by the just
noticeable difference of machines, as figure 8 of the paper on DMV-JND. A row shows the picture, the attention of the
panel and, for each level, the change around mid-grey and the changed picture.

With ``--way pixinpix-cifar``, or another way to hide pictures in pictures, it draws figures 3 and 4 of the paper on
PixInPix: cover, container, and ten times their difference around mid-grey; secret, revealed picture, and theirs.
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

#: Rows, pixels between pictures, and magnification of pixels.
ROWS, _GAP, _SCALE = 8, 2, 3
#: Magnification of differences of covers and secrets.
_AMPLIFICATION = 10


def change_sheet(pictures: Image, way: str = "chosen") -> Image:
    """Return a sheet of *pictures*, ``uint8 (N, H, W, 3)``, changed in one of the ways of the table ``dmvjnd``.

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
    return arrange(columns)


def pairs_sheet(covers: Sequence[Image], secrets: Sequence[Image], made: Sequence[tuple[Image, Image]]) -> Image:
    """Return a sheet of *covers*, *secrets*, and what was *made* of each pair: container and revealed picture."""
    columns = []
    for before, after in ((covers, [pair[0] for pair in made]), (secrets, [pair[1] for pair in made])):
        change = np.stack(after).astype(np.float64) - np.stack(before)
        columns += [np.stack(before), np.stack(after), np.clip(128 + _AMPLIFICATION * change, 0, 255).astype(np.uint8)]
    return arrange(columns)


def arrange(columns: Sequence[Image]) -> Image:
    """Arrange columns of pictures, ``uint8 (N, H, W, 3)`` each, in one picture."""
    framed = [np.pad(column, [(0, 0), (0, _GAP), (0, _GAP), (0, 0)], constant_values=255) for column in columns]
    drawn = np.concatenate([np.concatenate(list(column)) for column in framed], axis=1)
    return drawn.repeat(_SCALE, axis=0).repeat(_SCALE, axis=1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw pictures of CIFAR-10 before and after hiding, side by side."""
    hiding = ways(small=True)
    parser = argparse.ArgumentParser(prog="underpaint-lab draw sheet", description=main.__doc__)
    parser.add_argument("images", type=Path, help="folder with CIFAR-10's test.webp")
    parser.add_argument("out", type=Path, help="picture to write")
    parser.add_argument("--way", choices=[*WAYS, *hiding], default="chosen")
    options = parser.parse_args(arguments)
    if options.way in hiding:
        _, _, covers, secrets = small_pairs(options.images, ROWS)
        made = [hiding[options.way](*pair) for pair in zip(covers, secrets, strict=True)]
        drawn = pairs_sheet(covers, secrets, made)
    else:
        drawn = change_sheet(tiles(options.images / "test.webp", ROWS), options.way)
    media.write(media.Picture(drawn), options.out)
    print(f"wrote {options.out}")
