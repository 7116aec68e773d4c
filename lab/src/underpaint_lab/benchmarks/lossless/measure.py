"""Attention as published beside ours, at equal payload: what arrives, what the eye and what the machine see of it.

The strategies are those of the paper's table 1, in the middle 224×224 of each picture, as in the paper. As published,
attention says how much a crop takes; every other design hides as many bytes in that crop. ``basn`` and ``basn-stc`` go
by the path of the runtime, with their heads, and what they reveal is authenticated. So as to tell what attention is
good for there are three without it: bits in place of the lowest ones, bits by the nearest fitting value, and the
trellis with the costs of HILL. In whole pictures the payload is given.

Feature changes and labels are those of :mod:`underpaint.models.classifiers`. What is measured of containers with a head depends
in the last digits on its salt, which is fresh each time.
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
from underpaint_lab.benchmarks.core.source import Source
from underpaint_lab.benchmarks.lossless import published_basn
from underpaint_lab.benchmarks.lossless.published_basn import FUSIONS, STRATEGIES
from underpaint_lab.benchmarks.lossless.rows import BASN, Fate, Placed, Placements
from underpaint_lab.data.pictures import middle, pictures_in, spread
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
#: Payloads in whole pictures, in bits per pixel; the last leaves just enough for the seal in ``basn``.
PAYLOADS = (0.42, 1.29, 3.9, 6.0, 7.98)
#: The design whose attention says how much the others hide.
PUBLISHED = "published"

#: Up to so many bits per value two layers suffice.
_DOUBLE = 1.19


class Sent(NamedTuple):
    """A container, and how many of the message's bits are wrong or missing in what is read from it."""

    container: Image
    wrong: int
    #: As for :class:`Fate`.
    differing: int | None = None


def _revealed(name: str, cover: Image, data: bytes, _key: Key) -> Sent:
    """By a method of the runtime."""
    method = METHODS[name]
    container = method.hide(cover, Payload(data), None, psnr=None, survive=None)
    try:
        wrong = _wrong(data, method.reveal(container, None).data)
    except PayloadError:
        wrong = 8 * len(data)
    if name != basn.BASN.name:
        return Sent(container, wrong)
    before, after = (basn.BASN().capacity_map(each, len(data)).astype(np.int64) for each in (cover, container))
    return Sent(container, wrong, int(np.abs(before - after).sum()))


def _replaced(mode: Mode, cover: Image, data: bytes, key: Key) -> Sent:
    """In the lowest planes of all values, as few as there have to be."""
    planes = next((n for n in range(1, 9) if bit_planes.room(np.full(cover.shape, n, np.uint8)) >= len(data)), 8)
    capacity = np.full(cover.shape, planes, np.uint8)
    container = bit_planes.embed(cover, data, capacity, key, mode)
    return Sent(container, _wrong(data, bit_planes.extract(container, len(data), capacity, key)))


def _by_hill(cover: Image, data: bytes, key: Key) -> Sent:
    """By the trellis, where HILL says."""
    bits, costs = np.unpackbits(np.frombuffer(data, np.uint8)), hill.costs(cover).reshape(-1)
    values, counts = stc.embed(cover.reshape(-1), bits, costs, 2 if bits.size <= _DOUBLE * cover.size else 3, key)
    return Sent(values.reshape(cover.shape), int((stc.extract(values, counts, key) != bits).sum()))


@dataclass(frozen=True)
class Design:
    """A way to hide a message of a given length."""

    send: Callable[[Image, bytes, Key], Sent]
    #: It is measured in whole pictures as well.
    whole: bool = True


def _method(name: str) -> Design:
    return Design(lambda cover, data, key: _revealed(name, cover, data, key))


def _planes(mode: Mode) -> Design:
    return Design(lambda cover, data, key: _replaced(mode, cover, data, key))


#: Those that hide what they are given.
DESIGNS = {
    "basn": _method("basn"),
    "basn-stc": _method("basn-stc"),
    "replacement": _planes("replacement"),
    "matching": _planes("matching"),
    "hill": Design(_by_hill, whole=False),
}


@dataclass(frozen=True)
class Task:
    """One design in one picture."""

    design: str
    picture: Path
    index: int
    seed: int
    #: What messages are cut from; None for random bytes.
    payload: bytes | None

    def message(self, count: int) -> bytes:
        """So many bytes.

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
        """Of this picture."""
        return Key(np.random.default_rng([self.seed, self.index]).bytes(KEY_SIZE))


def placements(
    design: str,
    *,
    images: Path | None = None,
    payload: Path | None = None,
    seed: int = 0,
    jobs: int | None = None,
) -> Placements:
    """Hide messages by every strategy in every picture, and see what becomes of them.

    Args:
        design: :data:`PUBLISHED`, or a key of :data:`DESIGNS`.
        images: folder of pictures; the samples by default.
        payload: file that messages are cut from once it is compressed; random bytes by default.
        seed: of messages and keys.
        jobs: processes, one per core by default.

    Raises:
        UsageError: no such design, no pictures, one without a crop, or a payload that is too short.
        ModelError: a network is missing.
    """
    if design not in (PUBLISHED, *DESIGNS):
        raise UsageError(f"no design is called '{design}'", hint=f"there are {', '.join((PUBLISHED, *DESIGNS))}")
    pictures = pictures_in(images)
    data = None if payload is None else lzma.compress(payload.read_bytes())
    tasks = [Task(design, picture, index, seed, data) for index, picture in enumerate(pictures)]
    fates = list(zip(*spread(measure, tasks, jobs), strict=True))
    rows = [Placed.of(name, "crops", each) for name, each in zip(STRATEGIES, fates, strict=False)]
    rows += [
        Placed.of(f"{bpp:g} bpp", "whole", each) for bpp, each in zip(PAYLOADS, fates[len(STRATEGIES) :], strict=False)
    ]
    source = Source.of(BASN, design, images, pictures, seed)
    if payload is not None:
        source = replace(source, command=f"{source.command} --payload {payload.name}")
    return Placements(BASN, design, source, tuple(rows))


def measure(task: Task) -> list[Fate | None]:
    """What becomes of the messages of one picture: a fate per strategy, then one per payload; None where none fits."""
    whole = media.read(task.picture).pixels
    cover = middle(whole, CROP)
    attended = attentions(cover)
    fates: list[Fate | None] = []
    for strategy in STRATEGIES.values():
        k = published_basn.allowed(FUSIONS[strategy.fusion](*attended))
        room = published_basn.room(k, strategy.masked)
        count = room if strategy.payload is None else min(room, int(strategy.payload * CROP**2 / 8))
        if task.design == PUBLISHED:
            fates.append(_fate(cover, _straddled(cover, k, strategy, task, count), count) if count else None)
        else:
            fates.append(_placed(task, cover, count))
    if task.design != PUBLISHED and DESIGNS[task.design].whole:
        counts = [int(bpp * whole.shape[0] * whole.shape[1] / 8) for bpp in PAYLOADS]
        fates += [_placed(task, whole, count) for count in counts]
    return fates


def _placed(task: Task, cover: Image, count: int) -> Fate | None:
    """What becomes of *count* bytes by a design that is given them."""
    try:
        sent = DESIGNS[task.design].send(cover, task.message(count), task.key) if count else None
    except CapacityError:
        return None
    return _fate(cover, sent, count) if sent else None


def _straddled(cover: Image, k: NDArray[np.uint8], strategy: Strategy, task: Task, count: int) -> Sent:
    """*count* bytes as published, read by the attention of what they were hidden in."""
    bits = np.unpackbits(np.frombuffer(task.message(count), np.uint8))
    key = task.key if strategy.payload else None
    container = published_basn.embed(cover, k, strategy.masked, bits, key)
    again = published_basn.allowed(FUSIONS[strategy.fusion](*attentions(container)))
    read = published_basn.extract(container, again, strategy.masked, bits.size if key else None, key)
    outcome = published_basn.outcome(bits, read, k, again, strategy.masked)
    return Sent(container, round(outcome.ber * bits.size), round(outcome.bser * bits.size))


def _fate(cover: Image, sent: Sent, count: int) -> Fate:
    container = sent.container
    quality = psnr(cover, container), ssim(cover, container)
    noticed = classifiers.responses(cover, container)
    changes: dict[bool, list[float]] = {True: [], False: []}
    for name, each in noticed.items():
        changes[name in classifiers.HELD_OUT].append(each.change)
    seen, unseen = (float(np.mean(changes[new])) if changes[new] else None for new in (False, True))
    return Fate(
        cover.shape[0] * cover.shape[1],
        8 * count,
        sent.wrong,
        *quality,
        sent.differing,
        seen=seen,
        unseen=unseen,
        kept=sum(each.kept for each in noticed.values()),
        judged=len(noticed),
    )


def attentions(cover: Image) -> list[NDArray[np.float32]]:
    """Both attentions as published, ``(H, W, 3)`` in (0, 1)."""
    graphs = models.load("basn-published").graphs
    planes = np.ascontiguousarray(cover.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
    return [graphs[name].run({"image": planes})["output"][0].transpose(1, 2, 0) for name in ("itc", "mfd")]


def _wrong(sent: bytes, read: bytes) -> int:
    """How many bits of two messages of one length differ."""
    return int(np.bitwise_count(np.frombuffer(sent, np.uint8) ^ np.frombuffer(read, np.uint8)).sum())
