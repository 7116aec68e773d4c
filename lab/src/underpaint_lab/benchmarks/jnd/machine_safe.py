"""Hiding from machines: how many containers classifiers take for something else than their covers.

Each picture takes one payload three ways: as the method hides; with its free choice made by what machines tolerate; and
so, with judges in the loop, as ``hide --machine-safe`` does. Judges are the panel that the just noticeable difference
is taught by; the other classifiers of the zoo are asked only here.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from underpaint import media, metrics
from underpaint.api.machine_safe import TOLERANT_METHODS, ClassifierGuard
from underpaint.errors import CapacityError, SurvivalError, UsageError
from underpaint.methods import METHODS, Method
from underpaint.models import classifiers
from underpaint.models.jnd_networks import MODEL, PANELS
from underpaint.types import Payload
from underpaint_lab.benchmarks.core.source import Source
from underpaint_lab.benchmarks.jnd.flipped import FREE, MACHINE_SAFE, SAFE, SPARED, Flipped, Flips
from underpaint_lab.data.pictures import pictures_in, spread

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from underpaint.types import Image

#: Methods that choose by what machines tolerate.
CHOOSING = tuple(name for name in METHODS if TOLERANT_METHODS[name] is not METHODS[name])
#: Bytes of a message, and bits per pixel of any other payload.
MESSAGE, RATE = 8, 1.2


class Fate(NamedTuple):
    """What one picture came to by one way."""

    psnr: float
    #: Classifiers that take the container for something else.
    noticing: tuple[str, ...]


def flips(method: str, *, images: Path | None = None, seed: int = 0, jobs: int | None = None) -> Flips:
    """Hide in every picture of a folder, and ask every classifier.

    Args:
        method: one of :data:`CHOOSING`.
        images: folder of pictures; the samples by default.
        seed: of payloads.
        jobs: processes, one per core by default.

    Raises:
        UsageError: no such method, or no pictures.
        ModelError: a network is missing.
    """
    if method not in CHOOSING:
        raise UsageError(f"'{method}' has no choice to make", hint=f"there are {', '.join(CHOOSING)}")
    pictures = pictures_in(images)
    found = spread(partial(measure, method, seed), list(enumerate(pictures)), jobs)
    rows = []
    for way in (FREE, SPARED, SAFE):
        fates = [fate for each in found if (fate := each[way])]
        counts = {name: sum(name in fate.noticing for fate in fates) for name in classifiers.names()}
        psnr = round(float(np.mean([fate.psnr for fate in fates])), 6) if fates else 0.0
        rows.append(Flipped(way, len(fates), len(found) - len(fates), psnr, counts))
    return Flips(MACHINE_SAFE, method, Source.of(MACHINE_SAFE, method, images, pictures, seed), tuple(rows))


def measure(method: str, seed: int, task: tuple[int, Path]) -> dict[str, Fate | None]:
    """What one picture comes to, by way; None where the payload is not hidden."""
    number, file = task
    cover, judges = media.read(file).pixels, classifiers.load_classifiers()
    labels = {name: judge(cover) for name, judge in judges.items()}
    panel = {name: judge for name, judge in judges.items() if f"classifier-{name}" in PANELS[MODEL]}
    rng, free, spared = np.random.default_rng([seed, number]), METHODS[method], TOLERANT_METHODS[method]
    length = int(RATE * cover.shape[0] * cover.shape[1] / 8) if free.needs_lossless else MESSAGE
    payload = Payload(rng.bytes(length))

    def hidden(by: Method, psnr: float | None) -> tuple[Image, Image]:
        container = by.hide(cover, payload, None, psnr=psnr, survive=None)
        return container, container

    def fate(container: Image) -> Fate:
        noticing = tuple(name for name, judge in judges.items() if judge(container) != labels[name])
        return Fate(metrics.psnr(cover, container), noticing)

    ways: dict[str, Callable[[], Image]] = {
        FREE: lambda: hidden(free, None)[0],
        SPARED: lambda: hidden(spared, None)[0],
        SAFE: lambda: ClassifierGuard(cover, panel).accept(partial(hidden, spared), spared, None),
    }
    found: dict[str, Fate | None] = {}
    for way, hide in ways.items():
        try:
            found[way] = fate(hide())
        except (CapacityError, SurvivalError):
            found[way] = None
    return found
