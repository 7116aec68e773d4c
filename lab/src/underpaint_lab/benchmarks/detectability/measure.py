"""Table ``analyst``: detectors on containers of every method, at equal payload.

::

    picture ─► middle crop ─┬─────────────► statistics, features ─┬─► half of the pictures ─► train an ensemble
                            └► container ─► statistics, features ─┴─► the other half ─► votes ─► AUC, P_E

Statistical detectors classify all pictures. An ensemble is trained on the method and payload that it classifies, for an
attacker who knows them, and once on LSB matching of that payload, for one who does not. A cover and its container stay
in the same half, and no picture is in both. Numbers of containers with a header depend in the last digits on its salt,
which is random.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from underpaint import media
from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.errors import CapacityError, UsageError
from underpaint.methods import EXACT
from underpaint.steganalysis import detectors
from underpaint.types import Payload
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.detectability.rows import ANALYST, VALUES, DetectorRow
from underpaint_lab.benchmarks.lossless import published_basn
from underpaint_lab.benchmarks.lossless.measure import DESIGNS, PUBLISHED, attention_maps
from underpaint_lab.benchmarks.lossless.published_basn import FUSIONS, STRATEGIES
from underpaint_lab.data.pictures import middle, pictures_in, spread
from underpaint_lab.provenance import Source
from underpaint_lab.steganalysis.fld_ensemble import Ensemble
from underpaint_lab.steganalysis.simulate import COSTS, simulate_embedding
from underpaint_lab.steganalysis.spam import of_colour
from underpaint_lab.steganalysis.stegexpose_tool import stegexpose_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from underpaint.types import Image

#: Side of the crops in pixels, a quarter of the paper's, so that the features of many take an hour of two cores.
CROP = 128
#: Payloads in bits per pixel of three values.
PAYLOADS = (0.3, 0.6, 0.9, 1.2)
#: Features of the ensembles.
FEATURES = ("spam", "srmq1")
#: Name of StegExpose's mean as the tool computes it.
COMPATIBLE = "stegexpose-compat"
#: Method that an attacker trains on who does not know the method.
OTHER = "matching"
#: Control: pictures against other pictures, without a payload.
CLEAN = "clean"
#: Smallest number of pictures.
MIN_PICTURES = 100

#: Methods that are simulated by their costs, without a coder.
_SIMULATED = tuple(name for name in COSTS if name not in DESIGNS)
_IN_RUNTIME = tuple(name for name, method in EXACT.items() if method.needs_lossless)
#: Methods whose containers can be classified.
METHODS_TO_DETECT = (
    PUBLISHED,
    *_IN_RUNTIME,
    *(name for name in DESIGNS if name not in _IN_RUNTIME),
    *_SIMULATED,
    CLEAN,
)


class Trial(NamedTuple):
    """One kind of containers."""

    method: str
    payload: float | None  #: in bits per pixel; None for the whole capacity
    strategy: str | None = None  #: of the published design


class PictureTask(NamedTuple):
    """All containers of one picture."""

    picture: Path
    number: int
    seed: int
    trials: tuple[Trial, ...]


class Measured(NamedTuple):
    """Scores and features of one picture."""

    scores: dict[str, float]  #: of detectors that need no training; NaN where one has no estimate
    features: dict[str, NDArray[np.float32]]


class SampleResult(NamedTuple):
    """A cover, and for each trial its container with its bits per pixel; None where the payload did not fit."""

    cover: Measured
    containers: tuple[tuple[Measured, float] | None, ...]


class Pairs(NamedTuple):
    """Covers and containers of one trial."""

    payload: float  #: bits per pixel
    pictures: NDArray[np.intp]  #: numbers of the pictures, ``(n,)``
    covers: list[Measured]
    containers: list[Measured]


def trials(methods: Sequence[str], payloads: Sequence[float] = ()) -> tuple[Trial, ...]:
    """Return all kinds of containers of *methods*, with *payloads* as :func:`detect` takes them.

    Raises:
        UsageError: there is no such method.
    """
    found: list[Trial] = []
    for method in methods:
        if method not in METHODS_TO_DETECT:
            raise UsageError(
                f"'{method}' has no containers to classify", hint=f"there are {', '.join(METHODS_TO_DETECT)}"
            )
        if method == PUBLISHED:
            full = [name for name, strategy in STRATEGIES.items() if strategy.payload is None]
            found += [Trial(method, payload, name) for name in full for payload in payloads or (*PAYLOADS, None)]
        else:
            found += [Trial(method, payload) for payload in ((0.0,) if method == CLEAN else payloads or PAYLOADS)]
    return tuple(dict.fromkeys(found))


def detect(
    methods: Sequence[str],
    *,
    images: Path | None = None,
    payloads: Sequence[float] = (),
    seed: int = 0,
    jobs: int | None = None,
) -> list[ResultFile[DetectorRow]]:
    """Run every detector on containers of each of *methods*.

    Args:
        methods: of :data:`METHODS_TO_DETECT`.
        images: folder of pictures; the samples are too few.
        payloads: in bits per pixel; by default :data:`PAYLOADS`, and for the published design its capacity as well.
        seed: seed of messages, keys, the halves of the pictures and ensembles.
        jobs: processes, one per core by default.

    Raises:
        UsageError: no such method, or fewer than :data:`MIN_PICTURES` pictures, or one without a crop.
        ModelError: a network is missing.
    """
    asked, pictures = trials(methods, payloads), pictures_in(images)
    if len(pictures) < MIN_PICTURES:
        few = f"{len(pictures)} picture{'s' * (len(pictures) != 1)} cannot tell a detector from chance"
        raise UsageError(
            few, hint=f"name a folder of {MIN_PICTURES} or more after --images, 1,000 for figures to rely on"
        )
    # Ensembles are trained on OTHER, whether it is asked for or not.
    every = tuple(dict.fromkeys((*asked, *trials([OTHER], payloads))))
    samples = spread(
        measure, [PictureTask(picture, number, seed, every) for number, picture in enumerate(pictures)], jobs
    )
    pairs = {trial: _pairs(trial, number, samples) for number, trial in enumerate(every)}
    rows: dict[Trial, list[DetectorRow]] = {trial: list(_untrained(trial, pairs[trial], seed)) for trial in asked}
    training = set(np.random.default_rng(seed).permutation(len(pictures))[: len(pictures) // 2].tolist())
    ensembles = [fit for feature in FEATURES for fit in fits(feature, asked, pairs, training, seed)]
    for fit, votes in zip(ensembles, spread(_votes, ensembles, jobs), strict=True):
        for trial, each in zip(fit.tested, votes, strict=True):
            rows[trial].append(_row(trial, pairs[trial], fit.feature, *each, seed, fit.trained.method))
    source = Source.of_bench(ANALYST, " ".join(methods), images, pictures, seed)
    source = replace(source, command=" ".join([source.command, *(f"--bpp {payload:g}" for payload in payloads)]))
    return [
        ResultFile(
            ANALYST,
            method,
            source,
            tuple(row for trial in asked if trial.method == method for row in rows[trial]),
        )
        for method in dict.fromkeys(methods)
    ]


def measure(task: PictureTask) -> SampleResult:
    """Measure one picture's crop, and its container of each trial."""
    cover = middle(media.read(task.picture).pixels, CROP)
    clean = measure_picture(cover)
    make = _maker(cover, np.random.default_rng([task.seed, task.number]))
    containers: list[tuple[Measured, float] | None] = []
    for trial in task.trials:
        try:
            container, count = make(trial)
        except CapacityError:
            containers.append(None)
        else:
            containers.append((clean if trial.method == CLEAN else measure_picture(container), 8 * count / CROP**2))
    return SampleResult(clean, tuple(containers))


def _maker(cover: Image, rng: np.random.Generator) -> Callable[[Trial], tuple[Image, int]]:
    """Return a function that embeds in *cover* and returns container and bytes; all trials share key and message."""
    key, message = Key(rng.bytes(KEY_SIZE)), rng.bytes(cover.size)
    draws = int(rng.integers(2**32))
    maps: list[NDArray[np.float32]] = []

    def make(trial: Trial) -> tuple[Image, int]:
        if trial.strategy is not None:
            maps.extend(attention_maps(cover) if not maps else [])
            strategy = STRATEGIES[trial.strategy]
            k = published_basn.allowed(FUSIONS[strategy.fusion](*maps))
            count = published_basn.room(k, strategy.masked)
            count = count if trial.payload is None else min(count, _bytes(trial.payload))
            bits = np.unpackbits(np.frombuffer(message[:count], np.uint8))
            return published_basn.embed(cover, k, strategy.masked, bits, key if trial.payload else None), count
        count = _bytes(trial.payload or 0.0)
        if trial.method in _SIMULATED:
            rate = (trial.payload or 0.0) / VALUES
            return simulate_embedding(cover, COSTS[trial.method](cover), rate, draws), count
        if trial.method in _IN_RUNTIME:
            payload = Payload(message[:count])
            return EXACT[trial.method].hide(cover, payload, None, psnr=None, survive=None), count
        if trial.method == CLEAN:
            return cover, 0
        return DESIGNS[trial.method].embed(cover, message[:count], key).container, count

    return make


def _bytes(bpp: float) -> int:
    return int(bpp * CROP**2 / 8)


def measure_picture(picture: Image) -> Measured:
    """Return scores and features of one picture."""
    found = detectors.scores(picture) | {COMPATIBLE: stegexpose_tool(picture).mean}
    scores = {name: np.nan if score is None else score for name, score in found.items()}
    return Measured(scores, {feature: of_colour(picture, feature).astype(np.float32) for feature in FEATURES})


def _pairs(trial: Trial, number: int, samples: Sequence[SampleResult]) -> Pairs:
    """Return the pairs of one trial, by its number."""
    if trial.method == CLEAN:
        # Neighbours, so that no picture is in two pairs.
        first = range(0, len(samples) - 1, 2)
        return Pairs(0.0, np.array(first), [samples[i].cover for i in first], [samples[i + 1].cover for i in first])
    made = {i: each.containers[number] for i, each in enumerate(samples)}
    there = {i: each for i, each in made.items() if each is not None}
    if not there:
        raise UsageError(f"{trial.payload} bits per pixel by {trial.method} fit into no picture")
    payload = float(np.mean([bpp for _, bpp in there.values()]))
    covers = [samples[i].cover for i in there]
    return Pairs(payload, np.array(list(there)), covers, [container for container, _ in there.values()])


def _row(
    trial: Trial,
    pairs: Pairs,
    detector: str,
    covers: NDArray[np.float64],
    containers: NDArray[np.float64],
    seed: int,
    trained: str | None = None,
) -> DetectorRow:
    return DetectorRow.of(
        covers,
        containers,
        seed,
        detector=detector,
        asked=trial.payload,
        payload=pairs.payload,
        variant=trial.strategy,
        trained=trained,
    )


def _untrained(trial: Trial, pairs: Pairs, seed: int) -> Iterator[DetectorRow]:
    """Yield the rows of detectors that need no training; a missing estimate counts as 0."""
    for name in pairs.covers[0].scores:
        covers, containers = (
            np.array([each.scores[name] for each in side]) for side in (pairs.covers, pairs.containers)
        )
        if not np.isnan([*covers, *containers]).all():
            yield _row(trial, pairs, name, np.nan_to_num(covers), np.nan_to_num(containers), seed)


class Fit(NamedTuple):
    """One ensemble to train, and the trials that it classifies."""

    feature: str
    trained: Trial
    tested: tuple[Trial, ...]
    seed: int
    train: tuple[NDArray[np.float32], NDArray[np.float32]]  #: features of covers and containers, ``(n, d)``
    test: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]  #: the same for each tested trial


def fits(
    feature: str, asked: Sequence[Trial], pairs: dict[Trial, Pairs], training: set[int], seed: int
) -> Iterator[Fit]:
    """Yield an ensemble to train for each trial.

    It classifies the same trial; one that is trained on :data:`OTHER` classifies all trials of its payload.
    """
    for trained in pairs:
        tested = tuple(
            trial
            for trial in asked
            if trial == trained or (trained.method == OTHER and trial.payload == trained.payload)
        )
        if tested:
            train, _ = _halves(feature, pairs[trained], training)
            test = tuple(_halves(feature, pairs[trial], training)[1] for trial in tested)
            yield Fit(feature, trained, tested, seed, train, test)


def _halves(feature: str, pairs: Pairs, training: set[int]) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return features of covers and containers, of the training pictures and of the others."""
    known = np.isin(pairs.pictures, list(training))
    covers, containers = (
        np.stack([each.features[feature] for each in side]) for side in (pairs.covers, pairs.containers)
    )
    return [(covers[half], containers[half]) for half in (known, ~known)]


def _votes(fit: Fit) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Train an ensemble and return its votes on covers and containers of each tested trial."""
    ensemble = Ensemble.fit(*fit.train, fit.seed)
    return [(ensemble.votes(covers), ensemble.votes(containers)) for covers, containers in fit.test]
