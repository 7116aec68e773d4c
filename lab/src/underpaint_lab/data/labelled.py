"""Pictures whose classes are known, to train classifiers on."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import PIL.Image
import torch

from underpaint import media
from underpaint.errors import ImageError, UsageError
from underpaint_lab.data.photographs import Photographs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from underpaint.types import Image


class Labelled(Photographs):
    """Photographs with a class label each.

    Args:
        name: of the folder they were read from.
        pictures: each ``uint8 (H, W, 3)``.
        labels: the class of each, counted from 0.

    Raises:
        UsageError: there are none, or not one label for each.
    """

    #: Smallest crop as a share of the short side of a picture; smaller ones might miss the object.
    smallest = 0.6

    def __init__(self, name: str, pictures: Sequence[Image], labels: Sequence[int]) -> None:
        super().__init__(name, pictures)
        if len(pictures) != len(labels):
            raise UsageError(f"{name} has {len(pictures)} pictures, but {len(labels)} labels")
        self.labels = np.array(labels, np.int64)

    @classmethod
    def of(cls, folder: str | Path, split: Literal["train", "val"] = "train") -> Labelled:
        """Read one split of *folder*.

        Args:
            folder: has ``labels.csv``, with columns ``split``, ``file`` and ``label``, and for each split a zip file
                of that name, with the files.
            split: which of them.

        Raises:
            UsageError: something is missing, or a label is no number.
            ImageError: a picture cannot be read.
        """
        folder = Path(folder)
        hint = "it takes labels.csv (split,file,label), and a zip file of pictures for each split"
        try:
            with zipfile.ZipFile(folder / f"{split}.zip") as archive:
                text = (folder / "labels.csv").read_text(encoding="utf-8")
                rows = [row for row in csv.DictReader(io.StringIO(text)) if row["split"] == split]
                labels = [int(row["label"]) for row in rows]
                pictures = [media.decode(archive.read(row["file"])).pixels for row in rows]
        except ImageError as error:
            raise ImageError(f"cannot read a picture of {folder / split}.zip: {error}", hint=error.hint) from error
        except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
            raise UsageError(f"{folder} has no labelled pictures: {error}", hint=hint) from error
        return cls(folder.name, pictures, labels)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 over the digest of the photographs and their labels, in hexadecimal."""
        return hashlib.sha256(super().sha256.encode() + self.labels.tobytes()).hexdigest()

    def batch(self, step: int, *, size: int, crop: int, seed: int, rank: int = 0) -> Tensor:
        """Return random crops of *size* random pictures, ``float32 (size, 4, crop, crop)``.

        The channels are red, green and blue in [0, 1], and the class of each pixel, from which the share of each class
        follows where pictures are mixed. Squares at random positions, of :attr:`smallest` to all of the short side, are
        scaled to *crop* pixels, rounded to 8 bits and mirrored at random.

        A pure function of its arguments, see :meth:`~underpaint_lab.data.photographs.Photographs.batch`.
        """
        rng = np.random.default_rng([seed, step, rank, 1])
        drawn = self.drawn(size, rng)
        planes = np.empty((size, 4, crop, crop), np.float32)
        for plane, index in zip(planes, drawn, strict=True):
            plane[:3] = _cut(self.pictures[index], crop, self.smallest, rng).transpose(2, 0, 1) / np.float32(255)
            plane[3] = self.labels[index]
        return torch.from_numpy(planes)

    def drawn(self, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the indices of the pictures in a batch, ``(size,)``."""
        return rng.choice(len(self), size)


def _cut(picture: Image, crop: int, smallest: float, rng: np.random.Generator) -> Image:
    """Return a random square of *picture*, at least *smallest* of its short side, scaled to *crop* pixels."""
    height, width = picture.shape[:2]
    side = min(height, width) * rng.uniform(smallest, 1)
    top, left = rng.uniform(0, height - side), rng.uniform(0, width - side)
    box = (left, top, left + side, top + side)
    square = PIL.Image.fromarray(picture).resize((crop, crop), PIL.Image.Resampling.BICUBIC, box)
    return np.asarray(square)[:, :: rng.integers(2) * 2 - 1]
