"""MIAIS: a face in a picture, recognised there without being restored.

After J. Cui et al., "Multitask Identity-Aware Image Steganography via Minimax Optimization" (IEEE Transactions on Image
Processing, 2021). Embedded is not the face but its biometric template, rotated by a keyed random rotation::

    template ─► one of 4,096 keyed rotations ─┬► 104 numbers ─► writer network ─► container
    40 signs that tell the rotation ──────────┘        cover ─┘
    container ─► reader network, on every block of 8×8 ─► mean: 104 numbers ─► rotation ─► template

The networks are those of the lab's ``miais``. Numbers come back approximately, which is enough, since templates are
compared by cosine similarity. The receiver compares the signs with those of all rotations: a match also says that there
is a template, and that the passphrase is right.

Limits: a container survives a little noise, and no codec; a template by ``robust`` does. Nothing is encrypted: anybody
can tell that a picture is a container, can copy its numbers into another, and can see of two containers of one
passphrase whether they have the same rotation, and then how similar they are. To see whom they show takes the
passphrase.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint import models
from underpaint.coding import refusals
from underpaint.coding import template as templates
from underpaint.errors import SurvivalError, UsageError
from underpaint.methods.base import shared_key
from underpaint.models.session import overlapping
from underpaint.types import SMALLEST_SIDE, Capacity, Payload, as_cover, as_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.coding.keys import Key
    from underpaint.models import Model
    from underpaint.types import Channel, Image

#: Name of the method, and of its model.
NAME = "miais"
#: Side of a block in pixels.
BLOCK = 8
#: Number of rotations of one key, and of signs that tell which it is. Part of the format.
_ROTATIONS, SIGNS = 1 << 12, 40
#: Cosine similarity that the template read back from a container must reach.
MIN_SIMILARITY = 0.97
#: Expected PSNR of a container in dB.
_TYPICAL_PSNR = 45.0


@dataclass(frozen=True)
class _Detection:
    """Thresholds for the cosine similarity of the signs in a picture with those of the likeliest rotation."""

    threshold: float = 0.86  # reached by three in a million unmarked pictures
    preview_side: int = 512  # pixels; the middle of a large picture is tried first
    preview_threshold: float = 0.6  # below this the rest of it is not read


@dataclass(frozen=True)
class _Iteration:
    """Settings of the sender's iteration: request again what the reader misses."""

    max_iterations: int = 5
    step: float = 0.5  # share of the error that is added to the request
    good_enough: float = 0.99999  # cosine similarity at which it stops


_DETECTION, _ITERATION = _Detection(), _Iteration()
#: Steps of the dither from row to row of blocks, from column to column, and from value to value of a block.
_DITHER_STEPS = (0.7548776662466927, 0.5698402909980532, 0.6180339887498949)
#: Rows of blocks that a network processes at once, and further rows that it needs on either side.
STRIP_ROWS, _CONTEXT_ROWS = 32, 2


class MIAIS:
    """The MIAIS method, for ``hide -i --method miais``: it hides face templates only."""

    name = NAME
    summary = "a face template, recognised but not revealed"
    needs_lossless = True
    default_survive = None

    def capacity(self, cover: Image) -> Capacity:
        """Return the size of one template."""
        as_cover(cover)
        return Capacity(templates.size(templates.FINE), _TYPICAL_PSNR)

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

        Args:
            cover: ``uint8 (H, W, 3)``, at least 32×32.
            payload: a packed template, of kind ``template``.
            passphrase: needed to recognise; None lets anybody recognise.
            psnr: must be None, since the network decides the PSNR.
            survive: must be None.

        Raises:
            UsageError: the payload is no template, or a PSNR or a channel is requested.
            SurvivalError: the cover cannot carry it: nearly all of it is black or white.
            ModelError: a network is missing or altered.
        """
        if payload.kind != "template":
            raise UsageError(f"{NAME} hides face templates only", hint="name a picture with -i, or another method")
        if psnr is not None or survive is not None:
            hint = "without --method another method is chosen, which has these settings"
            raise UsageError(f"{NAME} has no quality or survival setting", hint=hint)
        return hide(cover, templates.unpack(payload.data), passphrase)

    def holds(self, image: Image, passphrase: str | None) -> bool:
        """Return True if *image* contains a template of this passphrase."""
        return extract_template(as_image(image), shared_key(passphrase)) is not None

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        """Return the template in *container*, approximately as it was.

        Raises:
            NotFoundError: there is none, or it takes another passphrase.
            ModelError: a network is missing or altered.
        """
        template = extract_template(as_image(container), shared_key(passphrase))
        if template is None:
            raise refusals.not_found()
        return Payload(templates.pack(template), "template")


def hide(cover: Image, template: NDArray[np.float32], passphrase: str | None, *, model: Model | None = None) -> Image:
    """Return a container of *cover* with *template*.

    Args:
        cover: ``uint8 (H, W, 3)``, at least 32×32.
        template: ``float32 (64,)``.
        passphrase: needed to recognise; None lets anybody recognise.
        model: the model ``miais`` unless another is given.

    Raises:
        UsageError: the cover is no such picture.
        SurvivalError: the cover cannot carry the template.
        ModelError: a network is missing or altered.
    """
    cover, key = as_cover(cover), shared_key(passphrase)
    model = model or models.load(NAME)
    rotation = secrets.randbelow(_ROTATIONS)
    wanted = np.concatenate([templates.rotate(template, key, f"way {rotation}"), _signs(key)[rotation]])
    before, request, best, container = extract_numbers(cover, model), wanted, -1.0, cover
    for _ in range(_ITERATION.max_iterations):
        attempt = embed_numbers(cover, request, before, model)
        found = extract_numbers(attempt, model)
        similarity = templates.cosine_similarity(found, wanted)
        if similarity > best:
            best, container = similarity, attempt
        if best >= _ITERATION.good_enough:
            break
        request = request + _ITERATION.step * (wanted - found)
    if best >= MIN_SIMILARITY:
        return container
    raise SurvivalError(
        "this cover cannot carry a template", hint="take one that is not black or white nearly all over"
    )


def extract_template(container: Image, key: Key, *, model: Model | None = None) -> NDArray[np.float32] | None:
    """Return the template in *container*, ``float32 (64,)``; None if no rotation of *key* fits.

    Args:
        container: ``uint8 (H, W, 3)``.
        key: of the sender.
        model: the model ``miais`` unless another is given.

    Raises:
        ModelError: a network is missing or altered.
    """
    if min(container.shape[:2]) < SMALLEST_SIDE:
        return None
    model = model or models.load(NAME)
    preview = _preview(container)
    if preview.size < container.size and _likeliest(preview, key, model)[1] < _DETECTION.preview_threshold:
        return None
    template, similarity = _likeliest(container, key, model)
    return template if similarity >= _DETECTION.threshold else None


def extract_unchecked(container: Image, key: Key) -> NDArray[np.float32]:
    """Return the template by the likeliest rotation of *key*, even if its signs do not fit: for measurements.

    Raises:
        ModelError: a network is missing or altered.
    """
    return _likeliest(container, key, models.load(NAME))[0]


def extract_numbers(picture: Image, model: Model) -> NDArray[np.float32]:
    """Return the 104 numbers in *picture*, ``float32 (104,)``: the mean of the reader's output over whole blocks."""
    down, across = (side // BLOCK for side in picture.shape[:2])
    total = np.zeros(templates.NUMBERS + SIGNS)
    for rows, inner in overlapping(down, STRIP_ROWS, _CONTEXT_ROWS):
        maps = model.graphs["reader"].run({"pictures": _planes(picture, rows, across)})["numbers"][0]
        total += maps[:, inner].sum(axis=(1, 2), dtype=np.float64)
    numbers: NDArray[np.float32] = (total / (down * across)).astype(np.float32)
    return numbers


def embed_numbers(cover: Image, request: NDArray[np.float32], before: NDArray[np.float32], model: Model) -> Image:
    """Return *cover* changed by the writer network.

    Args:
        cover: ``uint8 (H, W, 3)``. Pixels outside whole blocks stay as they are.
        request: the numbers to embed, ``(104,)``.
        before: the numbers in the cover, ``(104,)``.
        model: its networks.
    """
    down, across = (side // BLOCK for side in cover.shape[:2])
    container, thresholds = cover.copy(), dither(down * BLOCK, across * BLOCK)
    for rows, inner in overlapping(down, STRIP_ROWS, _CONTEXT_ROWS):
        inputs = {"covers": _planes(cover, rows, across), "numbers": request[None], "said": before[None]}
        output = 255 * model.graphs["writer"].run(inputs)["containers"][0].transpose(1, 2, 0)
        cut = slice(inner.start * BLOCK, inner.stop * BLOCK)
        top = (rows.start + inner.start) * BLOCK
        rounded = np.rint(output[cut] + thresholds[top : top + cut.stop - cut.start, :, None])
        container[top : top + cut.stop - cut.start, : across * BLOCK] = rounded.clip(0, 255)
    return container


def dither(height: int, width: int) -> NDArray[np.float32]:
    """Return the dither that is added before rounding to 8 bits, ``float32 (height, width)``, -0.5 to 0.5.

    All blocks change alike, so that without it rounding would take the same from each of them. Its values are evenly
    spread over the blocks (R₂ sequence, M. Roberts 2018), so that the mean over blocks keeps the change.
    """
    down, across = (divmod(np.arange(side), BLOCK) for side in (height, width))
    rows = down[0] * _DITHER_STEPS[0] + BLOCK * down[1] * _DITHER_STEPS[2]
    columns = across[0] * _DITHER_STEPS[1] + across[1] * _DITHER_STEPS[2]
    thresholds: NDArray[np.float32] = np.add.outer(rows % 1, columns % 1).astype(np.float32) % 1 - np.float32(0.5)
    return thresholds


def _preview(picture: Image) -> Image:
    """Return the middle of *picture*, on which most large pictures without a template are rejected fast."""
    side = _DETECTION.preview_side
    rows, columns = (slice(max(0, length - side) // 2 // BLOCK * BLOCK, None) for length in picture.shape[:2])
    return picture[rows, columns][:side, :side]


def _likeliest(container: Image, key: Key, model: Model) -> tuple[NDArray[np.float32], float]:
    """Return the template by the rotation whose signs fit best, and their cosine similarity."""
    numbers = extract_numbers(container, model)
    rotated, signs = numbers[: templates.NUMBERS], numbers[templates.NUMBERS :]
    similarities = _signs(key) @ signs / max(float(np.linalg.norm(signs)) * SIGNS**0.5, 1e-9)
    rotation = int(similarities.argmax())
    return templates.rotate_back(rotated, key, f"way {rotation}"), float(similarities[rotation])


def _planes(picture: Image, rows: slice, across: int) -> NDArray[np.float32]:
    """Return the pixels of some rows of blocks, ``(1, 3, H, W)``, 0 to 1."""
    cut = picture[rows.start * BLOCK : rows.stop * BLOCK, : across * BLOCK]
    return np.ascontiguousarray(cut.transpose(2, 0, 1)[None], np.float32) / np.float32(255)


def _signs(key: Key) -> NDArray[np.float32]:
    """Return the signs of each rotation, ``(4096, 40)``, -1 or 1."""
    bits = np.unpackbits(key.stream("ways", _ROTATIONS * SIGNS // 8)).reshape(_ROTATIONS, SIGNS)
    return 1 - 2 * bits.astype(np.float32)
