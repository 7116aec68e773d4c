"""Table ``machine-safe``: containers to which classifiers give another label than to their covers.

Each picture takes one payload in three ways: as the method hides; with the changes weighted by the just noticeable
difference of machines; and so with classifiers in the loop, as ``hide --machine-safe`` does. The loop asks the panel
that the just noticeable difference was trained against; the other classifiers of the zoo only measure.
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
from underpaint.models.jnd import MODEL, PANELS
from underpaint.types import Payload
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.jnd.rows import MACHINE_SAFE, LabelChangeRow
from underpaint_lab.data.pictures import pictures_in, spread
from underpaint_lab.provenance import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from underpaint.types import Image

#: Ways to hide.
FREE, WEIGHTED, SAFE = "as it is", "weighted by the JND", "classifiers in the loop"
#: Methods that can weight their changes.
METHODS_WITH_CHOICE = tuple(name for name in METHODS if TOLERANT_METHODS[name] is not METHODS[name])
#: Payload of a watermarking method in bytes, and of any other in bits per pixel.
MESSAGE_BYTES, RATE = 8, 1.2


class SampleResult(NamedTuple):
    """One picture, hidden in one way."""

    psnr: float  #: in dB
    changed: tuple[str, ...]  #: classifiers that give the container another label


def label_changes(
    method: str, *, images: Path | None = None, seed: int = 0, jobs: int | None = None
) -> ResultFile[LabelChangeRow]:
    """Hide in every picture of a folder in every way, and count labels that change.

    Args:
        method: one of :data:`METHODS_WITH_CHOICE`.
        images: folder of pictures; the samples by default.
        seed: seed of payloads.
        jobs: processes, one per core by default.

    Raises:
        UsageError: no such method, or no pictures.
        ModelError: a network is missing.
    """
    if method not in METHODS_WITH_CHOICE:
        raise UsageError(f"'{method}' has no choice to make", hint=f"there are {', '.join(METHODS_WITH_CHOICE)}")
    pictures = pictures_in(images)
    found = spread(partial(measure, method, seed), list(enumerate(pictures)), jobs)
    rows = []
    for way in (FREE, WEIGHTED, SAFE):
        samples = [sample for each in found if (sample := each[way])]
        counts = {name: sum(name in sample.changed for sample in samples) for name in classifiers.names()}
        psnr = round(float(np.mean([sample.psnr for sample in samples])), 6) if samples else 0.0
        rows.append(LabelChangeRow(way, len(samples), len(found) - len(samples), psnr, counts))
    source = Source.of_bench(MACHINE_SAFE, method, images, pictures, seed)
    return ResultFile(MACHINE_SAFE, method, source, tuple(rows))


def measure(method: str, seed: int, task: tuple[int, Path]) -> dict[str, SampleResult | None]:
    """Hide in one picture; return the result by way, None where the payload is refused."""
    number, file = task
    cover, networks = media.read(file).pixels, classifiers.classifiers_for_check()
    labels = {name: label_of(cover) for name, label_of in networks.items()}
    panel = {name: label_of for name, label_of in networks.items() if f"classifier-{name}" in PANELS[MODEL]}
    rng, free, weighted = np.random.default_rng([seed, number]), METHODS[method], TOLERANT_METHODS[method]
    length = int(RATE * cover.shape[0] * cover.shape[1] / 8) if free.needs_lossless else MESSAGE_BYTES
    payload = Payload(rng.bytes(length))

    def hidden(by: Method, psnr: float | None) -> tuple[Image, Image]:
        container = by.hide(cover, payload, None, psnr=psnr, survive=None)
        return container, container

    def compared(container: Image) -> SampleResult:
        changed = tuple(name for name, label_of in networks.items() if label_of(container) != labels[name])
        return SampleResult(metrics.psnr(cover, container), changed)

    ways: dict[str, Callable[[], Image]] = {
        FREE: lambda: hidden(free, None)[0],
        WEIGHTED: lambda: hidden(weighted, None)[0],
        SAFE: lambda: ClassifierGuard(cover, panel).accept(partial(hidden, weighted), weighted, None),
    }
    found: dict[str, SampleResult | None] = {}
    for way, hide in ways.items():
        try:
            found[way] = compared(hide())
        except (CapacityError, SurvivalError):
            found[way] = None
    return found
