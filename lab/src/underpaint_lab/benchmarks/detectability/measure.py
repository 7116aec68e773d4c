"""Would anyone notice? Covers and their containers by any method, at equal payload, before every detector there is.

::

    picture ─► middle crop ─┬─────────────► statistics, features ─┬─► half of the pictures ─► an ensemble
                            └► container ─► statistics, features ─┴─► the other half ─► its votes ─► AUC, P_E

Statistics judge all pictures. An ensemble is trained on the method and payload that it judges, as by an analyst who
knows them, and once on LSB matching of that payload, as by one who does not. A cover and its container are never
parted, and no picture is both trained on and judged. What is measured of containers with a head depends in the last
digits on its salt, which is fresh each time.
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
from underpaint_lab.benchmarks.core.source import Source
from underpaint_lab.benchmarks.detectability.rows import ANALYST, VALUES, Detected, Detections
from underpaint_lab.benchmarks.lossless import published_basn
from underpaint_lab.benchmarks.lossless.measure import DESIGNS, PUBLISHED, attentions
from underpaint_lab.benchmarks.lossless.published_basn import FUSIONS, STRATEGIES
from underpaint_lab.data.pictures import middle, pictures_in, spread
from underpaint_lab.steganalysis.fld_ensemble import Ensemble
from underpaint_lab.steganalysis.simulate import COSTS, changed
from underpaint_lab.steganalysis.spam import of_colour
from underpaint_lab.steganalysis.stegexpose_tool import stegexpose_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from underpaint.types import Image

#: Side of the crops: a quarter of what the paper's have, so that features of many fit into an hour of two cores.
CROP = 128
#: Bits per pixel, of three values each.
PAYLOADS = (0.3, 0.6, 0.9, 1.2)
#: The features that ensembles are trained on.
FEATURES = ("spam", "srmq1")
#: The mean of StegExpose as the tool computes it.
COMPATIBLE = "stegexpose-compat"
#: What the analyst who does not know the method trains on.
OTHER = "matching"
#: Pictures beside other pictures: what detectors find where nothing is hidden.
CLEAN = "clean"
#: Of fewer pictures nothing can be said.
FEWEST = 100

#: Simulated by their costs, if they are no designs with a coder.
_SIMULATED = tuple(name for name in COSTS if name not in DESIGNS)
_HIDDEN = tuple(name for name, method in EXACT.items() if method.needs_lossless)
#: Whose containers can be judged.
JUDGED = (PUBLISHED, *_HIDDEN, *(name for name in DESIGNS if name not in _HIDDEN), *_SIMULATED, CLEAN)


class Trial(NamedTuple):
    """One kind of containers."""

    method: str
    #: In bits per pixel; None for as much as there is room for.
    payload: float | None
    #: Of the published design.
    strategy: str | None = None


class Task(NamedTuple):
    """All containers of one picture."""

    picture: Path
    number: int
    seed: int
    trials: tuple[Trial, ...]


class Look(NamedTuple):
    """What there is to be seen of one picture."""

    #: By detectors that need no training; NaN where they cannot judge.
    scores: dict[str, float]
    features: dict[str, NDArray[np.float32]]


class Seen(NamedTuple):
    """A cover, and by trial its containers with the bits per pixel that they carry; None where nothing fitted."""

    cover: Look
    containers: tuple[tuple[Look, float] | None, ...]


class Pairs(NamedTuple):
    """The same pictures without and with a message, of those that took one."""

    #: Bits per pixel.
    payload: float
    #: Which pictures these are, ``(n,)``.
    pictures: NDArray[np.intp]
    covers: list[Look]
    containers: list[Look]


def trials(methods: Sequence[str], payloads: Sequence[float] = ()) -> tuple[Trial, ...]:
    """All kinds of containers of *methods*, with *payloads* as :func:`detections` takes them.

    Raises:
        UsageError: there is no such method.
    """
    found: list[Trial] = []
    for method in methods:
        if method not in JUDGED:
            raise UsageError(f"nobody has containers of '{method}'", hint=f"there are {', '.join(JUDGED)}")
        if method == PUBLISHED:
            full = [name for name, strategy in STRATEGIES.items() if strategy.payload is None]
            found += [Trial(method, payload, name) for name in full for payload in payloads or (*PAYLOADS, None)]
        else:
            found += [Trial(method, payload) for payload in ((0.0,) if method == CLEAN else payloads or PAYLOADS)]
    return tuple(dict.fromkeys(found))


def detections(
    methods: Sequence[str],
    *,
    images: Path | None = None,
    payloads: Sequence[float] = (),
    seed: int = 0,
    jobs: int | None = None,
) -> list[Detections]:
    """Let every detector judge containers of each of *methods*.

    Args:
        methods: of :data:`JUDGED`.
        images: folder of pictures; the samples are too few.
        payloads: in bits per pixel; by default :data:`PAYLOADS`, and of published attention all that it takes as well.
        seed: of messages, keys, the halves of the pictures and ensembles.
        jobs: processes, one per core by default.

    Raises:
        UsageError: no such method, or fewer than :data:`FEWEST` pictures, or one without a crop.
        ModelError: a network is missing.
    """
    asked, pictures = trials(methods, payloads), pictures_in(images)
    if len(pictures) < FEWEST:
        few = f"{len(pictures)} picture{'s' * (len(pictures) != 1)} cannot tell a detector from chance"
        raise UsageError(few, hint=f"name a folder of {FEWEST} or more after --images, 1,000 for figures to rely on")
    # Those that others are held against, whether they are asked for or not.
    every = tuple(dict.fromkeys((*asked, *trials([OTHER], payloads))))
    seen = spread(measure, [Task(picture, number, seed, every) for number, picture in enumerate(pictures)], jobs)
    pairs = {trial: _pairs(trial, number, seen) for number, trial in enumerate(every)}
    rows: dict[Trial, list[Detected]] = {trial: list(_untrained(trial, pairs[trial], seed)) for trial in asked}
    training = set(np.random.default_rng(seed).permutation(len(pictures))[: len(pictures) // 2].tolist())
    fits = [fit for feature in FEATURES for fit in _fits(feature, asked, pairs, training, seed)]
    for fit, votes in zip(fits, spread(_votes, fits, jobs), strict=True):
        for trial, each in zip(fit.judged, votes, strict=True):
            rows[trial].append(_row(trial, pairs[trial], fit.feature, *each, seed, fit.trained.method))
    source = Source.of(ANALYST, " ".join(methods), images, pictures, seed)
    source = replace(source, command=" ".join([source.command, *(f"--bpp {payload:g}" for payload in payloads)]))
    return [
        Detections(
            ANALYST,
            method,
            source,
            tuple(row for trial in asked if trial.method == method for row in rows[trial]),
        )
        for method in dict.fromkeys(methods)
    ]


def measure(task: Task) -> Seen:
    """Look at one picture's crop, and at its container of each trial."""
    cover = middle(media.read(task.picture).pixels, CROP)
    look = _look(cover)
    make = _maker(cover, np.random.default_rng([task.seed, task.number]))
    containers: list[tuple[Look, float] | None] = []
    for trial in task.trials:
        try:
            container, count = make(trial)
        except CapacityError:
            containers.append(None)
        else:
            containers.append((look if trial.method == CLEAN else _look(container), 8 * count / CROP**2))
    return Seen(look, tuple(containers))


def _maker(cover: Image, rng: np.random.Generator) -> Callable[[Trial], tuple[Image, int]]:
    """What makes a container of *cover*, and says of how many bytes; all have the same key and begin alike."""
    key, message = Key(rng.bytes(KEY_SIZE)), rng.bytes(cover.size)
    draws = int(rng.integers(2**32))
    attended: list[NDArray[np.float32]] = []

    def make(trial: Trial) -> tuple[Image, int]:
        if trial.strategy is not None:
            attended.extend(attentions(cover) if not attended else [])
            strategy = STRATEGIES[trial.strategy]
            k = published_basn.allowed(FUSIONS[strategy.fusion](*attended))
            count = published_basn.room(k, strategy.masked)
            count = count if trial.payload is None else min(count, _bytes(trial.payload))
            bits = np.unpackbits(np.frombuffer(message[:count], np.uint8))
            return published_basn.embed(cover, k, strategy.masked, bits, key if trial.payload else None), count
        count = _bytes(trial.payload or 0.0)
        if trial.method in _SIMULATED:
            rate = (trial.payload or 0.0) / VALUES
            return changed(cover, COSTS[trial.method](cover), rate, draws), count
        if trial.method in _HIDDEN:
            payload = Payload(message[:count])
            return EXACT[trial.method].hide(cover, payload, None, psnr=None, survive=None), count
        if trial.method == CLEAN:
            return cover, 0
        return DESIGNS[trial.method].send(cover, message[:count], key).container, count

    return make


def _bytes(bpp: float) -> int:
    return int(bpp * CROP**2 / 8)


def _look(picture: Image) -> Look:
    found = detectors.scores(picture) | {COMPATIBLE: stegexpose_tool(picture).mean}
    scores = {name: np.nan if score is None else score for name, score in found.items()}
    return Look(scores, {feature: of_colour(picture, feature).astype(np.float32) for feature in FEATURES})


def _pairs(trial: Trial, number: int, seen: Sequence[Seen]) -> Pairs:
    """Those of one trial, by its number."""
    if trial.method == CLEAN:
        # Neighbours, so that no picture is in two pairs.
        first = range(0, len(seen) - 1, 2)
        return Pairs(0.0, np.array(first), [seen[i].cover for i in first], [seen[i + 1].cover for i in first])
    made = {i: each.containers[number] for i, each in enumerate(seen)}
    there = {i: each for i, each in made.items() if each is not None}
    if not there:
        raise UsageError(f"{trial.payload} bits per pixel by {trial.method} fit into no picture")
    payload = float(np.mean([bpp for _, bpp in there.values()]))
    covers = [seen[i].cover for i in there]
    return Pairs(payload, np.array(list(there)), covers, [look for look, _ in there.values()])


def _row(
    trial: Trial,
    pairs: Pairs,
    detector: str,
    covers: NDArray[np.float64],
    containers: NDArray[np.float64],
    seed: int,
    trained: str | None = None,
) -> Detected:
    return Detected.of(
        covers,
        containers,
        seed,
        detector=detector,
        asked=trial.payload,
        payload=pairs.payload,
        variant=trial.strategy,
        trained=trained,
    )


def _untrained(trial: Trial, pairs: Pairs, seed: int) -> Iterator[Detected]:
    """What those detectors say that need no training; where one has no estimate, it has found nothing."""
    for name in pairs.covers[0].scores:
        covers, containers = (
            np.array([look.scores[name] for look in each]) for each in (pairs.covers, pairs.containers)
        )
        if not np.isnan([*covers, *containers]).all():
            yield _row(trial, pairs, name, np.nan_to_num(covers), np.nan_to_num(containers), seed)


class Fit(NamedTuple):
    """One ensemble to train, and what it then judges."""

    feature: str
    trained: Trial
    judged: tuple[Trial, ...]
    seed: int
    #: Features of covers and containers, ``(n, d)``: to train on, and of each trial to judge.
    known: tuple[NDArray[np.float32], NDArray[np.float32]]
    unknown: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]


def _fits(
    feature: str, asked: Sequence[Trial], pairs: dict[Trial, Pairs], training: set[int], seed: int
) -> Iterator[Fit]:
    """One for each trial, which judges containers of the same kind; that of :data:`OTHER` all of its payload."""
    for trained in pairs:
        judged = tuple(
            trial
            for trial in asked
            if trial == trained or (trained.method == OTHER and trial.payload == trained.payload)
        )
        if judged:
            known, _ = _halves(feature, pairs[trained], training)
            unknown = tuple(_halves(feature, pairs[trial], training)[1] for trial in judged)
            yield Fit(feature, trained, judged, seed, known, unknown)


def _halves(feature: str, pairs: Pairs, training: set[int]) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Features of covers and containers: of pictures to train on, and of the others."""
    known = np.isin(pairs.pictures, list(training))
    covers, containers = (
        np.stack([look.features[feature] for look in looks]) for looks in (pairs.covers, pairs.containers)
    )
    return [(covers[half], containers[half]) for half in (known, ~known)]


def _votes(fit: Fit) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """How an ensemble votes on covers and containers of each trial that it judges."""
    ensemble = Ensemble.fit(*fit.known, fit.seed)
    return [(ensemble.votes(covers), ensemble.votes(containers)) for covers, containers in fit.unknown]
