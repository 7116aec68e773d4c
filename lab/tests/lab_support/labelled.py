"""Labelled pictures that a small classifier tells apart after a few steps."""

from __future__ import annotations

import csv
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image

from underpaint_lab.data.labelled import Labelled

if TYPE_CHECKING:
    from pathlib import Path


def stripes(count: int, side: int = 40) -> Labelled:
    """Return pictures of level stripes, class 0, and of upright ones, class 1."""
    rng = np.random.default_rng([count, side])
    wave = np.where(np.arange(side) // 4 % 2, 220, 30)[:, None, None]
    pictures, labels = [], []
    for label in np.arange(count) % 2:
        noise = rng.integers(-20, 21, (side, side, 3))
        pictures.append((noise + (wave.transpose(1, 0, 2) if label else wave)).astype(np.uint8))
        labels.append(int(label))
    return Labelled("stripes", pictures, labels)


def write(folder: Path, pictures: Labelled, split: str = "train") -> Path:
    """Write *pictures* to a zip file in *folder*, and add their rows to ``labels.csv``."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{split}.zip", "w") as archive, (folder / "labels.csv").open("a") as file:
        rows = csv.writer(file)
        if not file.tell():
            rows.writerow(("split", "file", "label"))
        for index, (picture, label) in enumerate(zip(pictures.pictures, pictures.labels, strict=True)):
            with archive.open(f"{index}.png", "w") as member:
                PIL.Image.fromarray(picture).save(member, "PNG")
            rows.writerow((split, f"{index}.png", label))
    return folder
