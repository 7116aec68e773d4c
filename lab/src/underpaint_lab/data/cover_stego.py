"""Pairs of a cover and its stego image, the training data of steganalysis networks.

::

    photographs ─► covers of 128×128 ─► one stego image by each of KINDS, each at a random rate ─► pairs.npz

``underpaint-lab prepare pairs train.zip runs/pairs.npz`` makes the file once: embedding costs take longer to compute
than a training step. A share of :data:`HELD_OUT` of the photographs, by the hash of their files, is left out; detectors
are selected on those.
"""

from __future__ import annotations

import argparse
import hashlib
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from underpaint.coding.keys import Key
from underpaint.errors import CapacityError, UsageError
from underpaint.methods import METHODS
from underpaint_lab.data.camera import developed, halved, random_crop
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.data.pictures import spread
from underpaint_lab.steganalysis.simulate import COSTS, simulate_embedding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from underpaint.methods.lossless import LosslessMethod
    from underpaint.types import Image

#: Share of the photographs, 0–1, that no network is trained on.
HELD_OUT = 0.13
#: Range of the rates in bits per value, by kind of stego image: simulated optimal embedding by its costs, or a method.
KINDS: dict[str, tuple[float, float]] = {
    "matching": (0.1, 0.6),
    "hill": (0.1, 0.6),
    "s-uniward": (0.1, 0.6),
    "lsb": (0.05, 0.6),
    "basn": (0.05, 1.0),
    "basn-stc": (0.1, 0.6),
}
#: Training steps until all rates are drawn: training begins with the highest ones.
CURRICULUM_STEPS = 800
#: Share of the pairs, those with the highest rates, that training begins with.
FIRST_SHARE = 0.25
#: One in so many pairs is grey.
GREY_EVERY = 20
#: Ways to make a cover from a photograph, each with its share of the covers. The archive's WebP leaves colours smooth;
#: halving the photograph undoes that.
COVER_SOURCES: tuple[tuple[float, Callable[[Image, np.random.Generator], Image]], ...] = (
    (0.1, random_crop),
    (0.1, lambda picture, rng: random_crop(halved(picture), rng)),
    (0.8, developed),
)


def embed_at(cover: Image, kind: str, rate: float, seed: int) -> Image:
    """Return a stego image of *cover* with *rate* random bits per value.

    Args:
        cover: ``uint8 (H, W, 3)``, at least 32×32.
        kind: key of :data:`~underpaint_lab.steganalysis.simulate.COSTS`, or a lossless method.
        rate: bits per value; for a method those of its body.
        seed: of the bits and the key.

    Raises:
        UsageError: no such kind, or the rate exceeds what changes of ±1 carry.
        CapacityError: the rate exceeds the capacity of the method.
    """
    if kind in COSTS:
        return simulate_embedding(cover, COSTS[kind](cover), rate, seed)
    if kind not in METHODS or not METHODS[kind].needs_lossless:
        raise UsageError(f"no stego image at a given rate is made by '{kind}'")
    rng = np.random.default_rng(seed)
    # Without header and passphrase: deriving a key would take longer than all the rest.
    body, key = rng.bytes(int(rate * cover.size / 8)), Key(rng.bytes(32))
    return cast("LosslessMethod", METHODS[kind]).write(cover, body, key)[0]


class CoverStegoPairs(Photographs):
    """Covers, each with a stego image of every kind.

    Args:
        name: of the file they were read from.
        covers: ``uint8 (N, H, W, 3)``.
        containers: stego images of each kind, ``uint8 (kinds, N, H, W, 3)``.
        rates: of each stego image in bits per value, ``(kinds, N)``.

    Raises:
        UsageError: there are none, or the numbers differ.
    """

    def __init__(
        self, name: str, covers: NDArray[np.uint8], containers: NDArray[np.uint8], rates: NDArray[np.float64]
    ) -> None:
        super().__init__(name, list(covers))
        if containers.shape[1:] != covers.shape or containers.shape[:2] != rates.shape:
            raise UsageError(f"{name} does not have a stego image and a rate of each kind for every cover")
        self.covers, self.containers, self.rates = covers, containers, rates
        self._descending = np.argsort(-rates, axis=1, kind="stable")

    @classmethod
    def of(cls, path: str | Path) -> CoverStegoPairs:
        """Read the file that ``underpaint-lab prepare pairs`` wrote.

        Raises:
            UsageError: *path* is no such file.
        """
        try:
            with np.load(path) as file:
                return cls(Path(path).name, file["covers"], file["containers"], file["rates"])
        except (OSError, ValueError, KeyError, EOFError) as error:
            hint = "underpaint-lab prepare pairs makes such a file from photographs"
            raise UsageError(f"{path} has no pairs: {error}", hint=hint) from error

    @cached_property
    def sha256(self) -> str:
        """SHA-256 over the digest of the covers and the pixels of the stego images, in hexadecimal."""
        return hashlib.sha256(super().sha256.encode() + np.ascontiguousarray(self.containers).tobytes()).hexdigest()

    def drawn(self, step: int, size: int, rng: np.random.Generator) -> list[tuple[int, int]]:
        """Draw *size* stego images for *step*, as (kind, number of the cover): kinds uniformly, high rates first."""
        share = FIRST_SHARE + (1 - FIRST_SHARE) * min(1, step / CURRICULUM_STEPS)
        kinds = rng.integers(len(self.containers), size=size)
        places = rng.integers(max(1, round(share * len(self))), size=size)
        return list(zip(kinds.tolist(), self._descending[kinds, places].tolist(), strict=True))

    def batch(self, step: int, *, size: int, crop: int, seed: int, rank: int = 0) -> Tensor:
        """Return random squares of *size* random pairs, ``float32 (size, 6, crop, crop)``, levels 0–255.

        Red, green and blue of the cover, then of the stego image at the same place, both rotated by a multiple of 90°
        and mirrored alike. A pure function of its arguments, see
        :meth:`~underpaint_lab.data.photographs.Photographs.batch`.

        Raises:
            UsageError: the pairs are smaller than *crop*.
        """
        if min(self.covers.shape[1:3]) < crop:
            raise UsageError(f"no pair in {self.name} is large enough for a crop of {crop}×{crop}")
        rng = np.random.default_rng([seed, step, rank, 1])
        planes = np.empty((size, 6, crop, crop), np.float32)
        for plane, (kind, number) in zip(planes, self.drawn(step, size, rng), strict=True):
            top, left = (rng.integers(length - crop + 1) for length in self.covers.shape[1:3])
            inside = np.s_[number, top : top + crop, left : left + crop]
            pair = np.concatenate([self.covers[inside], self.containers[kind][inside]], axis=-1)
            plane[:] = np.rot90(pair, int(rng.integers(4)))[:: rng.integers(2) * 2 - 1].transpose(2, 0, 1)
        return torch.from_numpy(planes)


def _made(task: tuple[Image, int], seed: int) -> tuple[Image, NDArray[np.uint8], list[float]]:
    """Return a cover of the picture in *task*, its stego images of each kind, and their rates."""
    picture, number = task
    rng = np.random.default_rng([seed, number])
    source = rng.choice(len(COVER_SOURCES), p=[share for share, _ in COVER_SOURCES])
    cover = np.ascontiguousarray(COVER_SOURCES[source][1](picture, rng))
    made, rates = [], []
    for kind, between in KINDS.items():
        rate, container = float(rng.uniform(*between)), None
        while container is None:
            try:
                container = embed_at(cover, kind, rate, int(rng.integers(2**32)))
            except (UsageError, CapacityError):  # saturated, or no place that the attention allows
                rate /= 2
        made.append(container)
        rates.append(rate)
    pair = np.stack([cover, *made])
    if number % GREY_EVERY == 0:  # one colour for all three: embedded in grey and saved in colour
        pair[:] = pair[..., 1:2]
    return pair[0], pair[1:], rates


def make(photographs: Photographs, count: int, seed: int = 0, jobs: int | None = None) -> CoverStegoPairs:
    """Make *count* pairs of each kind; a rate that exceeds a cover's capacity is halved until it fits.

    Args:
        photographs: of at least 256×256 pixels; each is used as often as the others.
        count: number of covers.
        seed: of all random choices.
        jobs: number of processes; None: one per core.
    """
    tasks = [(photographs.pictures[number % len(photographs)], number) for number in range(count)]
    made = spread(partial(_made, seed=seed), tasks, jobs)
    covers, containers, rates = zip(*made, strict=True)
    return CoverStegoPairs(photographs.name, np.stack(covers), np.stack(containers, axis=1), np.array(rates).T)


def main(arguments: Sequence[str] | None = None) -> None:
    """Embed at several rates in photographs, and write pairs of cover and container for the training of detectors."""
    parser = argparse.ArgumentParser(prog="underpaint-lab prepare pairs", description=main.__doc__)
    parser.add_argument("photographs", type=Path, help="folder or zip file of photographs, at least 256×256 pixels")
    parser.add_argument("pairs", type=Path, help="file to write, .npz")
    parser.add_argument("--count", type=int, default=2000, help="number of covers")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random choices")
    options = parser.parse_args(arguments)
    photographs = Photographs.open(options.photographs, split="train", share=HELD_OUT)
    pairs = make(photographs, options.count, options.seed)
    options.pairs.parent.mkdir(parents=True, exist_ok=True)
    np.savez(options.pairs, covers=pairs.covers, containers=pairs.containers, rates=pairs.rates)
    print(f"wrote {options.count} covers and {len(KINDS)} containers of each to {options.pairs}")
