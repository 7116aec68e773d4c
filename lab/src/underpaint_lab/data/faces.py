"""Faces of known people, and covers to hide them in.

Whom a network is judged by, it has never seen: people, not pictures, are split (Labeled Faces in the Wild, G. Huang et
al., 2007, in the folder's own cut).
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
#: The share of textures that is kept to judge by.
_HELD_OUT = 0.3
#: What covers are, and where they lie: textures as in the paper, and two other pools for its table IV.
POOLS = {"textures": "textures/textures.zip", "photographs": "covers/train.zip", "faces": "faces"}


class Faces(Labelled):
    """Pictures of faces, each of one person, several of whom are in a batch."""

    smallest = 0.85

    @classmethod
    def of(cls, folder: str | Path, split: Split = "train") -> Faces:
        """Read one split of *folder*.

        Args:
            folder: as of :func:`underpaint_lab.data.identities.people`.
            split: which people; nobody is in two.

        Raises:
            UsageError: something is missing, or it has nobody for that split.
            ImageError: a picture cannot be read.
        """
        found = people(Path(folder), split)
        return cls(Path(folder).name, found.pictures, found.labels.tolist())

    def drawn(self, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Which pictures a batch of *size* is of, ``(size,)``: :data:`TOGETHER` of each person, side by side.

        Nobody is drawn twice, nor a picture, as long as there are others.
        """
        there, count = np.unique(self.labels), -(-size // TOGETHER)
        people = rng.choice(there, count, replace=count > there.size)
        theirs = [np.flatnonzero(self.labels == person) for person in people]
        found = [rng.choice(own, TOGETHER, replace=own.size < TOGETHER) for own in theirs]
        return np.concatenate(found)[:size]


class KnownPairs(CoverSecretPairs):
    """Covers, and secrets whose classes are known."""

    secrets: Labelled

    def batch(self, step: int, *, size: int, crop: int, seed: int, rank: int = 0) -> Tensor:
        """Cut *size* couples, ``float32 (size, 7, crop, crop)``: cover and secret in [0, 1], the class of each pixel.

        A pure function of its arguments, as for photographs.

        Raises:
            UsageError: covers are too small for the crop.
        """
        # As of :class:`Couples`, another stream for each set.
        covers = self.covers.batch(step, size=size, crop=crop, seed=2 * seed, rank=rank)[:, :3]
        return torch.cat([covers, self.secrets.batch(step, size=size, crop=crop, seed=2 * seed + 1, rank=rank)], dim=1)


def covers(folder: Path, pool: str = "textures", split: Literal["train", "test"] = "train") -> Photographs:
    """One of the :data:`POOLS` in *folder*, as far as it belongs to *split*: no cover is in both.

    Raises:
        UsageError, ImageError: as of :meth:`~underpaint_lab.data.photographs.Photographs.open`, or of :meth:`Faces.of`.
    """
    path = folder / POOLS[pool]
    if pool == "faces":
        return Faces.of(path, split)
    return Photographs.open(path, split="train" if split == "train" else "held-out", share=_HELD_OUT)


def faces(folder: Path, pool: str = "textures") -> KnownPairs:
    """Faces in covers of a *pool*; *folder* has both.

    Raises:
        UsageError, ImageError: as of :meth:`Faces.of` and :func:`covers`.
    """
    return KnownPairs(covers(folder, pool), Faces.of(folder / "faces"))


def objects(folder: Path, pool: str = "textures") -> KnownPairs:
    """Tiny-ImageNet in covers of a *pool*; *folder* has both.

    Raises:
        UsageError, ImageError: as of :meth:`~underpaint_lab.data.labelled.Labelled.of` and :func:`covers`.
    """
    return KnownPairs(covers(folder, pool), Labelled.of(folder / "tiny-imagenet"))
