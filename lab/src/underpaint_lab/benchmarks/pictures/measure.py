"""Tables ``pictures`` and ``pictures-small``: pictures in pictures, 256×256 of photographs or 32×32 of a mosaic.

Each picture is a cover, and the secret of another: in a mosaic of the one half the set away, in photographs of the
square at the same place of the next photograph. Networks for pictures of 32×32 are measured without the header of the
container format, since other networks have none; everything else runs as in the runtime.
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
from underpaint.embedding import residues
from underpaint.errors import CapacityError, PayloadError, SurvivalError, UsageError
from underpaint.media import Picture
from underpaint.methods import METHODS, pixinpix, robust_picture
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.jnd.measure import SIDE, tiles
from underpaint_lab.benchmarks.pictures.rows import PICTURES, SMALL, PictureQuality, PictureRow
from underpaint_lab.benchmarks.robustness.grids import PICTURE_CHANNELS
from underpaint_lab.data.pictures import crops, pictures_in, spread
from underpaint_lab.provenance import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from underpaint.models import Model
    from underpaint.types import Image

    #: Maps cover and secret of one shape to container and revealed picture.
    Way = Callable[[Image, Image], tuple[Image, Image]]

#: Side in pixels of a square of a photograph, and pairs of a mosaic.
CROP, PAIRS = 256, 10_000
#: Pairs per parallel task, if there are more pairs than the first number and if there are not.
_BATCH, _SMALL_BATCH = 250, 6
#: The mosaic that is measured.
_MOSAIC = "test.webp"
#: The model for small pictures.
_SMALL = "pixinpix-cifar"


def lowest_bits(cover: Image, secret: Image) -> tuple[Image, Image]:
    """Hide the secret's upper four bits in the cover's lower four; the missing bits are filled with their mean."""
    container = cover & np.uint8(0xF0) | secret >> np.uint8(4)
    return container, (container << np.uint8(4)) + np.uint8(8)


def basn(cover: Image, secret: Image, psnr: float = DEFAULT_PSNR) -> tuple[Image, Image]:
    """Hide the secret exactly, compressed to the capacity of ``basn`` at *psnr* dB.

    Raises:
        CapacityError: the capacity is too small.
    """
    method = METHODS["basn"]
    payload = PicturePayload(Picture(secret)).prepare(cover, method, psnr).payload
    container = method.hide(cover, payload, None, psnr=None, survive=None)
    return container, media.decode(method.reveal(container, None).data).pixels


def robust(cover: Image, secret: Image) -> tuple[Image, Image]:
    """Hide the secret so that it survives codecs, compressed to the capacity of :data:`robust_picture.NAME`.

    Raises:
        CapacityError, SurvivalError: the capacity is too small, or the secret would not survive.
    """
    method = METHODS[robust_picture.NAME]
    payload = PicturePayload(Picture(secret)).prepare(cover, method, None).payload
    container = method.hide(cover, payload, None, psnr=None, survive=None)
    return container, media.decode(method.reveal(container, None).data).pixels


def after_channel(container: Image, channel: str) -> tuple[Image, Image] | None:
    """Return a container of :func:`robust` behind *channel* and the revealed picture; None if nothing is revealed."""
    received = parse(channel)(container)
    try:
        return received, media.decode(METHODS[robust_picture.NAME].reveal(received, None).data).pixels
    except PayloadError:
        return None


def pixinpix_file(cover: Image, secret: Image) -> tuple[Image, Image]:
    """Hide as users do, with the header of the container format."""
    container = pixinpix.hide(cover, secret)
    return container, pixinpix.reveal(container)


def pixinpix_network(cover: Image, secret: Image, model: Model | None = None) -> tuple[Image, Image]:
    """Hide by a network without the header, that for small pictures by default; sides are multiples of 8."""
    model, key = model or models.load(_SMALL), Key(bytes(KEY_SIZE))
    levels, values = pixinpix.levels_of(model), pixinpix.blocks_of(cover)
    free = np.ones(values.shape, bool)
    container = cover.copy()
    pixinpix.put_blocks(container, residues.embed(values, *pixinpix.quantise(secret, model), levels, free, key))
    found = residues.extract(pixinpix.blocks_of(container), levels, free, key)
    return container, pixinpix.dequantise(*found, (cover.shape[0], cover.shape[1]), model)


def ways(*, small: bool = False) -> dict[str, Way]:
    """Return every way by name, for *small* pictures or for photographs; a network only if the zoo has it."""
    name, network = (_SMALL, pixinpix_network) if small else (pixinpix.NAME, pixinpix_file)
    networks: dict[str, Way] = {name: network} if name in models.names() else {}
    exact = {f"basn-{psnr:g}": partial(basn, psnr=psnr) for psnr in (DEFAULT_PSNR, 50.0)}
    lossy = {} if small else {robust_picture.NAME: robust}
    return {"lsb-4": lowest_bits, **exact, **networks, **lossy}


@dataclass(frozen=True)
class PairsTask:
    """Some pairs, hidden in one way."""

    way: str
    small: bool
    covers: tuple[Image, ...]
    secrets: tuple[Image, ...]


def pictures_in_pictures(
    method: str, *, images: Path | None = None, seed: int = 0, jobs: int | None = None, small: bool = False
) -> ResultFile[PictureRow]:
    """Hide pictures in pictures, reveal them, and measure both.

    Args:
        method: key of :func:`ways`.
        images: folder of photographs, the samples by default; of *small* pictures one with a mosaic ``test.webp``.
        seed: only noted down; nothing is random.
        jobs: processes, one per core by default.
        small: pictures of 32×32.

    Raises:
        UsageError: no such way, or no pictures.
    """
    if method not in ways(small=small):
        raise UsageError(f"no way is called '{method}'", hint=f"there are {', '.join(ways(small=small))}")
    name, files, covers, secrets = small_pairs(images) if small else pairs(images)
    starts = range(0, len(covers), _BATCH if len(covers) > _BATCH else _SMALL_BATCH)
    size = starts.step
    afters = PICTURE_CHANNELS if method == robust_picture.NAME else (None,)
    tasks = [PairsTask(method, small, tuple(covers[at : at + size]), tuple(secrets[at : at + size])) for at in starts]
    made = [each for part in spread(hide_pairs, tasks, jobs) for each in part]
    rows = tuple(
        measure_pairs(name, covers, secrets, [each[at] for each in made], after=after)
        for at, after in enumerate(afters)
    )
    table = SMALL if small else PICTURES
    return ResultFile(table, method, Source.of_bench(table, method, images, files, seed), rows)


def measure_pairs(
    name: str,
    covers: list[Image],
    secrets: list[Image],
    made: list[tuple[Image, Image] | None],
    trained: str | None = None,
    after: str | None = None,
) -> PictureRow:
    """Return the row of *covers* and *secrets*.

    Args:
        name: data set and size, for the row.
        covers: pictures of one size.
        secrets: of the same size.
        made: container and revealed picture of each pair, None where it was refused.
        trained: scale of the training, for the row.
        after: channel, for the row.

    Raises:
        UsageError: all pairs were refused.
    """
    done = [(cover, secret, *pair) for cover, secret, pair in zip(covers, secrets, made, strict=True) if pair]
    if not done:
        raise UsageError("none of the pictures was hidden")
    cover, secret, container, back = map(list, zip(*done, strict=True))
    height, width = covers[0].shape[:2]
    quality = PictureQuality.of(cover, container), PictureQuality.of(secret, back)
    return PictureRow(name, (height, width), len(done), len(made) - len(done), *quality, trained, after=after)


def hide_pairs(task: PairsTask) -> list[tuple[tuple[Image, Image] | None, ...]]:
    """Return container and revealed picture of each pair; for :func:`robust` behind all of :data:`PICTURE_CHANNELS`."""
    found: list[tuple[tuple[Image, Image] | None, ...]] = []
    for cover, secret in zip(task.covers, task.secrets, strict=True):
        lossy = task.way == robust_picture.NAME
        try:
            made = ways(small=task.small)[task.way](cover, secret)
        except (CapacityError, SurvivalError):
            found.append((None,) * (len(PICTURE_CHANNELS) if lossy else 1))
            continue
        found.append(
            (made, *(after_channel(made[0], channel) for channel in PICTURE_CHANNELS[1:])) if lossy else (made,)
        )
    return found


def small_pairs(images: Path | None, count: int = PAIRS) -> tuple[str, list[Path], list[Image], list[Image]]:
    """Return the name of the pairs of a mosaic, its file, covers and secrets.

    Raises:
        UsageError: there is no mosaic.
    """
    if images is None:
        raise UsageError(f"{SMALL} needs small pictures", hint="name CIFAR-10's folder, with its mosaics, by --images")
    found = list(tiles(images / _MOSAIC, count))
    half = len(found) // 2
    return f"{images.name}, {SIDE}×{SIDE}", [images / _MOSAIC], found, found[half:] + found[:half]


def pairs(images: Path | None) -> tuple[str, list[Path], list[Image], list[Image]]:
    """Return the name of the pairs of photographs, their files, covers and secrets.

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
