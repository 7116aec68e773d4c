"""Who is recognised in containers that users get: people whom nobody learned from, in covers that nobody saw.

DATA, which ``--images`` names, has ``faces`` (:mod:`underpaint_lab.data.identities`), ``covers/val.zip``, photographs, and
``textures/textures.zip``. Every picture of the people to judge by is hidden in a cover of its own, as far as there are
enough; what is read from one container is compared with what is read from another, and to look somebody up, with plain
pictures of everybody.
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
from underpaint_lab.benchmarks.core.source import Source
from underpaint_lab.benchmarks.faces.rows import ABLATION, MULTITASK, Recognition, Recognitions
from underpaint_lab.benchmarks.faces.similarity import alike, detected
from underpaint_lab.data.identities import pairs, people
from underpaint_lab.data.pictures import middle, spread
from underpaint_lab.metrics.verification import Verification, rank_one

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from underpaint.coding.template import Template
    from underpaint.types import Image

#: Pools of covers, and where they lie in DATA.
_POOLS = {"photographs": "covers/val.zip", "textures": "textures/textures.zip"}
#: Pairs of either kind in a fold, and folds.
_PAIRS = (150, 10)


@dataclass(frozen=True)
class Way:
    """How templates are carried."""

    table: str
    #: Name of the row.
    name: str
    method: str
    #: Pool and side of covers.
    pool: str
    side: int
    #: What containers go through before they are read.
    chain: str = "none"
    #: The picture can be restored as well.
    restorable: bool = False


#: By the name of the row's file.
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
class Hidden:
    """What came of one face."""

    container: Image
    #: What is read, and what somebody reads by another key; zeros where there is nothing.
    read: Template
    misread: Template
    restored: Image | None


def ways(table: str) -> list[str]:
    """Those that a *table* has."""
    return [name for name, way in WAYS.items() if way.table == table]


def recognised(method: str, *, images: Path | None = None, seed: int = 0, jobs: int | None = None) -> Recognitions:
    """Hide everybody, and recognise them.

    Args:
        method: key of :data:`WAYS`.
        images: DATA.
        seed: of covers, pairs and keys.
        jobs: processes, one per core by default.

    Raises:
        UsageError: no such way, or something is missing in DATA.
        ModelError: a network is missing.
    """
    if method not in WAYS:
        hint = f"these can be measured: {', '.join(WAYS)}; python -m underpaint_lab.benchmarks.faces.trained adds rows"
        raise UsageError(f"'{method}' cannot be measured by the bench", hint=hint)
    if images is None:
        raise UsageError("there is nobody to recognise", hint="name a folder with 'faces' and 'covers' by --images")
    way, found = WAYS[method], people(images / "faces", "test")
    covers = _covers(images / _POOLS[way.pool], way.side, len(found.pictures), seed)
    plain = np.stack([template(picture) for picture in found.pictures])
    tasks = list(zip(found.pictures, covers, plain, strict=True))
    hidden = spread(partial(_hidden, way), tasks, jobs)
    chosen = pairs(found.labels, *_PAIRS, seed=seed)

    def verified(codes: NDArray[np.float32]) -> Verification:
        units = codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-9)
        told = np.linalg.norm(units[chosen.first] - units[chosen.second], axis=1)
        return Verification.of(told, chosen.same, _PAIRS[1])

    read, misread = (np.stack([getattr(each, name) for each in hidden]) for name in ("read", "misread"))
    containers = [each.container for each in hidden]
    small = [_square(picture, way.side) for picture in found.pictures]
    restored = [each.restored for each in hidden if each.restored is not None]
    _, first = np.unique(found.labels, return_index=True)
    others = np.delete(np.arange(len(plain)), first)
    lost = int((~read.any(axis=1)).sum())
    told: dict[str, Any] = detected(covers, containers) | verified(read)._asdict()
    row = Recognition(
        name=way.name if way.chain == "none" else f"{way.name}, {way.chain}",
        secrets="faces",
        pool=f"{way.pool}, {way.side}×{way.side}" + (f", {lost} lost" if lost else ""),
        count=len(hidden),
        plain=verified(plain).accuracy,
        cover=alike(covers, containers),
        secret=alike(small, restored) if restored else None,
        rank_one=rank_one(read[others], found.labels[others], plain[first], found.labels[first]),
        wrong_key=verified(misread).accuracy,
        **told,
    )
    files = [images / "faces", images / _POOLS[way.pool]]
    archives = [file if file.is_file() else next(file.glob("*.zip")) for file in files]
    source = Source.of(way.table, method, images, archives, seed)
    return Recognitions(way.table, method, replace(source, data=images.name), (row,))


def _hidden(way: Way, task: tuple[Image, Image, Template]) -> Hidden:
    """Hide one face in one cover, and read it back."""
    face, cover, code = task
    method, nothing = METHODS[way.method], np.zeros(NUMBERS, np.float32)
    chain = parse(way.chain)
    survive = chain if way.chain != "none" else None
    payload = Payload(pack(code, FINE if method.needs_lossless else COARSE), "template")
    try:
        container = method.hide(cover, payload, "right", psnr=None, survive=survive)
    except SurvivalError:
        return Hidden(cover, nothing, nothing, None)
    if way.restorable:
        container = pixinpix.hide(container, _square(face, way.side), "auditor")
    arrived = chain(container, 0)
    try:
        read = unpack(method.reveal(arrived, "right").data)
    except PayloadError:
        read = nothing
    misread = nothing
    if way.method == miais.NAME:
        misread = miais.believed(arrived, Key.derive("wrong", SALT, COMPACT_COST))
    else:
        with suppress(PayloadError):
            misread = unpack(method.reveal(arrived, "wrong").data)
    return Hidden(container, read, misread, pixinpix.reveal(container, "auditor") if way.restorable else None)


def _covers(archive: Path, side: int, count: int, seed: int) -> list[Image]:
    """So many squares of *side*, of all pictures of *archive* in turn."""
    try:
        with zipfile.ZipFile(archive) as opened:
            names = sorted(name for name in opened.namelist() if name.lower().endswith(tuple(media.EXTENSIONS)))
            order = np.random.default_rng([seed, 1]).permutation(len(names))
            squares = [_square(media.decode(opened.read(names[place])).pixels, side) for place in order[:count]]
    except (OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"{archive} has no covers: {error}", hint="it takes a zip file of pictures") from error
    return [squares[number % len(squares)] for number in range(count)]


def _square(picture: Image, side: int) -> Image:
    """The middle of *picture*, brought to *side* pixels."""
    square = Pillow.fromarray(middle(picture, min(picture.shape[:2])))
    return np.asarray(square.resize((side, side), Pillow.Resampling.BICUBIC))
