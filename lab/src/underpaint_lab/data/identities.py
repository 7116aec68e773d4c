"""The split of people into training, validation and test, and pairs of pictures for face verification.

A data set is a folder with one CSV file, of columns ``file`` and ``identity``, and a zip file of the same name, such as
Labeled Faces in the Wild (G. Huang et al., 2007). The split is by person and follows from the SHA-256 of the names, so
that no person is in two splits.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from underpaint import media
from underpaint.errors import ImageError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from underpaint.types import Image

Split = Literal["train", "val", "test"]

#: Shares of the people in the test and in the validation split.
TEST_SHARE, VAL_SHARE = 0.3, 0.08


class People(NamedTuple):
    """Pictures labelled by person."""

    pictures: list[Image]
    #: Person in each picture, ``int64``, counted from 0.
    labels: NDArray[np.int64]


class Pairs(NamedTuple):
    """Pairs of pictures for verification, fold by fold: three arrays of one length."""

    #: Indices of pictures, ``int64``.
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    #: True if both show the same person.
    same: NDArray[np.bool_]


def people(folder: Path, split: Split) -> People:
    """Read one *split* of *folder*: 30 % of all people are in ``test``, 8 % in ``val``.

    Raises:
        UsageError: something is missing, or the split is empty.
        ImageError: a picture cannot be read.
    """
    try:
        (table,) = folder.glob("*.csv")
        rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
        chosen = sorted(_split(sorted({row["identity"] for row in rows}))[split])
        rows = [row for row in rows if row["identity"] in chosen]
        with zipfile.ZipFile(table.with_suffix(".zip")) as archive:
            pictures = [media.decode(archive.read(row["file"])).pixels for row in rows]
    except ImageError as error:
        raise ImageError(f"cannot read a picture of {folder}: {error}", hint=error.hint) from error
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        hint = "it takes one CSV file (file,identity), and a zip file of the same name"
        raise UsageError(f"{folder} has no faces: {error}", hint=hint) from error
    return People(pictures, np.array([chosen.index(row["identity"]) for row in rows], np.int64))


def pairs(labels: NDArray[np.int64], each: int = 150, folds: int = 10, seed: int = 0) -> Pairs:
    """Draw pairs for verification, in every fold as many of the same person as of different people.

    As in Labeled Faces in the Wild, but people may be in several folds, since there are few. No pair occurs twice.

    Args:
        labels: the person in each picture.
        each: pairs of either kind per fold.
        folds: number of folds.
        seed: of the random choice.

    Raises:
        UsageError: there are fewer pairs.
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


def _split(names: list[str]) -> dict[str, list[str]]:
    """Return *names* by split."""
    order = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
    test, val = round(TEST_SHARE * len(order)), round(VAL_SHARE * len(order))
    return {"test": order[:test], "val": order[test : test + val], "train": order[test + val :]}
