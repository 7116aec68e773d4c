"""Pairs of a cover and a secret picture, the training data of networks that hide pictures in pictures."""

from __future__ import annotations

import gzip
import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
import torch

from underpaint.errors import UsageError
from underpaint_lab.data.cifar import SIDE, Cifar
from underpaint_lab.data.labelled import Labelled
from underpaint_lab.data.photographs import Photographs

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

#: Header of an IDX file of pictures: magic number, number of pictures, rows, columns.
_IDX_HEADER = np.dtype(">u4")
_IDX_PICTURES = 0x803


class CoverSecretPairs:
    """Random pairs of a cover and a secret picture.

    Args:
        covers: set of cover pictures.
        secrets: set of secret pictures; no picture is in both sets.
        turns: the sets swap roles at every other step; for two halves of one set.
    """

    def __init__(self, covers: Photographs, secrets: Photographs, *, turns: bool = False) -> None:
        self.covers, self.secrets, self.turns = covers, secrets, turns
        self.name = covers.name if turns else f"{secrets.name} in {covers.name}"

    def __len__(self) -> int:
        return len(self.covers) + len(self.secrets)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 over the digests of covers and secrets, in hexadecimal."""
        return hashlib.sha256(f"{self.covers.sha256} {self.secrets.sha256}".encode()).hexdigest()

    def batch(self, step: int, *, size: int, crop: int, seed: int, rank: int = 0) -> Tensor:
        """Return random crops of *size* pairs, ``float32 (size, 6, crop, crop)`` in [0, 1]: cover, then secret.

        A pure function of its arguments, see :meth:`~underpaint_lab.data.photographs.Photographs.batch`.

        Raises:
            UsageError: pictures are too small for the crop.
        """
        sets = self.covers, self.secrets
        parts = [
            # A seed for each set: otherwise both would be cropped at the same positions.
            each.batch(step, size=size, crop=crop, seed=2 * seed + number, rank=rank)[:, :3]
            for number, each in enumerate(sets)
        ]
        return torch.cat(parts[::-1] if self.turns and step % 2 else parts, dim=1)


def photographs(path: Path) -> CoverSecretPairs:
    """Return pairs of photographs: those at *path* that are not held out.

    Raises:
        UsageError, ImageError: as of :meth:`~underpaint_lab.data.photographs.Photographs.open`.
    """
    found = Photographs.open(path, split="train")
    halves = [Photographs(found.name, found.pictures[start::2]) for start in range(2)]
    return CoverSecretPairs(*halves, turns=True)


def cifar(folder: Path) -> CoverSecretPairs:
    """Return pairs of CIFAR-10 pictures.

    Raises:
        UsageError: *folder* has none.
    """
    found = Cifar.of(folder)
    halves = [Cifar(found.name, found.pictures[start::2], found.labels[start::2].tolist()) for start in range(2)]
    return CoverSecretPairs(*halves, turns=True)


def mnist(folder: Path) -> CoverSecretPairs:
    """Return pairs of a CIFAR-10 cover and an MNIST secret; *folder* has ``cifar10`` and ``mnist``.

    Raises:
        UsageError: one of them is missing.
    """
    return CoverSecretPairs(Cifar.of(folder / "cifar10"), _small("mnist", digits(folder / "mnist")))


def tiny(folder: Path) -> CoverSecretPairs:
    """Return pairs of a CIFAR-10 cover and a Tiny-ImageNet secret reduced to 32×32.

    *folder* has ``cifar10`` and ``tiny-imagenet``.

    Raises:
        UsageError, ImageError: one of them is missing, or cannot be read.
    """
    found = Labelled.of(folder / "tiny-imagenet")
    return CoverSecretPairs(Cifar.of(folder / "cifar10"), _small(found.name, reduced(found)))


def reduced(pictures: Labelled, side: int = SIDE) -> NDArray[np.uint8]:
    """Return *pictures* scaled to *side* pixels (bicubic), ``uint8 (N, side, side, 3)``."""
    small = [PIL.Image.fromarray(each).resize((side, side), PIL.Image.Resampling.BICUBIC) for each in pictures.pictures]
    return np.stack([np.asarray(each) for each in small])


def digits(folder: Path, split: str = "train") -> NDArray[np.uint8]:
    """Return the digits of MNIST with a black border, ``uint8 (N, 32, 32, 3)``.

    Args:
        folder: has ``train-images-idx3-ubyte.gz`` or ``t10k-images-idx3-ubyte.gz``.
        split: ``train`` or ``t10k``, the beginning of the file's name.

    Raises:
        UsageError: it is missing or broken.
    """
    file = folder / f"{split}-images-idx3-ubyte.gz"
    try:
        data = gzip.decompress(file.read_bytes())
        magic, count, height, width = np.frombuffer(data, _IDX_HEADER, 4).tolist()
        if magic != _IDX_PICTURES or max(height, width) > SIDE:
            raise ValueError("it is no IDX file of pictures of up to 32×32")
        found = np.frombuffer(data, np.uint8, offset=16).reshape(count, height, width)
    except (OSError, EOFError, ValueError) as error:
        raise UsageError(f"{folder} has no pictures of MNIST: {error}", hint=f"it takes {file.name}") from error
    borders = [(left := (SIDE - side) // 2, SIDE - side - left) for side in (height, width)]
    return np.pad(found, [(0, 0), *borders])[..., None].repeat(3, axis=3)


def _small(name: str, pictures: NDArray[np.uint8]) -> Cifar:
    """Return a set of *pictures* of 32×32 pixels, all of class 0."""
    return Cifar(name, list(pictures), [0] * len(pictures))
