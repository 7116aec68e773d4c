"""Templates: what somebody is recognised by, in numbers, which say nothing else of the picture.

::

    picture ─► its middle square, 64×64 ─► network ─► numbers ─┬► turned by a key ─► ``miais`` writes them as they are
                                                            └► 48 or 96 bytes ─► any method that hides bytes

Two of one person are alike, by the cosine of the angle between them. A key turns them in their 64 dimensions, so that
those turned by different keys are as unlike as any two that are drawn at random, and no number stays what it was.

The network is that of ``miais-teacher`` in the lab, which has learned from faces: how near two pictures of anything
else are to it, nobody has taught it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from underpaint import models
from underpaint.errors import DamagedError
from underpaint.types import as_image

if TYPE_CHECKING:
    from underpaint.coding.keys import Key
    from underpaint.models import Model
    from underpaint.types import Image

#: ``float32 (64,)``.
Template = NDArray[np.float32]

#: Name of the model in the zoo.
MODEL = "miais-teacher"
#: Numbers of a template. Their mean square is 1. Part of the format, as what follows.
NUMBERS = 64
#: The likeness from which on two are taken for one person's: of people to choose by, one in twenty pairs of two are.
THRESHOLD = 0.45
#: Bits of each in a file: where there is room, and where there is little; and the largest value that they hold.
FINE, COARSE = 12, 6
_LARGEST = 4.0
#: How often signs and Hadamard's matrix take turns.
_TURNS = 3
#: Side in pixels of what the network sees.
_SIDE = 64


def template(picture: Image, *, model: Model | None = None) -> Template:
    """Return what whoever is in the middle of *picture* is recognised by, ``float32 (64,)``.

    Args:
        picture: ``uint8 (H, W, 3)``, filled by a face from chin to hair, upright, as in Labeled Faces in the Wild.
        model: by default that of the zoo.

    Raises:
        UsageError: it is no such picture.
        ModelError: the network is missing or altered.
    """
    height, width = as_image(picture).shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Pillow.fromarray(picture[top : top + side, left : left + side])
    small = np.asarray(square.resize((_SIDE, _SIDE), Pillow.Resampling.BICUBIC)).astype(np.float32) / 255
    graphs = (model or models.load(MODEL)).graphs
    found: Template = graphs["recogniser"].run({"pictures": small.transpose(2, 0, 1)[None]})["numbers"][0]
    return found


def cosine_similarity(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """The cosine of the angle between two templates: 1 for the same, about 0 for those of two people."""
    return float(one @ other / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-9))


def rotate(numbers: Template, key: Key, label: str) -> Template:
    """Return *numbers* turned by *key*; *label* names one of its ways to turn them."""
    return _rotation(key, label) @ numbers


def rotate_back(numbers: Template, key: Key, label: str) -> Template:
    """Return what :func:`turned` made *numbers* of."""
    return _rotation(key, label).T @ numbers


def pack(numbers: Template, bits: int = FINE) -> bytes:
    """Return *numbers* as 96 bytes, or if they are :data:`COARSE` as 48: whole numbers, the first value's first."""
    levels = np.rint(numbers / _step(bits) + (2**bits - 1) / 2).clip(0, 2**bits - 1).astype(np.uint16)
    return np.packbits(np.unpackbits(levels.astype(">u2")[:, None].view(np.uint8), axis=1)[:, -bits:]).tobytes()


def unpack(data: bytes) -> Template:
    """Return the numbers that :func:`packed` made *data* of, as near as their bits allow.

    Raises:
        DamagedError: *data* has another length.
    """
    if len(data) not in (size(FINE), size(COARSE)):
        raise DamagedError(f"a template has {size(FINE)} or {size(COARSE)} bytes, not {len(data)}")
    bits = len(data) * 8 // NUMBERS
    padded = np.zeros((NUMBERS, 16), np.uint8)
    padded[:, -bits:] = np.unpackbits(np.frombuffer(data, np.uint8)).reshape(NUMBERS, bits)
    levels = np.packbits(padded, axis=1).view(">u2")[:, 0]
    found: Template = ((levels - (2**bits - 1) / 2) * _step(bits)).astype(np.float32)
    return found


def size(bits: int) -> int:
    """Bytes of a template whose numbers have so many *bits*."""
    return NUMBERS * bits // 8


def _step(bits: int) -> float:
    """What lies between two neighbours of the values that so many *bits* can have."""
    return float(2 * _LARGEST / 2**bits)


def _rotation(key: Key, label: str) -> Template:
    """An orthogonal matrix, ``(64, 64)``: signs and Hadamard's matrix in turns.

    N. Ailon and B. Chazelle, "The Fast Johnson–Lindenstrauss Transform" (2009), have it once; three times it is near
    enough to any rotation.
    """
    signs = 1 - 2 * (key.stream(label, _TURNS * NUMBERS) & 1).astype(np.float32)
    mixing = np.ones((1, 1), np.float32)
    while len(mixing) < NUMBERS:
        mixing = np.block([[mixing, mixing], [mixing, -mixing]])
    rotation: Template = np.eye(NUMBERS, dtype=np.float32)
    for turn in signs.reshape(_TURNS, NUMBERS):
        rotation = (mixing @ (turn[:, None] * rotation) / NUMBERS**0.5).astype(np.float32)
    return rotation
