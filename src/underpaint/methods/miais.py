"""A face in a picture, recognised there without being restored.

After J. Cui et al., "Multitask Identity-Aware Image Steganography via Minimax Optimization" (IEEE Transactions on Image
Processing, 2021). What is hidden is not the face but its template, and only who has the passphrase recognises it::

    template ─► turned by one of 4,096 ways of the key ─┬► 104 numbers ─► writer network ─► container
    40 signs that say which way it is ──────────────────┘        cover ─┘
    container ─► reader network, on every block of 8×8 ─► the mean of 104 numbers ─► which way? ─► turned back

The networks are those of the lab's ``miais``: numbers come back nearly as they were, and templates are compared by
likeness, so nearly will do. Which way a container is turned is found by trying all; that one of them fits says by
itself that there is something, and that the passphrase is right.

Limits: it survives a little noise, and no codec; a template by ``robust`` does. Nothing is sealed: anybody can tell
that a picture says something, copy that into another, and see of two containers by one passphrase whether they are
turned the same way, and then how like they are. Whom they show takes the passphrase.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import numpy as np

from underpaint import models
from underpaint.coding import refusals
from underpaint.coding import template as templates
from underpaint.coding.keys import COMPACT_COST, SALT, Key
from underpaint.errors import SurvivalError, UsageError
from underpaint.types import SMALLEST_SIDE, Capacity, Payload, as_cover, as_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.models import Model
    from underpaint.types import Channel, Image

#: Name of the method.
NAME = "miais"
#: Side of a block.
BLOCK = 8
#: Ways to turn a template by one key, and signs that say which it is. Part of the format.
_WAYS, SIGNS = 1 << 12, 40
#: How near what a container says must come to some way's signs. Signs drawn at random come as near to one of all ways
#: in three of a million pictures.
_NEAR = 0.86
#: Side in pixels of what is looked at first, and how near that must come for the rest to be worth reading.
_GLIMPSE, _WORTH = 512, 0.6
#: How like the template must be that is read back.
LIKE = 0.97
#: How often what misses is asked for again, which share of it, and how like is like enough.
_AGAIN, _SHARE, _ENOUGH = 5, 0.5, 0.99999
#: What containers come to, in dB.
_TYPICAL = 45.0
#: Steps of thresholds from row to row of blocks, from column to column, and from value to value.
_EVEN = (0.7548776662466927, 0.5698402909980532, 0.6180339887498949)
#: Rows of blocks that are worked on at once, and how many more a network sees.
_ROWS, _BEYOND = 32, 2


class MIAIS:
    """What ``hide -i --method miais`` takes; a :class:`~underpaint.methods.Method` for templates alone."""

    name = NAME
    summary = "whom a picture shows, to be recognised and not restored"
    needs_lossless = True
    default_survive = None

    def capacity(self, cover: Image) -> Capacity:
        """One template."""
        as_cover(cover)
        return Capacity(templates.size(templates.FINE), _TYPICAL)

    def hide(
        self,
        cover: Image,
        payload: Payload,
        passphrase: str | None,
        *,
        psnr: float | None,
        survive: Channel | None,
    ) -> Image:
        """Return a container of *cover* in which *payload*, a template, is recognised.

        Raises:
            UsageError: the payload is none, or a quality or a channel is asked for.
            SurvivalError: the cover cannot take it: nearly all of it is black or white.
            ModelError: a network is missing or altered.
        """
        if payload.kind != "template":
            raise UsageError(f"{NAME} hides whom a picture shows", hint="name a picture with -i, or another method")
        if psnr is not None or survive is not None:
            hint = "without --method, a template goes by one that has"
            raise UsageError(f"{NAME} has no quality or survival setting", hint=hint)
        return hide(cover, templates.unpack(payload.data), passphrase)

    def holds(self, image: Image, passphrase: str | None) -> bool:
        """Return whether somebody can be recognised in *image*."""
        return read(as_image(image), Key.derive(passphrase, SALT, COMPACT_COST)) is not None

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        """Return the template in *container*, nearly as it was.

        Raises:
            NotFoundError: there is none, or it takes another passphrase.
            ModelError: a network is missing or altered.
        """
        found = read(as_image(container), Key.derive(passphrase, SALT, COMPACT_COST))
        if found is None:
            raise refusals.not_found()
        return Payload(templates.pack(found), "template")


def hide(cover: Image, template: NDArray[np.float32], passphrase: str | None, *, model: Model | None = None) -> Image:
    """Return a container of *cover*, ``uint8 (H, W, 3)``, both sides at least 32, that says *template*.

    Raises:
        UsageError: it is no such picture.
        SurvivalError: the cover cannot take it.
        ModelError: a network is missing or altered.
    """
    cover, key = as_cover(cover), Key.derive(passphrase, SALT, COMPACT_COST)
    model = model or models.load(NAME)
    way = secrets.randbelow(_WAYS)
    wanted = np.concatenate([templates.rotate(template, key, f"way {way}"), _signs(key)[way]])
    said, asked, best, container = numbers(cover, model), wanted, -1.0, cover
    for _ in range(_AGAIN):
        attempt = _written(cover, asked, said, model)
        found = numbers(attempt, model)
        like = templates.cosine_similarity(found, wanted)
        if like > best:
            best, container = like, attempt
        if best >= _ENOUGH:
            break
        asked = asked + _SHARE * (wanted - found)
    if best >= LIKE:
        return container
    raise SurvivalError(
        "nobody would be recognised in this cover", hint="take one that is not black or white nearly all over"
    )


def read(container: Image, key: Key, *, model: Model | None = None) -> NDArray[np.float32] | None:
    """Return the template that *container* says by *key*, or None if it says none.

    Raises:
        ModelError: a network is missing or altered.
    """
    if min(container.shape[:2]) < SMALLEST_SIDE:
        return None
    model = model or models.load(NAME)
    glimpse = _glimpse(container)
    if glimpse.size < container.size and _likeliest(glimpse, key, model)[1] < _WORTH:
        return None
    found, nearness = _likeliest(container, key, model)
    return found if nearness >= _NEAR else None


def believed(container: Image, key: Key) -> NDArray[np.float32]:
    """Return what *container* says by *key*, though its signs may say that the key is another.

    Raises:
        ModelError: a network is missing or altered.
    """
    return _likeliest(container, key, models.load(NAME))[0]


def numbers(picture: Image, model: Model) -> NDArray[np.float32]:
    """What *picture* says, ``float32 (104,)``: the mean over its whole blocks."""
    down, across = (side // BLOCK for side in picture.shape[:2])
    total = np.zeros(templates.NUMBERS + SIGNS)
    for rows, inner in _strips(down):
        said = model.graphs["reader"].run({"pictures": _planes(picture, rows, across)})["numbers"][0]
        total += said[:, inner].sum(axis=(1, 2), dtype=np.float64)
    found: NDArray[np.float32] = (total / (down * across)).astype(np.float32)
    return found


def _glimpse(picture: Image) -> Image:
    """The middle of *picture*, by which large ones that say nothing are told in no time."""
    rows, columns = (slice(max(0, side - _GLIMPSE) // 2 // BLOCK * BLOCK, None) for side in picture.shape[:2])
    return picture[rows, columns][:_GLIMPSE, :_GLIMPSE]


def _likeliest(container: Image, key: Key, model: Model) -> tuple[NDArray[np.float32], float]:
    """The template that *container* says by the way of *key* whose signs are nearest, and how near they are, -1–1."""
    said = numbers(container, model)
    turned, signs = said[: templates.NUMBERS], said[templates.NUMBERS :]
    nearness = _signs(key) @ signs / max(float(np.linalg.norm(signs)) * SIGNS**0.5, 1e-9)
    way = int(nearness.argmax())
    return templates.rotate_back(turned, key, f"way {way}"), float(nearness[way])


def _written(cover: Image, asked: NDArray[np.float32], said: NDArray[np.float32], model: Model) -> Image:
    """*cover* with what the writer changes to say *asked*; it says *said*."""
    down, across = (side // BLOCK for side in cover.shape[:2])
    container, thresholds = cover.copy(), dither(down * BLOCK, across * BLOCK)
    for rows, inner in _strips(down):
        inputs = {"covers": _planes(cover, rows, across), "numbers": asked[None], "said": said[None]}
        made = 255 * model.graphs["writer"].run(inputs)["containers"][0].transpose(1, 2, 0)
        cut = slice(inner.start * BLOCK, inner.stop * BLOCK)
        top = (rows.start + inner.start) * BLOCK
        rounded = np.rint(made[cut] + thresholds[top : top + cut.stop - cut.start, :, None])
        container[top : top + cut.stop - cut.start, : across * BLOCK] = rounded.clip(0, 255)
    return container


def dither(height: int, width: int) -> NDArray[np.float32]:
    """What is added to the values of a picture before they are rounded, -.5–.5, ``(height, width)``.

    Levels are whole, and all blocks change alike: what rounding takes from one it would take from all. With thresholds
    that differ from block to block, evenly spread (the R₂ sequence of M. Roberts, 2018), the mean keeps it.
    """
    down, across = (divmod(np.arange(side), BLOCK) for side in (height, width))
    rows = down[0] * _EVEN[0] + BLOCK * down[1] * _EVEN[2]
    columns = across[0] * _EVEN[1] + across[1] * _EVEN[2]
    thresholds: NDArray[np.float32] = np.add.outer(rows % 1, columns % 1).astype(np.float32) % 1 - np.float32(0.5)
    return thresholds


def _strips(down: int) -> list[tuple[slice, slice]]:
    """Rows of blocks that a network sees at once, and which of them count."""
    found = []
    for top in range(0, down, _ROWS):
        rows = slice(max(0, top - _BEYOND), min(down, top + _ROWS + _BEYOND))
        found.append((rows, slice(top - rows.start, min(down, top + _ROWS) - rows.start)))
    return found


def _planes(picture: Image, rows: slice, across: int) -> NDArray[np.float32]:
    cut = picture[rows.start * BLOCK : rows.stop * BLOCK, : across * BLOCK]
    return np.ascontiguousarray(cut.transpose(2, 0, 1)[None], np.float32) / np.float32(255)


def _signs(key: Key) -> NDArray[np.float32]:
    """What each of the ways is announced by, ``(4096, 40)``, -1 or 1."""
    bits = np.unpackbits(key.stream("ways", _WAYS * SIGNS // 8)).reshape(_WAYS, SIGNS)
    return 1 - 2 * bits.astype(np.float32)
