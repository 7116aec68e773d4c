"""Table ``messages``: how often a whole message is revealed exactly, by the same calls as the command line."""

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
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.robustness.grids import CASES, Case
from underpaint_lab.benchmarks.robustness.rows import ChannelRow, Quality
from underpaint_lab.data.pictures import middle, pictures_in, spread
from underpaint_lab.provenance import Source

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class MessageTask:
    """One case in one picture."""

    method: str
    picture: Path
    index: int
    case: Case
    seed: int


@dataclass(frozen=True)
class SampleResult:
    """Result of one case in one picture."""

    quality: tuple[float, float] | None  #: PSNR and SSIM of the container; None if ``hide`` refused
    #: For each channel: True if the message was read exactly, False if something else was, None if nothing was.
    read: tuple[bool | None, ...]


def messages(
    method: str,
    *,
    images: Path | None = None,
    cases: Sequence[Case] = CASES,
    table: str = "messages",
    seed: int = 0,
    jobs: int | None = None,
) -> ResultFile[ChannelRow]:
    """Count how often a message with a passphrase is revealed exactly by *method*.

    Messages are random bytes, which compression cannot shorten. A picture that ``hide`` refuses counts as failed.

    Args:
        method: key of :data:`EXACT`.
        images: folder of pictures; the samples by default.
        cases: message sizes, PSNRs and channels.
        table: name of the table.
        seed: seed of messages, passphrases and the channels' randomness.
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
    tasks = [
        MessageTask(method, picture, index, case, seed) for case in cases for index, picture in enumerate(pictures)
    ]
    samples = spread(measure, tasks, jobs)
    quality: list[Quality] = []
    rows: list[ChannelRow] = []
    for number, case in enumerate(cases):
        found = samples[number * len(pictures) : (number + 1) * len(pictures)]
        bits = 8 * case.message_bytes
        hidden = np.array([sample.quality for sample in found if sample.quality])  # (containers, 2)
        if len(hidden):
            quality.append(Quality.of(case.psnr, bits, hidden))
        for c, chain in enumerate(case.chains):
            read = [sample.read[c] for sample in found]
            refused = len(found) - len(hidden)
            rows.append(ChannelRow(chain, case.psnr, bits, len(found), read.count(True), refused, read.count(False)))
    source = Source.of_bench(table, method, images, pictures, seed)
    return ResultFile(table, method, source, tuple(rows), {"quality": tuple(quality), "skipped": ()})


def measure(task: MessageTask) -> SampleResult:
    """Hide a message in one picture file, send the container through every channel, and reveal it."""
    rng = np.random.default_rng([task.seed, task.index, task.case.message_bytes])
    payload, passphrase = Payload(rng.bytes(task.case.message_bytes)), f"bench {task.seed} {task.index}"
    with TemporaryDirectory() as folder:
        container, received = Path(folder, "container.png"), Path(folder, "received.png")
        cover, original = task.picture, media.read(task.picture)
        if task.case.window:
            cover = Path(folder, "cover.png")
            media.write(original.with_pixels(middle(original.pixels, task.case.window)), cover)
        survive = " | ".join(task.case.chains) if task.case.asked else None
        try:
            api.hide_file(
                *(cover, container, payload),
                method=task.method,
                passphrase=passphrase,
                psnr=task.case.psnr,
                survive=survive,
            )
        except (CapacityError, SurvivalError):
            return SampleResult(None, (None,) * len(task.case.chains))
        before, hidden = (media.read(file).pixels for file in (cover, container))
        read: list[bool | None] = []
        for chain in task.case.chains:
            api.attack_file(container, chain, received, seed=task.seed, force=True)
            try:
                revealed, _, _ = api.reveal_file(received, passphrase=passphrase)
            except PayloadError:
                read.append(None)
            else:
                read.append(revealed == payload)
    return SampleResult((metrics.psnr(before, hidden), metrics.ssim(before, hidden)), tuple(read))
