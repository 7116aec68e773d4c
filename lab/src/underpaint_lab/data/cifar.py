"""CIFAR-10: small pictures of ten classes (A. Krizhevsky, "Learning Multiple Layers of Features", 2009)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import PIL.Image
import torch

from underpaint.errors import UsageError
from underpaint_lab.data.labelled import Labelled

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

#: Side of a picture in pixels.
SIDE = 32
#: Pixels by which a crop may reach beyond the border of a picture.
_PADDING = 4


class Cifar(Labelled):
    """Labelled pictures of 32×32 pixels; a batch is cropped at once."""

    @classmethod
    def of(cls, folder: str | Path, split: Literal["train", "val", "test"] = "train") -> Cifar:
        """Read one split of *folder*.

        Args:
            folder: has ``labels.npz``, with an array ``y_train`` or ``y_test`` of classes, and for each split a WebP
                file of that name, whose tiles of 32×32 are the pictures, row by row.
            split: which of them; CIFAR-10 has no ``val``.

        Raises:
            UsageError: something is missing, or the two do not fit.
        """
        folder = Path(folder)
        try:
            with np.load(folder / "labels.npz", allow_pickle=False) as labels:
                classes = labels[f"y_{split}"]
            with PIL.Image.open(folder / f"{split}.webp") as opened:
                mosaic = np.asarray(opened.convert("RGB"))
            rows, columns = mosaic.shape[0] // SIDE, mosaic.shape[1] // SIDE
            tiles = mosaic.reshape(rows, SIDE, columns, SIDE, 3).swapaxes(1, 2).reshape(-1, SIDE, SIDE, 3)
        except (OSError, KeyError, ValueError) as error:
            hint = "it takes labels.npz (y_train, y_test), and a mosaic of 32×32 tiles, train.webp or test.webp"
            raise UsageError(f"{folder} has no pictures of CIFAR: {error}", hint=hint) from error
        return cls(folder.name, list(tiles[: len(classes)]), classes.tolist())

    def batch(self, step: int, *, size: int, crop: int, seed: int, rank: int = 0) -> Tensor:
        """Return random crops of *size* pictures, ``float32 (size, 4, crop, crop)``.

        As :meth:`~underpaint_lab.data.labelled.Labelled.batch`, but not scaled: crops reach up to 4 pixels beyond the
        border, where the picture is reflected. Every picture is drawn once before any is drawn again.

        Raises:
            UsageError: the crop is larger than a padded picture.
        """
        if crop > SIDE + 2 * _PADDING:
            raise UsageError(f"{self.name} has no crop of {crop}×{crop}", hint=f"{SIDE}×{SIDE} is all of a picture")
        drawn = self._drawn(range(step * size, (step + 1) * size), seed, rank)
        rng = np.random.default_rng([seed, step, rank, 1])
        rows, columns = rng.integers(-_PADDING, SIDE + _PADDING - crop + 1, (2, size, 1)) + np.arange(crop)
        mirrored = rng.integers(2, size=(size, 1)) == 1
        columns = np.where(mirrored, columns[:, ::-1], columns)
        squares = np.stack([self.pictures[index] for index in drawn])
        each = np.arange(size)[:, None, None]
        squares = squares[each, _reflected(rows)[:, :, None], _reflected(columns)[:, None]]
        planes = np.empty((size, 4, crop, crop), np.float32)
        np.divide(squares.transpose(0, 3, 1, 2), np.float32(255), out=planes[:, :3])
        planes[:, 3] = self.labels[drawn][:, None, None]
        return torch.from_numpy(planes)

    def _drawn(self, places: range, seed: int, rank: int) -> list[int]:
        """Return the pictures at *places* of an endless sequence of shuffled epochs."""
        rounds = range(places.start // len(self), places[-1] // len(self) + 1)
        orders = [np.random.default_rng([seed, drawing, rank, 3]).permutation(len(self)) for drawing in rounds]
        first = places.start - rounds.start * len(self)
        drawn: list[int] = np.concatenate(orders)[first : first + len(places)].tolist()
        return drawn


def _reflected(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return positions within a picture for *places* beyond its border, reflected without repeating the border."""
    within: NDArray[np.int64] = SIDE - 1 - np.abs(SIDE - 1 - np.abs(places))
    return within
