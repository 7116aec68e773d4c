"""Tables on MIAIS: faces recognised in containers of the runtime, of people and covers outside the training.

The data folder, named after ``--images``, has ``faces`` (:mod:`underpaint_lab.data.identities`), ``covers/val.zip``
(photographs) and ``textures/textures.zip``. Every test picture is hidden in a cover of its own, as far as there are
enough. For verification, templates from two containers are compared; for identification, templates from containers with
plain pictures of everybody.
"""

from __future__ import annotations

import zipfile
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as Pillow

from underpaint import media
from underpaint.channels import parse
from underpaint.coding.keys import COMPACT_COST, SALT, Key
from underpaint.coding.template import COARSE, FINE, NUMBERS, pack, unpack
from underpaint.errors import PayloadError, SurvivalError, UsageError
from underpaint.methods import METHODS, miais, pixinpix
from underpaint.models.face import template
from underpaint.types import Payload
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.faces.rows import ABLATION, MULTITASK, RecognitionRow
from underpaint_lab.benchmarks.faces.similarity import quality, stegexpose_rates
from underpaint_lab.data.identities import pairs, people
from underpaint_lab.data.pictures import middle, spread
from underpaint_lab.metrics.verification import Verification, rank_one
from underpaint_lab.provenance import Source

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from underpaint.coding.template import Template
    from underpaint.types import Image

#: Files of the pools of covers in the data folder.
_POOLS = {"photographs": "covers/val.zip", "textures": "textures/textures.zip"}
#: Pairs of same and of different people in a fold, and folds.
PAIRS = (150, 10)


@dataclass(frozen=True)
class Way:
    """A method that carries face templates."""

    table: str
    name: str  #: of the row
    method: str
    pool: str  #: pool of covers
    side: int  #: side of covers in pixels
    chain: str = "none"  #: channel
    restorable: bool = False  #: hides the picture as well


#: Ways by the name of the result file.
WAYS = {
    "miais": Way(ABLATION, "ours", "miais", "photographs", 64),
    "miais-textures": Way(ABLATION, "ours", "miais", "textures", 64),
    "miais-256": Way(ABLATION, "ours", "miais", "photographs", 256),
    "template-basn": Way(ABLATION, "template by basn", "basn", "photographs", 256),
    "template-robust": Way(ABLATION, "template by robust", "robust", "photographs", 256, "jpeg:75"),
    "template-stdm": Way(ABLATION, "template by stdm", "stdm", "photographs", 256, "jpeg:75"),
    "miais-restorable": Way(MULTITASK, "ours", "miais", "photographs", 64, restorable=True),
    "miais-restorable-256": Way(MULTITASK, "ours", "miais", "photographs", 256, restorable=True),
}


@dataclass(frozen=True)
class SampleResult:
    """One face, hidden and revealed."""

    container: Image
    read: Template  #: template revealed; zeros if none is
    wrong_key: Template  #: template revealed by a wrong key; zeros if none is
    restored: Image | None


def ways(table: str) -> list[str]:
    """Return the names of the ways of a table."""
    return [name for name, way in WAYS.items() if way.table == table]


def recognise_faces(
    method: str, *, images: Path | None = None, seed: int = 0, jobs: int | None = None
) -> ResultFile[RecognitionRow]:
    """Hide a template of every test picture, reveal it, and measure verification and identification.

    Args:
        method: key of :data:`WAYS`.
        images: data folder.
        seed: seed of covers, pairs and keys.
        jobs: processes, one per core by default.

    Raises:
        UsageError: no such way, or the data folder lacks something.
        ModelError: a network is missing.
    """
    if method not in WAYS:
        hint = f"these can be measured: {', '.join(WAYS)}; underpaint-lab evaluate faces adds rows of runs"
        raise UsageError(f"'{method}' cannot be measured by the bench", hint=hint)
    if images is None:
        raise UsageError("there are no faces", hint="name a folder with 'faces' and 'covers' after --images")
    way, found = WAYS[method], people(images / "faces", "test")
    covers = _covers(images / _POOLS[way.pool], way.side, len(found.pictures), seed)
    plain = np.stack([template(picture) for picture in found.pictures])
    tasks = list(zip(found.pictures, covers, plain, strict=True))
    samples = spread(partial(_hide, way), tasks, jobs)
    chosen = pairs(found.labels, *PAIRS, seed=seed)

    def verified(codes: NDArray[np.float32]) -> Verification:
        units = codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-9)
        distances = np.linalg.norm(units[chosen.first] - units[chosen.second], axis=1)
        return Verification.of(distances, chosen.same, PAIRS[1])

    read, wrong_key = (np.stack([getattr(each, name) for each in samples]) for name in ("read", "wrong_key"))
    containers = [each.container for each in samples]
    small = [_square(picture, way.side) for picture in found.pictures]
    restored = [each.restored for each in samples if each.restored is not None]
    _, first = np.unique(found.labels, return_index=True)
    others = np.delete(np.arange(len(plain)), first)
    lost = int((~read.any(axis=1)).sum())
    rates: dict[str, Any] = stegexpose_rates(covers, containers) | verified(read)._asdict()
    row = RecognitionRow(
        name=way.name if way.chain == "none" else f"{way.name}, {way.chain}",
        secrets="faces",
        pool=f"{way.pool}, {way.side}×{way.side}" + (f", {lost} lost" if lost else ""),
        count=len(samples),
        plain=verified(plain).accuracy,
        cover=quality(covers, containers),
        secret=quality(small, restored) if restored else None,
        rank_one=rank_one(read[others], found.labels[others], plain[first], found.labels[first]),
        wrong_key=verified(wrong_key).accuracy,
        **rates,
    )
    files = [images / "faces", images / _POOLS[way.pool]]
    archives = [file if file.is_file() else next(file.glob("*.zip")) for file in files]
    source = Source.of_bench(way.table, method, images, archives, seed)
    return ResultFile(way.table, method, replace(source, data=images.name), (row,))


def _hide(way: Way, task: tuple[Image, Image, Template]) -> SampleResult:
    """Hide one face in one cover, and read it back."""
    face, cover, code = task
    method, nothing = METHODS[way.method], np.zeros(NUMBERS, np.float32)
    chain = parse(way.chain)
    survive = chain if way.chain != "none" else None
    payload = Payload(pack(code, FINE if method.needs_lossless else COARSE), "template")
    try:
        container = method.hide(cover, payload, "right", psnr=None, survive=survive)
    except SurvivalError:
        return SampleResult(cover, nothing, nothing, None)
    if way.restorable:
        container = pixinpix.hide(container, _square(face, way.side), "auditor")
    received = chain(container, 0)
    try:
        read = unpack(method.reveal(received, "right").data)
    except PayloadError:
        read = nothing
    wrong_key = nothing
    if way.method == miais.NAME:
        wrong_key = miais.extract_unchecked(received, Key.derive("wrong", SALT, COMPACT_COST))
    else:
        with suppress(PayloadError):
            wrong_key = unpack(method.reveal(received, "wrong").data)
    return SampleResult(container, read, wrong_key, pixinpix.reveal(container, "auditor") if way.restorable else None)


def _covers(archive: Path, side: int, count: int, seed: int) -> list[Image]:
    """Return *count* squares of *side* pixels, from all pictures of *archive* in turn."""
    try:
        with zipfile.ZipFile(archive) as opened:
            names = sorted(name for name in opened.namelist() if name.lower().endswith(tuple(media.EXTENSIONS)))
            order = np.random.default_rng([seed, 1]).permutation(len(names))
            squares = [_square(media.decode(opened.read(names[place])).pixels, side) for place in order[:count]]
    except (OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"{archive} has no covers: {error}", hint="it takes a zip file of pictures") from error
    return [squares[number % len(squares)] for number in range(count)]


def _square(picture: Image, side: int) -> Image:
    """Return the middle square of *picture*, resized to *side* pixels."""
    square = Pillow.fromarray(middle(picture, min(picture.shape[:2])))
    return np.asarray(square.resize((side, side), Pillow.Resampling.BICUBIC))
