"""Pictures in pictures, by every way that there is: squares of 256×256 of photographs, or 32×32 of a mosaic.

Each picture is a cover, and the secret of another: of a mosaic the one half a set further, of photographs the square at
the same place of the next. Networks for pictures of 32×32 are measured alone, without the head that says how to read a
file, as other networks have none; all else goes the way that users go.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from underpaint import media, models
from underpaint.api.payloads import DEFAULT_PSNR, PicturePayload
from underpaint.channels import parse
from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.errors import CapacityError, PayloadError, SurvivalError, UsageError
from underpaint.media import Picture
from underpaint.methods import METHODS, pixinpix, robust_picture
from underpaint_lab.benchmarks.core.source import Source
from underpaint_lab.benchmarks.jnd.measure import SIDE, tiles
from underpaint_lab.benchmarks.pictures.rows import PICTURES, SMALL, Hidden, Likeness, Revealed
from underpaint_lab.data.pictures import crops, pictures_in, spread

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from underpaint.models import Model
    from underpaint.types import Image

    #: Container and what is revealed, of a cover and a secret of one shape.
    Way = Callable[[Image, Image], tuple[Image, Image]]

#: Side of a square of a photograph, and pairs of a mosaic.
CROP, PAIRS = 256, 10_000
#: Pairs that a process takes at once.
_AT_ONCE = 250
#: The split that is measured.
_MOSAIC = "test.webp"
#: What containers go through that are to survive it; nothing at first.
AFTER = ("none", "jpeg:75", "webp:75", "jpeg2000:4", "jpeg:50")
#: The model that small pictures have.
_SMALL = "pixinpix-cifar"


def lowest_bits(cover: Image, secret: Image) -> tuple[Image, Image]:
    """The control: upper four bits in lower four, and what is missing filled with its mean."""
    container = cover & np.uint8(0xF0) | secret >> np.uint8(4)
    return container, (container << np.uint8(4)) + np.uint8(8)


def compressed(cover: Image, secret: Image, psnr: float = DEFAULT_PSNR) -> tuple[Image, Image]:
    """The exact way: the secret compressed to what ``basn`` takes at *psnr* dB.

    Raises:
        CapacityError: that is too little.
    """
    method = METHODS["basn"]
    payload = PicturePayload(Picture(secret)).prepare(cover, method, psnr).payload
    container = method.hide(cover, payload, None, psnr=None, survive=None)
    return container, media.decode(method.reveal(container, None).data).pixels


def robust(cover: Image, secret: Image) -> tuple[Image, Image]:
    """The way that survives codecs: the secret compressed to what :data:`robust_picture.NAME` takes.

    Raises:
        CapacityError, SurvivalError: that is too little, or would not survive.
    """
    method = METHODS[robust_picture.NAME]
    payload = PicturePayload(Picture(secret)).prepare(cover, method, None).payload
    container = method.hide(cover, payload, None, psnr=None, survive=None)
    return container, media.decode(method.reveal(container, None).data).pixels


def arrived(container: Image, channel: str) -> tuple[Image, Image] | None:
    """What arrives of a container of :func:`robust` after *channel*, and what is revealed of it; None if nothing is."""
    there = parse(channel)(container)
    try:
        return there, media.decode(METHODS[robust_picture.NAME].reveal(there, None).data).pixels
    except PayloadError:
        return None


def whole(cover: Image, secret: Image) -> tuple[Image, Image]:
    """The way of users: with a head, which is read back."""
    container = pixinpix.hide(cover, secret)
    return container, pixinpix.reveal(container)


def alone(cover: Image, secret: Image, model: Model | None = None) -> tuple[Image, Image]:
    """A network alone, that for small pictures by default; sides are multiples of 8."""
    model, key = model or models.load(_SMALL), Key(bytes(KEY_SIZE))
    levels, values = pixinpix.levels_of(model), pixinpix.blocks_of(cover)
    free = np.ones(values.shape, bool)
    container = cover.copy()
    pixinpix.put(container, pixinpix.packed(values, *pixinpix.written(secret, model), levels, free, key))
    found = pixinpix.unpacked(pixinpix.blocks_of(container), levels, free, key)
    return container, pixinpix.drawn(*found, (cover.shape[0], cover.shape[1]), model)


def ways(*, small: bool = False) -> dict[str, Way]:
    """Every way, by name, for *small* pictures or for photographs; a network if the zoo has it."""
    name, network = (_SMALL, alone) if small else (pixinpix.NAME, whole)
    there: dict[str, Way] = {name: network} if name in models.names() else {}
    exact = {f"basn-{psnr:g}": partial(compressed, psnr=psnr) for psnr in (DEFAULT_PSNR, 50.0)}
    lossy = {} if small else {robust_picture.NAME: robust}
    return {"lsb-4": lowest_bits, **exact, **there, **lossy}


@dataclass(frozen=True)
class Task:
    """Some pairs, by one way."""

    way: str
    small: bool
    covers: tuple[Image, ...]
    secrets: tuple[Image, ...]


def revealed(
    method: str, *, images: Path | None = None, seed: int = 0, jobs: int | None = None, small: bool = False
) -> Revealed:
    """Hide pictures in pictures, and reveal them.

    Args:
        method: key of :func:`ways`.
        images: folder of photographs, the samples by default; of *small* pictures one with a mosaic ``test.webp``.
        seed: nothing is random; it is noted down.
        jobs: processes, one per core by default.
        small: pictures of 32×32.

    Raises:
        UsageError: no such way, or no pictures.
    """
    if method not in ways(small=small):
        raise UsageError(f"no way is called '{method}'", hint=f"there are {', '.join(ways(small=small))}")
    name, files, covers, secrets = small_pairs(images) if small else pairs(images)
    starts = range(0, len(covers), _AT_ONCE if len(covers) > _AT_ONCE else 6)
    size = starts.step
    afters = AFTER if method == robust_picture.NAME else (None,)
    tasks = [Task(method, small, tuple(covers[at : at + size]), tuple(secrets[at : at + size])) for at in starts]
    made = [each for part in spread(measure, tasks, jobs) for each in part]
    rows = tuple(
        scored(name, covers, secrets, [each[at] for each in made], after=after) for at, after in enumerate(afters)
    )
    table = SMALL if small else PICTURES
    return Revealed(table, method, Source.of(table, method, images, files, seed), rows)


def scored(
    name: str,
    covers: list[Image],
    secrets: list[Image],
    made: list[tuple[Image, Image] | None],
    trained: str | None = None,
    after: str | None = None,
) -> Hidden:
    """What came of *covers* and *secrets*: containers and what was revealed, or None where that was refused.

    Raises:
        UsageError: all were.
    """
    done = [(cover, secret, *pair) for cover, secret, pair in zip(covers, secrets, made, strict=True) if pair]
    if not done:
        raise UsageError("none of the pictures was hidden")
    cover, secret, container, back = map(list, zip(*done, strict=True))
    height, width = covers[0].shape[:2]
    likenesses = Likeness.of(cover, container), Likeness.of(secret, back)
    return Hidden(name, (height, width), len(done), len(made) - len(done), *likenesses, trained, after=after)


def measure(task: Task) -> list[tuple[tuple[Image, Image] | None, ...]]:
    """What the task's way makes of its pairs; of :func:`robust` behind all of :data:`AFTER`."""
    found: list[tuple[tuple[Image, Image] | None, ...]] = []
    for cover, secret in zip(task.covers, task.secrets, strict=True):
        lossy = task.way == robust_picture.NAME
        try:
            made = ways(small=task.small)[task.way](cover, secret)
        except (CapacityError, SurvivalError):
            found.append((None,) * (len(AFTER) if lossy else 1))
            continue
        found.append((made, *(arrived(made[0], channel) for channel in AFTER[1:])) if lossy else (made,))
    return found


def small_pairs(images: Path | None, count: int = PAIRS) -> tuple[str, list[Path], list[Image], list[Image]]:
    """What the pairs of a mosaic are called, its file, covers and secrets.

    Raises:
        UsageError: there is no mosaic.
    """
    if images is None:
        raise UsageError(f"{SMALL} needs small pictures", hint="name CIFAR-10's folder, with its mosaics, by --images")
    found = list(tiles(images / _MOSAIC, count))
    half = len(found) // 2
    return f"{images.name}, {SIDE}×{SIDE}", [images / _MOSAIC], found, found[half:] + found[:half]


def pairs(images: Path | None) -> tuple[str, list[Path], list[Image], list[Image]]:
    """What the pairs of photographs are called, their files, covers and secrets.

    Raises:
        UsageError: there are none, or one is too small.
    """
    files = pictures_in(images)
    squares = [crops(media.read(file).pixels, CROP) for file in files]
    if not all(squares):
        raise UsageError(f"photographs must be at least {CROP} pixels each way")
    others = squares[1:] + squares[:1]
    covers = [square for own in squares for square in own]
    secrets = [other[at % len(other)] for own, other in zip(squares, others, strict=True) for at in range(len(own))]
    return f"{files[0].parent.name}, {CROP}×{CROP}", files, covers, secrets
