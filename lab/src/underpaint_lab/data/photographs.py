"""Sets of photographs for training, read from folders and zip files and kept decoded in memory."""

from __future__ import annotations

import hashlib
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

import numpy as np
import PIL.Image
import torch

from underpaint import media
from underpaint.errors import ImageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from underpaint.types import Image


class Photographs:
    """A set of decoded photographs.

    Args:
        name: of the folder or file they were read from.
        pictures: each ``uint8 (H, W, 3)``, of any size.

    Raises:
        UsageError: there are none.
    """

    def __init__(self, name: str, pictures: Sequence[Image]) -> None:
        if not pictures:
            raise UsageError(f"no photographs in {name}", hint=f"they end in {' '.join(sorted(media.EXTENSIONS))}")
        self.name = name
        self.pictures = tuple(pictures)
        self._sides = np.array([min(picture.shape[:2]) for picture in pictures])

    @classmethod
    def open(
        cls, path: str | Path, *, split: Literal["train", "held-out"] | None = None, share: float = 0.1
    ) -> Photographs:
        """Read all pictures at *path*, sorted by name.

        Args:
            path: a folder (searched with its subfolders and zip files), a zip file, or one picture.
            split: None for all pictures. The split of a picture follows from the SHA-256 of its file alone: copies are
                in one split whatever their names, and adding or removing pictures changes no other.
            share: held out, 0–1.

        Raises:
            UsageError: there are none, or *share* is out of range.
            ImageError: a file cannot be read.
        """
        if not 0 <= share <= 1:
            raise UsageError(f"the share held out must be 0–1, not {share}")

        def decode(named: tuple[str, bytes]) -> Image | None:
            name, data = named
            held_out = int.from_bytes(hashlib.sha256(data).digest()[:8], "big") < share * 2**64
            if split is not None and held_out != (split == "held-out"):
                return None
            try:
                return media.decode(data).pixels
            except ImageError as error:
                raise ImageError(f"cannot read {name}: {error}", hint=error.hint) from error

        path = Path(path)
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoders release the GIL
            decoded = list(pool.map(decode, _files(path)))
        return cls(path.name, [picture for picture in decoded if picture is not None])

    def __len__(self) -> int:
        return len(self.pictures)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 over sizes and pixels of all photographs in their order, in hexadecimal."""
        digest = hashlib.sha256()
        for picture in self.pictures:
            digest.update(f"{picture.shape}".encode())
            digest.update(np.ascontiguousarray(picture).data)
        return digest.hexdigest()

    def batch(self, step: int, *, size: int, crop: int, seed: int, rank: int = 0) -> Tensor:
        """Return random crops of *size* random photographs, ``float32 (size, 3, crop, crop)`` in [0, 1].

        Squares at random positions, of *crop* pixels up to the short side (log-uniform), are reduced to *crop* pixels
        (bicubic), rounded to 8 bits and mirrored at random in both directions. Photographs with a side below *crop* are
        never drawn.

        A pure function of its arguments, so that a resumed run gets the same batches.

        Args:
            step: counted from 0.
            size: number of crops.
            crop: their side in pixels.
            seed: of the run.
            rank: of the process.

        Raises:
            UsageError: no photograph is large enough.
        """
        large = np.flatnonzero(self._sides >= crop)
        if not large.size:
            raise UsageError(f"no photograph in {self.name} is large enough for a crop of {crop}×{crop}")
        # The last number makes these random numbers independent of those that the model draws in the same step.
        rng = np.random.default_rng([seed, step, rank, 1])
        squares = np.stack([_cut(self.pictures[index], crop, rng) for index in rng.choice(large, size)])
        # Not in PyTorch: the loop calls this from several threads, and each would get a thread pool of its own.
        return torch.from_numpy(squares.transpose(0, 3, 1, 2).astype(np.float32, order="C") / np.float32(255))


def _cut(picture: Image, crop: int, rng: np.random.Generator) -> Image:
    """Return a random square of *picture*, reduced to *crop* pixels."""
    height, width = picture.shape[:2]
    side = round(float(np.exp(rng.uniform(np.log(crop), np.log(min(height, width))))))
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    square: NDArray[np.uint8] = picture[top : top + side, left : left + side]
    if side > crop:
        reduced = PIL.Image.fromarray(square).resize((crop, crop), PIL.Image.Resampling.BICUBIC)
        square = np.asarray(reduced)
    vertical, horizontal = rng.integers(2, size=2) * 2 - 1
    return square[::vertical, ::horizontal]


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of every picture file at *path*, sorted by name, without hidden files."""
    if path.is_dir():
        for inner in sorted(path.iterdir(), key=lambda inner: inner.name):
            if not inner.name.startswith("."):
                yield from _files(inner)
    elif path.suffix.lower() == ".zip":
        yield from _zipped(path)
    elif not path.exists():
        raise UsageError(f"there is no {path}")
    elif path.suffix.lower() in media.EXTENSIONS:
        yield str(path), path.read_bytes()


def _zipped(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            # Sorted by path components, as folders are.
            for inner, member in sorted((PurePosixPath(member), member) for member in archive.namelist()):
                hidden = any(part.startswith((".", "__MACOSX")) for part in inner.parts)
                if inner.suffix.lower() in media.EXTENSIONS and not hidden:
                    yield f"{path}: {member}", archive.read(member)
    except (zipfile.BadZipFile, OSError, RuntimeError) as error:  # RuntimeError: it is encrypted
        raise ImageError(f"cannot read {path}: {error}") from error
