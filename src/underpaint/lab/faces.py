"""Faces of known people, pairs of them to verify, and covers to hide them in.

Whom a network is judged by, it has never seen: people, not pictures, are split (Labeled Faces in the Wild, G. Huang et
al., 2007, in the folder's own cut).
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch

from underpaint import image
from underpaint.errors import ImageError, UsageError
from underpaint.lab.couples import Couples
from underpaint.lab.data import Photographs
from underpaint.lab.labelled import Labelled

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

Split = Literal["train", "val", "test"]

#: The shares of people that are kept to judge by, and to choose by.
_TEST, _VAL = 0.3, 0.08
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
            folder: has one CSV file with columns ``file`` and ``identity``, and a zip file of the same name.
            split: which people. It follows from the SHA-256 of a name whether 30 % of them are in ``test``, 8 % in
                ``val``; no person is in two.

        Raises:
            UsageError: something is missing, or it has nobody for that split.
            ImageError: a picture cannot be read.
        """
        folder = Path(folder)
        try:
            (table,) = folder.glob("*.csv")
            rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
            people = sorted(_split(sorted({row["identity"] for row in rows}))[split])
            rows = [row for row in rows if row["identity"] in people]
            with zipfile.ZipFile(table.with_suffix(".zip")) as archive:
                pictures = [image.decode(archive.read(row["file"])).pixels for row in rows]
        except ImageError as error:
            raise ImageError(f"cannot read a picture of {folder}: {error}", hint=error.hint) from error
        except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
            hint = "it takes one CSV file (file,identity), and a zip file of the same name"
            raise UsageError(f"{folder} has no faces: {error}", hint=hint) from error
        return cls(folder.name, pictures, [people.index(row["identity"]) for row in rows])

    def drawn(self, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Which pictures a batch of *size* is of, ``(size,)``: :data:`TOGETHER` of each person, side by side.

        Nobody is drawn twice, nor a picture, as long as there are others.
        """
        there, count = np.unique(self.labels), -(-size // TOGETHER)
        people = rng.choice(there, count, replace=count > there.size)
        theirs = [np.flatnonzero(self.labels == person) for person in people]
        found = [rng.choice(own, TOGETHER, replace=own.size < TOGETHER) for own in theirs]
        return np.concatenate(found)[:size]


class KnownCouples(Couples):
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
        UsageError, ImageError: as of :meth:`~underpaint.lab.data.Photographs.open`, or of :meth:`Faces.of`.
    """
    path = folder / POOLS[pool]
    if pool == "faces":
        return Faces.of(path, split)
    return Photographs.open(path, split="train" if split == "train" else "held-out", share=_HELD_OUT)


def faces(folder: Path, pool: str = "textures") -> KnownCouples:
    """Faces in covers of a *pool*; *folder* has both.

    Raises:
        UsageError, ImageError: as of :meth:`Faces.of` and :func:`covers`.
    """
    return KnownCouples(covers(folder, pool), Faces.of(folder / "faces"))


def objects(folder: Path, pool: str = "textures") -> KnownCouples:
    """Tiny-ImageNet in covers of a *pool*; *folder* has both.

    Raises:
        UsageError, ImageError: as of :meth:`~underpaint.lab.labelled.Labelled.of` and :func:`covers`.
    """
    return KnownCouples(covers(folder, pool), Labelled.of(folder / "tiny-imagenet"))


class Pairs(NamedTuple):
    """Which pictures are compared, fold by fold: three arrays of one length."""

    #: Places of pictures, ``int64``.
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    #: Whether both show the same person.
    same: NDArray[np.bool_]


def pairs(labels: NDArray[np.int64], each: int = 150, folds: int = 10, seed: int = 0) -> Pairs:
    """Pairs to verify by: *each* of the same person and *each* of two, in every one of *folds*; none occurs twice.

    As in Labeled Faces in the Wild, but people may be in several folds: there are few of them.

    Args:
        labels: whom each picture shows.
        each: pairs of either kind in a fold.
        folds: how many.
        seed: another one draws others.

    Raises:
        UsageError: there are not that many.
    """
    rng, count = np.random.default_rng(seed), each * folds
    first, second = np.triu_indices(len(labels), 1)
    same = labels[first] == labels[second]
    kinds = [np.flatnonzero(same == kind) for kind in (True, False)]
    if min(map(len, kinds)) < count:
        raise UsageError(f"there are no {count} pairs of the same person and {count} of others", hint="ask for fewer")
    chosen = [rng.choice(kind, count, replace=False).reshape(folds, each) for kind in kinds]
    order = np.concatenate(chosen, axis=1).ravel()
    return Pairs(first[order], second[order], same[order])


def _split(people: list[str]) -> dict[str, list[str]]:
    """*people* by split; who is in which follows from the SHA-256 of names."""
    order = sorted(people, key=lambda name: hashlib.sha256(name.encode()).digest())
    test, val = round(_TEST * len(order)), round(_VAL * len(order))
    return {"test": order[:test], "val": order[test : test + val], "train": order[test + val :]}
