"""Table ``basn``: published BASN beside our designs at equal payload: bit errors, PSNR, and classifier features.

The strategies are those of the paper's table 1, in the middle 224×224 of each picture, as in the paper. The published
design takes as many bytes as its attention yields in a crop; every other design hides as many. ``basn`` and
``basn-stc`` run as in the runtime, with header and authentication. Three designs without attention are controls: LSB
replacement, LSB matching, and a syndrome-trellis code with the costs of HILL. In whole pictures the payload is given.

Feature changes and labels are those of :mod:`underpaint.models.classifiers`. Numbers of containers with a header depend
in the last digits on its salt, which is random.
"""

from __future__ import annotations

import lzma
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from underpaint import media, models
from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.embedding import bit_planes, stc
from underpaint.errors import CapacityError, PayloadError, UsageError
from underpaint.methods import METHODS, basn
from underpaint.metrics import psnr, ssim
from underpaint.models import classifiers
from underpaint.types import Payload
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.lossless import published_basn
from underpaint_lab.benchmarks.lossless.published_basn import FUSIONS, STRATEGIES
from underpaint_lab.benchmarks.lossless.rows import BASN, SampleResult, StrategyRow
from underpaint_lab.data.pictures import middle, pictures_in, spread
from underpaint_lab.provenance import Source
from underpaint_lab.steganalysis.costs import hill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from underpaint.embedding.bit_planes import Mode
    from underpaint.types import Image
    from underpaint_lab.benchmarks.lossless.published_basn import Strategy

#: Side of the crops, as in the paper.
CROP = 224
#: Payloads in whole pictures, in bits per pixel; the last leaves just enough room for the authentication tag.
PAYLOADS = (0.42, 1.29, 3.9, 6.0, 7.98)
#: The published design, whose attention determines the payload of the others.
PUBLISHED = "published"

#: Largest rate in bits per value of a code of two layers.
_TWO_LAYERS = 1.19


class Embedded(NamedTuple):
    """A container, and the errors of the message that is extracted from it."""

    container: Image
    wrong: int  #: bits that are wrong or missing
    differing: int | None = None  #: as in :class:`SampleResult`


def _by_method(name: str, cover: Image, data: bytes, _key: Key) -> Embedded:
    """Embed by a method of the runtime."""
    method = METHODS[name]
    container = method.hide(cover, Payload(data), None, psnr=None, survive=None)
    try:
        wrong = _wrong(data, method.reveal(container, None).data)
    except PayloadError:
        wrong = 8 * len(data)
    if name != basn.BASN.name:
        return Embedded(container, wrong)
    before, after = (basn.BASN().capacity_map(each, len(data)).astype(np.int64) for each in (cover, container))
    return Embedded(container, wrong, int(np.abs(before - after).sum()))


def _by_planes(mode: Mode, cover: Image, data: bytes, key: Key) -> Embedded:
    """Embed in the lowest bit planes of all values, as few as suffice."""
    planes = next((n for n in range(1, 9) if bit_planes.room(np.full(cover.shape, n, np.uint8)) >= len(data)), 8)
    capacity = np.full(cover.shape, planes, np.uint8)
    container = bit_planes.embed(cover, data, capacity, key, mode)
    return Embedded(container, _wrong(data, bit_planes.extract(container, len(data), capacity, key)))


def _by_hill(cover: Image, data: bytes, key: Key) -> Embedded:
    """Embed by a syndrome-trellis code with the costs of HILL."""
    bits, costs = np.unpackbits(np.frombuffer(data, np.uint8)), hill.compute_cost(cover).reshape(-1)
    values, counts = stc.embed(cover.reshape(-1), bits, costs, 2 if bits.size <= _TWO_LAYERS * cover.size else 3, key)
    return Embedded(values.reshape(cover.shape), int((stc.extract(values, counts, key) != bits).sum()))


@dataclass(frozen=True)
class Design:
    """A way to embed a message of a given length."""

    embed: Callable[[Image, bytes, Key], Embedded]
    whole: bool = True  #: measured in whole pictures as well


def _method(name: str) -> Design:
    return Design(lambda cover, data, key: _by_method(name, cover, data, key))


def _planes(mode: Mode) -> Design:
    return Design(lambda cover, data, key: _by_planes(mode, cover, data, key))


#: Designs that take a payload of a given length, by name.
DESIGNS = {
    "basn": _method("basn"),
    "basn-stc": _method("basn-stc"),
    "replacement": _planes("replacement"),
    "matching": _planes("matching"),
    "hill": Design(_by_hill, whole=False),
}


@dataclass(frozen=True)
class DesignTask:
    """One design in one picture."""

    design: str
    picture: Path
    index: int
    seed: int
    payload: bytes | None  #: messages are cut from it; None for random bytes

    def message(self, count: int) -> bytes:
        """Return *count* bytes.

        Raises:
            UsageError: the payload is shorter.
        """
        if self.payload is None:
            return np.random.default_rng([self.seed, self.index, count]).bytes(count)
        if count > len(self.payload):
            least = f"it has {len(self.payload):,} bytes once compressed, and a picture takes {count:,}"
            raise UsageError(f"the payload is too short: {least}", hint="take a larger file")
        start = self.index * 9973 % (len(self.payload) - count + 1)
        return self.payload[start : start + count]

    @property
    def key(self) -> Key:
        """The key of this picture."""
        return Key(np.random.default_rng([self.seed, self.index]).bytes(KEY_SIZE))


def designs(
    design: str,
    *,
    images: Path | None = None,
    payload: Path | None = None,
    seed: int = 0,
    jobs: int | None = None,
) -> ResultFile[StrategyRow]:
    """Embed messages in every picture at the payload of every strategy, and measure errors and quality.

    Args:
        design: :data:`PUBLISHED`, or a key of :data:`DESIGNS`.
        images: folder of pictures; the samples by default.
        payload: file whose compressed contents are cut into messages; random bytes by default.
        seed: seed of messages and keys.
        jobs: processes, one per core by default.

    Raises:
        UsageError: no such design, no pictures, one without a crop, or a payload that is too short.
        ModelError: a network is missing.
    """
    if design not in (PUBLISHED, *DESIGNS):
        raise UsageError(f"no design is called '{design}'", hint=f"there are {', '.join((PUBLISHED, *DESIGNS))}")
    pictures = pictures_in(images)
    data = None if payload is None else lzma.compress(payload.read_bytes())
    tasks = [DesignTask(design, picture, index, seed, data) for index, picture in enumerate(pictures)]
    samples = list(zip(*spread(measure, tasks, jobs), strict=True))
    rows = [StrategyRow.of(name, "crops", each) for name, each in zip(STRATEGIES, samples, strict=False)]
    rows += [
        StrategyRow.of(f"{bpp:g} bpp", "whole", each)
        for bpp, each in zip(PAYLOADS, samples[len(STRATEGIES) :], strict=False)
    ]
    source = Source.of_bench(BASN, design, images, pictures, seed)
    if payload is not None:
        source = replace(source, command=f"{source.command} --payload {payload.name}")
    return ResultFile(BASN, design, source, tuple(rows))


def measure(task: DesignTask) -> list[SampleResult | None]:
    """Return one result per strategy, then one per payload in the whole picture; None where a message does not fit."""
    whole = media.read(task.picture).pixels
    cover = middle(whole, CROP)
    maps = attention_maps(cover)
    samples: list[SampleResult | None] = []
    for strategy in STRATEGIES.values():
        k = published_basn.allowed(FUSIONS[strategy.fusion](*maps))
        room = published_basn.room(k, strategy.masked)
        count = room if strategy.payload is None else min(room, int(strategy.payload * CROP**2 / 8))
        if task.design == PUBLISHED:
            samples.append(_sample(cover, _as_published(cover, k, strategy, task, count), count) if count else None)
        else:
            samples.append(_by_design(task, cover, count))
    if task.design != PUBLISHED and DESIGNS[task.design].whole:
        counts = [int(bpp * whole.shape[0] * whole.shape[1] / 8) for bpp in PAYLOADS]
        samples += [_by_design(task, whole, count) for count in counts]
    return samples


def _by_design(task: DesignTask, cover: Image, count: int) -> SampleResult | None:
    """Embed *count* bytes by a design that takes any payload."""
    try:
        embedded = DESIGNS[task.design].embed(cover, task.message(count), task.key) if count else None
    except CapacityError:
        return None
    return _sample(cover, embedded, count) if embedded else None


def _as_published(cover: Image, k: NDArray[np.uint8], strategy: Strategy, task: DesignTask, count: int) -> Embedded:
    """Embed *count* bytes as published, and extract them by the attention of the container."""
    bits = np.unpackbits(np.frombuffer(task.message(count), np.uint8))
    key = task.key if strategy.payload else None
    container = published_basn.embed(cover, k, strategy.masked, bits, key)
    again = published_basn.allowed(FUSIONS[strategy.fusion](*attention_maps(container)))
    read = published_basn.extract(container, again, strategy.masked, bits.size if key else None, key)
    errors = published_basn.error_rates(bits, read, k, again, strategy.masked)
    return Embedded(container, round(errors.ber * bits.size), round(errors.bser * bits.size))


def _sample(cover: Image, embedded: Embedded, count: int) -> SampleResult:
    container = embedded.container
    quality = psnr(cover, container), ssim(cover, container)
    responses = classifiers.responses(cover, container)
    changes: dict[bool, list[float]] = {True: [], False: []}
    for name, each in responses.items():
        changes[name in classifiers.HELD_OUT].append(each.change)
    seen, unseen = (float(np.mean(changes[new])) if changes[new] else None for new in (False, True))
    return SampleResult(
        cover.shape[0] * cover.shape[1],
        8 * count,
        embedded.wrong,
        *quality,
        embedded.differing,
        seen=seen,
        unseen=unseen,
        kept=sum(each.kept for each in responses.values()),
        judged=len(responses),
    )


def attention_maps(cover: Image) -> list[NDArray[np.float32]]:
    """Return both attention maps as published, ``(H, W, 3)`` in (0, 1)."""
    graphs = models.load("basn-published").graphs
    planes = np.ascontiguousarray(cover.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
    return [graphs[name].run({"image": planes})["output"][0].transpose(1, 2, 0) for name in ("itc", "mfd")]


def _wrong(sent: bytes, read: bytes) -> int:
    """Return how many bits of two messages of the same length differ."""
    return int(np.bitwise_count(np.frombuffer(sent, np.uint8) ^ np.frombuffer(read, np.uint8)).sum())
