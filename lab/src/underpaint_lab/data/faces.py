"""Faces labelled by identity (Labeled Faces in the Wild, G. Huang et al., 2007), and pools of covers for them.

Training and test people are disjoint: see :mod:`underpaint_lab.data.identities`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from underpaint_lab.data.cover_secret import CoverSecretPairs
from underpaint_lab.data.identities import Pairs, Split, pairs, people
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.data.photographs import Photographs

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["POOLS", "TOGETHER", "Faces", "KnownPairs", "Pairs", "Split", "covers", "faces", "objects", "pairs"]

#: Pictures of one person in a batch.
TOGETHER = 4
#: Share of the covers that is kept for evaluation.
_HELD_OUT = 0.3
#: Pools of covers by name, and their paths: textures as in the paper, and two more for its table IV.
POOLS = {"textures": "textures/textures.zip", "photographs": "covers/train.zip", "faces": "faces"}


class Faces(Labelled):
    """Pictures of faces labelled by person; a batch has several pictures of each person, as triplet losses need."""

    smallest = 0.85

    @classmethod
    def of(cls, folder: str | Path, split: Split = "train") -> Faces:
        """Read one split of *folder*.

        Args:
            folder: as of :func:`underpaint_lab.data.identities.people`.
            split: which people; every person is in one split only.

        Raises:
            UsageError: something is missing, or the split is empty.
            ImageError: a picture cannot be read.
        """
        found = people(Path(folder), split)
        return cls(Path(folder).name, found.pictures, found.labels.tolist())

    def drawn(self, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the indices of the pictures in a batch, ``(size,)``: :data:`TOGETHER` of each person, side by side.

        People and pictures are drawn without replacement as long as there are enough.
        """
        there, count = np.unique(self.labels), -(-size // TOGETHER)
        people = rng.choice(there, count, replace=count > there.size)
        theirs = [np.flatnonzero(self.labels == person) for person in people]
        found = [rng.choice(own, TOGETHER, replace=own.size < TOGETHER) for own in theirs]
        return np.concatenate(found)[:size]


class KnownPairs(CoverSecretPairs):
    """Pairs of a cover and a labelled secret."""

    secrets: Labelled

    def batch(self, step: int, *, size: int, crop: int, seed: int, rank: int = 0) -> Tensor:
        """Return *size* pairs, ``float32 (size, 7, crop, crop)``: cover and secret in [0, 1], and the class.

        A pure function of its arguments, see :meth:`~underpaint_lab.data.photographs.Photographs.batch`.

        Raises:
            UsageError: covers are too small for the crop.
        """
        # As in CoverSecretPairs, a seed for each set.
        covers = self.covers.batch(step, size=size, crop=crop, seed=2 * seed, rank=rank)[:, :3]
        return torch.cat([covers, self.secrets.batch(step, size=size, crop=crop, seed=2 * seed + 1, rank=rank)], dim=1)


def covers(folder: Path, pool: str = "textures", split: Literal["train", "test"] = "train") -> Photographs:
    """Return the covers of one of the :data:`POOLS` in *folder* that belong to *split*; no cover is in both splits.

    Raises:
        UsageError, ImageError: as of :meth:`~underpaint_lab.data.photographs.Photographs.open`, or of :meth:`Faces.of`.
    """
    path = folder / POOLS[pool]
    if pool == "faces":
        return Faces.of(path, split)
    return Photographs.open(path, split="train" if split == "train" else "held-out", share=_HELD_OUT)


def faces(folder: Path, pool: str = "textures") -> KnownPairs:
    """Return pairs of a cover of a *pool* and a face; *folder* has both.

    Raises:
        UsageError, ImageError: as of :meth:`Faces.of` and :func:`covers`.
    """
    return KnownPairs(covers(folder, pool), Faces.of(folder / "faces"))


def objects(folder: Path, pool: str = "textures") -> KnownPairs:
    """Return pairs of a cover of a *pool* and an object of Tiny-ImageNet; *folder* has both.

    Raises:
        UsageError, ImageError: as of :meth:`~underpaint_lab.data.labelled.Labelled.of` and :func:`covers`.
    """
    return KnownPairs(covers(folder, pool), Labelled.of(folder / "tiny-imagenet"))
