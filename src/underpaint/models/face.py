"""Face recognition: the network that computes a biometric template from a picture of a face.

::

    picture ─► centred square, 64×64 ─► network ─► template, 64 numbers

The network is the recipe ``miais-teacher`` of the lab, trained on faces. For other pictures the similarity of
templates has no meaning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Pillow

from underpaint import models
from underpaint.types import as_image

if TYPE_CHECKING:
    from underpaint.coding.template import Template
    from underpaint.models import Model
    from underpaint.types import Image

#: Name of the model in the zoo.
MODEL = "miais-teacher"
#: Cosine similarity from which on two templates count as the same person's. One in twenty pairs of
#: different people in the development set reaches it.
MIN_SIMILARITY = 0.45
#: Side in pixels of the network's input.
_SIDE = 64


def template(picture: Image, *, model: Model | None = None) -> Template:
    """Compute the template of the face in the middle of *picture*.

    Args:
        picture: ``uint8 (H, W, 3)``, filled by a face from chin to hair, upright, as in Labeled Faces in the Wild.
        model: the network; None for :data:`MODEL`.

    Returns:
        ``float32 (64,)`` with a mean square of 1.

    Raises:
        UsageError: *picture* is not such an array.
        ModelError: the network is missing or altered.
    """
    height, width = as_image(picture).shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Pillow.fromarray(picture[top : top + side, left : left + side])
    small = np.asarray(square.resize((_SIDE, _SIDE), Pillow.Resampling.BICUBIC)).astype(np.float32) / 255
    graphs = (model or models.load(MODEL)).graphs
    numbers: Template = graphs["recogniser"].run({"pictures": small.transpose(2, 0, 1)[None]})["numbers"][0]
    return numbers
