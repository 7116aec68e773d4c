"""How well each value of a picture hides change: the same for a picture and for whatever is hidden in it.

A network looks at a *view* of the picture, its high 4 bits. What is embedded changes only the low 4, so who hides and
who reveals see one view. Its arithmetic is on whole numbers that 32-bit floats hold exactly, in any order of summation
(``underpaint_lab.nets.integer`` has the proof), so they also come to one attention: on any processor, with any number
of threads, with graph optimisation or without, whole or in tiles.

Where who reveals needs no attention, who hides may look at all 8 bits: that shows texture the high bits do not have.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from underpaint import models
from underpaint.embedding.bit_planes import CONFINED_PLANES
from underpaint.models.session import default_threads
from underpaint.types import as_cover

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.models import Session
    from underpaint.types import Image

#: So many steps of attention more take twice the change.
STEPS_PER_OCTAVE = 32

_MODEL = "basn"
#: The network halves a side at most three times.
_MULTIPLE = 8
#: At least the radius of the network's receptive field, in pixels.
_OVERLAP = 48
#: By how many pixels a picture is mirrored beyond its border, or the border would look like an edge.
_BEYOND = 16
#: Large enough that the overlap costs little, and small enough for a processor's cache.
_TILE = 512
#: The bits of a value that are not embedded in.
_HIGH = np.uint8(256 - (1 << CONFINED_PLANES))
_remembered: dict[tuple[tuple[int, ...], bytes], NDArray[np.uint8]] = {}


def attention(image: Image, *, whole: bool = False) -> NDArray[np.uint8]:
    """How well each value hides change, ``uint8 (H, W, 3)``, read-only: 0, leave alone, to 255, by :data:`OCTAVE`.

    Args:
        image: any picture.
        whole: look at all bits, which embedding may change, instead of the high ones.

    Raises:
        UsageError: no image, or a side is below 32 pixels.
        ModelError: the network is missing or altered.
    """
    view = as_cover(image) if whole else as_cover(image) & _HIGH
    name = (view.shape, hashlib.blake2b(view.tobytes()).digest())
    # A payload is measured, hidden and revealed again in one picture: its attention is remembered till the next comes.
    found = _remembered.get(name)
    if found is None:
        found = attend(view, models.load(_MODEL, threads=1).graphs["attention"])
        found.flags.writeable = False
        _remembered.clear()
        _remembered[name] = found
    return found


def attend(view: Image, graph: Session, tile: int = _TILE) -> NDArray[np.uint8]:
    """What *graph* makes of a *view*, ``uint8 (H, W, 3)``; *tile* as in :meth:`Session.tiled`."""
    height, width = view.shape[:2]
    padding = [(_BEYOND, _BEYOND + -side % _MULTIPLE) for side in (height, width)]
    planes = np.pad(view, [*padding, (0, 0)], mode="reflect").transpose(2, 0, 1)[None]
    found = graph.tiled(planes, overlap=_OVERLAP, tile=tile, workers=default_threads())[0].transpose(1, 2, 0)
    return np.ascontiguousarray(found[_BEYOND : _BEYOND + height, _BEYOND : _BEYOND + width])
