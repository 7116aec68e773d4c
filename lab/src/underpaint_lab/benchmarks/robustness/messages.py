"""How often a whole message comes back exactly: pictures and files, by the path of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from underpaint import api, media, metrics
from underpaint.channels import parse
from underpaint.errors import CapacityError, PayloadError, SurvivalError, UsageError
from underpaint.methods import EXACT
from underpaint.types import Payload
from underpaint_lab.benchmarks.core.source import Source
from underpaint_lab.benchmarks.robustness.rows import Quality, Result, Row
from underpaint_lab.data.pictures import pictures_in, spread

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Case:
    """A message of so many random bytes, in containers of so many dB, sent through each of these channels."""

    message_bytes: int
    psnr: float
    chains: tuple[str, ...]


#: What the README promises. A container is made once per case; it is not told which channel will come.
CASES = (
    Case(
        8,
        38.0,
        (
            *("jpeg:50", "jpeg:10", "webp:25", "h264:30", "rescale:0.5", "jpeg:50 | rescale:0.5 | jpeg:75"),
            *("crop:0.7", "jpeg:75 | crop:0.7", "crop:0.7 | rescale:0.7 | jpeg:75", "rotate:0.5"),
        ),
    ),
    Case(
        8,
        42.0,
        (
            *("jpeg:50", "jpeg:25", "jpeg:10", "webp:50", "webp:25", "avif:60", "jpeg2000:10"),
            *("contrast:0.8 | jpeg:50", "resize:0.5 | jpeg:75", "h264:30"),
        ),
    ),
    Case(8, 46.0, ("jpeg:50", "jpeg:25")),
    Case(200, 40.0, ("jpeg:75", "jpeg:50")),
)


@dataclass(frozen=True)
class Task:
    """One case in one picture."""

    method: str
    picture: Path
    index: int
    case: Case
    seed: int


@dataclass(frozen=True)
class Outcome:
    """PSNR and SSIM of the container, None if hide refused; per channel whether the message came back."""

    quality: tuple[float, float] | None
    #: True exactly, False as something else, None not at all.
    read: tuple[bool | None, ...]


def messages(
    method: str,
    *,
    images: Path | None = None,
    cases: Sequence[Case] = CASES,
    seed: int = 0,
    jobs: int | None = None,
) -> Result:
    """Count how often *method* gives back a message with a passphrase exactly.

    Messages are random bytes, which no compression shortens. A picture that hide refuses counts as one that failed.

    Args:
        method: key of :data:`EXACT`.
        images: folder of pictures; the samples by default.
        cases: what to hide, how well, and what to send it through.
        seed: of messages, passphrases and the channels' randomness.
        jobs: processes, one per core by default; the result does not depend on them.

    Raises:
        UsageError: an unknown method or channel, or no pictures.
    """
    if method not in EXACT:
        raise UsageError(f"no method is called '{method}'", hint=f"the methods are {', '.join(EXACT)}")
    for case in cases:
        for chain in case.chains:
            parse(chain)
    pictures = pictures_in(images)
    tasks = [Task(method, picture, index, case, seed) for case in cases for index, picture in enumerate(pictures)]
    outcomes = spread(measure, tasks, jobs)
    quality: list[Quality] = []
    rows: list[Row] = []
    for number, case in enumerate(cases):
        found = outcomes[number * len(pictures) : (number + 1) * len(pictures)]
        bits = 8 * case.message_bytes
        hidden = np.array([outcome.quality for outcome in found if outcome.quality])  # (containers, 2)
        if len(hidden):
            quality.append(Quality.of(case.psnr, bits, hidden))
        for c, chain in enumerate(case.chains):
            read = [outcome.read[c] for outcome in found]
            refused = len(found) - len(hidden)
            rows.append(Row(chain, case.psnr, bits, len(found), read.count(True), refused, read.count(False)))
    source = Source.of("messages", method, images, pictures, seed)
    return Result("messages", method, source, tuple(quality), tuple(rows))


def measure(task: Task) -> Outcome:
    """Hide a message in one picture file, send it through every channel, and reveal what arrived."""
    rng = np.random.default_rng([task.seed, task.index, task.case.message_bytes])
    payload, passphrase = Payload(rng.bytes(task.case.message_bytes)), f"bench {task.seed} {task.index}"
    with TemporaryDirectory() as folder:
        container, arrived = Path(folder, "container.png"), Path(folder, "arrived.png")
        try:
            api.hide_file(
                task.picture, container, payload, method=task.method, passphrase=passphrase, psnr=task.case.psnr
            )
        except (CapacityError, SurvivalError):
            return Outcome(None, (None,) * len(task.case.chains))
        cover, hidden = (media.read(file).pixels for file in (task.picture, container))
        read: list[bool | None] = []
        for chain in task.case.chains:
            api.attack_file(container, chain, arrived, seed=task.seed, force=True)
            try:
                revealed, _, _ = api.reveal_file(arrived, passphrase=passphrase)
            except PayloadError:
                read.append(None)
            else:
                read.append(revealed == payload)
    return Outcome((metrics.psnr(cover, hidden), metrics.ssim(cover, hidden)), tuple(read))
