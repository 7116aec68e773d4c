"""Covers and containers side by side, to train and judge steganalysers on.

::

    photographs ─► covers of 128×128, by WAYS ─► a container by each of KINDS, at a rate of its own ─► pairs.npz

``python -m underpaint_lab.data.cover_stego train.zip runs/pairs.npz`` makes them once, for costs take longer than a network does.
Of the photographs :data:`HELD_OUT`, by the hash of their files, are left out: a detector is chosen by those.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
import PIL.Image
import torch

from underpaint.coding.keys import Key
from underpaint.errors import CapacityError, UsageError
from underpaint.methods import METHODS
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.data.pictures import spread
from underpaint_lab.steganalysis.simulate import COSTS, simulate_embedding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from underpaint.methods.lossless import LosslessMethod
    from underpaint.types import Image

AnyLevel = TypeVar("AnyLevel", bound=np.generic)

#: Share of the photographs, 0–1, that no network is trained on.
HELD_OUT = 0.13
#: Side of what containers are made of, in pixels.
SIDE = 128
#: What a container is made by, and the rates that are trained, in bits per value: codes as good as can be, and methods.
KINDS: dict[str, tuple[float, float]] = {
    "matching": (0.1, 0.6),
    "hill": (0.1, 0.6),
    "s-uniward": (0.1, 0.6),
    "lsb": (0.05, 0.6),
    "basn": (0.05, 1.0),
    "basn-stc": (0.1, 0.6),
}
#: Steps until every rate is trained; before that only the highest, and ever lower ones.
CURRICULUM = 800
#: The share of the pairs, by rate, that training begins with.
_FIRST = 0.25
#: Of so many pairs one is grey.
_GREY = 20
#: What development does: how often most of it, how often JPEG; least and largest noise in levels; radius in pixels.
_OFTEN, _COMPRESSED = 0.7, 0.2
_GRAIN = (0.4, 8.0)
_REACH = 4
#: How often tones are changed once more, when there are 8 bits already.
_EDITED = 0.2
#: What luma and chroma are multiplied by on their way to colours: nothing in JPEG; in video, which keeps some levels
#: back; in scans of the Photo CD; and at most.
_STRETCHED = np.array([(1.0, 1.0), (255 / 219, 255 / 224), (1.3584, 2.0)])
_FURTHEST = np.array([1.6, 2.4])
#: Luma and chroma of red, green and blue (BT.601, full range), the latter around 0.
_TO_LUMA = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def halved(picture: Image) -> Image:
    """*picture* at half its width and height."""
    size = (picture.shape[1] // 2, picture.shape[0] // 2)
    return np.asarray(PIL.Image.fromarray(picture).resize(size, PIL.Image.Resampling.BICUBIC))


def developed(picture: Image, rng: np.random.Generator) -> Image:
    """A piece of *picture*, 128×128, as some other camera and program might have it: no two are made alike.

    ::

        scaled to 1/2–1 ─► noise, of colours together or apart ─► blurred, sharpened ─► other tones
        ─► luma and chroma of 8 bits, stretched, or of half the size ─► 8 bits, and other tones again ─► JPEG

    All but the first happens by chance. A detector that knows one source takes the noise of any other for a message.
    """
    filters = list(PIL.Image.Resampling)[1:]  # all but the nearest neighbour
    whole = min(picture.shape[:2])
    short = int(rng.integers(max(SIDE + 2 * _REACH, whole // 2), whole + 1))
    size = (-(-picture.shape[1] * short // whole), -(-picture.shape[0] * short // whole))
    chosen = filters[rng.integers(len(filters))]
    planes = [
        PIL.Image.fromarray(plane).resize(size, chosen) for plane in np.moveaxis(picture.astype(np.float32), 2, 0)
    ]
    scaled = np.stack([np.asarray(plane, np.float64) for plane in planes], axis=-1)
    cover = _cut(scaled, rng, SIDE + 2 * _REACH)
    if rng.random() < _OFTEN:
        shared = rng.choice([0, rng.random(), 1])
        grain = np.sqrt(shared) * rng.standard_normal((*cover.shape[:2], 1))
        grain = grain + np.sqrt(1 - shared) * rng.standard_normal(cover.shape)
        bright = (np.clip(cover, 0, 255) / 128) ** rng.uniform(0, 0.5)  # photons come by chance: light has more noise
        cover = cover + np.exp(rng.uniform(*np.log(_GRAIN))) * bright * grain
    if rng.random() < _OFTEN:
        cover = _blurred(cover, rng.uniform(0.3, 0.9))
    if rng.random() < 1 - _OFTEN:
        cover = cover + rng.uniform(0, 1.5) * (cover - _blurred(cover, rng.uniform(0.5, 1.5)))
    if rng.random() < _OFTEN:
        cover = _toned(cover, rng)
    cover = cover[_REACH:-_REACH, _REACH:-_REACH]
    if rng.random() < 1 - _OFTEN:
        stretched = _STRETCHED[rng.integers(len(_STRETCHED))] if rng.integers(2) else rng.uniform(1, _FURTHEST)
        cover = _as_luma_and_chroma(cover, stretched, halved=bool(rng.integers(2)))
    if rng.random() < _EDITED:
        cover = _toned(np.clip(np.rint(cover), 0, 255), rng)
    found = np.clip(np.rint(cover), 0, 255).astype(np.uint8)
    if rng.random() < _COMPRESSED:
        file = io.BytesIO()
        quality, subsampling = int(rng.integers(70, 99)), int(rng.integers(3))
        PIL.Image.fromarray(found).save(file, "JPEG", quality=quality, subsampling=subsampling)
        found = np.asarray(PIL.Image.open(file).convert("RGB"))
    return found


def _toned(cover: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.uniform(0.8, 1.1) * 255 * (np.clip(cover, 0, 255) / 255) ** rng.uniform(0.7, 1.4)


def _as_luma_and_chroma(
    cover: NDArray[np.float64], stretched: NDArray[np.float64], *, halved: bool
) -> NDArray[np.float64]:
    """*cover* as it comes back from luma and chroma of 8 bits, which *stretched* says what is multiplied by."""
    gains = stretched[[0, 1, 1]]
    planes = np.rint(np.clip(cover, 0, 255) @ _TO_LUMA.T / gains)
    if halved:
        for plane in (1, 2):
            chroma = PIL.Image.fromarray(planes[..., plane].astype(np.float32))
            small = chroma.resize((chroma.width // 2, chroma.height // 2), PIL.Image.Resampling.BOX)
            rounded = PIL.Image.fromarray(np.rint(np.asarray(small)))
            planes[..., plane] = np.rint(np.asarray(rounded.resize(chroma.size, PIL.Image.Resampling.BILINEAR)))
    back: NDArray[np.float64] = (planes * gains) @ np.linalg.inv(_TO_LUMA).T
    return back


def _blurred(planes: NDArray[np.float64], deviation: float) -> NDArray[np.float64]:
    """*planes*, ``(H, W, 3)``, blurred by a Gaussian of so many pixels; at the rim they are repeated."""
    weights = np.exp(-0.5 * (np.arange(-_REACH, _REACH + 1) / deviation) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        padded = np.pad(planes, [(_REACH, _REACH) if axis == each else (0, 0) for each in range(3)], mode="edge")
        parts = (padded.take(range(start, start + planes.shape[axis]), axis) for start in range(weights.size))
        planes = np.sum([weight * part for weight, part in zip(weights, parts, strict=True)], axis=0)
    return planes


def _cut(planes: NDArray[AnyLevel], rng: np.random.Generator, side: int = SIDE) -> NDArray[AnyLevel]:
    top, left = (rng.integers(length - side + 1) for length in planes.shape[:2])
    return planes[top : top + side, left : left + side]


#: Ways to come to a cover: the archive's WebP leaves colours smooth, halving undoes that, developing does it all.
WAYS: dict[str, Callable[[Image, np.random.Generator], Image]] = {
    "as they are": _cut,
    "halved": lambda picture, rng: _cut(halved(picture), rng),
    "developed": developed,
}
#: How often each is trained on.
_SHARES = (0.1, 0.1, 0.8)


def embed_at(cover: Image, kind: str, rate: float, seed: int) -> Image:
    """A container of *cover* with *rate* random bits per value.

    Args:
        cover: ``uint8 (H, W, 3)``, at least 32×32.
        kind: key of :data:`~underpaint_lab.steganalysis.simulate.COSTS`, or a method that keeps its container exact.
        rate: bits per value; of a method those of its body.
        seed: of the bits and the key.

    Raises:
        UsageError: no such kind, or changes of ±1 cannot carry so much.
        CapacityError: the method cannot.
    """
    if kind in COSTS:
        return simulate_embedding(cover, COSTS[kind](cover), rate, seed)
    if kind not in METHODS or not METHODS[kind].needs_lossless:
        raise UsageError(f"no container at a given rate is made by '{kind}'")
    rng = np.random.default_rng(seed)
    # Without head and passphrase, whose key would take longer than all the rest.
    body, key = rng.bytes(int(rate * cover.size / 8)), Key(rng.bytes(32))
    return cast("LosslessMethod", METHODS[kind]).write(cover, body, key)[0]


class CoverStegoPairs(Photographs):
    """Covers, each with a container of every kind.

    Args:
        name: of the file they came from.
        covers: ``uint8 (N, H, W, 3)``.
        containers: of each kind, ``uint8 (kinds, N, H, W, 3)``.
        rates: of each container, ``(kinds, N)``.

    Raises:
        UsageError: there are none, or not as many of each.
    """

    def __init__(
        self, name: str, covers: NDArray[np.uint8], containers: NDArray[np.uint8], rates: NDArray[np.float64]
    ) -> None:
        super().__init__(name, list(covers))
        if containers.shape[1:] != covers.shape or containers.shape[:2] != rates.shape:
            raise UsageError(f"{name} has not a container and a rate for each of its covers")
        self.covers, self.containers, self.rates = covers, containers, rates
        self._descending = np.argsort(-rates, axis=1, kind="stable")

    @classmethod
    def of(cls, path: str | Path) -> CoverStegoPairs:
        """Read what :func:`make` wrote.

        Raises:
            UsageError: *path* is no such file.
        """
        try:
            with np.load(path) as file:
                return cls(Path(path).name, file["covers"], file["containers"], file["rates"])
        except (OSError, ValueError, KeyError, EOFError) as error:
            hint = "python -m underpaint_lab.data.cover_stego makes it of photographs"
            raise UsageError(f"{path} has no pairs: {error}", hint=hint) from error

    @cached_property
    def sha256(self) -> str:
        """SHA-256 over the covers' own and their containers, in hexadecimal."""
        return hashlib.sha256(super().sha256.encode() + np.ascontiguousarray(self.containers).tobytes()).hexdigest()

    def drawn(self, step: int, size: int, rng: np.random.Generator) -> list[tuple[int, int]]:
        """Draw *size* containers for a step, each by its kind and its number: any kind alike, high rates first."""
        share = _FIRST + (1 - _FIRST) * min(1, step / CURRICULUM)
        kinds = rng.integers(len(self.containers), size=size)
        places = rng.integers(max(1, round(share * len(self))), size=size)
        return list(zip(kinds.tolist(), self._descending[kinds, places].tolist(), strict=True))

    def batch(self, step: int, *, size: int, crop: int, seed: int, rank: int = 0) -> Tensor:
        """Cut a square out of *size* pairs drawn at random, ``float32 (size, 6, crop, crop)``, levels 0…255.

        First the cover's red, green and blue, then the container's at the same place, both turned and mirrored alike.

        A pure function of its arguments, as for photographs.

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
    """Of a picture and its number one cover, the containers of each kind, and their rates."""
    picture, number = task
    rng = np.random.default_rng([seed, number])
    way = list(WAYS.values())[rng.choice(len(WAYS), p=_SHARES)]
    cover = np.ascontiguousarray(way(picture, rng))
    made, rates = [], []
    for kind, between in KINDS.items():
        rate, container = float(rng.uniform(*between)), None
        while container is None:
            try:
                container = embed_at(cover, kind, rate, int(rng.integers(2**32)))
            except (UsageError, CapacityError):  # black or white, or without any place that attention would leave
                rate /= 2
        made.append(container)
        rates.append(rate)
    pair = np.stack([cover, *made])
    if number % _GREY == 0:  # one colour stands for all three: what was hidden in grey and saved in colour
        pair[:] = pair[..., 1:2]
    return pair[0], pair[1:], rates


def make(photographs: Photographs, count: int, seed: int = 0, jobs: int | None = None) -> CoverStegoPairs:
    """Make *count* pairs of each kind out of *photographs* of at least 256×256, by *jobs* processes, or one per core.

    A rate that does not fit into a cover is halved until it does.
    """
    tasks = [(photographs.pictures[number % len(photographs)], number) for number in range(count)]
    made = spread(partial(_made, seed=seed), tasks, jobs)
    covers, containers, rates = zip(*made, strict=True)
    return CoverStegoPairs(photographs.name, np.stack(covers), np.stack(containers, axis=1), np.array(rates).T)


def main(arguments: Sequence[str] | None = None) -> None:
    """Embed at several rates in photographs, and write pairs of cover and container for the training of detectors."""
    parser = argparse.ArgumentParser(prog="underpaint-lab prepare pairs", description=main.__doc__)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("pairs", type=Path, help="the file to write")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    photographs = Photographs.open(options.photographs, split="train", share=HELD_OUT)
    pairs = make(photographs, options.count, options.seed)
    options.pairs.parent.mkdir(parents=True, exist_ok=True)
    np.savez(options.pairs, covers=pairs.covers, containers=pairs.containers, rates=pairs.rates)
    print(f"wrote {options.count} covers and {len(KINDS)} containers of each to {options.pairs}")
